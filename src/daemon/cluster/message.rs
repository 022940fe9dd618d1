//! message - what one machine of a cluster tells the others in one entry, as octets
//!
//! A kind, the process that tells it, and what belongs to the kind. An unknown kind is of a later version, and passed over.
//! Not here: sealing (`secret`), facts as octets (`gate::tell`), what is done about them (`server::sharing`).

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

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterTold {
    /// It is there.
    Hello,
    /// Facts, as `gate::tell` writes them.
    Facts(Vec<u8>),
    /// It may have missed something, and asks for all that anybody knows. By the store's clock.
    Asks(Moment),
    /// It begins to tell all that it knows, because this process has asked.
    Begins(ProcessId),
    /// That was all.
    Ends(ProcessId),
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
            ClusterTold::Hello => (HELLO, Vec::new()),
            ClusterTold::Facts(facts) => (TELLS, facts.clone()),
            ClusterTold::Asks(at) => (ASKS, moment(at)),
            ClusterTold::Begins(process) => (BEGINS, process.to_vec()),
            ClusterTold::Ends(process) => (ENDS, process.to_vec()),
        };
        [&[kind], self.process.as_slice(), &body].concat()
    }

    /// From octets. None: it is none that this version knows.
    pub fn read(octets: &[u8]) -> Option<Self> {
        let (kind, rest) = octets.split_first()?;
        let (process, body) = rest.split_first_chunk()?;
        let told = match *kind {
            HELLO => ClusterTold::Hello,
            TELLS => ClusterTold::Facts(body.to_vec()),
            ASKS => {
                let at = u64::from_le_bytes(*body.first_chunk()?);
                ClusterTold::Asks(Moment::from_nanos(at))
            }
            BEGINS => ClusterTold::Begins(*body.first_chunk()?),
            ENDS => ClusterTold::Ends(*body.first_chunk()?),
            _ => return None,
        };
        let process = *process;
        Some(Self { process, told })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_half_there_is_nothing() {
        let process = [7; 16];
        for told in [
            ClusterTold::Hello,
            ClusterTold::Facts(vec![1, 2, 3]),
            ClusterTold::Asks(Moment::from_seconds(9)),
            ClusterTold::Begins([8; 16]),
            ClusterTold::Ends([9; 16]),
        ] {
            let letter = ClusterLetter { process, told };
            let octets = letter.octets();
            assert_eq!(ClusterLetter::read(&octets), Some(letter.clone()));
            if !matches!(letter.told, ClusterTold::Facts(_)) {
                for short in 0..octets.len() {
                    assert_eq!(ClusterLetter::read(&octets[..short]), None);
                }
            }
        }
        let later = [&[99][..], &[7; 16]].concat();
        assert_eq!(ClusterLetter::read(&later), None);
    }
}
