//! greeting - the first frame of each side of a link: who it is; and the last one, why there is no link
//!
//! A machine that greets has shown that it has the secret. Its version stands first, so that a later version can change all behind it.
//! Not here: the frames (`frame`), of two links to one machine which stays (`server::sharing::by_mesh`).

use std::time::Duration;

use crate::cluster::message::ProcessId;
use gatepost_core::moment::Moment;

/// The version of what goes over a link.
const VERSION: u16 = 1;

/// Who one side is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Which run of it.
    pub process: ProcessId,
    /// How long that has run.
    pub age: Duration,
    /// What the clock that the machines have in common shows, as it has it.
    pub common: Moment,
    /// The machine whose clock that is.
    pub reference: String,
    /// A hash of its list of machines.
    pub list: u32,
    /// How many those are.
    pub machines: u16,
    /// Its name.
    pub name: String,
    /// The version of its gatepost.
    pub version: String,
}

/// Why there is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum LinkRefusal {
    /// It speaks another version.
    #[error("it speaks another version of what goes over links")]
    Version,
    /// The name of the one is not on the list of the other.
    #[error("the name is not one of cluster.machines there")]
    NotListed,
    /// Both have the same name.
    #[error("both have the same name")]
    SameName,
    /// Another process has that name.
    #[error("another process has that name")]
    NameTaken,
    /// There is another link between the two.
    #[error("there is another link")]
    Twice,
    /// It stops.
    #[error("it stops")]
    Stops,
    /// A reason of a later version.
    #[error("reason {0}")]
    Other(u8),
}

impl LinkRefusal {
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Version => 0,
            Self::NotListed => 1,
            Self::SameName => 2,
            Self::NameTaken => 3,
            Self::Twice => 4,
            Self::Stops => 5,
            Self::Other(number) => number,
        }
    }

    pub(super) const fn of_number(number: u8) -> Self {
        match number {
            0 => Self::Version,
            1 => Self::NotListed,
            2 => Self::SameName,
            3 => Self::NameTaken,
            4 => Self::Twice,
            5 => Self::Stops,
            other => Self::Other(other),
        }
    }
}

impl Greeting {
    pub(super) fn octets(&self) -> Vec<u8> {
        let mut octets = VERSION.to_be_bytes().to_vec();
        octets.extend_from_slice(&self.process);
        let age = u64::try_from(self.age.as_nanos()).unwrap_or(u64::MAX);
        octets.extend_from_slice(&age.to_be_bytes());
        octets.extend_from_slice(&moment(self.common));
        octets.extend_from_slice(&self.list.to_be_bytes());
        octets.extend_from_slice(&self.machines.to_be_bytes());
        for text in [&self.reference, &self.name, &self.version] {
            let text = text.as_bytes();
            let text = text.get(..usize::from(u8::MAX)).unwrap_or(text);
            octets.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            octets.extend_from_slice(text);
        }
        octets
    }

    /// From octets. None: they are damaged, or of another version.
    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        let (version, rest) = octets.split_first_chunk()?;
        if u16::from_be_bytes(*version) != VERSION {
            return None;
        }
        let (process, rest) = rest.split_first_chunk()?;
        let (age, rest) = rest.split_first_chunk()?;
        let (common, rest) = split_moment(rest)?;
        let (list, rest) = rest.split_first_chunk()?;
        let (machines, rest) = rest.split_first_chunk()?;
        let (reference, rest) = text(rest)?;
        let (name, rest) = text(rest)?;
        let (version, _) = text(rest)?;
        Some(Self {
            process: *process,
            age: Duration::from_nanos(u64::from_be_bytes(*age)),
            common,
            reference,
            list: u32::from_be_bytes(*list),
            machines: u16::from_be_bytes(*machines),
            name,
            version,
        })
    }
}

pub(super) fn moment(at: Moment) -> [u8; 8] {
    at.as_nanos().to_be_bytes()
}

pub(super) fn split_moment(octets: &[u8]) -> Option<(Moment, &[u8])> {
    let (at, rest) = octets.split_first_chunk()?;
    Some((Moment::from_nanos(u64::from_be_bytes(*at)), rest))
}

/// The version of this greeting, if that is another one.
pub(super) fn other_version(body: &[u8]) -> Option<u16> {
    let version = u16::from_be_bytes(*body.first_chunk()?);
    (version != VERSION).then_some(version)
}

/// A text of printable letters behind its length.
fn text(octets: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = octets.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    let is_fine = text.iter().all(u8::is_ascii_graphic);
    let text = String::from_utf8(text.to_vec()).ok()?;
    is_fine.then_some((text, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Greeting {
        Greeting {
            process: [1; 16],
            age: Duration::ZERO,
            common: Moment::EPOCH,
            reference: "mx1".to_owned(),
            list: 0,
            machines: 2,
            name: name.to_owned(),
            version: "1".to_owned(),
        }
    }

    #[test]
    fn a_later_version_is_told_from_damage_and_names_are_printable() {
        let mut octets = of("mx2").octets();
        assert_eq!(Greeting::read(&octets), Some(of("mx2")));
        assert_eq!(Greeting::read(&of("mx\n2").octets()), None);
        octets[1] += 1;
        assert_eq!(Greeting::read(&octets), None);
        assert_eq!(other_version(&octets), Some(VERSION + 1));
    }

    #[test]
    fn every_reason_has_its_number() {
        for number in 0..=u8::MAX {
            assert_eq!(LinkRefusal::of_number(number).number(), number);
        }
    }
}
