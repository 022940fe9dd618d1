//! bans - the bans that an earlier process left, and those that were lifted
//!
//! Not here: which change of one ban holds (`decisive`), strikes (`restore`).

use std::collections::HashMap;

use crate::gate::Gate;
use crate::gate::request::change::{BanCause, BanEnding, Change, Fact, Subject};
use crate::gate::request::settings::Mode;
use crate::gate::state::away::Away;
use crate::gate::state::file::Snapshot;
use crate::gate::state::restore::Kept;
use crate::gate::trust::ban::{Ban, HeldBan};
use crate::moment::Moment;

impl Gate {
    /// By the clock of those who lifted: other machines tell of bans by a common one. A clock that was ahead lifts no ban
    /// of later.
    pub(in crate::gate::state) fn restore_lifted(
        &self,
        snapshots: &[Snapshot],
        changes: &[Change],
        now: Moment,
    ) {
        let since = changes.iter().filter_map(|change| match change.fact {
            Fact::BanEnded(end) if end.why == BanEnding::Lifted => Some((end.subject, change.at)),
            _ => None,
        });
        let all = snapshots.iter().flat_map(|snapshot| &snapshot.lifted);
        let lifted = all.copied().chain(since);
        self.bans
            .restore_lifted(lifted.map(|(subject, at)| (subject, at.min(now))));
    }

    pub(in crate::gate::state) fn restore_bans(
        &self,
        snapshots: Vec<Snapshot>,
        decisive: &HashMap<Subject, Change>,
        away: Away,
        kept: Kept,
    ) {
        let several = snapshots.iter().filter(|s| !s.bans.is_empty()).count() > 1;
        let mut bans: Vec<(Subject, HeldBan)> = Vec::new();
        for snapshot in snapshots {
            let at = snapshot.at(away);
            let of_snapshot = snapshot.bans.into_iter().filter(|(subject, held)| {
                let later = decisive.get(subject);
                later.is_none_or(|change| change.at <= held.changed)
            });
            bans.extend(of_snapshot.filter_map(|(subject, held)| {
                let stays = kept == Kept::All || held.ban.cause == BanCause::Operator;
                Some((subject, away.ban(held, at)?)).filter(|_| stays)
            }));
        }
        if several {
            // The later change of a subject stands last, and so is the one that stays.
            bans.sort_by_key(|(_, held)| held.changed);
        }
        let mode = self.rules.load().mode;
        let began = decisive.values().filter_map(|change| match change.fact {
            Fact::BanBegan(began) if began.mode == Mode::Enforce || mode == Mode::DryRun => {
                let ban = Ban {
                    until: began.until,
                    cause: began.cause,
                    mode: began.mode,
                };
                let changed = change.at;
                Some((
                    began.subject,
                    away.ban(HeldBan { ban, changed }, change.noted)?,
                ))
            }
            _ => None,
        });
        bans.extend(began);
        self.bans.restore(bans, away.now);
    }
}
