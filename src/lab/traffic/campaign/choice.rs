//! choice - where guesses come from, at which accounts they are aimed, and with which passwords
//!
//! Not here: the stream of guesses that is made of three such choices (`campaign`).

use crate::traffic::SimulationPlan;
use crate::traffic::dictionary::Dictionary;
use crate::traffic::place::CrowdPlace;
use gatepost_core::gate::request::client::ClientKey;

/// The addresses that guesses come from.
#[derive(Clone, Debug)]
pub(crate) enum AddressChoice {
    /// One.
    One(ClientKey),
    /// A pool of this size, one try each before the first comes again.
    Pool(u64),
    /// 250 neighbours in one /24.
    Neighbours,
    /// One SIM card that takes another address of the users' carrier for every try.
    SimCard,
    /// A pool whose every address comes once; so many of a hundred are in the users' large carriers.
    Carriers(u32),
    /// A customer's line that takes another /48 of one IPv6 /32 for every try.
    Prefixes,
    /// So many machines at a crowd's place, each at one of its addresses for a day.
    Place(CrowdPlace, u32),
    /// The holder of some accounts.
    Owned(OwnedAccounts),
}

/// Accounts that an attacker holds: at each address some right logins, then some guesses, then the next address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnedAccounts {
    /// How many: those with the numbers from 1 on.
    pub(crate) accounts: u32,
    /// From how many /16s, one address in each.
    pub(crate) addresses: u64,
    /// Right logins, each to another of the accounts.
    pub(crate) logins: u64,
    /// Guesses after them.
    pub(crate) guesses: u64,
}

/// The accounts that are tried.
#[derive(Clone, Debug)]
pub(crate) enum VictimChoice {
    /// Every account once, then every account again.
    InTurn,
    /// Any account.
    Any,
    /// Any account below this number.
    Below(u32),
    /// One account.
    One(u32),
    /// Names that do not exist, and so many accounts of a hundred tries.
    Names(u32),
}

/// The passwords that are tried.
#[derive(Clone, Debug)]
pub(crate) enum PasswordChoice {
    /// A word for all accounts, then the next.
    Rows(GuessList),
    /// Any word.
    AnyOf(GuessList),
    /// The victim's name and a year.
    NameYear,
    /// Never the same twice, in no list.
    Unique,
    /// The same, but by a mechanism that hides it.
    Hidden,
    /// Of a hundred: sixty words, twenty with name and year, twenty unique.
    Mixed(GuessList),
    /// So many words of a hundred, the others unique.
    Words(GuessList, u32),
    /// One password per victim, again and again.
    Always(&'static str),
    /// The victim's password before the last change, again and again.
    Former,
    /// Never the same twice, but right in so many of a hundred tries.
    Leaked(u32),
}

/// A dictionary.
#[derive(Clone, Debug)]
pub(crate) struct GuessList(pub(super) Dictionary);

impl GuessList {
    /// A thousand, nearly all in the shipped list.
    pub(crate) fn thousand(plan: &SimulationPlan) -> Self {
        Self(Dictionary::new(1_000, 90, plan.seed))
    }

    /// The thousand most frequent.
    pub(crate) fn most_frequent() -> Self {
        Self(Dictionary::frequent(1_000))
    }

    /// Twenty thousand, half of them in no list.
    pub(crate) fn twenty_thousand(plan: &SimulationPlan) -> Self {
        Self(Dictionary::new(20_000, 50, plan.seed))
    }
}

impl OwnedAccounts {
    pub(super) const fn round(self) -> u64 {
        self.logins + self.guesses
    }

    /// The account that is logged in to, if the `n`th try is no guess.
    pub(super) fn login(self, n: u64) -> Option<u32> {
        let round = self.round().max(1);
        let before = n / round * self.logins;
        let login = n % round;
        (login < self.logins)
            .then(|| 1 + ((before + login) % u64::from(self.accounts.max(1))) as u32)
    }

    /// Where the `n`th try comes from.
    pub(super) fn address(self, n: u64) -> ClientKey {
        let address = (n / self.round().max(1) % self.addresses.max(1)) as u32;
        ClientKey::V4(0xc100_0000_u32.wrapping_add(address << 16) | 7 << 8 | 7)
    }
}
