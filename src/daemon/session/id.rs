//! id - the name of a session, in the log and in the client's 454
//!
//! Short enough to be read out on the telephone: Crockford's base 32, without I, L, O and U. It does not
//! come back after a restart: ids count on from the start's time in units of 100 microseconds, and where the machine has
//! no clock at its start, from a random one.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::EARLIEST;
use crate::store::key::random;
use gatepost_core::moment::Moment;

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Random starts are as many units apart at most: three years. A number of nine digits stays one.
const SPREAD: u64 = 1 << 40;

/// The name of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(u64);

impl SessionId {
    /// The id with this number.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Nine digits, such as `GZ3K81M0Q`.
impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'0'; 13];
        let mut rest = self.0;
        for digit in text.iter_mut().rev() {
            *digit = DIGITS.get((rest % 32) as usize).copied().unwrap_or(b'0');
            rest /= 32;
        }
        let zeros = text
            .iter()
            .take_while(|digit| **digit == b'0')
            .count()
            .min(12);
        f.write_str(
            text.get(zeros..)
                .and_then(|text| str::from_utf8(text).ok())
                .unwrap_or("0"),
        )
    }
}

/// A text is no session's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no session id: it has up to 13 of the digits 0-9 and A-Z without I, L, O, U")]
pub struct IdFault;

/// Reads an id; small letters count as large ones.
impl FromStr for SessionId {
    type Err = IdFault;

    fn from_str(text: &str) -> Result<Self, IdFault> {
        if text.is_empty() {
            return Err(IdFault);
        }
        text.bytes()
            .try_fold(0_u64, |number, octet| {
                let digit = DIGITS
                    .iter()
                    .position(|digit| *digit == octet.to_ascii_uppercase());
                number.checked_mul(32)?.checked_add(digit? as u64)
            })
            .map(Self)
            .ok_or(IdFault)
    }
}

/// Makes ids.
#[derive(Debug)]
pub struct SessionIds(AtomicU64);

impl SessionIds {
    /// Starts counting at `now`, when the wall clock shows `wall`. Each boot in 1970 has the same `now`.
    pub fn new(now: Moment, wall: Moment) -> Self {
        let by_chance = match wall < EARLIEST {
            true => u128::from_le_bytes(random()) % u128::from(SPREAD),
            false => 0,
        };
        let by_chance = u64::try_from(by_chance).unwrap_or_default();
        Self(AtomicU64::new(now.as_nanos() / 100_000 + by_chance))
    }

    /// The next id.
    pub fn next(&self) -> SessionId {
        SessionId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_id_is_short_and_read_back_whatever_the_letters_case() {
        let now = Moment::from_seconds(1_795_000_000);
        let ids = SessionIds::new(now, now);
        assert_eq!(ids.next().number(), 17_950_000_000_000);
        for _ in 0..100 {
            let id = ids.next();
            let text = id.to_string();
            assert_eq!(text.len(), 9, "{text}");
            assert_eq!(text.to_lowercase().parse(), Ok(id));
        }
        for number in [0, 1, 31, 32, u64::MAX] {
            assert_eq!(
                SessionId::new(number).to_string().parse(),
                Ok(SessionId::new(number))
            );
        }
        for text in ["", "LOL", "7ZZZZZZZZZZZZZZ", "192.0.2.1"] {
            assert_eq!(text.parse::<SessionId>(), Err(IdFault), "{text}");
        }
    }

    #[test]
    fn two_boots_in_1970_have_different_ids_of_nine_digits() {
        let boot = || SessionIds::new(EARLIEST, Moment::EPOCH).next();
        let ids: HashSet<_> = (0..1_000).map(|_| boot()).collect();
        assert!(ids.len() > 998, "{}", ids.len());
        assert!(ids.iter().all(|id| id.to_string().len() == 9));
        let last = EARLIEST.as_nanos() / 100_000 + SPREAD;
        assert_eq!(SessionId::new(last).to_string().len(), 9);
    }
}
