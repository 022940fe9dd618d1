//! strikes - strikes and the bans that follow, and what a trap costs
//!
//! A strike that reaches `strikes` bans, each further one twice as long. Four banned clients ban
//! their network for an hour, but no network where anybody is familiar. Nothing here shortens a ban of
//! the operator's, or changes its cause.
//! Not here: what earns a strike (`judge`), the book of bans (`ban`).

use std::time::Duration;

use crate::gate::buckets::key::Key;
use crate::gate::buckets::spec::Bucket;
use crate::gate::buckets::strike_count::{StrikeRule, Strikes};
use crate::gate::request::client::ClientKey;
use crate::gate::request::verdict::{BanCause, Subject};
use crate::gate::rules::Rules;
use crate::gate::trust::ban::Ban;
use crate::gate::trust::familiar::NetworkTrust;
use crate::gate::{Changes, Gate};
use crate::moment::Moment;

/// Banned clients that ban their network.
const NEIGHBOURS: usize = 4;
/// How long a network is banned for them.
const NETWORK_BAN: Duration = Duration::from_secs(3600);
/// Tokens of `client` that a trap costs where it does not ban.
const TRAP_TOKENS: u32 = 3;

/// A client that is punished, and whether anybody is familiar in its network.
#[derive(Clone, Copy, Debug)]
pub(in crate::gate) struct Offender {
    pub(in crate::gate) client: ClientKey,
    pub(in crate::gate) network: NetworkTrust,
}

impl Gate {
    /// A trap was touched: a ban where nobody is familiar, else tokens. How long the client is refused then.
    pub(in crate::gate) fn touch_trap(
        &self,
        rules: &Rules,
        offender: Offender,
        now: Moment,
        changes: &mut Changes,
    ) -> Duration {
        if offender.network != NetworkTrust::Familiar && rules.strikes > 0 {
            return self.strike(rules, offender, BanCause::Trap, now, changes);
        }
        let key = Key::client(offender.client);
        let limit = rules.limit(Bucket::Client, 0);
        self.buckets.drain(key, TRAP_TOKENS, limit, now);
        Duration::ZERO
    }

    /// One strike, for a trap as good as all that a ban needs, and the ban that follows. How long it lasts.
    pub(in crate::gate) fn strike(
        &self,
        rules: &Rules,
        offender: Offender,
        cause: BanCause,
        now: Moment,
        changes: &mut Changes,
    ) -> Duration {
        let (needed, most) = (rules.strikes, rules.most_bans());
        if needed == 0 {
            return Duration::ZERO;
        }
        let needed = if cause == BanCause::Trap { 1 } else { needed };
        let key = Key::client(offender.client);
        let strikes = self.buckets.strike(key, StrikeRule { needed, most }, now);
        if strikes.bans() == 0 {
            return Duration::ZERO;
        }
        self.bans.expire(now, changes);
        let length = rules.ban_length(strikes.bans());
        let ban = Ban {
            until: now + length,
            cause,
            mode: rules.mode,
        };
        self.shut_out(Subject::Client(offender.client), ban, strikes, now, changes);
        let network = offender.client.network();
        if offender.network != NetworkTrust::Familiar
            && self.bans.neighbours(network, NEIGHBOURS) == NEIGHBOURS
        {
            let ban = Ban {
                until: now + NETWORK_BAN,
                cause: BanCause::Neighbours,
                ..ban
            };
            self.shut_out(Subject::Network(network), ban, Strikes::NONE, now, changes);
        }
        length
    }

    /// Begins a ban, unless one is there that this one may not replace: the operator's, and for a
    /// network any, since it is banned for an hour and never longer.
    fn shut_out(
        &self,
        subject: Subject,
        ban: Ban,
        strikes: Strikes,
        now: Moment,
        changes: &mut Changes,
    ) {
        let stays = self.bans.exactly(subject, now).is_some_and(|held| {
            held.cause == BanCause::Operator || ban.cause == BanCause::Neighbours
        });
        if !stays {
            self.bans
                .begin(subject, ban, strikes.in_file(), now, changes);
        }
    }
}
