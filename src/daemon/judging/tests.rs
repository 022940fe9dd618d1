//! tests - an asker that is no session: it judges the lines of its standard input

mod exchanges;

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::*;
use crate::drain;
use crate::report::limits::ResourceLimit;
use gatepost_core::gate::Keys;
use gatepost_core::gate::buckets::spec::Bucket;
use gatepost_core::gate::request::attempt::{AuthOutcome, Password, Secret, UserName};
use gatepost_core::gate::request::settings::GateSettings;
use gatepost_core::gate::request::verdict::Reason;

const DEADLINE: Duration = Duration::from_secs(15);
/// Less than any wait.
const AT_ONCE: Duration = Duration::from_millis(1);
const RIGHT: &str = "Korrekt-Pferd-Batterie";

/// Judging with `at_once` turns, and what takes its notices.
fn judging(at_once: usize) -> (Arc<Judging>, mpsc::Receiver<Notice>) {
    let mut settings = GateSettings {
        settling: Duration::ZERO,
        ..GateSettings::default()
    };
    settings.ladder = settings.ladder.without_retries();
    let keys = Keys {
        users: [1; 16],
        passwords: [2; 16],
        table: [3; 16],
    };
    let clock = Clock::start();
    let gate = Gate::new(settings, keys, clock.now());
    let limits = Arc::new(LimitCounters::default());
    let (notices, received) = Notices::channel(1_000, &limits);
    let queue = QueueSettings {
        at_once,
        deadline: DEADLINE,
    };
    let (recorder, _) = Recorder::channel(&limits);
    let judging = Judging::new(gate, queue, clock, (notices, recorder), &limits);
    (Arc::new(judging), received)
}

/// Who asks about one line: `CLIENT USER PASSWORD`.
struct Line {
    number: u64,
    client: ClientKey,
    drain: Drain,
    /// Wakes it when it must end.
    evicted: Notify,
}

impl Asker for Line {
    fn client(&self) -> ClientKey {
        self.client
    }

    fn session(&self) -> u64 {
        self.number
    }

    fn seen(&self) -> events::Session<'_> {
        events::Session {
            id: &self.number,
            key: self.client,
            client: &self.client,
            listener: &"stdin",
            tls: "none",
            ja4: None,
        }
    }

    fn drain(&self) -> Drain {
        self.drain.clone()
    }

    async fn evicted(&self) {
        self.evicted.notified().await;
        self.evicted.notify_one();
    }
}

fn line(client: &str) -> (drain::Drainer, Line) {
    let (drainer, drain) = drain::channel();
    let line = Line {
        number: 7,
        client: client.parse().unwrap(),
        drain,
        evicted: Notify::new(),
    };
    (drainer, line)
}

/// The whole of a second asker: it reads, asks, checks the password itself, and settles.
async fn judge_lines(judging: &Arc<Judging>, input: impl AsyncRead + Unpin) -> Vec<String> {
    let mut lines = BufReader::new(input).lines();
    let mut answers = Vec::new();
    while let Some(text) = lines.next_line().await.unwrap() {
        let mut words = text.split(' ');
        let (_drainer, asker) = line(words.next().unwrap());
        let user = UserName::new(words.next().unwrap().as_bytes());
        let secret = Secret::new(words.next().unwrap().into());
        let password = Password::Shown(&secret);
        let answer = match judging.begin("LINE").judge(&asker, &user, password).await {
            Err(Refused::Repeat) => "wrong again".to_owned(),
            Err(Refused::Refuse(refusal)) => format!("refused: {}", refusal.reason),
            Err(Refused::Draining) => "later".to_owned(),
            Ok(granted) => {
                let outcome = match secret.expose() == RIGHT.as_bytes() {
                    true => AuthOutcome::Accept,
                    false => AuthOutcome::Reject,
                };
                let settled = granted.settle(&asker, outcome, &"checked here").await;
                format!("{:?}", settled.outcome)
            }
        };
        answers.push(answer);
    }
    answers
}

async fn grant(judging: &Arc<Judging>, asker: &Line, password: &str) -> Result<Granted, Refused> {
    let user = UserName::new(b"anna".to_vec());
    let secret = Secret::new(password.into());
    let password = Password::Shown(&secret);
    judging.begin("LINE").judge(asker, &user, password).await
}

/// The right password of a user whose mechanism hides it.
async fn exchange(
    judging: &Arc<Judging>,
    asker: &Line,
) -> Result<(Granted, Option<ExchangePlace>), Refused> {
    let user = UserName::new(b"anna".to_vec());
    let attempt = judging.begin("SCRAM-SHA-256");
    attempt.judge_exchange(asker, &user).await
}

#[tokio::test(start_paused = true)]
async fn whatever_reads_lines_can_ask_and_is_judged_as_a_session_is() {
    let (judging, mut received) = judging(4);
    let input = format!(
        "198.51.100.7 anna Falscher-Satz-hier\n\
         198.51.100.7 anna Falscher-Satz-hier\n\
         198.51.100.7 anna {RIGHT}\n"
    );
    let mut input = input.as_bytes();
    let answers = tokio::select! {
        answers = judge_lines(&judging, &mut input) => answers,
        () = async { while let Some(notice) = received.recv().await {
            if let Acknowledge::ForJournal(session) = notice.waiting {
                session.send(Ok(())).unwrap();
            }
        } } => panic!("nobody asks"),
    };
    assert_eq!(answers, ["Reject", "wrong again", "Accept"]);
    let counters = &judging.counters;
    assert_eq!(counters.attempts.get(), 3);
    assert_eq!(counters.rejected.get(), 1);
    assert_eq!(counters.repeated.get(), 1);
    assert_eq!(counters.accepted.get(), 1);
    let told = judging.gate().explain_session(7);
    assert!(!told.is_empty(), "explain knows the asker's sessions");
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_turn_in_time_is_refused_and_who_is_granted_frees_it_by_settling() {
    let (judging, _received) = judging(1);
    let ((_one, first), (_two, second)) = (line("198.51.100.7"), line("203.0.113.7"));
    let granted = grant(&judging, &first, "Zwiebel-kuchen-fest")
        .await
        .unwrap();
    let Err(Refused::Refuse(refusal)) = grant(&judging, &second, "Kartoffel-salat-fest").await
    else {
        panic!("two strangers at once");
    };
    assert_eq!(refusal.reason, Reason::Turn);
    assert_eq!(judging.counters.refused.get(), 1);
    let _ = granted.settle(&first, AuthOutcome::Defer, &"none").await;
    assert!(
        grant(&judging, &second, "Kartoffel-salat-fest")
            .await
            .is_ok()
    );
}

/// Tells everybody who waits for it that the journal has it.
async fn acknowledge(mut received: mpsc::Receiver<Notice>) {
    while let Some(notice) = received.recv().await {
        if let Acknowledge::ForJournal(session) = notice.waiting {
            let _ = session.send(Ok(()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn those_of_one_account_that_came_together_do_not_all_keep_their_place() {
    let (judging, received) = judging(1);
    tokio::spawn(acknowledge(received));
    let other: ClientKey = "203.0.113.7".parse().unwrap();
    let busy = turns::take_now(
        judging.sequence.queue(),
        other.network(),
        judging.clock.now(),
    );
    let (told, mut order) = mpsc::unbounded_channel();
    let come = |from: String, name: &'static str| {
        let (judging, told) = (Arc::clone(&judging), told.clone());
        tokio::spawn(async move {
            let (_drainer, asker) = line(&from);
            let user = UserName::new(name.as_bytes());
            let secret = Secret::new(RIGHT.into());
            let password = Password::Shown(&secret);
            let granted = judging.begin("LINE").judge(&asker, &user, password).await;
            told.send(name).unwrap();
            let outcome = AuthOutcome::Accept;
            let settled = granted.unwrap().settle(&asker, outcome, &"").await;
            assert_eq!(settled.outcome, outcome);
        })
    };
    let mut tasks = Vec::new();
    for n in 0..30 {
        tasks.push(come(format!("10.{n}.0.1"), "anna"));
        tokio::task::yield_now().await;
    }
    tasks.push(come("198.51.100.7".to_owned(), "bert"));
    tokio::task::yield_now().await;
    drop(busy.expect("a turn"));
    for task in tasks {
        task.await.unwrap();
    }
    let mut names = Vec::new();
    while let Ok(name) = order.try_recv() {
        names.push(name);
    }
    let bert = names.iter().position(|name| *name == "bert");
    assert_eq!((bert, names.len()), (Some(10), 31));
}

#[tokio::test(start_paused = true)]
async fn a_stranger_lets_familiar_users_go_first() {
    let (judging, received) = judging(4);
    let _acknowledging = tokio::spawn(acknowledge(received));
    let ((_one, familiar), (_two, stranger)) = (line("198.51.100.7"), line("203.0.113.7"));
    let first = grant(&judging, &familiar, RIGHT).await.unwrap();
    let settled = first.settle(&familiar, AuthOutcome::Accept, &"right").await;
    assert_eq!(settled.outcome, AuthOutcome::Accept);
    let now = judging.clock.now();
    let check = judging.checks.begins(now);
    judging
        .checks
        .accepted(check, now + Duration::from_millis(200));
    let mut checked = Vec::new();
    for _ in 0..3 {
        checked.push(grant(&judging, &familiar, RIGHT).await.unwrap());
    }
    assert!(checked.iter().all(|granted| !granted.holds_turn()));
    let at_once = timeout(
        Duration::from_millis(100),
        grant(&judging, &stranger, "Kartoffel-salat-fest"),
    );
    assert!(at_once.await.is_err(), "beside three others");
    let granted = grant(&judging, &stranger, "Kartoffel-salat-fest").await;
    assert!(granted.is_ok(), "{granted:?}");
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_is_dropped_frees_its_turn() {
    let (judging, _received) = judging(1);
    let ((_one, first), (_two, second)) = (line("198.51.100.7"), line("203.0.113.7"));
    drop(
        grant(&judging, &first, "Zwiebel-kuchen-fest")
            .await
            .unwrap(),
    );
    assert!(
        grant(&judging, &second, "Kartoffel-salat-fest")
            .await
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn who_waits_when_the_drain_begins_gives_up_and_leaves_the_queue() {
    let (judging, _received) = judging(1);
    let ((_one, first), (drainer, second)) = (line("198.51.100.7"), line("203.0.113.7"));
    let _granted = grant(&judging, &first, "Zwiebel-kuchen-fest")
        .await
        .unwrap();
    let waits = grant(&judging, &second, "Kartoffel-salat-fest");
    let (refused, ()) = tokio::join!(waits, async { drainer.begin() });
    assert_eq!(refused.unwrap_err(), Refused::Draining);
    assert_eq!(judging.counters.deferred.get(), 1);
    assert_eq!(judging.sequence.queue().next_deadline(), None);
}

#[tokio::test(start_paused = true)]
async fn who_is_evicted_waits_neither_for_a_turn_nor_for_a_place_and_leaves_the_queues() {
    let (judging, _received) = judging(1);
    let ((_one, first), (_two, second)) = (line("198.51.100.7"), line("203.0.113.7"));
    let (thinks, _place) = exchange(&judging, &first).await.unwrap();
    assert!(thinks.holds_turn());
    second.evicted.notify_one();
    let is_missed = |refused| {
        matches!(
            refused,
            Refused::Refuse(Refusal {
                reason: Reason::Turn,
                ..
            })
        )
    };
    let waits = timeout(AT_ONCE, grant(&judging, &second, "Kartoffel-salat-fest")).await;
    assert!(waits.unwrap().is_err_and(is_missed));
    let waits = timeout(AT_ONCE, exchange(&judging, &second)).await;
    assert!(waits.unwrap().is_err_and(is_missed));
    assert_eq!(judging.sequence.queue().next_deadline(), None);
    drop(thinks);
    assert!(
        grant(&judging, &second, "Kartoffel-salat-fest")
            .await
            .is_ok(),
        "where nothing is waited for"
    );
}

#[tokio::test(start_paused = true)]
async fn once_the_drain_has_begun_nobody_is_judged_for_the_next_process_may_have_the_state() {
    let (judging, _received) = judging(9);
    let ((drainer, home), (other, far)) = (line("192.0.2.1"), line("198.51.100.7"));
    let right = grant(&judging, &home, RIGHT).await.unwrap();
    let settled = right.settle(&home, AuthOutcome::Accept, &"yes").await;
    assert_eq!(settled.outcome, AuthOutcome::Accept);
    let counted = judging
        .gate()
        .explain(home.client, None, judging.clock.now());
    drainer.begin();
    other.begin();
    // Neither where the user is familiar, who waits for nothing, nor from far.
    for client in [&home, &far] {
        let refused = grant(&judging, client, "Zwiebel-kuchen-fest").await;
        assert_eq!(refused.unwrap_err(), Refused::Draining);
        let refused = exchange(&judging, client).await;
        assert_eq!(refused.unwrap_err(), Refused::Draining);
    }
    let now = judging.clock.now();
    let told = judging.gate().explain(home.client, None, now);
    assert_eq!(told.decisions.len(), counted.decisions.len());
    let told = judging.gate().explain(far.client, None, now);
    assert_eq!(told.decisions.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_is_sure_to_be_refused_only_while_nobody_of_its_network_is_trying() {
    let (judging, _received) = judging(1);
    let ((_one, client), (_two, neighbour)) = (line("198.51.100.7"), line("198.51.100.8"));
    for number in 0..10 {
        let name = UserName::new(format!("ghost{number}").into_bytes());
        let secret = Secret::new(format!("Zwiebel-kuchen-{number}-fest").into_bytes());
        let attempt = judging.begin("LINE");
        let granted = attempt
            .judge(&client, &name, Password::Shown(&secret))
            .await;
        let Ok(granted) = granted else {
            assert_eq!(number, 9);
            continue;
        };
        let settled = granted.settle(&client, AuthOutcome::Reject, &"no").await;
        assert_eq!(settled.outcome, AuthOutcome::Reject);
    }
    let refused = || judging.refuse_at_accept(&client, Duration::from_secs(300));
    assert_eq!(refused().unwrap().reason, Reason::Bucket(Bucket::Client));
    assert_eq!(judging.counters.refused.get(), 1);
    let trying = grant(&judging, &neighbour, RIGHT).await.unwrap();
    assert_eq!(refused(), None);
    drop(trying);
    assert!(refused().is_some());
    let (thinks, place) = exchange(&judging, &neighbour).await.unwrap();
    drop(thinks);
    assert_eq!(refused(), None);
    drop(place);
    assert!(refused().is_some());
}

#[tokio::test(start_paused = true)]
async fn new_settings_of_the_queue_wake_those_who_wait() {
    let (judging, _received) = judging(1);
    let ((_one, first), (_two, second)) = (line("198.51.100.7"), line("203.0.113.7"));
    let _granted = grant(&judging, &first, "Zwiebel-kuchen-fest")
        .await
        .unwrap();
    let waits = grant(&judging, &second, "Kartoffel-salat-fest");
    let more = QueueSettings {
        at_once: 2,
        deadline: DEADLINE,
    };
    let (granted, ()) = tokio::join!(waits, async { judging.reconfigure(more) });
    assert!(granted.is_ok());
}

#[tokio::test(start_paused = true)]
async fn refusals_at_home_and_guesses_of_strangers_are_counted_and_the_operators_will_is_not() {
    let (judging, received) = judging(4);
    drop(received);
    let mut input = format!("198.51.100.7 anna {RIGHT}\n203.0.113.9 bert Falscher-Satz-hier\n");
    for number in 0..200 {
        input += &format!("198.51.100.7 anna Falscher-Satz-{number}\n");
    }
    let answers = judge_lines(&judging, input.as_bytes()).await;
    let refused = answers.iter().filter(|one| one.starts_with("refused"));
    let refused = refused.count() as u64;
    assert!(refused > 0, "{answers:?}");
    assert_eq!(refused_at_home(&judging), refused);
    assert_eq!(judging.counters.guesses.get(), 1, "Bert's");
    let now = judging.clock.now();
    let subject =
        gatepost_core::gate::request::verdict::Subject::Client("198.51.100.7".parse().unwrap());
    let until = now + DEADLINE;
    judging.gate().ban(subject, until, now, &mut Vec::new());
    let line = format!("198.51.100.7 anna {RIGHT}\n");
    let answers = judge_lines(&judging, line.as_bytes()).await;
    assert_eq!(answers, ["refused: ban"]);
    assert_eq!(refused_at_home(&judging), refused);
}

fn refused_at_home(judging: &Judging) -> u64 {
    let tallies = judging.gate().tallies();
    tallies.iter().map(|tally| tally.familiar_refused).sum()
}
