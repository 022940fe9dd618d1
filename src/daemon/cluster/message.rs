//! message - what one machine of a cluster tells the others in one entry, as octets
//!
//! A kind, the process that tells it, and what belongs to the kind; over a store, a number before that. An unknown kind is of a later version, and passed over.
//! Not here: sealing (`secret`), facts and spent time as octets (`gate::tell`, `gate::spent`), what is done about them (`server::sharing`).

use gatepost_core::moment::Moment;

/// Which run of which machine: chosen anew by each process.
pub type ProcessId = [u8; 16];

/// Octets of facts in one entry.
pub const FACTS: usize = 8192;

const HELLO: u8 = 0;
const TELLS: u8 = 1;
const ASKS: u8 = 2;
const BEGINS: u8 = 3;
const ENDS: u8 = 4;
const SPENT: u8 = 5;
const OWED: u8 = 6;
const LACKS: u8 = 7;
const AGAIN: u8 = 8;

// Behind a hello: an earlier version writes nothing there, and reads nothing.
const SETTLES: u8 = 1;
const SETTLED: u8 = 2;

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterTold {
    /// It is there, and settles in or not.
    Hello(SettlingTold),
    /// Facts, as `gate::tell` writes them.
    Facts(Vec<u8>),
    /// It may have missed something, and asks for all that anybody knows. By the store's clock.
    Asks(Moment),
    /// It begins to tell all that it knows.
    Begins(FullAnswer),
    /// That was all.
    Ends(FullAnswer),
    /// What it has spent of the buckets of one user, client or network, as `gate::spent` writes it.
    Spent(NumberedRecords),
    /// How long the debts of users are.
    Owed(NumberedRecords),
    /// It lacks what a process told.
    Lacks(LackedLetters),
    /// What it told after the number `since` it has told again, in the letters after the number `from`.
    ToldAgain {
        /// The lowest that it was asked for.
        since: u64,
        /// The last number before.
        from: u64,
    },
}

impl ClusterTold {
    /// Whether it says what others are not to miss: such letters are numbered one by one.
    pub const fn is_numbered(&self) -> bool {
        match self {
            Self::Facts(_) | Self::Spent(_) | Self::Owed(_) => true,
            Self::Hello(_)
            | Self::Asks(_)
            | Self::Begins(_)
            | Self::Ends(_)
            | Self::Lacks(_)
            | Self::ToldAgain { .. } => false,
        }
    }
}

/// All that a machine knows, told because somebody has asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FullAnswer {
    /// Which process has asked.
    pub asker: ProcessId,
    /// When it began, by the clock in common: a record that is repeated later says nothing.
    pub at: Moment,
    /// How many users it knows: who knows more has more to tell.
    pub users: u64,
}

impl FullAnswer {
    fn octets(&self) -> Vec<u8> {
        let numbers = [self.at.as_nanos(), self.users].map(u64::to_le_bytes);
        [&self.asker, numbers.as_flattened()].concat()
    }

    fn read(body: &[u8]) -> Option<Self> {
        let (asker, rest) = body.split_first_chunk()?;
        // An earlier version says no more.
        let numbers = match rest {
            [] => [[0; 8]; 2],
            _ => {
                let (at, rest) = rest.split_first_chunk()?;
                [*at, *rest.first_chunk()?]
            }
        };
        let [at, users] = numbers.map(u64::from_le_bytes);
        Some(Self {
            asker: *asker,
            at: Moment::from_nanos(at),
            users,
        })
    }
}

/// What is missing of what a process told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LackedLetters {
    /// When it is asked for, by the store's clock.
    pub at: Moment,
    /// Of which process.
    pub process: ProcessId,
    /// Some letter after this number.
    pub since: u64,
}

impl LackedLetters {
    fn octets(&self) -> Vec<u8> {
        let at = self.at.as_nanos().to_le_bytes();
        [&at[..], &self.process, &self.since.to_le_bytes()].concat()
    }

    fn read(body: &[u8]) -> Option<Self> {
        let (at, rest) = body.split_first_chunk()?;
        let (process, rest) = rest.split_first_chunk()?;
        Some(Self {
            at: Moment::from_nanos(u64::from_le_bytes(*at)),
            process: *process,
            since: u64::from_le_bytes(*rest.first_chunk()?),
        })
    }
}

/// Whether a machine settles in, as it tells the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettlingTold {
    /// It does not say: it is of another version.
    Unknown,
    /// It does, at this moment of the clock in common: a record that is repeated later says nothing.
    Settles(Moment),
    /// It does not, or does not any more, at this moment.
    Settled(Moment),
}

impl SettlingTold {
    fn octets(self) -> Vec<u8> {
        let said = |what: u8, at: Moment| [&[what][..], &at.as_nanos().to_le_bytes()].concat();
        match self {
            Self::Unknown => Vec::new(),
            Self::Settles(at) => said(SETTLES, at),
            Self::Settled(at) => said(SETTLED, at),
        }
    }

    fn read(body: &[u8]) -> Option<Self> {
        let moment = |at: &[u8]| {
            let at = u64::from_le_bytes(*at.first_chunk()?);
            Some(Moment::from_nanos(at))
        };
        match body.split_first() {
            Some((&SETTLES, at)) => Some(Self::Settles(moment(at)?)),
            // An earlier version says no moment.
            Some((&SETTLED, [])) => Some(Self::Unknown),
            Some((&SETTLED, at)) => Some(Self::Settled(moment(at)?)),
            _ => Some(Self::Unknown),
        }
    }
}

/// Records that are taken once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedRecords {
    /// Of two that one process tells the later one has the larger number.
    pub number: u64,
    /// When, by the store's clock.
    pub at: Moment,
    /// The records.
    pub octets: Vec<u8>,
}

impl NumberedRecords {
    fn octets(&self) -> Vec<u8> {
        let numbers = [self.number, self.at.as_nanos()].map(u64::to_le_bytes);
        [numbers.as_flattened(), &self.octets].concat()
    }

    fn read(body: &[u8]) -> Option<Self> {
        let (number, rest) = body.split_first_chunk()?;
        let (at, rest) = rest.split_first_chunk()?;
        Some(Self {
            number: u64::from_le_bytes(*number),
            at: Moment::from_nanos(u64::from_le_bytes(*at)),
            octets: rest.to_vec(),
        })
    }
}

/// What is told, and by which process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterLetter {
    /// Who tells it.
    pub process: ProcessId,
    /// What.
    pub told: ClusterTold,
}

impl ClusterLetter {
    /// As octets.
    pub fn octets(&self) -> Vec<u8> {
        let moment = |at: &Moment| at.as_nanos().to_le_bytes().to_vec();
        let (kind, body) = match &self.told {
            ClusterTold::Hello(settling) => (HELLO, settling.octets()),
            ClusterTold::Facts(facts) => (TELLS, facts.clone()),
            ClusterTold::Asks(at) => (ASKS, moment(at)),
            ClusterTold::Begins(answer) => (BEGINS, answer.octets()),
            ClusterTold::Ends(answer) => (ENDS, answer.octets()),
            ClusterTold::Spent(records) => (SPENT, records.octets()),
            ClusterTold::Owed(records) => (OWED, records.octets()),
            ClusterTold::Lacks(lacked) => (LACKS, lacked.octets()),
            ClusterTold::ToldAgain { since, from } => {
                (AGAIN, [*since, *from].map(u64::to_le_bytes).concat())
            }
        };
        [&[kind], self.process.as_slice(), &body].concat()
    }

    /// From octets. None: it is none that this version knows.
    pub fn read(octets: &[u8]) -> Option<Self> {
        let (kind, rest) = octets.split_first()?;
        let (process, body) = rest.split_first_chunk()?;
        let told = match *kind {
            HELLO => ClusterTold::Hello(SettlingTold::read(body)?),
            TELLS => ClusterTold::Facts(body.to_vec()),
            ASKS => {
                let at = u64::from_le_bytes(*body.first_chunk()?);
                ClusterTold::Asks(Moment::from_nanos(at))
            }
            BEGINS => ClusterTold::Begins(FullAnswer::read(body)?),
            ENDS => ClusterTold::Ends(FullAnswer::read(body)?),
            SPENT => ClusterTold::Spent(NumberedRecords::read(body)?),
            OWED => ClusterTold::Owed(NumberedRecords::read(body)?),
            LACKS => ClusterTold::Lacks(LackedLetters::read(body)?),
            AGAIN => {
                let (since, rest) = body.split_first_chunk()?;
                ClusterTold::ToldAgain {
                    since: u64::from_le_bytes(*since),
                    from: u64::from_le_bytes(*rest.first_chunk()?),
                }
            }
            _ => return None,
        };
        let process = *process;
        Some(Self { process, told })
    }
}

/// A letter that may be lost on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedLetter {
    /// How many letters that are numbered the process had told, with this one.
    pub number: u64,
    /// What it tells.
    pub letter: ClusterLetter,
}

impl NumberedLetter {
    /// As octets.
    pub fn octets(&self) -> Vec<u8> {
        [&self.number.to_le_bytes()[..], &self.letter.octets()].concat()
    }

    /// The number, and the process that tells it, of whatever kind it is.
    pub fn head(octets: &[u8]) -> Option<(u64, ProcessId)> {
        let (number, rest) = octets.split_first_chunk()?;
        let (_, rest) = rest.split_first()?;
        let process = rest.first_chunk()?;
        Some((u64::from_le_bytes(*number), *process))
    }

    /// From octets. None: it is none that this version knows.
    pub fn read(octets: &[u8]) -> Option<Self> {
        let (number, rest) = octets.split_first_chunk()?;
        Some(Self {
            number: u64::from_le_bytes(*number),
            letter: ClusterLetter::read(rest)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(octets: &[u8]) -> NumberedRecords {
        NumberedRecords {
            number: 3,
            at: Moment::from_seconds(4),
            octets: octets.to_vec(),
        }
    }

    #[test]
    fn what_was_written_is_read_and_what_is_half_there_is_nothing() {
        let process = [7; 16];
        let answer = FullAnswer {
            asker: [8; 16],
            at: Moment::from_seconds(9),
            users: 10,
        };
        for told in [
            ClusterTold::Hello(SettlingTold::Unknown),
            ClusterTold::Hello(SettlingTold::Settles(Moment::from_seconds(9))),
            ClusterTold::Hello(SettlingTold::Settled(Moment::from_seconds(9))),
            ClusterTold::Facts(vec![1, 2, 3]),
            ClusterTold::Asks(Moment::from_seconds(9)),
            ClusterTold::Begins(answer),
            ClusterTold::Ends(answer),
            ClusterTold::Spent(records(&[])),
            ClusterTold::Owed(records(&[])),
            ClusterTold::Lacks(LackedLetters {
                at: Moment::from_seconds(9),
                process: [8; 16],
                since: 5,
            }),
            ClusterTold::ToldAgain { since: 5, from: 6 },
        ] {
            let letter = ClusterLetter { process, told };
            let octets = letter.octets();
            assert_eq!(ClusterLetter::read(&octets), Some(letter.clone()));
            // What an earlier version writes ends here.
            let earlier = match letter.told {
                ClusterTold::Hello(_) => [17, 18],
                ClusterTold::Begins(_) | ClusterTold::Ends(_) => [33, 33],
                _ => [0, 0],
            };
            if !matches!(letter.told, ClusterTold::Facts(_)) {
                for short in (1..octets.len()).filter(|short| !earlier.contains(short)) {
                    assert_eq!(ClusterLetter::read(&octets[..short]), None, "{letter:?}");
                }
            }
        }
        let told = ClusterTold::Spent(records(&[1, 2, 3]));
        let letter = ClusterLetter { process, told };
        assert_eq!(ClusterLetter::read(&letter.octets()), Some(letter.clone()));
        let numbered = NumberedLetter { number: 4, letter };
        let octets = numbered.octets();
        assert_eq!(NumberedLetter::head(&octets), Some((4, process)));
        assert_eq!(NumberedLetter::read(&octets), Some(numbered));
        assert_eq!(NumberedLetter::read(&octets[..8]), None);
        let later = [&[99][..], &[7; 16]].concat();
        assert_eq!(ClusterLetter::read(&later), None);
    }
}
