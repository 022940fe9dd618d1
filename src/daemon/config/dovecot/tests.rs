//! tests - what Dovecot's settings propose for `[names]`

use super::*;
use crate::config::testing::findings;

const DEFAULT: &str = "
# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf
mail_location = mbox:~/mail:INBOX=/var/mail/%u
passdb {
  driver = pam
}
service auth {
  unix_listener auth-userdb {
    mode = 0666
  }
}
";

/// The warnings of a config with the defaults beside a Dovecot that has `more`, one line each.
fn said(own: &NameSettings, more: &str) -> Vec<String> {
    let mut findings = findings();
    compare(&format!("{DEFAULT}{more}\n"), own, &mut findings);
    let warnings = findings.conclude().unwrap();
    warnings
        .iter()
        .map(|warning| {
            format!(
                "{}; {}",
                warning.message(),
                warning.help().unwrap_or_default()
            )
        })
        .collect()
}

#[track_caller]
fn proposes(more: &str, lines: &[&str]) {
    let said = said(&NameSettings::default(), more);
    if lines.is_empty() {
        assert_eq!(said, [""; 0], "{more}");
        return;
    }
    let [warning] = said.as_slice() else {
        panic!("{more}: {said:?}");
    };
    let proposed = warning.split_once("[names]:\n").unwrap().1;
    assert_eq!(proposed.lines().collect::<Vec<_>>(), lines, "{more}");
}

#[test]
fn a_dovecot_that_keeps_names_proposes_nothing() {
    for format in [
        "",
        "%u",
        "%Lu",
        "%Ln@%Ld",
        "%n@%d",
        "%{user}",
        "%{user | lower}",
        "%Uu",
    ] {
        proposes(&format!("auth_username_format = {format}"), &[]);
    }
    proposes("auth_default_realm = ", &[]);
    proposes("auth_username_chars = abc", &[]);
}

#[test]
fn a_dropped_domain_is_found_in_every_form() {
    for format in [
        "%n",
        "%Ln",
        "%{username}",
        "%{user|username|lower}",
        "%Ln@example.org",
    ] {
        proposes(
            &format!("auth_username_format = {format}"),
            &["domain = \"strip\""],
        );
    }
    let own =
        "passdb {\n  driver = passwd-file\n  args = scheme=CRYPT username_format=%n /etc/users\n}";
    // The other passdb keeps it.
    proposes(own, &[]);
    let mut alone = findings();
    compare(own, &NameSettings::default(), &mut alone);
    assert_eq!(alone.conclude().unwrap().len(), 1);
}

#[test]
fn the_other_settings_are_proposed_as_they_are_written_here() {
    proposes(
        "auth_default_realm = example.org\nauth_username_translation = %@\"'\nauth_master_user_separator = *",
        &[
            "default-realm = \"example.org\"",
            "translate = \"\"\"%@\"'\"\"\"",
            "master-separator = \"*\"",
        ],
    );
    proposes(
        "auth_default_domain = example.org\nauth_username_translation {\n  % = @\n}",
        &["default-realm = \"example.org\"", "translate = \"%@\""],
    );
}

#[test]
fn what_is_written_already_is_not_proposed_and_what_is_not_dovecots_is() {
    let own = NameSettings {
        domain: Domain::Strip,
        default_realm: "of-no-use".to_owned(),
        translate: vec![(b'%', b'@')],
        master_separator: Some(b'*'),
        subaddress: Some(b'+'),
    };
    let same = "auth_username_format = %Ln\nauth_username_translation = %@\nauth_master_user_separator = *";
    assert_eq!(said(&own, same), [""; 0]);
    let other = said(&own, "");
    assert!(other[0].contains("domain = \"keep\""), "{other:?}");
}

#[test]
fn what_cannot_be_expressed_is_said() {
    for (more, setting) in [
        ("auth_username_format = %s-%u", "auth_username_format"),
        ("auth_username_format = %d", "auth_username_format"),
        ("auth_username_format = %5u", "auth_username_format"),
        ("auth_username_format = %", "auth_username_format"),
        (
            "auth_username_format = %{user | index('+', 0)}",
            "auth_username_format",
        ),
        (
            "auth_username_translation = @%",
            "auth_username_translation",
        ),
        (
            "auth_username_translation = \u{fc}u",
            "auth_username_translation",
        ),
        (
            "auth_master_user_separator = x",
            "auth_master_user_separator",
        ),
        (
            "auth_master_user_separator = \u{fc}",
            "auth_master_user_separator",
        ),
    ] {
        let said = said(&NameSettings::default(), more);
        assert_eq!(said.len(), 1, "{more}: {said:?}");
        assert!(said[0].contains(setting), "{more}: {said:?}");
    }
}
