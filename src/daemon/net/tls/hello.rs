//! hello - reads the ClientHello, with a limit of our own
//!
//! rustls would store up to 64 KiB while it waits for the rest, for every stranger that sends
//! that much and stops. Not here: checking it (`tls`), the deadline (the caller's).
//! Not tokio-rustls's `LazyConfigAcceptor`: it has no limit.
//! RFC 8446 section 4.1.2.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::HandshakeFault;
use rustls::server::{Accepted, Acceptor};

/// The most octets that may arrive until a ClientHello is complete. With a post-quantum key share and a
/// ticket, that of a mail program has 2 to 4 KiB.
pub const LIMIT: usize = 16 * 1024;

/// Octets read from the stream at once.
const CHUNK: usize = 1024;

/// Reads until the ClientHello is complete.
///
/// # Errors
/// The client's fault; an alert was sent where TLS has one.
pub async fn read<S>(stream: &mut S) -> Result<Accepted, HandshakeFault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut acceptor = Acceptor::default();
    let mut chunk = [0; CHUNK];
    let mut taken = 0;
    while taken < LIMIT {
        let octets = stream.read(&mut chunk).await?;
        if octets == 0 {
            return Err(HandshakeFault::Closed);
        }
        taken += octets;
        let mut unread = chunk.get(..octets).unwrap_or_default();
        while !unread.is_empty() {
            acceptor.read_tls(&mut unread)?;
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(accepted),
            Ok(None) => {}
            Err((fault, mut alert)) => {
                let mut record = Vec::new();
                alert.write_all(&mut record)?;
                // The client is refused either way, so a failing write changes nothing.
                let _ = stream.write_all(&record).await;
                let _ = stream.shutdown().await;
                return Err(HandshakeFault::Tls(fault));
            }
        }
    }
    Err(HandshakeFault::HelloTooLong)
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

    #[tokio::test]
    async fn an_endless_client_hello_is_refused_at_the_limit() {
        let (mut client, mut server) = duplex(128 * 1024);
        client.write_all(&endless(60_000)).await.unwrap();
        let refused = read(&mut server).await;
        assert!(matches!(refused, Err(HandshakeFault::HelloTooLong)));
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
}
