//! restore - a gate from an image and the journal written since
//!
//! What an image or a record says is distances in time; here they are laid from the present, less
//! the time away. Not here: reading octets (`image`, `journal`).

use std::cmp::Reverse;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::gate::buckets::bucket::{Row, seconds};
use crate::gate::buckets::key::Key;
use crate::gate::buckets::spec::Bucket;
use crate::gate::request::settings::{GateSettings, Mode};
use crate::gate::request::verdict::{BanCause, Subject};
use crate::gate::state::image::{Debt, Image, ImageFault};
use crate::gate::state::journal::{self, BanRecord, Record, ShareRecord};
use crate::gate::trust::ban::Ban;
use crate::gate::{Gate, Keys};
use crate::moment::Moment;

/// The time away counts for no more than this.
const LONGEST_AWAY: Duration = Duration::from_secs(7 * 86_400);

impl Gate {
    /// A gate with the state of an image, and of the journal records written since.
    ///
    /// Without an image it is new, but for the journal. Records that are none are passed over.
    ///
    /// # Errors
    ///
    /// [`ImageFault`] if the image is damaged or foreign; the caller sets it aside and goes on
    /// without.
    pub fn restore<R: AsRef<[u8]>>(
        settings: GateSettings,
        keys: Keys,
        image: Option<&[u8]>,
        journal: impl IntoIterator<Item = R>,
        now: Moment,
    ) -> Result<Self, ImageFault> {
        let image = image.map(Image::read).transpose()?;
        let records = journal.into_iter();
        let records: Vec<Record> = records
            .filter_map(|record| journal::read(record.as_ref()))
            .collect();
        let gate = Self::new(settings, keys, now);
        let written = image.iter().map(|image| image.at);
        let newest = written.chain(records.iter().map(Record::at)).max();
        let away = Away {
            newest: newest.unwrap_or(now),
            now,
        };
        let cleared = image
            .as_ref()
            .is_some_and(|image| image.mode == Mode::DryRun)
            && gate.rules.load().mode == Mode::Enforce;
        let kept = if cleared { Kept::Known } else { Kept::All };
        if let Some(image) = image {
            gate.take_over(image, away, kept);
        }
        gate.replay(records, away, kept);
        let (rules, known) = (gate.rules.load_full(), gate.familiar.users());
        gate.buckets
            .cut_shared(|bucket| rules.limit(bucket, known), now);
        Ok(gate)
    }

    fn take_over(&self, image: Image, away: Away, kept: Kept) {
        let gone = away.since(image.at);
        let now = away.now;
        let rules = self.rules.load();
        let settling = match image.settling {
            0 => 0,
            age => (now - gone).as_nanos().saturating_sub(age - 1).max(1),
        };
        self.settling.store(settling, Ordering::Relaxed);
        for (user, network, age) in image.known {
            let when = now - gone - Duration::from_secs(u64::from(age));
            self.familiar.restore(user, network, seconds(when));
        }
        let row_of = |Debt {
                          key,
                          debt,
                          strikes,
                          counted,
                      }: Debt| {
            let debt = debt.saturating_sub(nanos(gone));
            let debt = debt.min(rules.limit(Bucket::of_kind(key.kind)?, 0).full());
            let row = Row {
                arrival: now.as_nanos().saturating_add(debt),
                strikes,
                counted: seconds(now - gone).saturating_sub(counted),
            };
            (debt > 0 || row.strikes_at(now) > 0).then_some((key, row))
        };
        if kept == Kept::All {
            let mut rows: Vec<(Key, Row)> = image.buckets.into_iter().filter_map(row_of).collect();
            // The worst first: should a set overflow, for rows come in another order than they once did, it
            // is the mildest that find no place.
            rows.sort_unstable_by_key(|(_, row)| Reverse(row.clean_at()));
            for (key, row) in rows {
                self.buckets.put(key, row, now);
            }
        }
        for record in image.shared {
            self.replay_share(record, away, kept);
        }
        let bans = image.bans.into_iter().filter_map(|(subject, ban)| {
            let left = ban.until.since(Moment::EPOCH).checked_sub(gone)?;
            let until = (!left.is_zero()).then(|| now + left)?;
            (kept == Kept::All || ban.cause == BanCause::Operator)
                .then_some((subject, Ban { until, ..ban }))
        });
        self.bans.restore(bans.collect(), image.sequence);
    }

    fn replay(&self, records: Vec<Record>, away: Away, kept: Kept) {
        let mut bans: Vec<BanRecord> = Vec::new();
        for record in records {
            match record {
                Record::Ban(record) => bans.push(record),
                Record::Share(record) => self.replay_share(record, away, kept),
            }
        }
        // Sessions write their records side by side; the numbers tell the order.
        bans.sort_unstable_by_key(|record| record.sequence);
        for record in bans {
            self.replay_ban(record, away);
        }
    }

    fn replay_share(&self, mut record: ShareRecord, away: Away, kept: Kept) {
        if kept == Kept::Known {
            record.debt = 0;
        }
        let gone = away.since(record.at);
        self.buckets.replay(&record, gone, away.now);
    }

    fn replay_ban(&self, record: BanRecord, away: Away) {
        let mode = self.rules.load().mode;
        let gone = away.since(record.at);
        let ban = record.ban.and_then(|ban| {
            let left = ban.until.since(record.at).checked_sub(gone)?;
            let ban = Ban {
                until: away.now + left,
                ..ban
            };
            let told = ban.mode == Mode::DryRun && mode == Mode::Enforce;
            (!left.is_zero() && !told).then_some(ban)
        });
        if !self.bans.replay(&BanRecord { ban, ..record }) {
            return;
        }
        if let (Subject::Client(client), Some(_)) = (record.subject, ban) {
            let (key, now) = (Key::client(client), away.now);
            let counted = seconds(now - gone);
            let strikes = record.strikes;
            let row = self.buckets.row(key);
            self.buckets.put(
                key,
                Row {
                    strikes,
                    counted,
                    ..row
                },
                now,
            );
        }
    }
}

/// What of an image is taken over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    All,
    /// A dry run has ended: what it counted and banned is cleared.
    Known,
}

/// How far the present is from moments on the clock of the process that wrote them.
#[derive(Clone, Copy)]
struct Away {
    /// The last moment that was written: nothing later is known of that clock.
    newest: Moment,
    now: Moment,
}

impl Away {
    fn since(self, at: Moment) -> Duration {
        let before = self.newest.since(at);
        let away = self.now.since(self.newest);
        (before + away).min(LONGEST_AWAY)
    }
}

impl Record {
    fn at(&self) -> Moment {
        match self {
            Self::Share(record) => record.at,
            Self::Ban(record) => record.at,
        }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
