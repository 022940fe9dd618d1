//! frame - what goes over a link, as octets: a length, a kind, and what belongs to the kind
//!
//! A frame of a kind that is not known is of a later version, and passed over. One that is longer than any of ours ends the link.
//! Not here: greetings (`greeting`), what letters say (`message`).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::greeting::{Greeting, LinkRefusal, moment, other_version, split_moment};
use gatepost_core::moment::Moment;

/// Octets of a frame behind its length. None of ours has more than 9 KiB.
pub const LONGEST_FRAME: usize = 16_384;
/// Octets of the length.
const LENGTH: usize = 2;

const GREETING: u8 = 0;
const REFUSAL: u8 = 1;
const PING: u8 = 2;
const PONG: u8 = 3;
const LETTER: u8 = 4;

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkFrame {
    /// The first one of each side.
    Greeting(Greeting),
    /// The last one: why there is no link.
    Refusal(LinkRefusal),
    /// Asks for the time; the moment is the asker's.
    Ping(Moment),
    /// Tells it.
    Pong(ClockReading),
    /// What one machine tells another, as `message` writes it.
    Letter(Vec<u8>),
}

/// The clock that the machines have in common, as one of them has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// The moment of the question, as it was asked.
    pub asked: Moment,
    /// What it shows.
    pub common: Moment,
    /// The machine whose clock that is.
    pub reference: String,
}

/// Why octets are no frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameFault {
    /// The stream has ended, or failed.
    #[error("{0}")]
    Stream(#[from] io::Error),
    /// It is longer than any of ours, or empty.
    #[error("a frame of {0} octets")]
    Length(usize),
}

impl LinkFrame {
    /// As octets, with the length. A frame that is too long is cut, and none then; none of ours is.
    pub fn octets(&self) -> Vec<u8> {
        let (kind, body) = match self {
            Self::Greeting(greeting) => (GREETING, greeting.octets()),
            Self::Refusal(refusal) => (REFUSAL, vec![refusal.number()]),
            Self::Ping(asked) => (PING, moment(*asked).to_vec()),
            Self::Pong(reading) => (PONG, reading.octets()),
            Self::Letter(letter) => (LETTER, letter.clone()),
        };
        let length = (body.len() + 1).min(LONGEST_FRAME);
        let mut octets = u16::try_from(length)
            .unwrap_or(u16::MAX)
            .to_be_bytes()
            .to_vec();
        octets.push(kind);
        octets.extend(body.into_iter().take(length.saturating_sub(1)));
        octets
    }

    /// From octets behind the length. None: of a kind that is not known, or damaged.
    pub fn read(octets: &[u8]) -> Option<Self> {
        let (kind, body) = octets.split_first()?;
        match *kind {
            GREETING => Greeting::read(body).map(Self::Greeting),
            REFUSAL => Some(Self::Refusal(LinkRefusal::of_number(*body.first()?))),
            PING => Some(Self::Ping(split_moment(body)?.0)),
            PONG => ClockReading::read(body).map(Self::Pong),
            LETTER => Some(Self::Letter(body.to_vec())),
            _ => None,
        }
    }
}

/// The version of the greeting in this frame, if it is one of another version.
pub(super) fn greeting_of_other_version(octets: &[u8]) -> Option<u16> {
    let (kind, body) = octets.split_first()?;
    (*kind == GREETING).then(|| other_version(body)).flatten()
}

impl ClockReading {
    fn octets(&self) -> Vec<u8> {
        let moments = [moment(self.asked), moment(self.common)];
        [moments.as_flattened(), self.reference.as_bytes()].concat()
    }

    fn read(body: &[u8]) -> Option<Self> {
        let (asked, rest) = split_moment(body)?;
        let (common, rest) = split_moment(rest)?;
        Some(Self {
            asked,
            common,
            reference: String::from_utf8(rest.to_vec()).ok()?,
        })
    }
}

/// Reads the octets of the next frame, without the length.
///
/// # Errors
/// There is none, or none of ours.
pub async fn read_octets(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, FrameFault> {
    let mut length = [0; LENGTH];
    stream.read_exact(&mut length).await?;
    let length = usize::from(u16::from_be_bytes(length));
    if length == 0 || length > LONGEST_FRAME {
        return Err(FrameFault::Length(length));
    }
    let mut octets = vec![0; length];
    stream.read_exact(&mut octets).await?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting() -> Greeting {
        Greeting {
            process: [7; 16],
            age: std::time::Duration::from_secs(60),
            common: Moment::from_seconds(1_800_000_000),
            reference: "mx1".to_owned(),
            list: 7,
            machines: 3,
            name: "mx2.example.org".to_owned(),
            version: "0.1.0".to_owned(),
        }
    }

    fn frames() -> Vec<LinkFrame> {
        vec![
            LinkFrame::Greeting(greeting()),
            LinkFrame::Refusal(LinkRefusal::NotListed),
            LinkFrame::Refusal(LinkRefusal::Other(99)),
            LinkFrame::Ping(Moment::from_seconds(9)),
            LinkFrame::Pong(ClockReading {
                asked: Moment::from_seconds(9),
                common: Moment::from_seconds(10),
                reference: "mx1".to_owned(),
            }),
            LinkFrame::Letter(vec![1, 2, 3]),
            LinkFrame::Letter(Vec::new()),
        ]
    }

    #[tokio::test]
    async fn what_was_written_is_read_and_what_is_half_there_is_nothing() {
        let octets: Vec<u8> = frames().iter().flat_map(LinkFrame::octets).collect();
        let mut stream = octets.as_slice();
        for frame in frames() {
            let read = read_octets(&mut stream).await.unwrap();
            assert_eq!(LinkFrame::read(&read), Some(frame.clone()));
            let is_text = matches!(frame, LinkFrame::Letter(_) | LinkFrame::Pong(_));
            for short in (0..read.len()).filter(|_| !is_text) {
                assert_eq!(LinkFrame::read(&read[..short]), None, "{frame:?}");
            }
        }
        assert!(matches!(
            read_octets(&mut stream).await,
            Err(FrameFault::Stream(_))
        ));
        assert_eq!(LinkFrame::read(&[99, 1, 2]), None, "a later version");
    }

    #[tokio::test]
    async fn a_frame_that_is_longer_than_any_of_ours_takes_no_memory() {
        let read = async |length: usize| {
            let length = u16::try_from(length).unwrap().to_be_bytes();
            let octets = [&length[..], &[0; LONGEST_FRAME + 1]].concat();
            read_octets(&mut octets.as_slice()).await
        };
        for sound in [1, LONGEST_FRAME - 1, LONGEST_FRAME] {
            assert_eq!(read(sound).await.unwrap().len(), sound);
        }
        for refused in [0, LONGEST_FRAME + 1, usize::from(u16::MAX)] {
            let fault = read(refused).await.unwrap_err();
            assert!(matches!(fault, FrameFault::Length(length) if length == refused));
        }
    }
}
