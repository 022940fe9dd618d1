//! tests - the names that Dovecot makes of what a client sends, step by step

use super::*;

fn folded(settings: &NameSettings, name: &str) -> String {
    let folding = NameFolding::new(settings);
    let name = UserName::new(name.as_bytes());
    folding.fold(&name).to_name().to_string()
}

#[track_caller]
fn check(settings: &NameSettings, names: &[(&str, &str)]) {
    for (name, counted) in names {
        assert_eq!(folded(settings, name), *counted, "{name}");
    }
}

fn strip() -> NameSettings {
    NameSettings {
        domain: Domain::Strip,
        ..NameSettings::default()
    }
}

fn realm() -> NameSettings {
    NameSettings {
        default_realm: "Example.org".to_owned(),
        ..NameSettings::default()
    }
}

fn all() -> NameSettings {
    NameSettings {
        domain: Domain::Keep,
        default_realm: "example.org".to_owned(),
        translate: vec![(b'%', b'@'), (b'X', b'y')],
        master_separator: Some(b'*'),
        subaddress: Some(b'+'),
    }
}

#[test]
fn without_settings_only_letters_are_folded() {
    check(
        &NameSettings::default(),
        &[
            ("Anna@Example.ORG", "anna@example.org"),
            ("anna+x%y*z", "anna+x%y*z"),
            ("", ""),
            ("@", "@"),
        ],
    );
}

#[test]
fn a_dropped_domain_begins_at_the_first_sign() {
    let names = [
        ("Anna@a", "anna"),
        ("anna@a@b", "anna"),
        ("anna", "anna"),
        ("@a", ""),
    ];
    check(&strip(), &names);
}

#[test]
fn a_realm_is_added_where_there_is_no_domain() {
    let names = [
        ("Anna", "anna@example.org"),
        ("anna@a", "anna@a"),
        ("anna@", "anna@"),
    ];
    check(&realm(), &names);
}

#[test]
fn all_steps_are_made_in_dovecots_order() {
    check(
        &all(),
        &[
            ("anna", "anna@example.org"),
            ("anna%a", "anna@a@example.org"),
            ("anna@a%b", "anna@a@b"),
            ("aXel@a", "ayel@a"),
            ("axel@a", "axel@a"),
            ("anna*admin", "admin@example.org"),
            ("anna@a*admin@b", "admin@b"),
            ("anna*ad*min@b", "ad*min@b"),
            ("anna*", "@example.org"),
            ("anna+lists@a+b", "anna@a+b"),
            ("+@a", "@a"),
        ],
    );
}

#[test]
fn the_later_of_two_translations_of_a_character_holds() {
    let settings = NameSettings {
        translate: vec![(b'#', b'-'), (b'#', b'_')],
        ..NameSettings::default()
    };
    check(&settings, &[("a#b", "a_b")]);
}

#[test]
fn what_is_folded_is_not_changed_by_folding_it_again() {
    for settings in [NameSettings::default(), strip(), realm()] {
        for name in ["Anna", "anna@A", "anna@a@b", "", "@", "anna+x%y*z@w"] {
            let once = folded(&settings, name);
            assert_eq!(folded(&settings, &once), once, "{name}");
        }
    }
}

#[test]
fn a_name_with_any_other_character_is_unusual() {
    let folding = NameFolding::default();
    let characters = |name: &str| folding.fold(&UserName::new(name.as_bytes())).characters();
    for plain in ["", "Anna.B-c_d9@e", "@"] {
        assert_eq!(characters(plain), Characters::Plain, "{plain}");
    }
    for unusual in [
        "an na",
        "anna+x",
        "anna*m",
        "anna%a",
        "m\u{fc}ller",
        "anna@b\r",
    ] {
        assert_eq!(characters(unusual), Characters::Unusual, "{unusual}");
    }
}

#[test]
fn a_mark_tells_what_has_become_of_the_known() {
    let since = |before: &NameSettings, after: &NameSettings| {
        let mark = NameFolding::new(before).mark();
        NameFolding::new(after).since(Some(mark))
    };
    let default = NameSettings::default();
    let everything = all();
    let stripped = NameSettings {
        domain: Domain::Strip,
        ..all()
    };
    for settings in [&default, &strip(), &realm(), &everything] {
        assert_eq!(since(settings, settings), NamesSince::Same);
    }
    assert_eq!(since(&default, &strip()), NamesSince::Stripped);
    assert_eq!(since(&realm(), &strip()), NamesSince::Stripped);
    assert_eq!(since(&everything, &stripped), NamesSince::Stripped);
    assert_eq!(since(&strip(), &default), NamesSince::Other);
    assert_eq!(since(&default, &realm()), NamesSince::Other);
    assert_eq!(since(&default, &stripped), NamesSince::Other);
    assert_eq!(NameFolding::default().since(None), NamesSince::Same);
}
