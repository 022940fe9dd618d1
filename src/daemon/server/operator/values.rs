//! values - moments, modes, bans and buckets as the operator's messages show them
//!
//! Not here: the messages that are made of them (`present`, `explained`).

use crate::admin::message::{BanMessage, BucketMessage};
use crate::clock::Clock;
use crate::report::events::timestamp;
use gatepost_core::gate::explain::Holding;
use gatepost_core::gate::operator::BanEntry;
use gatepost_core::gate::request::settings::Mode;
use gatepost_core::moment::Moment;

/// A moment, as it is shown: by the clock on the wall.
pub(super) fn time(moment: Moment, clock: Clock) -> String {
    timestamp(clock.on_wall(moment))
}

/// Whether refusals are meant.
pub(super) fn mode(mode: Mode, settling_until: Option<Moment>) -> String {
    match (mode, settling_until) {
        (Mode::DryRun, _) => "dry-run",
        (Mode::Enforce, Some(_)) => "settling-in",
        (Mode::Enforce, None) => "enforce",
    }
    .to_owned()
}

/// One ban.
pub(super) fn ban(entry: BanEntry, clock: Clock) -> BanMessage {
    BanMessage {
        address: entry.subject.to_string(),
        until: time(entry.until, clock),
        reason: match entry.mode {
            Mode::Enforce => entry.cause.to_string(),
            Mode::DryRun => format!("{} (dry run)", entry.cause),
        },
    }
}

pub(super) fn bucket(holding: &Holding) -> BucketMessage {
    BucketMessage {
        name: holding.bucket.to_string(),
        tokens: holding.tokens,
        burst: holding.burst,
        next_s: holding.wait.as_secs(),
        next_retry_s: holding.waits.retry.as_secs(),
        next_newcomer_s: holding.waits.newcomer.as_secs(),
        next_others_s: holding.waits.others.as_secs(),
    }
}
