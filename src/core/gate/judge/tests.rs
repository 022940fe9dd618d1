//! tests - two attempts side by side, between the look and the taking

use super::*;
use crate::gate::Keys;
use crate::gate::request::attempt::{Password, Secret, UserName};
use crate::gate::request::client::ClientKey;
use crate::gate::request::doors::Door;
use crate::gate::request::place::Located;
use crate::gate::request::settings::GateSettings;

const START: Moment = Moment::from_seconds(1_795_478_400);

fn client(text: &str) -> ClientKey {
    text.parse().unwrap()
}

/// A gate with one token in the bucket of all unknown users.
fn gate() -> Gate {
    let mut settings = GateSettings {
        settling: Duration::ZERO,
        ..GateSettings::default()
    };
    settings.bans.strikes = 3;
    settings.ladder = settings.ladder.without_retries();
    settings
        .limits
        .change(Bucket::Unknown, |limit| limit.base.burst = 1);
    let keys = Keys {
        users: [1; 16],
        passwords: [2; 16],
        table: [3; 16],
    };
    Gate::new(settings, keys, START)
}

fn left(gate: &Gate, client: ClientKey, bucket: Bucket) -> u32 {
    let buckets = gate.explain(client, None, START).buckets;
    let held = buckets
        .iter()
        .find(|held| held.bucket == Reason::Bucket(bucket));
    held.unwrap().tokens
}

#[test]
fn an_attempt_that_meets_an_empty_bucket_halfway_gives_back_what_it_took() {
    let gate = gate();
    let (here, other) = (client("203.0.113.9"), client("198.51.100.7"));
    let name = UserName::new(b"nobody-known".to_vec());
    let secret = Secret::new(b"Zwiebelkuchen".to_vec());
    let attempt = |client| AuthAttempt {
        session: 1,
        client,
        user: &name,
        password: Password::Shown(&secret),
        door: Door::Own,
        device: None,
        country: Located::default(),
        system: None,
    };
    let rules = gate.rules.load();
    let case = gate.case(&attempt(here), &rules, START);
    let mut changes = Vec::new();
    let mut evaluation = Evaluation {
        gate: &gate,
        rules: &rules,
        past: gate.tries.past(case.client, case.user, case.guess, START),
        case,
        ban: None,
        settling: false,
        reply: FailureReply::Outcome,
        delay: Duration::ZERO,
        stage: InTurn(QueueClass::Ordinary),
        now: START,
        changes: &mut changes,
    };
    let route = evaluation.question().afford(Trust::Far).ok().unwrap();
    // Between the look and the taking another client takes the last token.
    let verdict = gate.judge_in_turn(
        &attempt(other),
        QueueClass::Ordinary,
        START,
        &mut Vec::new(),
    );
    assert!(matches!(verdict, Verdict::Allow(_)), "{verdict:?}");
    let short = evaluation.take_all(&route).err().unwrap();
    assert_eq!(short.refusal.reason, Reason::Bucket(Bucket::Unknown));
    for (bucket, full) in [(Bucket::Client, 10), (Bucket::Network, 20)] {
        assert_eq!(left(&gate, here, bucket), full, "{bucket:?}");
    }
    assert_eq!(left(&gate, here, Bucket::Unknown), 0);
}
