//! connection - one request to the LAPI and its answer, on a connection of its own, everything bounded
//!
//! Not here: what is asked (`lapi`). RFC 9110, RFC 9112; the protocol itself is hyper's.

use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::CrowdsecSettings;
use crate::net::tls::client;
use crate::report::http_url::Scheme;

/// How long a connection may take, with its handshake.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a request and its answer may take: a list of 100,000 decisions comes in a second or two.
const ANSWER: Duration = Duration::from_secs(60);
/// The head of an answer: its line and headers.
const HEAD_OCTETS: usize = 64 * 1024;
/// Letters of what the LAPI says of a refusal.
const LONGEST_REMARK: usize = 120;

/// Why the LAPI does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LapiFault {
    /// There is no connection.
    #[error("it cannot be reached: {0}")]
    Connect(String),
    /// It did not answer in time.
    #[error("it did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// The connection ended.
    #[error("the connection ended: {0}")]
    Closed(String),
    /// It answered with another status than that of success.
    #[error("it answered {0} {1:?}")]
    Refused(u16, String),
    /// Its answer is too long.
    #[error("its answer has more than {0} octets")]
    Long(usize),
    /// Its answer is none of the LAPI's.
    #[error("its answer makes no sense: {0}")]
    Garbage(String),
    /// A file that belongs to it.
    #[error("{}: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// What came, with a status of success.
pub(super) type Body = Vec<u8>;

/// Sends a request; an answer of success of at most `longest` octets.
pub(super) async fn exchange(
    settings: &CrowdsecSettings,
    request: Request<Full<Bytes>>,
    longest: usize,
) -> Result<Body, LapiFault> {
    let told = |error: io::Error| LapiFault::Connect(error.to_string());
    let url = &settings.url;
    let connecting = TcpStream::connect((url.host.as_str(), url.port));
    let stream = timeout(CONNECT, connecting).await;
    let stream = stream
        .unwrap_or(Err(io::ErrorKind::TimedOut.into()))
        .map_err(told)?;
    match url.scheme {
        Scheme::Http => within(stream, request, longest).await,
        Scheme::Https => {
            let name = ServerName::try_from(url.host.clone());
            let name = name.map_err(|error| LapiFault::Connect(error.to_string()))?;
            let handshake = connector(settings).await?.connect(name, stream);
            let stream = timeout(CONNECT, handshake).await;
            let stream = stream.unwrap_or(Err(io::ErrorKind::TimedOut.into()));
            within(stream.map_err(told)?, request, longest).await
        }
    }
}

/// Reads the authorities anew each time: one is replaced without a restart.
async fn connector(settings: &CrowdsecSettings) -> Result<TlsConnector, LapiFault> {
    let authorities = settings.authorities.clone();
    let reading = spawn_blocking(move || client::config(authorities.as_deref()));
    let config = reading.await.map_err(|error| error.to_string());
    let config = config.and_then(|config| config);
    Ok(TlsConnector::from(config.map_err(LapiFault::Connect)?))
}

async fn within(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    longest: usize,
) -> Result<Body, LapiFault> {
    let answered = timeout(ANSWER, ask(stream, request, longest)).await;
    answered.unwrap_or(Err(LapiFault::Silent(ANSWER)))
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    longest: usize,
) -> Result<Body, LapiFault> {
    let closed = |error: hyper::Error| LapiFault::Closed(error.to_string());
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_OCTETS);
    let opened = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = opened.map_err(closed)?;
    let mut asked = pin!(async move {
        let response = sender.send_request(request).await.map_err(closed)?;
        read(response, longest).await
    });
    // The connection moves the octets as long as somebody waits for them. What it has read before its end is still there.
    tokio::select! {
        biased;
        answer = &mut asked => return answer,
        _ = connection => {}
    }
    asked.await
}

async fn read(response: Response<Incoming>, longest: usize) -> Result<Body, LapiFault> {
    let status = response.status();
    let mut body = response.into_body();
    let mut octets = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| LapiFault::Closed(error.to_string()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if octets.len() + data.len() > longest {
            return Err(LapiFault::Long(longest));
        }
        octets.extend_from_slice(&data);
    }
    match status.is_success() {
        true => Ok(octets),
        false => Err(refused(status, &octets)),
    }
}

/// What the LAPI says: `{"message": "access forbidden"}`.
fn refused(status: StatusCode, body: &[u8]) -> LapiFault {
    #[derive(serde::Deserialize)]
    struct Remark {
        message: String,
    }
    let remark = serde_json::from_slice::<Remark>(body);
    let remark = remark.map_or_else(
        |_| status.canonical_reason().unwrap_or_default().to_owned(),
        |remark| remark.message,
    );
    let shown = remark.chars().filter(|letter| !letter.is_control());
    LapiFault::Refused(status.as_u16(), shown.take(LONGEST_REMARK).collect())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LONGEST_HERE: usize = 100_000;

    /// What comes of a request that is answered so; the answer's end is the connection's, unless it stays `open`.
    async fn answered(answer: &[u8], stays: Stays) -> Result<Body, LapiFault> {
        let (ours, mut theirs) = duplex(4096);
        let answer = answer.to_vec();
        let playing = async move {
            let mut head = vec![0; 4096];
            let read = theirs.read(&mut head).await.unwrap();
            assert!(head[..read].starts_with(b"GET /x HTTP/1.1\r\n"));
            // It may be cut off.
            let _ = theirs.write_all(&answer).await;
            match stays {
                Stays::Open => std::future::pending::<()>().await,
                Stays::Closed => {}
            }
        };
        let request = Request::get("/x").body(Full::default()).unwrap();
        let asking = within(ours, request, LONGEST_HERE);
        tokio::pin!(playing, asking);
        let answered = async {
            tokio::select! {
                answer = &mut asking => answer,
                () = playing => asking.await,
            }
        };
        // Longer than it may take.
        timeout(ANSWER * 2, answered).await.unwrap()
    }

    #[derive(Clone, Copy)]
    enum Stays {
        Open,
        Closed,
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_comes_whole_or_not_at_all() {
        let body = vec![b'x'; LONGEST_HERE];
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LONGEST_HERE}\r\n\r\n");
        let whole = [head.as_bytes(), &body].concat();
        for stays in [Stays::Open, Stays::Closed] {
            assert_eq!(answered(&whole, stays).await, Ok(body.clone()));
        }
        let cut = answered(&whole[..whole.len() - 1], Stays::Closed).await;
        assert!(matches!(cut, Err(LapiFault::Closed(_))), "{cut:?}");
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        assert_eq!(answered(chunked, Stays::Open).await, Ok(b"abc".to_vec()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_too_long_or_too_late_is_none() {
        let body = vec![b'x'; LONGEST_HERE + 1];
        let long = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &body].concat();
        let answer = answered(&long, Stays::Closed).await;
        assert_eq!(answer, Err(LapiFault::Long(LONGEST_HERE)));
        for late in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"] {
            let answer = answered(late, Stays::Open).await;
            assert_eq!(answer, Err(LapiFault::Silent(ANSWER)));
        }
        let head = [&b"HTTP/1.1 200 OK\r\nX: "[..], &body].concat();
        let answer = answered(&head, Stays::Closed).await;
        assert!(matches!(answer, Err(LapiFault::Closed(_))), "{answer:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_told_with_what_the_lapi_says_of_it() {
        let refused = |body: &str| {
            let length = body.len();
            format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {length}\r\n\r\n{body}")
        };
        for (body, said) in [
            (r#"{"message":"access forbidden"}"#, "access forbidden"),
            (r#"{"message":"a\nb\u001b[2J"}"#, "ab[2J"),
            ("<html>", "Forbidden"),
            ("", "Forbidden"),
        ] {
            let answer = answered(refused(body).as_bytes(), Stays::Closed).await;
            assert_eq!(answer, Err(LapiFault::Refused(403, said.to_owned())));
        }
        let long = refused(&format!(r#"{{"message":"{}"}}"#, "x".repeat(500)));
        let Err(LapiFault::Refused(_, said)) = answered(long.as_bytes(), Stays::Closed).await
        else {
            panic!("it is refused");
        };
        assert_eq!(said.len(), LONGEST_REMARK);
        let silly = answered(b"SSH-2.0-OpenSSH\r\n", Stays::Closed).await;
        assert!(matches!(silly, Err(LapiFault::Closed(_))), "{silly:?}");
    }
}
