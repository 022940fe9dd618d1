use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;
use crate::admin::message::{
    BucketMessage, ClusterMessage, Fill, LenderMessage, NotKeptMessage, SharingMessage,
    UpstreamMessage,
};

fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    let owned = |(name, count): &(&str, u64)| ((*name).to_owned(), *count);
    of.iter().map(owned).collect()
}

fn status() -> StatusMessage {
    StatusMessage {
        version: "1.2.3".to_owned(),
        started: "2026-11-27T07:00:00Z".to_owned(),
        mode: "enforce".to_owned(),
        logins_work: true,
        upstream: vec![UpstreamMessage {
            address: "127.0.0.1:10465".to_owned(),
            state: "usable".to_owned(),
            ..UpstreamMessage::default()
        }],
        processes: counts(&[("logins", 3), ("waiting", 1)]),
        sessions: 7,
        logged_in: 5,
        bans_by_reason: counts(&[("strikes", 2)]),
        bound_per_day: 1872,
        buckets: vec![BucketMessage {
            name: "strangers".to_owned(),
            tokens: 60,
            burst: 100,
            ..BucketMessage::default()
        }],
        tables: BTreeMap::from([(
            "clients".to_owned(),
            Fill {
                used: 4,
                capacity: 9,
                evicted: 2,
            },
        )]),
        counters: counts(&[("sessions", 12), ("octets-in", 1000)]),
        attempts: BTreeMap::from([
            ("accept".to_owned(), counts(&[("familiar", 8)])),
            ("refuse".to_owned(), counts(&[("strangers", 6), ("ban", 5)])),
        ]),
        refused: counts(&[("turn", 4), ("strangers", 6), ("familiar", 0)]),
        doors: BTreeMap::from([("imap".to_owned(), counts(&[("refused", 9)]))]),
        familiar_refused: counts(&[("turn", 4)]),
        turned_away: counts(&[("ban", 11)]),
        certificates: ["1970-01-01T00:01:40Z", "1970-01-01T00:01:41Z"]
            .map(|expires| CertificateMessage {
                names: vec!["a \"b\" \\ c".to_owned()],
                expires: expires.to_owned(),
                ..CertificateMessage::default()
            })
            .into(),
        limits: counts(&[("turns", 4)]),
        ..StatusMessage::default()
    }
}

fn durations() -> Durations {
    let durations = Durations::default();
    durations.check.observe(Duration::from_millis(45));
    durations.check.observe(Duration::from_secs(60));
    durations
}

#[test]
fn the_page_has_the_numbers_of_the_snapshot() {
    let page = render(status(), &durations(), Exposition::OpenMetrics);
    for line in [
        "gatepost_build_info{version=\"1.2.3\"} 1",
        "gatepost_logins_work 1.0",
        "gatepost_attempts_total{verdict=\"refuse\",reason=\"strangers\"} 6",
        "gatepost_door_attempts_total{door=\"imap\",outcome=\"refused\"} 9",
        "gatepost_familiar_refused_total{reason=\"turn\"} 4",
        "gatepost_familiar_refused_total{reason=\"familiar\"} 0",
        "gatepost_backend_usable{upstream=\"127.0.0.1:10465\"} 1.0",
        "gatepost_sessions{stage=\"before-login\"} 2.0",
        "gatepost_bound_guesses_left 60.0",
        "gatepost_refused_connections_total{reason=\"ban\"} 11",
        "gatepost_bans{reason=\"strikes\"} 2.0",
        "gatepost_evictions_total{table=\"clients\"} 2",
        "gatepost_certificate_not_after_timestamp_seconds{name=\"a \\\"b\\\" \\\\ c\"} 100.0",
        "process_start_time_seconds 1795762800.0",
        "gatepost_check_seconds_bucket{le=\"0.05\"} 1",
        "gatepost_check_seconds_bucket{le=\"30.0\"} 1",
        "gatepost_check_seconds_bucket{le=\"+Inf\"} 2",
        "gatepost_check_seconds_count 2",
        "# TYPE gatepost_attempts counter",
        "# TYPE gatepost_build info",
    ] {
        assert!(page.lines().any(|one| one == line), "{line}\n{page}");
    }
    assert!(page.ends_with("# EOF\n"));
}

#[test]
fn what_is_wrong_is_a_zero() {
    let wrong = StatusMessage {
        mode: "dry-run".to_owned(),
        state_not_kept: Some(NotKeptMessage::default()),
        history_not_kept: Some("database or disk is full".to_owned()),
        upstream: vec![UpstreamMessage {
            address: "unix:/x".to_owned(),
            state: "not-asked".to_owned(),
            ..UpstreamMessage::default()
        }],
        backend_outage: true,
        cluster: Some(ClusterMessage {
            in_force: "its-part".to_owned(),
            store: Some(LenderMessage {
                state: "cut-off".to_owned(),
                ..LenderMessage::default()
            }),
            ..ClusterMessage::default()
        }),
        ..StatusMessage::default()
    };
    let page = render(wrong, &durations(), Exposition::Text);
    for line in [
        "gatepost_logins_work 0.0",
        "gatepost_cluster_in_force 0.0",
        "gatepost_enforcing 0.0",
        "gatepost_state_kept 0.0",
        "gatepost_history_kept 0.0",
        "gatepost_backend_usable{upstream=\"unix:/x\"} 0.0",
        "gatepost_backend_outage 1.0",
    ] {
        assert!(page.lines().any(|one| one == line), "{line}\n{page}");
    }
}

#[test]
fn a_machine_that_is_linked_with_some_only_does_not_share_with_all() {
    let shared = |state: &str| {
        shares(&ClusterMessage {
            sharing: Some(SharingMessage {
                state: state.to_owned(),
                ..SharingMessage::default()
            }),
            ..ClusterMessage::default()
        })
    };
    assert!(shared("shares"));
    assert!(!shared("in-part") && !shared("cut-off") && !shared("not-asked"));
}

#[test]
fn a_machine_has_its_share_unless_the_store_or_another_process_keeps_it() {
    let share = |in_force: &str, name: &str, state: Option<&str>| {
        is_in_force(&ClusterMessage {
            name: name.to_owned(),
            machines: vec!["mx1".to_owned(), "mx2".to_owned()],
            in_force: in_force.to_owned(),
            store: state.map(|state| LenderMessage {
                state: state.to_owned(),
                ..LenderMessage::default()
            }),
            ..ClusterMessage::default()
        })
    };
    assert!(share("its-part", "mx1", None));
    assert!(share("its-part-and-loans", "mx1", Some("lends")));
    assert!(share("loans", "guest", Some("lends")));
    assert!(!share("its-part", "mx1", Some("cut-off")));
    assert!(!share("its-part", "mx1", Some("not-asked")));
    assert!(!share("loans", "mx1", Some("lends")), "its name is taken");
    assert!(!share("nothing", "guest", Some("cut-off")));
}

#[test]
fn both_formats_have_the_same_numbers_and_the_old_one_names_counters_in_full() {
    let new = render(status(), &durations(), Exposition::OpenMetrics);
    let old = render(status(), &durations(), Exposition::Text);
    let numbers = |page: &str| -> Vec<String> {
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    assert!(numbers(&new).len() > 70, "{new}");
    assert_eq!(numbers(&new), numbers(&old));
    for line in [
        "# TYPE gatepost_attempts_total counter",
        "# TYPE gatepost_build_info gauge",
        "# HELP gatepost_build_info The version",
        "# TYPE process_cpu_seconds_total counter",
        "# TYPE gatepost_check_seconds histogram",
    ] {
        assert!(old.lines().any(|one| one == line), "{line}\n{old}");
    }
    assert!(!old.contains("EOF") && !old.contains("UNIT"), "{old}");
}

/// What promtool does not see in OpenMetrics: each sample is there once and belongs to the family before it, and
/// each family has a type, a help text and a name of its own.
#[test]
fn every_sample_belongs_to_its_family() {
    let page = render(status(), &durations(), Exposition::OpenMetrics);
    let mut families: HashMap<&str, &str> = HashMap::new();
    let mut helped = BTreeSet::new();
    let mut samples = BTreeSet::new();
    let mut last = "";
    for line in page.lines() {
        if let Some(of) = line.strip_prefix("# TYPE ") {
            let (name, kind) = of.split_once(' ').unwrap();
            assert!(families.insert(name, kind).is_none(), "{name} twice");
            let is_word = |letter: char| letter.is_ascii_lowercase() || letter == '_';
            assert!(name.chars().all(is_word), "{name}");
            last = name;
        } else if let Some(of) = line.strip_prefix("# HELP ") {
            let (name, text) = of.split_once(' ').unwrap();
            assert!(helped.insert(name) && !text.is_empty(), "{line}");
        } else if !line.starts_with('#') {
            let (sample, _) = line.rsplit_once(' ').unwrap();
            assert!(samples.insert(sample), "{sample} twice");
            let name = line.split(['{', ' ']).next().unwrap();
            let suffix = name.strip_prefix(last).unwrap_or_else(|| panic!("{line}"));
            let fits: &[&str] = match families[last] {
                "counter" => &["_total"],
                "info" => &["_info"],
                "gauge" => &[""],
                _ => &["_bucket", "_sum", "_count"],
            };
            assert!(fits.contains(&suffix), "{line}");
        }
    }
    let named: BTreeSet<&str> = families.keys().copied().collect();
    assert_eq!(named, helped);
    assert!(named.len() > 25, "{named:?}");
}

/// Prometheus' own linter, for names, units and help texts.
#[test]
fn promtool_finds_nothing_to_say() {
    let page = render(status(), &durations(), Exposition::Text);
    assert_eq!(promtool(&page), (Some(0), String::new()));
    let (code, said) = promtool("# TYPE gatepost_guesses counter\ngatepost_guesses 1\n");
    assert!(
        code != Some(0) && said.contains("_total"),
        "{code:?}: {said}"
    );
}

fn promtool(page: &str) -> (Option<i32>, String) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of Debian's package prometheus");
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(page.as_bytes()).unwrap();
    drop(input);
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}
