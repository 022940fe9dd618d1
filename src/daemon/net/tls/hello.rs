//! hello - reads the ClientHello, with a limit of our own
//!
//! rustls would store up to 64 KiB while it waits for the rest, for every stranger that sends
//! that much and stops. So the octets are kept here until the ClientHello is complete, and only then given to rustls, which
//! checks them. What the client offers is read on the way, for a refusal in plain words, and so that a client without TLS 1.2 gets
//! the alert that says so.
//! Not here: checking it (`tls`), what the offer means (`offer`), the program's label (`ja4`), the deadline (the caller's).
//! Not tokio-rustls's `LazyConfigAcceptor`: it has no limit.
//! RFC 8446 section 4.1.2, RFC 5246 appendix E.

use std::time::Duration;

use rustls::server::{Accepted, Acceptor};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::fault::{ForeignOctets, HandshakeFault};
use super::ja4;
use super::offer::{ClientOffer, KeyKinds, Lack};
use crate::report::ja4::Ja4;

/// The most octets that may arrive until a ClientHello is complete. With a post-quantum key share and a
/// ticket, that of a mail program has 2 to 4 KiB.
pub const LIMIT: usize = 16 * 1024;

/// Octets read from the stream at once.
const CHUNK: usize = 1024;

/// A record of the handshake. RFC 8446 section 5.1.
const HANDSHAKE: u8 = 22;

/// The longest content of a record.
const LONGEST_RECORD: usize = 1 << 14;

/// The most that is read of a refused client, so that it gets the alert and not a reset.
const READ_AFTER_ALERT: u64 = 64 * 1024;

/// How long a refused client may take to close.
const CLOSING: Duration = Duration::from_secs(1);

/// An alert that we send ourselves. RFC 8446 section 6.2.
#[derive(Clone, Copy)]
pub(super) enum Alert {
    UnexpectedMessage = 10,
    IllegalParameter = 47,
    ProtocolVersion = 70,
    NoApplicationProtocol = 120,
}

/// A ClientHello that rustls has accepted.
pub struct ReadHello {
    /// What rustls goes on with.
    pub accepted: Accepted,
    pub(super) offer: ClientOffer,
    /// The label of the program that sent it.
    pub label: Option<Ja4>,
}

/// Reads until the ClientHello is complete.
///
/// # Errors
/// The client's fault; an alert was sent where TLS has one.
pub async fn read<S>(stream: &mut S) -> Result<ReadHello, HandshakeFault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let octets = match collect(stream).await? {
        Collected::Records(octets) => octets,
        Collected::Foreign(fault, alert) => {
            refuse(stream, alert, 3).await;
            return Err(fault);
        }
    };
    let message = message(&octets);
    let offer = ClientOffer::read(&message);
    if let Some(offer) = offer.filter(ClientOffer::is_too_old) {
        // The record has the client's own version: an old one may not read it otherwise.
        refuse(
            stream,
            Alert::ProtocolVersion,
            octets.get(2).copied().unwrap_or(1),
        )
        .await;
        return Err(HandshakeFault::NothingInCommon(Lack::Version(
            offer.version(),
        )));
    }
    let label = ja4::label(&message);
    let offer = offer.unwrap_or_default();
    let accepted = accept(stream, octets, &offer).await?;
    Ok(ReadHello {
        accepted,
        offer,
        label,
    })
}

/// What arrived first.
enum Collected {
    /// Records with a complete ClientHello, or what rustls is to refuse.
    Records(Vec<u8>),
    /// No TLS that we speak, and the alert for it.
    Foreign(HandshakeFault, Alert),
}

async fn collect<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Collected, HandshakeFault> {
    let (mut octets, mut records) = (Vec::new(), RecordWalk::default());
    while octets.len() < LIMIT {
        next_chunk(stream, &mut octets).await?;
        match octets.first() {
            Some(&HANDSHAKE) => {}
            _ => {
                let foreign = ForeignOctets::of(&octets);
                return Ok(match foreign {
                    ForeignOctets::Ssl2 => Collected::Foreign(
                        HandshakeFault::NothingInCommon(Lack::Version(ClientOffer::ssl2(&octets))),
                        Alert::ProtocolVersion,
                    ),
                    other => {
                        Collected::Foreign(HandshakeFault::NotTls(other), Alert::UnexpectedMessage)
                    }
                });
            }
        }
        if records.is_complete(&octets) {
            return Ok(Collected::Records(octets));
        }
    }
    Ok(Collected::Foreign(
        HandshakeFault::HelloTooLong(LIMIT),
        Alert::IllegalParameter,
    ))
}

/// Appends what the client sends next.
async fn next_chunk<S>(stream: &mut S, octets: &mut Vec<u8>) -> Result<(), HandshakeFault>
where
    S: AsyncRead + Unpin,
{
    let mut chunk = [0; CHUNK];
    match stream.read(&mut chunk).await? {
        0 => Err(HandshakeFault::Closed),
        taken => {
            octets.extend_from_slice(chunk.get(..taken).unwrap_or_default());
            Ok(())
        }
    }
}

/// Has rustls check a ClientHello that is complete as far as its records tell.
async fn accept<S>(
    stream: &mut S,
    mut octets: Vec<u8>,
    offer: &ClientOffer,
) -> Result<Accepted, HandshakeFault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut acceptor = Acceptor::default();
    let mut given = 0;
    loop {
        let mut unread = octets.get(given..).unwrap_or_default();
        while !unread.is_empty() {
            acceptor.read_tls(&mut unread)?;
        }
        given = octets.len();
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(accepted),
            // rustls wants more than the records' lengths say.
            Ok(None) if given < LIMIT => next_chunk(stream, &mut octets).await?,
            Ok(None) => {
                refuse(stream, Alert::IllegalParameter, 3).await;
                return Err(HandshakeFault::HelloTooLong(LIMIT));
            }
            Err((fault, mut alert)) => {
                let mut record = Vec::new();
                alert.write_all(&mut record)?;
                say_last(stream, &record).await;
                return Err(HandshakeFault::Tls(fault).with_offer(offer, KeyKinds::default()));
            }
        }
    }
}

/// Sends a fatal alert in a record of version 3.`minor`, and ends.
pub(super) async fn refuse<S>(stream: &mut S, alert: Alert, minor: u8)
where
    S: AsyncWrite + Unpin,
{
    say_last(stream, &[21, 3, minor.min(3), 0, 2, 2, alert as u8]).await;
}

/// Sends the last octets that a client gets. It is refused either way, so a failing write changes nothing.
async fn say_last<S: AsyncWrite + Unpin>(stream: &mut S, octets: &[u8]) {
    let _ = stream.write_all(octets).await;
    let _ = stream.shutdown().await;
}

/// Reads what a refused client still sends, for a while: what is left unread makes the kernel reset the connection, and the
/// client would not see the alert.
pub(super) async fn take_rest<S: AsyncRead + Unpin>(stream: &mut S) {
    let mut rest = stream.take(READ_AFTER_ALERT);
    let _ = timeout(CLOSING, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}

/// How far the records of the first message go. Each octet is looked at once, however the message is split.
#[derive(Default)]
struct RecordWalk {
    /// Where the next record begins.
    next: usize,
    /// The octets of the message in the records before.
    payload: usize,
    /// The message's type and length, as far as they are there.
    head: Vec<u8>,
}

impl RecordWalk {
    /// Whether the message is complete, or rustls has something to refuse.
    fn is_complete(&mut self, octets: &[u8]) -> bool {
        while let Some(&[kind, major, _, high, low]) = octets.get(self.next..self.next + 5) {
            let length = usize::from(u16::from_be_bytes([high, low]));
            if kind != HANDSHAKE || major != 3 || !(1..=LONGEST_RECORD).contains(&length) {
                return true;
            }
            let begin = self.next + 5;
            let Some(content) = octets.get(begin..begin + length) else {
                return false;
            };
            let missing = 4_usize.saturating_sub(self.head.len());
            self.head.extend(content.iter().take(missing));
            self.payload += length;
            self.next = begin + length;
            if let &[_, high, middle, low] = self.head.as_slice() {
                let length = u32::from_be_bytes([0, high, middle, low]);
                if self.payload >= length as usize + 4 {
                    return true;
                }
            }
        }
        false
    }
}

/// The content of the records that are there.
fn message(octets: &[u8]) -> Vec<u8> {
    let (mut message, mut rest) = (Vec::new(), octets);
    while let [HANDSHAKE, _, _, high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some((content, next)) = behind.split_at_checked(length) else {
            break;
        };
        message.extend_from_slice(content);
        rest = next;
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    /// The beginning of a ClientHello of 64 KiB, cut off after `octets`.
    fn endless(octets: usize) -> Vec<u8> {
        let mut message = vec![1, 0, 0xff, 0xff, 3, 3];
        message.resize(octets, 0);
        let records = message.chunks(16 * 1024).map(|part| {
            let length = u16::try_from(part.len()).unwrap().to_be_bytes();
            [&[22, 3, 1], length.as_slice(), part].concat()
        });
        records.collect::<Vec<_>>().concat()
    }

    #[tokio::test(start_paused = true)]
    async fn an_endless_client_hello_is_refused_at_the_limit_with_an_alert() {
        let (mut client, mut server) = duplex(128 * 1024);
        client.write_all(&endless(60_000)).await.unwrap();
        let refused = read(&mut server).await;
        assert!(matches!(refused, Err(HandshakeFault::HelloTooLong(_))));
        drop(server);
        let mut alert = Vec::new();
        client.read_to_end(&mut alert).await.unwrap();
        assert_eq!(alert, [21, 3, 3, 0, 2, 2, 47]);
    }

    #[tokio::test]
    async fn a_client_hello_below_the_limit_is_waited_for() {
        let (mut client, mut server) = duplex(128 * 1024);
        client.write_all(&endless(LIMIT - 100)).await.unwrap();
        drop(client);
        assert!(matches!(
            read(&mut server).await,
            Err(HandshakeFault::Closed)
        ));
    }

    #[test]
    fn a_message_in_records_of_one_octet_is_complete_with_its_last_one() {
        let message: Vec<u8> = [&[1, 0, 0, 40][..], &[7; 40]].concat();
        let octets: Vec<u8> = message
            .iter()
            .flat_map(|&octet| [22, 3, 1, 0, 1, octet])
            .collect();
        let mut walk = RecordWalk::default();
        for end in 0..octets.len() {
            assert!(!walk.is_complete(&octets[..end]), "{end}");
        }
        assert!(walk.is_complete(&octets));
        assert_eq!(super::message(&octets), message);
    }
}
