//! tests - replays of logs with a known result, and their output

use std::time::Duration;

use jiff::tz::TimeZone;

use super::trial::{ReplayPlan, Trial};
use super::*;
use gatepost_core::gate::request::settings::{Capacity, GateSettings, Mode};
use gatepost_core::logs::collector::LogCollector;

/// 2026-11-24T00:00:00Z
const BEGIN: u64 = 1_795_478_400;

fn settings() -> GateSettings {
    let mut settings = GateSettings {
        settling: Duration::ZERO,
        capacity: Capacity {
            clients: 10_000,
            pairs: 1_000,
        },
        ..GateSettings::default()
    };
    settings.bans.strikes = 3;
    settings
}

/// Lines of a log: minute, program and message.
#[derive(Default)]
struct TestLog(Vec<(u64, String)>);

impl TestLog {
    fn line(&mut self, minute: u64, message: &str) {
        let stamp = logs::timestamp(Moment::from_seconds(BEGIN + minute * 60));
        self.0.push((minute, format!("{stamp} mx {message}\n")));
    }

    fn fail(&mut self, minute: u64, user: &str, client: &str) {
        self.line(minute, &format!("postfix/smtpd[7]: warning: unknown[{client}]: SASL LOGIN authentication failed: x, sasl_username={user}"));
    }

    fn log_in(&mut self, minute: u64, user: &str, client: &str) {
        self.line(minute, &format!("postfix/smtpd[{minute}]: 4F: client=unknown[{client}], sasl_method=PLAIN, sasl_username={user}"));
    }

    fn imap(&mut self, minute: u64, user: &str, client: &str) {
        self.line(minute, &format!("dovecot: imap-login: Login: user=<{user}>, method=PLAIN, rip={client}, lip=192.0.2.1"));
    }

    fn history(&self) -> LoginHistory {
        let text: String = self.0.iter().map(|(_, line)| line.as_str()).collect();
        let mut collector = LogCollector::new(TimeZone::UTC);
        collector
            .read(text.as_bytes(), Moment::from_seconds(BEGIN), &mut |_| ())
            .unwrap();
        collector.into_history()
    }

    fn trial(&self, settings: &GateSettings) -> Trial {
        self.trial_since(settings, Moment::EPOCH, Elsewhere::Ignore)
    }

    fn trial_since(&self, settings: &GateSettings, since: Moment, elsewhere: Elsewhere) -> Trial {
        trial::run(settings, &self.history(), ReplayPlan { since, elsewhere })
    }
}

/// What `client` grants in 100 minutes: a burst of 10, the last of which is kept for retries, and one more every 30 minutes while
/// it is not banned.
const GRANTED: std::ops::RangeInclusive<u64> = 9..=12;

/// One address, 100 names, ten attempts every ten minutes; then a first login from the same address.
fn guesser() -> TestLog {
    let mut log = TestLog::default();
    for attempt in 0..100 {
        log.fail(attempt / 10 * 10, &format!("name{attempt}"), "203.0.113.7");
    }
    log.log_in(100, "alice", "203.0.113.7");
    log
}

#[test]
fn a_busy_guesser_gets_the_tokens_of_its_bucket_and_is_banned() {
    let trial = guesser().trial(&settings());
    assert_eq!(
        (trial.attempts, trial.successes, trial.failures()),
        (101, 1, 100)
    );
    assert!(
        GRANTED.contains(&trial.guesses_in_all()),
        "{}",
        trial.guesses_in_all()
    );
    assert_eq!(trial.allowed_in_all() + trial.refused_in_all(), 101);
    assert!(trial.refused.contains_key("client") && trial.refused.contains_key("ban"));
    assert!(trial.bans >= 1);
    let worst = trial.worst_offenders(5);
    assert_eq!(worst.len(), 1);
    assert_eq!(
        (worst[0].1.failures, worst[0].1.reached),
        (100, trial.guesses_in_all())
    );
}

#[test]
fn a_refused_successful_login_is_a_mistake_with_its_reason() {
    let trial = guesser().trial(&settings());
    let [mistake] = trial.mistakes.as_slice() else {
        panic!("{:?}", trial.mistakes);
    };
    assert_eq!(mistake.user.to_string(), "alice");
    assert_eq!(mistake.client, "203.0.113.7".parse().unwrap());
    assert_eq!(mistake.at, Moment::from_seconds(BEGIN + 6000));
}

#[test]
fn a_user_who_logged_in_before_since_is_familiar_and_not_refused() {
    let mut log = guesser();
    log.0.insert(0, (0, String::new()));
    let mut before = TestLog::default();
    before.log_in(0, "alice", "203.0.113.99");
    log.0.splice(0..0, before.0);
    let since = Moment::from_seconds(BEGIN + 1);
    let trial = log.trial_since(&settings(), since, Elsewhere::Ignore);
    // Without the ten of the first minute.
    assert_eq!((trial.learnt, trial.attempts), (1, 91));
    assert_eq!(trial.mistakes, []);
    assert!(trial.refused_in_all() > 50);
}

#[test]
fn while_settling_in_only_the_client_bucket_refuses_and_the_rest_is_reported() {
    let mut log = TestLog::default();
    for minute in 0..60 {
        log.fail(
            minute,
            &format!("name{minute}"),
            &format!("203.0.{minute}.7"),
        );
    }
    let enforced = log.trial(&settings());
    let settling = log.trial(&GateSettings {
        settling: Duration::from_secs(86_400),
        ..settings()
    });
    assert!(enforced.refused["unknown"] > 30, "{:?}", enforced.refused);
    assert_eq!(settling.refused_in_all(), 0);
    assert_eq!(
        settling.would_refuse["unknown"],
        enforced.refused["unknown"]
    );
}

#[test]
fn a_dry_run_is_judged_as_if_enforced() {
    let trial = guesser().trial(&GateSettings {
        mode: Mode::DryRun,
        ..settings()
    });
    assert!(GRANTED.contains(&trial.guesses_in_all()));
}

#[test]
fn other_services_are_ignored_learnt_or_judged_by_the_option() {
    let mut log = TestLog::default();
    log.imap(0, "alice", "203.0.113.7");
    log.log_in(1, "alice", "203.0.113.8");
    let try_out = |elsewhere| log.trial_since(&settings(), Moment::EPOCH, elsewhere);
    let ignored = try_out(Elsewhere::Ignore);
    assert_eq!(
        (ignored.attempts, ignored.learnt, ignored.elsewhere["imap"]),
        (1, 0, 1)
    );
    assert!(!ignored.allowed.contains_key("familiar"));
    let learnt = try_out(Elsewhere::Learn);
    assert_eq!(
        (learnt.attempts, learnt.learnt, learnt.allowed["familiar"]),
        (1, 1, 1)
    );
    let judged = try_out(Elsewhere::Judge);
    assert_eq!(
        (judged.attempts, judged.learnt, judged.elsewhere.len()),
        (2, 0, 0)
    );
}

#[test]
fn failures_without_a_name_count_and_logins_without_one_do_not() {
    let mut log = TestLog::default();
    for minute in 0..30 {
        log.line(minute, &format!("postfix/smtpd[7]: warning: unknown[203.0.{minute}.7]: SASL LOGIN authentication failed: x"));
    }
    log.line(31, "postfix/smtpd[7]: 4F: client=unknown[203.0.113.7], sasl_method=PLAIN, sasl_username=a, orig_client=b");
    let trial = log.trial(&settings());
    assert_eq!(
        (
            trial.attempts,
            trial.unnamed_failures,
            trial.unnamed_successes
        ),
        (30, 30, 1)
    );
    assert_eq!(trial.guesses_in_all(), trial.allowed["unknown"]);
    assert!(trial.guesses_in_all() < 30);
}

#[test]
fn guesses_are_counted_by_day() {
    let mut log = TestLog::default();
    for day in 0..4 {
        for minute in 0..=day {
            log.fail(
                day * 1440 + minute,
                "info",
                &format!("203.0.{day}.{minute}"),
            );
        }
    }
    let trial = log.trial(&settings());
    let first = BEGIN / 86_400;
    assert_eq!(trial.worst_day(), Some((first + 3, 4)));
    assert_eq!(trial.guesses_in_all(), 10);
    assert!((trial.days() - 3.0).abs() < 0.01, "{}", trial.days());
}

fn args(folder: &Path, words: &[&str]) -> ReplayArgs {
    #[derive(clap::Parser)]
    struct ReplayCli {
        #[command(flatten)]
        args: ReplayArgs,
    }
    let config = folder.join("gatepost.toml");
    let text = "settling = \"0s\"\n[[tls.certificate]]\nchain = \"a\"\nkey = \"b\"\n[upstream]\naddresses = [\"127.0.0.1:10465\"]\n[capacity]\nclients = 10000\npairs = 1000\n";
    std::fs::write(&config, text).unwrap();
    let lax = folder.join("lax.toml");
    std::fs::write(&lax, format!("{text}[limits.client]\nburst = 1000\n[limits.network]\nburst = 1000\n[limits.unknown]\nburst = 1000\n")).unwrap();
    let log = folder.join("mail.log");
    let lines: String = guesser().0.into_iter().map(|(_, line)| line).collect();
    std::fs::write(&log, lines).unwrap();
    let (config, log) = (config.display().to_string(), log.display().to_string());
    let all = ["replay", "--config", &config]
        .into_iter()
        .chain(words.iter().copied())
        .chain([&*log]);
    <ReplayCli as clap::Parser>::parse_from(all).args
}

#[test]
fn the_json_holds_both_configs_and_the_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let lax = folder.path().join("lax.toml").display().to_string();
    let args = args(folder.path(), &["--json", "--compare", &lax]);
    let mut out = Vec::new();
    assert_eq!(replay(&args, &mut out).unwrap(), Replayed::Lacking);
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(json["attempts"], 101);
    let allowed = json["allowed"].as_u64().unwrap();
    assert!(GRANTED.contains(&allowed), "{allowed}");
    assert_eq!(json["honest_refused"], 1);
    assert_eq!(json["honest_refusals"][0]["user"], "alice");
    assert_eq!(json["guesses_per_day"].as_f64(), Some(allowed as f64));
    let refused = json["refused"].as_object().unwrap().values();
    assert_eq!(
        refused.map(|count| count.as_u64().unwrap()).sum::<u64>(),
        101 - allowed
    );
    assert_eq!(json["compare"]["config"], "lax.toml");
    assert_eq!(json["compare"]["honest_refused"], 0);
    assert_eq!(json["compare"]["guesses"], 100);
    assert_eq!(json["logs"]["lines"], 101);
}

#[test]
fn the_text_lists_each_mistake_and_the_assumptions() {
    let folder = tempfile::tempdir().unwrap();
    let mut out = Vec::new();
    assert_eq!(
        replay(&args(folder.path(), &[]), &mut out).unwrap(),
        Replayed::Lacking
    );
    let text = String::from_utf8(out).unwrap();
    for part in [
        "101 lines read\n",
        "attempts                                                                  101\n",
        "Successful logins that gatepost.toml would have refused:\n  alice from 203.0.113.7, by ",
        ": 2026-11-24T01:40:00Z\n",
        "203.0.113.7                                     100 ",
        "logs show no passwords",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
}

#[test]
fn a_missing_log_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut args = args(folder.path(), &[]);
    args.logs = vec![folder.path().join("absent.log")];
    let fault = replay(&args, &mut Vec::new()).unwrap_err().to_string();
    assert!(
        fault.starts_with("cannot read ") && fault.contains("absent.log"),
        "{fault}"
    );
}
