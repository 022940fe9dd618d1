use std::time::Duration;

use gatepost_core::gate::Keys;
use gatepost_core::gate::request::settings::GateSettings;
use gatepost_core::gate::request::verdict::Standing;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn gate(clock: Clock) -> Gate {
    let keys = Keys {
        users: [1; 16],
        passwords: [2; 16],
        table: [3; 16],
    };
    Gate::new(GateSettings::default(), keys, clock.now())
}

fn lists_in(folder: &std::path::Path) -> Lists {
    Lists::new(folder.to_owned(), KnownPasswordsSettings::default())
}

fn import(lists: &Lists, source: &str, networks: &[&str], gate: &Gate, clock: Clock) {
    let texts: Vec<String> = networks.iter().map(|&one| one.to_owned()).collect();
    lists.part(7, &texts).unwrap();
    let end = (7, source, texts.len());
    lists
        .end(end, clock.now() + HOUR, gate, clock)
        .unwrap()
        .unwrap();
}

fn is_banned(gate: &Gate, address: &str, clock: Clock) -> bool {
    gate.standing(address.parse().unwrap(), clock.now()) == Standing::Banned
}

#[test]
fn a_list_comes_in_parts_survives_a_restart_and_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let lists = lists_in(folder.path());
    let clock = Clock::start();
    let gate = gate(clock);
    lists.part(1, &["198.51.100.0/24".to_owned()]).unwrap();
    assert!(
        !is_banned(&gate, "198.51.100.7", clock),
        "its end has not come"
    );
    lists.part(1, &["203.0.113.7".to_owned()]).unwrap();
    let until = clock.now() + HOUR;
    lists
        .end((1, "drop", 2), until, &gate, clock)
        .unwrap()
        .unwrap();
    let next = self::gate(clock);
    lists_in(folder.path()).restore(&next, clock);
    for gate in [&gate, &next] {
        assert!(is_banned(gate, "198.51.100.7", clock) && is_banned(gate, "203.0.113.7", clock));
        let left = gate.lists()[0].until.since(clock.now());
        assert!(left > HOUR - Duration::from_secs(60) && left <= HOUR + Duration::from_secs(2));
    }
    assert!(lists.remove("drop", &next).unwrap());
    assert!(!is_banned(&next, "198.51.100.7", clock));
    assert!(!lists.remove("drop", &next).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_list_that_is_damaged_over_or_no_file_is_left_out_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (lists, clock) = (lists_in(folder.path()), Clock::start());
    let path = |name: &str| folder.path().join(name);
    import(&lists, "good", &["198.51.100.0/24"], &gate(clock), clock);
    let whole = std::fs::read_to_string(path("list-good")).unwrap();
    let (_, rest) = whole.split_once('\n').unwrap();
    for (name, text) in [
        (
            "list-torn",
            whole.rsplit_once("# end").unwrap().0.to_owned(),
        ),
        ("list-short", whole.replace("networks 1", "networks 2")),
        ("list-over", format!("{HEAD}9\n{rest}")),
        ("list-wide", whole.replace("198.51.100.0/24", "0.0.0.0/0")),
        ("list-html", "<html>\n".to_owned()),
        ("list-empty", String::new()),
    ] {
        std::fs::write(path(name), text).unwrap();
    }
    std::fs::create_dir(path("list-folder")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", path("list-link")).unwrap();
    let next = gate(clock);
    lists_in(folder.path()).restore(&next, clock);
    let sources: Vec<_> = next.lists().into_iter().map(|one| one.source).collect();
    assert_eq!(sources, ["good"]);
}

/// Writes another end into the file of the list `drop`.
fn date(folder: &std::path::Path, until: u64) {
    let path = folder.join("list-drop");
    let whole = std::fs::read_to_string(&path).unwrap();
    let (_, rest) = whole.split_once('\n').unwrap();
    std::fs::write(&path, format!("{HEAD}{until}\n{rest}")).unwrap();
}

#[test]
fn after_the_clock_was_set_a_list_is_in_force_or_over_by_its_new_date() {
    let folder = tempfile::tempdir().unwrap();
    let (earlier, clock) = (lists_in(folder.path()), Clock::start());
    let gate = gate(clock);
    import(&earlier, "drop", &["198.51.100.0/24"], &gate, clock);
    let lists = lists_in(folder.path());
    // What stands between its end and the date is the same as if the clock had been set.
    let ends = |until: u64| {
        date(folder.path(), until);
        lists.restore(&gate, clock);
        is_banned(&gate, "198.51.100.7", clock)
    };
    let wall = Clock::wall().as_seconds();
    assert!(!ends(wall - 60));
    assert!(ends(wall + 60));
    assert!(gate.lists()[0].until.since(clock.now()) <= Duration::from_secs(62));
}

#[test]
fn after_the_clock_was_set_a_list_that_was_imported_here_stays_and_its_file_has_a_new_date() {
    let folder = tempfile::tempdir().unwrap();
    let (lists, clock) = (lists_in(folder.path()), Clock::start());
    let gate = gate(clock);
    import(&lists, "drop", &["198.51.100.0/24"], &gate, clock);
    let file = std::fs::read_to_string(folder.path().join("list-drop")).unwrap();
    // As if it had been written by a clock weeks behind, or ahead.
    for by_wrong_clock in [1_000_000_000, 9_000_000_000_u64] {
        date(folder.path(), by_wrong_clock);
        lists.restore(&gate, clock);
        assert!(is_banned(&gate, "198.51.100.7", clock));
        let next = self::gate(clock);
        lists_in(folder.path()).restore(&next, clock);
        assert!(is_banned(&next, "198.51.100.7", clock));
        for gate in [&gate, &next] {
            let left = gate.lists()[0].until.since(clock.now());
            assert!(left > HOUR - Duration::from_secs(60) && left <= HOUR + Duration::from_secs(2));
        }
    }
    // What was removed is no more the process's own.
    lists.remove("drop", &gate).unwrap();
    assert!(!is_banned(&gate, "198.51.100.7", clock));
    std::fs::write(folder.path().join("list-drop"), file).unwrap();
    lists.restore(&gate, clock);
    assert!(is_banned(&gate, "198.51.100.7", clock));
}

#[test]
fn a_list_with_something_wrong_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let (lists, clock) = (lists_in(folder.path()), Clock::start());
    let gate = gate(clock);
    import(&lists, "drop", &["198.51.100.0/24"], &gate, clock);
    let good = || vec!["203.0.113.0/24".to_owned()];
    for wrong in ["0.0.0.0/0", "::/0", "300.1.1.1", "../../etc"] {
        lists.part(2, &good()).unwrap();
        assert!(lists.part(2, &[wrong.to_owned()]).is_err(), "{wrong}");
        let until = clock.now() + HOUR;
        assert!(lists.end((2, "drop", 2), until, &gate, clock).is_err());
    }
    // Not all of its parts, or those of another.
    lists.part(3, &good()).unwrap();
    let until = clock.now() + HOUR;
    assert!(lists.end((3, "drop", 2), until, &gate, clock).is_err());
    lists.part(4, &good()).unwrap();
    lists.part(5, &good()).unwrap();
    assert!(lists.end((4, "drop", 1), until, &gate, clock).is_err());
    for source in ["", "..", ".x", "a/b", "a\nb", &"x".repeat(33)] {
        lists.part(6, &good()).unwrap();
        assert!(
            lists.end((6, source, 1), until, &gate, clock).is_err(),
            "{source}"
        );
    }
    assert!(is_banned(&gate, "198.51.100.7", clock));
    assert!(!is_banned(&gate, "203.0.113.7", clock));
}

#[test]
fn lists_whose_directory_was_removed_are_written_into_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (lists, clock) = (lists_in(&state), Clock::start());
    let gate = gate(clock);
    import(
        &lists,
        "drop",
        &["198.51.100.0/24", "2001:db8::/32"],
        &gate,
        clock,
    );
    std::fs::remove_dir_all(&state).unwrap();
    lists.keep_again(&gate, clock);
    let next = self::gate(clock);
    lists_in(&state).restore(&next, clock);
    assert!(is_banned(&next, "198.51.100.7", clock) && is_banned(&next, "2001:db8::7", clock));
    assert_eq!(next.lists()[0].networks, 2);
}

#[test]
fn a_mapped_network_of_a_list_is_the_ipv4_network_and_as_wide() {
    let mapped = network("::ffff:203.0.113.0/120").unwrap();
    assert_eq!(mapped, "203.0.113.0/24".parse().unwrap());
    assert!(network("::ffff:64.0.0.0/104").is_ok());
    assert!(network("::ffff:64.0.0.0/103").is_err());
}
