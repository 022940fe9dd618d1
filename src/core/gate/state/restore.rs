//! restore - a gate from what an earlier process left: snapshots, and the changes since
//!
//! What was written are moments of the clocks of those who wrote; here they are laid as distances
//! from the present: the time away counts as 0 to 7 days whatever the two clocks say, debts are cut
//! to one burst of each machine, and a clock that starts in 1970 or 2040 ruins nothing.
//! Merged by three rules, so that order and repetition change nothing: of two changes of one ban or
//! one shared bucket the later holds, of two logins the later, of two debts the larger. A login before
//! familiarity was taken back does not count, whichever file it is in.
//! Not here: bans (`bans`), octets (`read`), files and what is said of them (the daemon's `store` and `restore`).

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::Ordering;

use crate::gate::buckets::bucket::BucketRow;
use crate::gate::buckets::credit::{ClientCredit, Earning};
use crate::gate::buckets::key::Key;
use crate::gate::buckets::level::BucketLevel;
use crate::gate::buckets::spec::Bucket;
use crate::gate::buckets::strike_count::Strikes;
use crate::gate::buckets::table::seconds;
use crate::gate::request::change::{
    BanEnding, Change, Fact, Forgiven, ForgivenUser, SharedLevel, Subject,
};
use crate::gate::request::names::NamesSince;
use crate::gate::request::settings::{GateSettings, Mode};
use crate::gate::state::away::Away;
use crate::gate::state::decisive::decisive;
use crate::gate::state::file::{FileReport, Snapshot, Soundness, StateFile, StateRead};
use crate::gate::state::read::read;
use crate::gate::state::revocations::Revocations;
use crate::gate::{Gate, Keys};
use crate::moment::Moment;

/// What of the state of an earlier process could not be taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Records that were passed over, because this version does not know what they say.
    pub skipped: u64,
    /// Places in the files that could not be read.
    pub damaged: u64,
    /// Whether users are still known under the names that they have now.
    pub names: NamesSince,
    /// What was spent up to then is in the state; what was spent later may be known to other machines.
    pub as_of: Moment,
    /// Whether it was written by a clock that was ahead of this process's: what is noted from now on would seem to be older than the
    /// snapshot, so the next one should not wait.
    pub is_ahead: bool,
}

impl Gate {
    /// A gate with the state that these files hold, and a report for each of them, in their order.
    ///
    /// Without any file the gate is new, and settles in. With files it settles in only if one of them
    /// says so: state that is lost or cannot be read never turns enforcement off.
    pub fn restore(
        settings: GateSettings,
        keys: Keys,
        files: &[StateFile],
        now: Moment,
    ) -> (Self, Vec<FileReport>) {
        let mut gate = Self::new(settings, keys, now);
        let (left, reports) = read(files);
        gate.restored = sum(&reports);
        gate.restored.names = gate.names_since(&left);
        if !files.is_empty() {
            let heads = left.snapshots.iter().filter_map(|snapshot| snapshot.head);
            let noted = left
                .changes
                .iter()
                .map(|change| change.noted.max(change.at));
            let newest = heads.map(|head| head.at).chain(noted).max();
            gate.restored.is_ahead = newest.is_some_and(|newest| newest > now);
            let as_of = gate.take_over(left, now);
            gate.restored.as_of = as_of;
            if as_of > Moment::EPOCH {
                gate.forgiven.taken_up_to(as_of);
            }
        }
        (gate, reports)
    }

    /// The moment of what was taken over.
    fn take_over(&self, left: StateRead, now: Moment) -> Moment {
        let StateRead {
            snapshots,
            mut changes,
        } = left;
        changes.sort_by_key(|change| (change.at, change.origin));
        let (mode, machines) = {
            let rules = self.rules.load();
            (rules.mode, rules.machines)
        };
        let away = Away::new(&snapshots, &changes, (now, machines));
        let was_dry = |snapshot: &Snapshot| {
            let head = snapshot.head.as_ref();
            head.is_some_and(|head| head.mode == Mode::DryRun)
        };
        let kept = match mode == Mode::Enforce && snapshots.iter().any(was_dry) {
            true => Kept::Known,
            false => Kept::All,
        };
        self.settling
            .store(settling(&snapshots, &changes, away), Ordering::Relaxed);
        self.restore_logins(&snapshots, &changes, away);
        self.restore_passwords(&snapshots, &changes, away);
        self.restore_devices(&snapshots, &changes, away);
        self.restore_places(&snapshots, &changes, away);
        let covered = snapshots.iter().filter_map(|snapshot| snapshot.head);
        let covered = covered.map(|head| head.bans).max().unwrap_or_default();
        let decisive = decisive(&changes, covered);
        if kept == Kept::All {
            self.restore_buckets(&snapshots, away);
        }
        self.restore_credit(&snapshots, away);
        self.restore_shared(&snapshots, &changes, away, kept);
        let newest_snapshot = snapshots.iter().filter_map(|snapshot| snapshot.head);
        let newest_snapshot = newest_snapshot.map(|head| head.at).max();
        // What was forgiven are debts; they may be older than the other snapshot.
        let debts = snapshots
            .iter()
            .filter(|snapshot| !snapshot.buckets.is_empty());
        let heads = debts.filter_map(|snapshot| snapshot.head);
        let newest_debts = heads.map(|head| head.at).max();
        self.forgive_and_strike(&changes, &decisive, newest_debts, away);
        self.restore_lifted(&snapshots, &changes, now);
        self.restore_bans(snapshots, &decisive, away, kept);
        let (rules, known) = (self.rules.load_full(), self.familiar.users());
        self.buckets
            .cut_shared(|bucket| rules.limit(bucket, known), now, &mut Vec::new());
        newest_snapshot.map_or(Moment::EPOCH, |at| now - away.since(at))
    }

    fn restore_logins(&self, snapshots: &[Snapshot], changes: &[Change], away: Away) {
        // By the clock of those who wrote: laid anew, seconds that were apart may be one.
        let revoked = Revocations::new(snapshots, changes, away.newest);
        for snapshot in snapshots {
            let at = snapshot.at(away);
            let logins = snapshot.logins.iter();
            let logins = logins.filter(|(user, _, last)| revoked.makes_known(*user, *last));
            self.familiar.merge(logins.map(|(user, network, last)| {
                let network = revoked.left_of(*user, *network, *last);
                (self.user_since(*user), network, away.login(*last, at))
            }));
        }
        let logins = changes.iter().filter_map(|change| {
            let (user, network, last) = change.login()?;
            revoked.makes_known(user, last).then_some(())?;
            let left = revoked.left_of(user, network, last);
            Some((self.user_since(user), left, away.login(last, change.at)))
        });
        self.familiar.merge(logins);
        let networks = revoked.networks();
        let networks =
            networks.map(|(what, found)| (self.revocation_since(what), away.moment(found)));
        self.familiar.restore_revoked(networks);
        let users = revoked.users();
        let users = users.map(|(user, found)| (self.user_since(user), away.moment(found)));
        self.familiar.restore_forgotten(users);
    }

    fn restore_passwords(&self, snapshots: &[Snapshot], changes: &[Change], away: Away) {
        let in_snapshots = snapshots.iter().flat_map(|snapshot| {
            let at = snapshot.at(away);
            snapshot.passwords.iter().map(move |change| (*change, at))
        });
        let since = changes.iter().filter_map(|change| match change.fact {
            Fact::PasswordChanged(password) => Some((password, change.at)),
            _ => None,
        });
        for (change, at) in in_snapshots.chain(since) {
            self.passwords
                .merge(self.user_since(change.user), away.login(change.since, at));
        }
    }

    fn restore_buckets(&self, snapshots: &[Snapshot], away: Away) {
        let rules = self.rules.load();
        let mut rows: Vec<(Key, BucketRow)> = Vec::new();
        for snapshot in snapshots {
            let at = snapshot.at(away);
            rows.extend(snapshot.buckets.iter().filter_map(|(key, row)| {
                let debt = away.remaining(row.arrival, at);
                let debt = debt.min(rules.longest_debt(Bucket::of_kind(key.kind)?, 0));
                let row = BucketRow {
                    arrival: away.arrival(debt),
                    counted: away.login(row.counted, at),
                    ..*row
                };
                let key = self.key_since(*key);
                (debt > 0 || row.strikes_at(away.now) > Strikes::NONE).then_some((key, row))
            }));
        }
        // The worst first: should a set overflow, for rows come in another order than they once did, it
        // is the mildest that find no place.
        rows.sort_unstable_by_key(|(_, row)| Reverse(row.clean_at()));
        for (key, row) in rows {
            self.buckets.merge(key, row, away.now);
        }
    }

    /// Earned by logins, in a dry run too.
    fn restore_credit(&self, snapshots: &[Snapshot], away: Away) {
        let credit = self.buckets.credit();
        for snapshot in snapshots {
            let at = snapshot.at(away);
            let since = |seconds| match seconds {
                0 => 0,
                seconds => away.login(seconds, at),
            };
            for (key, held) in &snapshot.credit {
                let held = ClientCredit {
                    last: since(held.last),
                    other: since(held.other),
                    ..*held
                };
                credit.restore_client(*key, held, away.now);
            }
            for (user, earning) in &snapshot.earnings {
                let at = since(earning.at);
                credit.restore_earning(*user, Earning { at, ..*earning }, away.now);
            }
        }
    }

    fn restore_shared(&self, snapshots: &[Snapshot], changes: &[Change], away: Away, kept: Kept) {
        let mut latest: HashMap<u8, (Moment, Moment, SharedLevel)> = HashMap::new();
        let in_snapshots = snapshots.iter().flat_map(|snapshot| {
            let at = snapshot.at(away);
            let shared = snapshot.shared.iter();
            shared.map(move |(changed, level)| (*changed, at, *level))
        });
        let since = changes.iter().filter_map(|change| match change.fact {
            Fact::SharedBucket(level) => Some((change.at, change.at, level)),
            _ => None,
        });
        for (changed, at, level) in in_snapshots.chain(since) {
            let held = latest.entry(level.bucket).or_insert((changed, at, level));
            if changed > held.0 {
                *held = (changed, at, level);
            }
        }
        for (_, at, level) in latest.into_values() {
            let Some(bucket) = Bucket::of_shared_number(level.bucket) else {
                continue;
            };
            let debt = match kept {
                Kept::All => away.remaining(level.arrival, at),
                Kept::Known => 0,
            };
            let level = BucketLevel {
                arrival: away.arrival(debt),
                every: level.every,
                changed: away.now.as_nanos(),
            };
            self.buckets.restore_shared(bucket, level);
        }
    }

    /// Follows what the operator forgave, and what a ban says of a client's strikes.
    fn forgive_and_strike(
        &self,
        changes: &[Change],
        decisive: &HashMap<Subject, Change>,
        snapshot: Option<Moment>,
        away: Away,
    ) {
        let mode = self.rules.load().mode;
        let holds = |subject, change| decisive.get(&subject) == Some(change);
        for change in changes {
            match change.fact {
                Fact::BanBegan(ban)
                    if holds(ban.subject, change)
                        && (ban.mode == Mode::Enforce || mode == Mode::DryRun) =>
                {
                    self.set_strikes(
                        ban.subject,
                        Strikes::from_file(ban.strikes),
                        change.noted,
                        away,
                    );
                }
                Fact::BanEnded(end)
                    if holds(end.subject, change) && end.why == BanEnding::Lifted =>
                {
                    self.set_strikes(end.subject, Strikes::NONE, change.noted, away);
                }
                Fact::Forgiven(who) if snapshot.is_none_or(|at| change.noted > at) => match who {
                    Forgiven::Client(client) => self.fill_buckets_of_client(client),
                    Forgiven::User(ForgivenUser(user)) => {
                        self.fill_buckets_of(self.user_since(user));
                    }
                },
                _ => {}
            }
        }
    }

    fn set_strikes(&self, subject: Subject, strikes: Strikes, at: Moment, away: Away) {
        let Subject::Client(client) = subject else {
            return;
        };
        let key = Key::client(client);
        let held = self.buckets.row(key);
        if strikes.max(held.strikes) > Strikes::NONE {
            let row = BucketRow {
                strikes,
                counted: seconds(away.now - away.since(at)),
                ..held
            };
            self.buckets.put(key, row, away.now);
        }
    }
}

/// Since when the state settles in by the clock of now; 0: it does not. It settles in once: where it has ended, no older
/// snapshot begins it again.
fn settling(snapshots: &[Snapshot], changes: &[Change], away: Away) -> u64 {
    let is_end = |change: &Change| change.fact == Fact::SettlingEnded;
    if changes.iter().any(is_end) {
        return 0;
    }
    let heads = snapshots.iter().filter_map(|snapshot| snapshot.head);
    let Some(head) = heads.max_by_key(|head| head.at) else {
        return 0;
    };
    match head.settling {
        0 => 0,
        since => {
            let age = head.at.since(Moment::from_nanos(since));
            (away.now - away.since(head.at) - age).as_nanos().max(1)
        }
    }
}

fn sum(reports: &[FileReport]) -> Restored {
    let mut sum = Restored::default();
    for report in reports {
        sum.skipped += report.skipped;
        sum.damaged += match report.soundness {
            Soundness::Whole => 0,
            Soundness::Damaged(places) => places,
            Soundness::Version(_) | Soundness::Foreign => 1,
        };
    }
    sum
}

/// What of a snapshot is taken over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::gate::state) enum Kept {
    All,
    /// A dry run has ended: what it counted and banned is cleared.
    Known,
}
