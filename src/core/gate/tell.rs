//! tell - what the other machines of a cluster are told: facts as octets, and all that this machine knows
//!
//! A record is its kind, its length and the octets that it has in a journal. What a version does not know it passes over and
//! counts, as in a journal. Times are by the clock that all machines have in common.
//! Not here: how records travel (the daemon's `cluster`), what becomes of them (`merge`).

use std::collections::VecDeque;

use crate::gate::Gate;
use crate::gate::request::change::{
    BanEnd, BanEnding, BanStart, Change, Fact, ForgottenUser, Origin, PairLogin, Subject, UserLogin,
};
use crate::gate::request::client::NetworkKey;
use crate::gate::request::keys::UserId;
use crate::gate::request::settings::Mode;
use crate::gate::state::record;
use crate::gate::trust::ban::HeldBan;
use crate::moment::Moment;

/// Users or bans that are copied at a time.
const BATCH: usize = 256;
/// Octets of a record that is read: none of ours comes near it.
const LONGEST: usize = 64;
/// Kind and length.
const HEAD: usize = 2;

/// Appends a fact to `out`, with the machine where it happened if that is its place, by a clock that is `ahead` seconds ahead of this machine's.
pub fn write(out: &mut Vec<u8>, change: &Change, ahead: i64) {
    let mut octets = Vec::with_capacity(LONGEST);
    let origin = match change.origin.is_machine() {
        true => change.origin,
        false => Origin::HERE,
    };
    let number = record::write_told(&mut octets, &change.by_clock(ahead), origin);
    let length = u8::try_from(octets.len()).ok();
    if let Some((number, length)) = number.zip(length) {
        out.extend_from_slice(&[number, length]);
        out.extend_from_slice(&octets);
    }
}

/// The facts in `octets`, and how many were passed over. None: they are no records.
pub fn read(mut octets: &[u8], ahead: i64) -> Option<(Vec<Change>, u64)> {
    let (mut facts, mut skipped) = (Vec::new(), 0);
    while !octets.is_empty() {
        let (&[number, length], rest) = octets.split_first_chunk::<HEAD>()?;
        let (record, rest) = rest.split_at_checked(usize::from(length))?;
        octets = rest;
        match record::read_told(number, record) {
            Some(change) if length as usize <= LONGEST => {
                facts.push(change.by_clock(ahead.saturating_neg()));
            }
            _ => skipped += 1,
        }
    }
    Some((facts, skipped))
}

/// All that a machine knows, on its way to another one.
#[derive(Debug)]
pub struct Telling {
    /// What was taken back, lifted and banned goes first: it is little, and decides over the rest.
    orders: VecDeque<Change>,
    users: VecDeque<UserId>,
    /// Logins of before this second are not told.
    since: u32,
}

impl Gate {
    /// Begins to tell all, but for logins of before `since`.
    pub fn begin_telling(&self, since: Moment, now: Moment) -> Telling {
        let mut orders = VecDeque::new();
        let revoked = self.familiar.revocations().into_iter();
        orders.extend(revoked.map(|(what, at)| Change::here(at, Fact::TrustRevoked(what))));
        let forgotten = self.familiar.forgotten().into_iter();
        orders.extend(
            forgotten.map(|(user, at)| Change::here(at, Fact::UserForgotten(ForgottenUser(user)))),
        );
        let why = BanEnding::Lifted;
        let lifted = self.bans.lifted().into_iter();
        orders.extend(
            lifted.map(|(subject, at)| Change::here(at, Fact::BanEnded(BanEnd { subject, why }))),
        );
        let passwords = self.passwords.all().into_iter();
        orders.extend(passwords.map(|change| Change::here(now, Fact::PasswordChanged(change))));
        let mut last = None;
        loop {
            let bans = self.bans.batch(last, BATCH);
            let Some((subject, _)) = bans.last() else {
                break;
            };
            last = Some(*subject);
            orders.extend(bans.into_iter().filter_map(|ban| began(ban, now)));
        }
        Telling {
            orders,
            users: self.familiar.ids().into(),
            since: u32::try_from(since.as_seconds()).unwrap_or(u32::MAX),
        }
    }

    /// What is told next; none: that was all.
    pub fn next_told(&self, telling: &mut Telling, now: Moment) -> Option<Vec<Change>> {
        let orders = telling.orders.len().min(BATCH);
        if orders > 0 {
            return Some(telling.orders.drain(..orders).collect());
        }
        let users = telling.users.len().min(BATCH);
        if users == 0 {
            return None;
        }
        let users: Vec<UserId> = telling.users.drain(..users).collect();
        let mut told = Vec::new();
        for (user, known) in self.familiar.batch(&users) {
            let recent = |pair: &&crate::gate::trust::familiar::Pair| pair.last >= telling.since;
            let before = told.len();
            told.extend(known.pairs.iter().filter(recent).filter_map(|pair| {
                let login = PairLogin {
                    user,
                    network: NetworkKey::of_code(pair.network)?,
                    last: pair.last,
                };
                Some(Change::here(now, Fact::PairFamiliar(login)))
            }));
            // Each of them makes the user known.
            if told.len() == before && known.last >= telling.since {
                let last = known.last;
                told.push(Change::here(now, Fact::UserKnown(UserLogin { user, last })));
            }
        }
        Some(told)
    }
}

fn began((subject, held): (Subject, HeldBan), now: Moment) -> Option<Change> {
    let ban = held.ban;
    let is_told = ban.until > now && ban.mode == Mode::Enforce;
    let began = BanStart {
        subject,
        until: ban.until,
        cause: ban.cause,
        mode: ban.mode,
        strikes: 0,
    };
    is_told.then(|| Change::here(held.changed, Fact::BanBegan(began)))
}
