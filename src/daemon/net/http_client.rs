//! http_client - one request to a server and its answer, on a connection of its own, everything bounded
//!
//! Not here: what is asked (`crowdsec`, `server::notify`). RFC 9110, RFC 9112; the protocol itself is hyper's.

use std::io;
use std::path::Path;
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

use super::tls::client;
use crate::http_url::{HttpUrl, Scheme};

/// The head of an answer: its line and headers.
const HEAD_OCTETS: usize = 64 * 1024;

/// What a request may take.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// The connection, and again its handshake.
    pub connect: Duration,
    /// The request and its answer.
    pub answer: Duration,
    /// Octets of the answer's body. None: it is not read.
    pub longest: Option<usize>,
}

/// What a server has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its body; empty where it was not to be read.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpFault {
    /// There is no connection.
    #[error("it cannot be reached: {0}")]
    Connect(String),
    /// It did not answer in time.
    #[error("it did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// The connection ended.
    #[error("the connection ended: {0}")]
    Closed(String),
    /// Its answer is too long.
    #[error("its answer has more than {0} octets")]
    Long(usize),
}

/// Sends a request, whose headers must name the host. A server with TLS is verified by the `authorities` in that PEM file, or else
/// by those of this machine.
///
/// # Errors
///
/// There is no whole answer within the limits.
pub async fn exchange(
    url: &HttpUrl,
    authorities: Option<&Path>,
    request: Request<Full<Bytes>>,
    limits: HttpLimits,
) -> Result<HttpAnswer, HttpFault> {
    let told = |error: io::Error| HttpFault::Connect(error.to_string());
    let connecting = TcpStream::connect((url.host.as_str(), url.port));
    let stream = timeout(limits.connect, connecting).await;
    let stream = stream
        .unwrap_or(Err(io::ErrorKind::TimedOut.into()))
        .map_err(told)?;
    match url.scheme {
        Scheme::Http => within(stream, request, limits).await,
        Scheme::Https => {
            let name = ServerName::try_from(url.host.clone());
            let name = name.map_err(|error| HttpFault::Connect(error.to_string()))?;
            let handshake = connector(authorities).await?.connect(name, stream);
            let stream = timeout(limits.connect, handshake).await;
            let stream = stream.unwrap_or(Err(io::ErrorKind::TimedOut.into()));
            within(stream.map_err(told)?, request, limits).await
        }
    }
}

/// Reads the authorities anew each time: one is replaced without a restart.
async fn connector(authorities: Option<&Path>) -> Result<TlsConnector, HttpFault> {
    let authorities = authorities.map(Path::to_path_buf);
    let reading = spawn_blocking(move || client::config(authorities.as_deref()));
    let config = reading.await.map_err(|error| error.to_string());
    let config = config.and_then(|config| config);
    Ok(TlsConnector::from(config.map_err(HttpFault::Connect)?))
}

async fn within(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    limits: HttpLimits,
) -> Result<HttpAnswer, HttpFault> {
    let answered = timeout(limits.answer, ask(stream, request, limits.longest)).await;
    answered.unwrap_or(Err(HttpFault::Silent(limits.answer)))
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    longest: Option<usize>,
) -> Result<HttpAnswer, HttpFault> {
    let closed = |error: hyper::Error| HttpFault::Closed(error.to_string());
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_OCTETS);
    // As most programs write them: a small server of somebody's own may compare them letter by letter.
    builder.title_case_headers(true);
    let opened = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = opened.map_err(closed)?;
    let mut asked = pin!(async move {
        let response = sender.send_request(request).await.map_err(closed)?;
        let status = response.status();
        let body = match longest {
            None => Vec::new(),
            Some(longest) => read(response, longest).await?,
        };
        Ok(HttpAnswer { status, body })
    });
    // The connection moves the octets as long as somebody waits for them. What it has read before its end is still there.
    tokio::select! {
        biased;
        answer = &mut asked => return answer,
        _ = connection => {}
    }
    asked.await
}

async fn read(response: Response<Incoming>, longest: usize) -> Result<Vec<u8>, HttpFault> {
    let mut body = response.into_body();
    let mut octets = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| HttpFault::Closed(error.to_string()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if octets.len() + data.len() > longest {
            return Err(HttpFault::Long(longest));
        }
        octets.extend_from_slice(&data);
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LONGEST_HERE: usize = 100_000;
    const LIMITS: HttpLimits = HttpLimits {
        connect: Duration::from_secs(5),
        answer: Duration::from_secs(60),
        longest: Some(LONGEST_HERE),
    };

    /// What comes of a request that is answered so; the answer's end is the connection's, unless it stays `open`.
    async fn answered(
        answer: &[u8],
        stays: Stays,
        limits: HttpLimits,
    ) -> Result<HttpAnswer, HttpFault> {
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
        let asking = within(ours, request, limits);
        tokio::pin!(playing, asking);
        let answered = async {
            tokio::select! {
                answer = &mut asking => answer,
                () = playing => asking.await,
            }
        };
        // Longer than it may take.
        timeout(limits.answer * 2, answered).await.unwrap()
    }

    #[derive(Clone, Copy)]
    enum Stays {
        Open,
        Closed,
    }

    fn fine(body: &[u8]) -> Result<HttpAnswer, HttpFault> {
        Ok(HttpAnswer {
            status: StatusCode::OK,
            body: body.to_vec(),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_comes_whole_or_not_at_all() {
        let body = vec![b'x'; LONGEST_HERE];
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LONGEST_HERE}\r\n\r\n");
        let whole = [head.as_bytes(), &body].concat();
        for stays in [Stays::Open, Stays::Closed] {
            assert_eq!(answered(&whole, stays, LIMITS).await, fine(&body));
        }
        let cut = answered(&whole[..whole.len() - 1], Stays::Closed, LIMITS).await;
        assert!(matches!(cut, Err(HttpFault::Closed(_))), "{cut:?}");
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        assert_eq!(answered(chunked, Stays::Open, LIMITS).await, fine(b"abc"));
        let silly = answered(b"SSH-2.0-OpenSSH\r\n", Stays::Closed, LIMITS).await;
        assert!(matches!(silly, Err(HttpFault::Closed(_))), "{silly:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_too_long_or_too_late_is_none() {
        let body = vec![b'x'; LONGEST_HERE + 1];
        let long = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &body].concat();
        let answer = answered(&long, Stays::Closed, LIMITS).await;
        assert_eq!(answer, Err(HttpFault::Long(LONGEST_HERE)));
        for late in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"] {
            let answer = answered(late, Stays::Open, LIMITS).await;
            assert_eq!(answer, Err(HttpFault::Silent(LIMITS.answer)));
        }
        let head = [&b"HTTP/1.1 200 OK\r\nX: "[..], &body].concat();
        let answer = answered(&head, Stays::Closed, LIMITS).await;
        assert!(matches!(answer, Err(HttpFault::Closed(_))), "{answer:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_nobody_wants_is_not_waited_for() {
        let limits = HttpLimits {
            longest: None,
            ..LIMITS
        };
        let endless = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\na";
        assert_eq!(answered(endless, Stays::Open, limits).await, fine(b""));
    }
}
