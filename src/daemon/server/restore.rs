//! restore - the gate as an earlier process left it, or a new one; and what old logs add to it
//!
//! Nothing that stands in the state directory stops the start. The known users and the bans can be lost, but that never
//! turns enforcement off: only the very first start settles in. What could not be read is kept, and named in the log with
//! the cure.
//! Not here: files (`store`), their meaning (`gate::state`).

use tracing::{error, info, warn};

use crate::admin::message::{ImportStats, PastLogin, SettlingAfter};
use crate::clock::Clock;
use crate::cluster::ClusterSettings;
use crate::cluster::secret::ClusterSecret;
use crate::config::Config;
use crate::store::key::{FoundKeys, random};
use crate::store::{
    Content, EarlierState, FoundFile, LONGEST_FILE, PastState, SetAside, Store, StoreFault,
};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::names::NamesSince;
use gatepost_core::gate::state::file::{FileReport, Soundness, StateFile};
use gatepost_core::gate::{Changes, Gate, Keys};
use gatepost_core::moment::Moment;

/// What an operator can do where it is not known any more who is known.
const CURE: &str = "everything is enforced, and users count as unknown until they log in again; \
                    `gatepost learn` makes known who logged in according to your mail log";

/// Opens the state directory and builds the gate from it: for a start, and for `learn` while nothing runs.
///
/// # Errors
///
/// When another process holds the directory, or it cannot be read.
pub fn restore(config: &Config, now: Moment) -> Result<(Store, Gate), StoreFault> {
    let (mut store, mut left) = Store::open_within(&config.store, longest_file(config))?;
    let (keys, old) = keys(config, &left)?;
    let (found, files): (Vec<_>, Vec<StateFile>) = std::mem::take(&mut left.files)
        .into_iter()
        .map(split)
        .unzip();
    let (users, has_new_key) = (keys.users, old.is_some());
    let before = old.map(|old| known_before(config, old, &files, now));
    let (mut gate, reports) = Gate::restore(config.gate.clone(), keys, &files, now);
    drop(files);
    if config.cluster.as_ref().is_some_and(ClusterSettings::shares) {
        gate.settle_with_others();
    }
    if let Some(before) = before {
        gate.forget_names();
        gate.rename_from(before);
    } else if let Some((users, known)) = store.names_before(longest_file(config)) {
        gate.rename_from(known_before(config, users, &[known], now));
    }
    if left.past == PastState::Some && found.is_empty() {
        // Nothing that could be read: what it said of settling in is lost with it.
        gate.finish_settling();
    }
    let mut knows = false;
    for ((path, content), report) in found.iter().zip(&reports) {
        knows |= *content == Content::Known && is_read(*report);
        tell(*content, *report, &mut store, path);
    }
    for path in &left.waiting {
        warn!(path = %path.display(), "another version of gatepost wrote this state; that version will read it");
    }
    for aside in &left.unreadable {
        error!(path = %aside.path.display(), why = %aside.why, "this has the name of a state file and could not be read");
    }
    tell_lost(&left, knows);
    if has_new_key {
        store.adopt_users_key(users, &gate, now);
    }
    tell_renamed(&gate);
    tell_settling(&gate, now);
    Ok((store, gate))
}

/// Tells how long most limits forgive.
fn tell_settling(gate: &Gate, now: Moment) {
    if let Some(until) = gate.settles_until(now) {
        info!(
            "settling in: most limits forgive until {}, for users are not familiar before they have logged in ({} are known so far); \
             `gatepost learn` makes those familiar who logged in according to your mail log, and ends it where the log covers that time",
            crate::report::events::timestamp(until),
            gate.known().0
        );
    } else if !gate.has_settled(now) {
        info!(
            "settling in waits: this machine forgives nothing before all other machines of [cluster] have said that they settle in too"
        );
    }
}

/// Tells what is lost of who was known.
fn tell_lost(left: &EarlierState, knows: bool) {
    match &left.found_keys {
        FoundKeys::SetAside(aside) => {
            error!(path = %aside.path.display(), why = %aside.why, "the keys of the state are lost: {CURE}");
        }
        FoundKeys::Missing if left.past == PastState::Some => {
            warn!("the state is here and its keys are missing, so that it names nobody: {CURE}");
        }
        _ if left.past == PastState::Some && !knows => {
            error!("who is known and banned could not be read: {CURE}");
        }
        _ => {}
    }
}

/// The secrets to hash with, and the key that names had before if that changes now. Machines of one cluster hash names alike.
fn keys(config: &Config, left: &EarlierState) -> Result<(Keys, Option<[u8; 16]>), StoreFault> {
    let cluster = config.cluster.as_ref();
    let mut keys = Keys {
        users: left.keys.users,
        passwords: random(),
        table: left.keys.rows,
    };
    let Some(path) = cluster.and_then(|cluster| cluster.secret.as_ref()) else {
        return Ok((keys, None));
    };
    let secret = ClusterSecret::read(path);
    let secret = secret.map_err(StoreFault::io(
        "reading the secret of the machines in",
        path,
    ))?;
    let old = std::mem::replace(&mut keys.users, secret.users());
    if old == keys.users {
        return Ok((keys, None));
    }
    info!(
        "names have the key of the machines of [cluster] now; who was known here is known again as soon as the name is seen"
    );
    Ok((keys, Some(old)))
}

/// The users who were known when names had this key.
fn known_before(config: &Config, users: [u8; 16], files: &[StateFile], now: Moment) -> Gate {
    let mut settings = config.gate.clone();
    // Nobody is judged by it.
    settings.capacity.clients = 1;
    let keys = Keys {
        users,
        passwords: random(),
        table: random(),
    };
    Gate::restore(settings, keys, files, now).0
}

/// Tells what a change of the section `[names]` has done to those who are known.
fn tell_renamed(gate: &Gate) {
    match gate.restored().names {
        NamesSince::Same => {}
        NamesSince::Stripped => {
            info!("[names] drops domains now: every user that was known stays known")
        }
        NamesSince::Other if gate.known().0 == 0 => {}
        NamesSince::Other => error!(
            "[names] was changed since the state was saved, and some users are known under other names than they have now: {CURE}"
        ),
    }
}

fn split(found: FoundFile) -> ((std::path::PathBuf, Content), StateFile) {
    ((found.path, found.content), found.file)
}

fn is_read(report: FileReport) -> bool {
    matches!(report.soundness, Soundness::Whole | Soundness::Damaged(_))
}

/// How long a file of the state may be: what the tables hold, twice over, and never less than a table that was
/// larger before may have left.
fn longest_file(config: &Config) -> u64 {
    const RECORD: u64 = 128;
    let capacity = config.gate.capacity;
    let rows = capacity.clients.saturating_add(capacity.pairs);
    LONGEST_FILE.max((rows as u64).saturating_mul(RECORD))
}

/// Tells what became of a file, and keeps it where it must be kept.
fn tell(content: Content, report: FileReport, store: &mut Store, path: &std::path::Path) {
    if report.skipped > 0 {
        let records = report.skipped;
        warn!(path = %path.display(), records, "skipped what a later version wrote and this one does not know");
    }
    let aside = match store.keep(path, report.soundness) {
        Ok(Some(aside)) => aside,
        Ok(None) => return,
        // A disk that takes no name. What can be read is read all the same.
        Err(fault) => SetAside {
            path: path.to_owned(),
            why: format!("damaged, and not to be kept apart: {fault}"),
        },
    };
    let octets = report.passed_over;
    let (path, kept, why) = (path.display(), aside.path.display(), &aside.why);
    match (content, is_read(report)) {
        (Content::Known, true) => error!(
            %path, %kept, why, octets,
            "state is damaged; what could be read is used. Users may be missing: `gatepost learn` makes \
             known again who logged in according to your mail log"
        ),
        (_, true) => {
            warn!(%path, %kept, why, octets, "state is damaged; what could be read is used")
        }
        (_, false) => error!(%path, %kept, why, octets, "state could not be read"),
    }
}

/// Makes familiar who logged in, and ends settling in if that was asked for; what that added.
pub fn learn(
    gate: &Gate,
    logins: &[PastLogin],
    after: SettlingAfter,
    clock: Clock,
    changes: &mut Changes,
) -> ImportStats {
    let now = clock.now();
    let (users_before, pairs_before) = gate.known();
    let settling = gate.settles_until(now).is_some();
    for login in logins {
        let user = UserName::new(login.user.as_bytes());
        let client = ClientKey::new(login.address);
        let at = clock.at_date(Moment::from_seconds(login.at));
        gate.learn(&user, client, at, now, changes);
    }
    if after == SettlingAfter::Ends && !logins.is_empty() {
        changes.extend(gate.end_settling(now));
    }
    let (users, pairs) = gate.known();
    ImportStats {
        pairs: pairs.saturating_sub(pairs_before) as u64,
        users: users.saturating_sub(users_before) as u64,
        settling_ended: settling && gate.settles_until(now).is_none(),
        settling: gate.settles_until(now).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use gatepost_core::gate::request::settings::GateSettings;
    use gatepost_core::gate::state::journal;

    #[test]
    fn settling_in_that_learning_has_ended_is_over_after_a_kill_before_the_next_snapshot() {
        let clock = Clock::start();
        let now = clock.now();
        let settings = GateSettings {
            settling: Duration::from_secs(7 * 86_400),
            ..GateSettings::default()
        };
        let keys = || Keys {
            users: [1; 16],
            passwords: [2; 16],
            table: [3; 16],
        };
        let gate = Gate::new(settings.clone(), keys(), now);
        let mut files = gate.snapshots(now).unwrap().to_vec();
        let login = PastLogin {
            user: "anna".to_owned(),
            address: "192.0.2.1".parse().unwrap(),
            at: Clock::wall().as_seconds(),
        };
        let mut changes = Changes::new();
        let learnt = learn(&gate, &[login], SettlingAfter::Ends, clock, &mut changes);
        assert!(learnt.settling_ended);
        files.push(journal::file(&changes));
        let (next, _) = Gate::restore(settings, keys(), &files, now);
        assert_eq!(next.settles_until(now), None);
    }
}
