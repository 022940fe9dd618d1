//! credit - tokens that a client's users have earned for it by their logins
//!
//! Behind one address may be a crowd: an office, a conference, a carrier. Its logins show that, and earn what its
//! newcomers pay with where the buckets of a single address have no token left. Each user earns one token a day for
//! a client, and for few clients: so all that can be guessed with them is bounded by the logins of real accounts. A
//! user who is alone there earns only where the client's own bucket is short of tokens.
//!
//! Two bounded tables. What is evicted is gone: a client has no token then, and a user whose row finds no place
//! earns none, so that nobody can earn twice by pushing a row out.
//! Not here: when tokens are paid from it (`judge`), the quotas (`spec`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::gate::buckets::key::Key;
use crate::gate::buckets::quota::CLIENTS_A_DAY;
use crate::gate::buckets::spec::Kind;
use crate::gate::buckets::table::{Table, seconds};
use crate::gate::request::client::ClientKey;
use crate::gate::request::keys::UserId;
use crate::moment::Moment;

/// Without a login for so long, a client's tokens are gone and its users forgotten.
const KEPT: u32 = 7 * 86_400;
/// A client without a token is evicted before others after this time.
const EMPTY_KEPT: u32 = 86_400;
const DAY: u32 = 86_400;

/// How much may be earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct EarningQuota {
    /// Tokens that a client holds at most.
    pub(in crate::gate) most: u32,
    /// Clients for which a user earns a token in a day.
    pub(in crate::gate) clients: usize,
}

/// Whether the client has tokens enough without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum Need {
    None,
    /// Its own bucket is below half.
    Short,
}

/// What is kept of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gate) struct ClientCredit {
    pub(in crate::gate) tokens: u8,
    /// The last user, as far as 32 bits tell, and the last login.
    pub(in crate::gate) user: u32,
    pub(in crate::gate) last: u32,
    /// The last login of another user; 0: none.
    pub(in crate::gate) other: u32,
}

/// That a user has earned a token for a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gate) struct Earning {
    /// The client, as far as 32 bits tell.
    pub(in crate::gate) client: u32,
    /// When, in seconds since the epoch; 0: never.
    pub(in crate::gate) at: u32,
}

type Earnings = [Earning; CLIENTS_A_DAY];
/// The id, the earnings, the kind.
const USER_WORDS: usize = CLIENTS_A_DAY + 2;

pub(in crate::gate) struct Credit {
    clients: Table<3>,
    users: Table<USER_WORDS>,
    /// Tokens that were not earned, because the user's row found no place.
    no_room: AtomicU64,
}

impl Credit {
    /// Room for so many clients, and for the earnings of as many users.
    pub(in crate::gate) fn new(clients: usize, secret: &[u8; 16]) -> Self {
        Self {
            clients: Table::new(clients, secret, |row| {
                let credit = ClientCredit::unpack(row);
                let kept = if credit.tokens > 0 { KEPT } else { EMPTY_KEPT };
                u64::from(credit.last.saturating_add(kept)) * 1_000_000_000
            }),
            users: Table::new(clients, secret, |row| {
                let last = unpack(row).map(|earning| earning.at).into_iter().max();
                u64::from(last.unwrap_or_default().saturating_add(DAY)) * 1_000_000_000
            }),
            no_room: AtomicU64::new(0),
        }
    }

    /// A user has logged in from a client. Whether that earned a token.
    pub(in crate::gate) fn login(
        &self,
        client: ClientKey,
        user: UserId,
        quota: EarningQuota,
        need: Need,
        now: Moment,
    ) -> bool {
        let key = Key::client(client);
        let (user, now_seconds) = (user.local_part(), seconds(now));
        let is_shared = self.clients.with(key, now, |row| {
            let credit = ClientCredit::at(row, now_seconds).seen(user, now_seconds);
            (credit.is_shared(now_seconds), Some(credit.pack()))
        });
        if !is_shared && need == Need::None || !self.earns(client, user, quota, now) {
            return false;
        }
        self.clients.with(key, now, |row| {
            let credit = ClientCredit::at(row, now_seconds);
            let most = u8::try_from(quota.most).unwrap_or(u8::MAX);
            let more = credit.tokens.saturating_add(1).min(most);
            let tokens = credit.tokens.max(more);
            ((), Some(ClientCredit { tokens, ..credit }.pack()))
        });
        true
    }

    /// Takes a token; whether there was one.
    pub(in crate::gate) fn take(&self, client: Key, now: Moment) -> bool {
        self.clients.with(client, now, |row| {
            let credit = ClientCredit::at(row, seconds(now));
            match credit.tokens.checked_sub(1) {
                Some(tokens) => (true, Some(ClientCredit { tokens, ..credit }.pack())),
                None => (false, None),
            }
        })
    }

    /// Gives a token back. One whose client was evicted meanwhile is gone.
    pub(in crate::gate) fn give_back(&self, client: Key, now: Moment) {
        self.clients.with(client, now, |row| {
            let held = row.map(|row| ClientCredit::at(Some(row), seconds(now)));
            let more = held.map(|held| ClientCredit {
                tokens: held.tokens.saturating_add(1),
                ..held
            });
            ((), more.map(ClientCredit::pack))
        });
    }

    /// The tokens of a client where somebody has logged in within a week; none elsewhere.
    pub(in crate::gate) fn held(&self, client: ClientKey, now: Moment) -> Option<u32> {
        let row = self.clients.read(Key::client(client))?;
        let credit = ClientCredit::at(Some(&row), seconds(now));
        (credit.last != 0).then_some(u32::from(credit.tokens))
    }

    /// The tokens of a client.
    pub(in crate::gate) fn left(&self, client: Key, now: Moment) -> u32 {
        let row = self.clients.read(client);
        u32::from(ClientCredit::at(row.as_ref(), seconds(now)).tokens)
    }

    /// How many clients were evicted early, and how many tokens were not earned for want of room.
    pub(in crate::gate) fn evictions(&self) -> u64 {
        self.clients.evictions() + self.no_room.load(Ordering::Relaxed)
    }

    /// Every client of which something is kept.
    pub(in crate::gate) fn clients(&self) -> Vec<(Key, ClientCredit)> {
        let mut all = Vec::new();
        self.clients.for_each(|kind, row| {
            let [id, ..] = *row;
            all.push((Key { kind, id }, ClientCredit::unpack(row)));
        });
        all
    }

    /// Every earning, and whose it is.
    pub(in crate::gate) fn earnings(&self) -> Vec<(u64, Earning)> {
        let mut all = Vec::new();
        self.users.for_each(|_, row| {
            let [id, ..] = *row;
            let earned = unpack(row).into_iter().filter(|earning| earning.at != 0);
            all.extend(earned.map(|earning| (id, earning)));
        });
        all
    }

    /// Takes over what an earlier process left of a client: the latest holds.
    pub(in crate::gate) fn restore_client(&self, key: Key, credit: ClientCredit, now: Moment) {
        self.clients.with(key, now, |row| {
            let held = row.map(ClientCredit::unpack).unwrap_or_default();
            ((), (held.last < credit.last).then(|| credit.pack()))
        });
    }

    /// Takes over that a user has earned a token.
    pub(in crate::gate) fn restore_earning(&self, user: u64, earning: Earning, now: Moment) {
        self.users.with(earner(user), now, |row| {
            let mut earnings = row.map(unpack).unwrap_or_default();
            let is_there = earnings.contains(&earning);
            if let Some(oldest) = earnings
                .iter_mut()
                .min_by_key(|held| held.at)
                .filter(|_| !is_there)
            {
                *oldest = earning;
            }
            ((), Some(pack(earnings)))
        });
    }

    /// Whether a login of this user earns a token for this client, which is noted.
    fn earns(&self, client: ClientKey, user: u32, quota: EarningQuota, now: Moment) -> bool {
        let (client, at) = (tag(client), seconds(now));
        let earned = self
            .users
            .with_if_room(earner(u64::from(user)), now, |row| {
                let mut earnings = row.map(unpack).unwrap_or_default();
                let is_of_today = |earning: &&Earning| at.saturating_sub(earning.at) < DAY;
                let today = earnings.iter().filter(is_of_today);
                if today.clone().count() >= quota.clients
                    || today.clone().any(|earning| earning.client == client)
                {
                    return (false, None);
                }
                let Some(oldest) = earnings.iter_mut().min_by_key(|earning| earning.at) else {
                    return (false, None);
                };
                *oldest = Earning { client, at };
                (true, Some(pack(earnings)))
            });
        earned.unwrap_or_else(|| {
            self.no_room.fetch_add(1, Ordering::Relaxed);
            false
        })
    }
}

impl ClientCredit {
    /// What a row holds now.
    fn at(row: Option<&[u64; 3]>, now: u32) -> Self {
        let held = row.map(Self::unpack).unwrap_or_default();
        match now.saturating_sub(held.last) < KEPT {
            true => held,
            false => Self::default(),
        }
    }

    /// With a login of this user.
    fn seen(self, user: u32, now: u32) -> Self {
        let other = match self.user == user {
            true => self.other,
            false => self.last,
        };
        Self {
            user,
            other,
            last: now,
            ..self
        }
    }

    /// Whether another user than the last one has logged in lately.
    fn is_shared(self, now: u32) -> bool {
        self.other != 0 && now.saturating_sub(self.other) < KEPT
    }

    fn unpack(row: &[u64; 3]) -> Self {
        let [_, users, meta] = *row;
        let [_, tokens, ..] = meta.to_le_bytes();
        Self {
            tokens,
            user: users as u32,
            other: (users >> 32) as u32,
            last: (meta >> 32) as u32,
        }
    }

    fn pack(self) -> [u64; 3] {
        let users = u64::from(self.user) | u64::from(self.other) << 32;
        let meta = u64::from(self.tokens) << 8 | u64::from(self.last) << 32;
        [0, users, meta]
    }
}

fn unpack(row: &[u64; USER_WORDS]) -> Earnings {
    let mut earnings = Earnings::default();
    for (earning, word) in earnings.iter_mut().zip(row.iter().skip(1)) {
        *earning = Earning {
            client: *word as u32,
            at: (word >> 32) as u32,
        };
    }
    earnings
}

fn pack(earnings: Earnings) -> [u64; USER_WORDS] {
    let mut row = [0; USER_WORDS];
    for (word, earning) in row.iter_mut().skip(1).zip(earnings) {
        *word = u64::from(earning.client) | u64::from(earning.at) << 32;
    }
    row
}

/// The row of a user. Names with one local part are one: where Dovecot ignores the domain, one account has as
/// many names as its owner likes.
fn earner(local_part: u64) -> Key {
    Key {
        kind: Kind::USER_FAR,
        id: local_part,
    }
}

fn tag(client: ClientKey) -> u32 {
    match client {
        ClientKey::V4(bits) => bits,
        ClientKey::V6(upper) => (upper ^ upper >> 32) as u32,
    }
}

/// How long until there is a token: that depends on who logs in.
pub(in crate::gate) const UNTIL_A_LOGIN: Duration = Duration::ZERO;

#[cfg(test)]
mod tests;
