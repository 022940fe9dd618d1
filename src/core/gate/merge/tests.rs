//! tests - two gates that tell each other, in any order and more than once

mod any_order;

use super::*;
use crate::gate::Keys;
use crate::gate::buckets::spec::Bucket;
use crate::gate::request::attempt::{Trust, UserName};
use crate::gate::request::change::{BanCause, PairLogin, Subject, UserLogin};
use crate::gate::request::client::{ClientKey, NetworkKey};
use crate::gate::request::keys::UserId;
use crate::gate::request::settings::GateSettings;
use crate::gate::request::verdict::Standing;
use crate::gate::tell;

const NOW: Moment = Moment::from_seconds(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const HOME: &str = "203.0.113.7";

/// As machines of one cluster have them: one key for users.
fn gate() -> Gate {
    let mut settings = GateSettings {
        settling: Duration::ZERO,
        ..GateSettings::default()
    };
    settings.capacity.clients = 5000;
    settings.capacity.pairs = 100;
    let keys = Keys {
        users: [1; 16],
        passwords: [2; 16],
        table: [3; 16],
    };
    Gate::new(settings, keys, NOW - HOUR * 48)
}

fn user(name: &str) -> UserName {
    UserName::new(name.as_bytes())
}

fn client(text: &str) -> ClientKey {
    text.parse().unwrap()
}

fn subject(text: &str) -> Subject {
    Subject::Client(client(text))
}

fn trust(gate: &Gate, name: &str, from: &str, now: Moment) -> Trust {
    gate.acquaintance(&user(name), client(from), now).trust
}

/// Tells `to` what has changed, over the wire; what is news there.
fn tell_on(changes: &[Change], to: &Gate, now: Moment) -> Vec<Change> {
    let mut octets = Vec::new();
    let told = changes.iter().filter(|change| change.concerns_others());
    told.for_each(|change| tell::write(&mut octets, change, 0));
    let (facts, skipped) = tell::read(&octets, 0).unwrap();
    assert_eq!(skipped, 0);
    let mut news = Vec::new();
    for fact in &facts {
        to.merge(fact, now, &mut news);
    }
    assert!(
        news.iter().all(|change| !change.concerns_others()),
        "what was told is not told on"
    );
    news
}

/// All that a gate would tell, in one order.
fn known(gate: &Gate, now: Moment) -> Vec<String> {
    let mut telling = gate.begin_telling(Moment::EPOCH, now);
    let mut all = Vec::new();
    while let Some(some) = gate.next_told(&mut telling, now) {
        all.extend(some.iter().map(|change| format!("{change:?}")));
    }
    all.sort();
    all
}

#[test]
fn a_login_at_one_machine_makes_the_pair_familiar_at_the_other() {
    let (here, there) = (gate(), gate());
    let mut changes = Vec::new();
    here.learn(&user("anna"), client(HOME), NOW, NOW, &mut changes);
    assert_eq!(tell_on(&changes, &there, NOW).len(), 1);
    assert_eq!(trust(&there, "anna", HOME, NOW), Trust::Familiar);
    assert!(
        tell_on(&changes, &there, NOW).is_empty(),
        "no news the second time"
    );
}

#[test]
fn a_forgotten_user_stays_forgotten_when_old_logins_are_told_and_a_new_login_counts() {
    let (here, there, late) = (gate(), gate(), gate());
    let mut logins = Vec::new();
    here.learn(&user("anna"), client(HOME), NOW, NOW, &mut logins);
    tell_on(&logins, &there, NOW);
    tell_on(&logins, &late, NOW);
    let then = NOW + SECOND;
    let mut forgotten = Vec::new();
    here.forget(&user("anna"), then, &mut forgotten);
    assert_eq!(tell_on(&forgotten, &there, then).len(), 2);
    let known = |gate: &Gate| gate.acquaintance(&user("anna"), client(HOME), then).known;
    assert!(!known(&there) && known(&late));
    // Who was away tells what it knows, and is told.
    tell_on(&logins, &there, then);
    assert!(!known(&there));
    tell_on(&forgotten, &late, then);
    assert!(!known(&late));
    let mut again = Vec::new();
    let later = then + SECOND;
    there.learn(&user("anna"), client(HOME), later, later, &mut again);
    tell_on(&again, &here, later);
    assert_eq!(trust(&here, "anna", HOME, later), Trust::Familiar);
    // The order of before, once more, takes nothing from the login since.
    tell_on(&forgotten, &here, later);
    assert_eq!(trust(&here, "anna", HOME, later), Trust::Familiar);
}

#[test]
fn a_network_that_was_taken_back_is_not_familiar_anywhere() {
    let (here, there) = (gate(), gate());
    let mut changes = Vec::new();
    for from in [HOME, "198.51.100.7"] {
        here.learn(&user("anna"), client(from), NOW, NOW, &mut changes);
    }
    tell_on(&changes, &there, NOW);
    let mut revoked = Vec::new();
    let network = Some(client(HOME).network());
    here.revoke(&user("anna"), network, NOW + SECOND, &mut revoked);
    tell_on(&revoked, &there, NOW + SECOND);
    assert_ne!(trust(&there, "anna", HOME, NOW), Trust::Familiar);
    assert_eq!(trust(&there, "anna", "198.51.100.7", NOW), Trust::Familiar);
    tell_on(&changes, &there, NOW + SECOND);
    assert_ne!(trust(&there, "anna", HOME, NOW), Trust::Familiar);
}

#[test]
fn a_ban_holds_everywhere_and_once_lifted_nowhere() {
    let (here, there, late) = (gate(), gate(), gate());
    let mut banned = Vec::new();
    here.ban(subject(HOME), NOW + HOUR, NOW, &mut banned);
    tell_on(&banned, &there, NOW);
    tell_on(&banned, &late, NOW);
    assert_eq!(there.standing(client(HOME), NOW), Standing::Banned);
    let mut lifted = Vec::new();
    // Where it did not begin.
    assert!(there.unban(subject(HOME), NOW + SECOND, &mut lifted));
    tell_on(&lifted, &here, NOW + SECOND);
    assert!(!here.bars(client(HOME), NOW + SECOND));
    // Who was away has it still, and brings it back nowhere.
    for gate in [&here, &there] {
        assert!(tell_on(&banned, gate, NOW + SECOND).is_empty());
        assert!(!gate.bars(client(HOME), NOW + SECOND));
    }
    tell_on(&lifted, &late, NOW + SECOND);
    assert!(!late.bars(client(HOME), NOW + SECOND));
    // Also after a restart.
    let files = here.snapshots(NOW + SECOND).unwrap();
    let settings = GateSettings::default();
    let keys = Keys {
        users: [1; 16],
        passwords: [9; 16],
        table: [9; 16],
    };
    let (again, _) = Gate::restore(settings, keys, &files, NOW + SECOND * 2);
    assert!(tell_on(&banned, &again, NOW + SECOND * 2).is_empty());
}

#[test]
fn what_is_lifted_before_it_is_known_here_does_not_come_later() {
    for forgives in [false, true] {
        let lift = |gate: &Gate, changes: &mut Changes| match forgives {
            true => gate.forgive_client(client(HOME), NOW + SECOND, changes),
            false => assert!(!gate.unban(subject(HOME), NOW + SECOND, changes)),
        };
        let (here, there, alone) = (gate(), gate(), gate());
        here.begin_telling_spent();
        let mut banned = Vec::new();
        there.ban(subject(HOME), NOW + HOUR, NOW, &mut banned);
        let (mut lifted, mut alone_lifted) = (Vec::new(), Vec::new());
        lift(&here, &mut lifted);
        // The ban comes late, and so does what lifts it.
        assert!(tell_on(&banned, &here, NOW + SECOND).is_empty());
        assert!(!here.bars(client(HOME), NOW + SECOND));
        tell_on(&lifted, &there, NOW + SECOND);
        assert!(!there.bars(client(HOME), NOW + SECOND));
        // Where nobody is told, nothing is kept of what was not there.
        lift(&alone, &mut alone_lifted);
        let ended = |change: &Change| matches!(change.fact, Fact::BanEnded(_));
        assert!(!alone_lifted.iter().any(ended));
    }
}

#[test]
fn no_automatic_ban_shortens_one_by_hand_and_a_dry_run_is_no_ban() {
    let there = gate();
    let mut by_hand = Vec::new();
    gate().ban(subject(HOME), NOW + HOUR, NOW, &mut by_hand);
    let automatic = |mode| {
        let began = BanStart {
            subject: subject(HOME),
            until: NOW + HOUR / 2,
            cause: BanCause::Strikes,
            mode,
            strikes: 3,
        };
        [Change::here(NOW + SECOND, Fact::BanBegan(began))]
    };
    assert!(!automatic(Mode::DryRun)[0].concerns_others());
    there.merge(&automatic(Mode::DryRun)[0], NOW, &mut Vec::new());
    assert!(there.bans(NOW).is_empty());
    tell_on(&automatic(Mode::Enforce), &there, NOW);
    assert_eq!(there.bans(NOW)[0].cause, BanCause::Strikes);
    tell_on(&by_hand, &there, NOW);
    assert_eq!(there.bans(NOW)[0].cause, BanCause::Operator);
    tell_on(&automatic(Mode::Enforce), &there, NOW);
    assert_eq!(there.bans(NOW)[0].until, NOW + HOUR);
}

#[test]
fn a_ban_that_was_made_shorter_does_not_grow_again_when_it_is_over() {
    let (here, there) = (gate(), gate());
    let mut long = Vec::new();
    here.ban(subject(HOME), NOW + HOUR * 24, NOW, &mut long);
    let mut short = Vec::new();
    here.ban(subject(HOME), NOW + SECOND * 2, NOW + SECOND, &mut short);
    tell_on(&long, &there, NOW);
    tell_on(&short, &there, NOW + SECOND);
    let later = NOW + SECOND * 3;
    for gate in [&here, &there] {
        gate.tick(later, &mut Vec::new());
        assert!(tell_on(&long, gate, later).is_empty());
        assert!(gate.bans(later).is_empty());
    }
}

#[test]
fn who_repeats_what_was_forgiven_forgives_nobody() {
    let (here, there) = (gate(), gate());
    let mut forgiven = Vec::new();
    here.forgive_client(client(HOME), NOW, &mut forgiven);
    here.forgive_user(&user("anna"), NOW, &mut forgiven);
    assert_eq!(tell_on(&forgiven, &there, NOW).len(), 2);
    assert!(tell_on(&forgiven, &there, NOW + SECOND).is_empty());
    // Many others since, so that it is not remembered any more: yet it is old.
    for n in 0..2 * FORGIVEN_KEPT as u32 {
        let who = Forgiven::Client(ClientKey::V4(n));
        let at = NOW + SECOND * (n + 1);
        there.merge(&Change::here(at, Fact::Forgiven(who)), at, &mut Vec::new());
    }
    let late = NOW + HOUR * 2;
    assert!(tell_on(&forgiven, &there, late).is_empty());
    assert!(tell_on(&forgiven, &gate_of(NOW + HOUR * 24), late).is_empty());
}

#[test]
fn after_a_restart_what_the_state_holds_as_forgiven_is_not_forgiven_once_more() {
    let here = gate();
    let forgiven_at = |at| {
        let mut forgiven = Vec::new();
        here.forgive_user(&user("anna"), at, &mut forgiven);
        forgiven
    };
    let before = forgiven_at(NOW);
    let files = here.snapshots(NOW + SECOND).unwrap();
    let since = forgiven_at(NOW + SECOND * 2);
    let keys = Keys {
        users: [1; 16],
        passwords: [9; 16],
        table: [9; 16],
    };
    let (again, _) = Gate::restore(GateSettings::default(), keys, &files, NOW + SECOND * 9);
    // Who reads what was told in the last hour finds both.
    assert!(tell_on(&before, &again, NOW + SECOND * 9).is_empty());
    assert_eq!(tell_on(&since, &again, NOW + SECOND * 9).len(), 1);
}

fn gate_of(now: Moment) -> Gate {
    let keys = Keys {
        users: [1; 16],
        passwords: [2; 16],
        table: [3; 16],
    };
    Gate::new(GateSettings::default(), keys, now)
}

#[test]
fn a_ban_by_a_clock_that_was_ahead_lasts_as_long_as_it_did_there() {
    let there = gate();
    let mut changes = Vec::new();
    let ahead = NOW + HOUR * 24 * 40;
    gate().ban(subject(HOME), ahead + HOUR, ahead, &mut changes);
    tell_on(&changes, &there, NOW);
    let banned = |after: Duration| there.standing(client(HOME), NOW + after) == Standing::Banned;
    assert!(banned(HOUR - SECOND) && !banned(HOUR + SECOND * 12));
}

#[test]
fn a_moment_far_ahead_is_taken_as_one_of_now() {
    let there = gate();
    let mut changes = Vec::new();
    let ahead = NOW + HOUR * 24 * 365;
    gate().forget(&user("anna"), ahead, &mut changes);
    tell_on(&changes, &there, NOW);
    let later = NOW + SECOND * 12;
    there.learn(&user("anna"), client(HOME), later, later, &mut Vec::new());
    assert_eq!(trust(&there, "anna", HOME, later), Trust::Familiar);
    let login = Fact::UserKnown(UserLogin {
        user: there.user_id(&user("bert")),
        last: u32::MAX,
    });
    let mut news = Vec::new();
    there.merge(&Change::here(ahead, login), NOW, &mut news);
    assert!(
        matches!(news[0].fact, Fact::UserKnown(login) if u64::from(login.last) == NOW.as_seconds())
    );
}

#[test]
fn a_crash_loses_nothing_that_another_machine_told() {
    let (here, there) = (gate(), gate());
    let files = there.snapshots(NOW).unwrap();
    let mut changes = Vec::new();
    here.learn(&user("anna"), client(HOME), NOW, NOW, &mut changes);
    here.learn(&user("bert"), client(HOME), NOW, NOW, &mut changes);
    here.forget(&user("bert"), NOW + SECOND, &mut changes);
    here.ban(
        subject("198.51.100.9"),
        NOW + HOUR * 24 * 30,
        NOW,
        &mut changes,
    );
    // A change here that is later than the ban there: the snapshot covers it, and not the ban.
    let late = NOW + HOUR;
    there.ban(subject("198.51.100.1"), late + HOUR, late, &mut Vec::new());
    let covering = there.snapshots(late).unwrap();
    let news = tell_on(&changes, &there, late);
    let journal = crate::gate::state::journal::file(&news);
    for snapshots in [files, covering] {
        let mut files = snapshots.to_vec();
        files.push(journal.clone());
        let keys = Keys {
            users: [1; 16],
            passwords: [9; 16],
            table: [9; 16],
        };
        let (again, _) = Gate::restore(GateSettings::default(), keys, &files, late + SECOND);
        let now = late + SECOND;
        assert_eq!(trust(&again, "anna", HOME, now), Trust::Familiar);
        assert!(!again.acquaintance(&user("bert"), client(HOME), now).known);
        let ban = again.bans(now);
        let ban = ban
            .iter()
            .find(|ban| ban.subject == subject("198.51.100.9"));
        let until = NOW + HOUR * 24 * 30;
        assert!(ban.is_some_and(|ban| until.since(ban.until) < SECOND && ban.until <= until));
    }
}

#[test]
fn what_the_machines_do_not_share_is_not_told() {
    let here = gate();
    let mut changes = Vec::new();
    let at = NOW;
    changes.push(Change::here(at, Fact::BackendFailing));
    assert!(!changes[0].concerns_others());
    let level = crate::gate::request::change::SharedLevel {
        bucket: Bucket::Strangers.shared_number().unwrap(),
        arrival: u64::MAX,
        every: 1,
    };
    let spent = Change::here(at, Fact::SharedBucket(level));
    assert!(!spent.concerns_others());
    here.merge(&spent, NOW, &mut changes);
    assert_eq!(changes.len(), 1);
}

#[test]
fn records_that_are_none_are_refused_and_unknown_ones_are_passed_over() {
    let mut octets = Vec::new();
    let fact = Change::here(
        NOW,
        Fact::UserKnown(UserLogin {
            user: UserId(7),
            last: 9,
        }),
    );
    tell::write(&mut octets, &fact, 5);
    let (facts, _) = tell::read(&octets, 5).unwrap();
    assert_eq!(facts, [fact]);
    for short in 1..octets.len() {
        assert_eq!(tell::read(&octets[..short], 5), None);
    }
    let unknown = [octets.as_slice(), &[200, 3, 1, 2, 3], octets.as_slice()].concat();
    let (facts, skipped) = tell::read(&unknown, 5).unwrap();
    assert_eq!((facts.len(), skipped), (2, 1));
}
