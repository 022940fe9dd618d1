//! http - a bounded HTTP/1.1 server on loopback or a UNIX socket, for the doors that speak HTTP
//!
//! A door is an [`HttpHandler`]: a request with its whole body in, a response out, whose body may be a stream. All else
//! has its bound here: connections at once (`seats`), the time and size of a request's head, of its body, and the
//! time of every write (`stalled_write`). When all connections are taken, one gives way to the new one: the one that has
//! been there longest, of those that got no answer by which they keep their seat and have not shown that they may ask. If
//! there is none, the new one is told 503. The drain ends at once connections that wait for their client, and streams; an
//! answer that is being made gets a moment more.
//! Not here: what is asked and answered (each door), who may ask (secrets and names of hosts: each door), TLS.
//! RFC 9110, RFC 9112; the protocol itself is hyper's.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::Socket;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::{sleep, timeout};
use tokio_util::either::Either;
use tokio_util::task::TaskTracker;

use self::exchange::respond;
use self::seats::{Seat, SeatRoom, Seats};
use self::stalled_write::BoundedWrites;
use crate::drain::Drain;
use crate::net::unix_socket::{SocketFault, UnixSocket};
use crate::net::unread::{self, MaybeSilent};
use crate::report::limits::{LimitCounters, ResourceLimit};

mod exchange;
mod seats;
mod stalled_write;

#[cfg(test)]
mod tests;

/// The head of a request: its line and headers.
const HEAD_OCTETS: usize = 16 * 1024;
const HEADERS: usize = 64;

/// The pause after a failing accept, so as not to spin.
const BACK_OFF: Duration = Duration::from_millis(100);

/// How long an answer that is under way may take once the drain has begun.
const LAST_ANSWER: Duration = Duration::from_secs(2);

/// Where a door listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpAddress {
    /// A TCP address, meant to be loopback.
    Tcp(SocketAddr),
    /// A UNIX socket, and the group that may use it besides its owner.
    Unix {
        /// The socket.
        path: PathBuf,
        /// None: only the owner.
        group: Option<String>,
    },
}

/// What bounds a door.
#[derive(Clone, Copy, Debug)]
pub struct HttpBounds {
    /// The section of the config that asks for the door, as errors name it.
    pub section: &'static str,
    /// Connections at once.
    pub connections: usize,
    /// Counts the connections that were refused, or closed for others.
    pub limit: ResourceLimit,
    /// Octets of a request's body.
    pub body: usize,
    /// How long a connection may be idle, the head or the body of a request may take, and a write may stand still.
    pub patience: Duration,
}

/// What answers the requests of a door.
pub trait HttpHandler: Send + Sync + 'static {
    /// Answers one request, whose body is complete.
    fn answer(&self, request: Request<Bytes>) -> impl Future<Output = Response<HttpBody>> + Send;

    /// Whether the head of a request shows that its client may ask. Its connection gives way to no other then, neither
    /// while the body comes nor while the answer is made.
    fn may_stay(&self, _: &Parts) -> bool {
        false
    }

    /// Whether a connection that got this answer keeps its seat when others want one.
    fn keeps_seat(&self, answer: &Response<HttpBody>) -> bool {
        answer.status().is_success()
    }

    /// Answers a request whose body was longer than its bound, and is not kept.
    fn too_long(&self, _: &Parts) -> Response<HttpBody> {
        plain_text(StatusCode::PAYLOAD_TOO_LARGE, "")
    }
}

/// The body of an answer, whole or a stream. It cannot fail; one that ends early ends the connection.
pub type HttpBody = UnsyncBoxBody<Bytes, Infallible>;

/// A door, bound and not yet serving.
#[derive(Debug)]
pub struct HttpServer {
    listener: HttpListener,
    bounds: HttpBounds,
    limits: Arc<LimitCounters>,
}

#[derive(Debug)]
enum HttpListener {
    Tcp(TcpListener),
    Unix(UnixSocket),
}

/// Why a door cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum HttpBindFault {
    /// The TCP address.
    #[error("{section}: cannot listen on {address}: {source}")]
    Tcp {
        /// The section.
        section: &'static str,
        /// The address.
        address: SocketAddr,
        /// The kernel's error.
        source: io::Error,
    },
    /// The UNIX socket.
    #[error(transparent)]
    Unix(#[from] SocketFault),
}

impl HttpServer {
    /// Binds and listens. Limits that act are counted in `limits`.
    ///
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// The address is not to be had.
    pub fn bind(
        address: &HttpAddress,
        bounds: HttpBounds,
        limits: &Arc<LimitCounters>,
    ) -> Result<Self, HttpBindFault> {
        let section = bounds.section;
        let listener = match address {
            HttpAddress::Tcp(address) => {
                let bound = tcp_listener(*address).map_err(|source| HttpBindFault::Tcp {
                    section,
                    address: *address,
                    source,
                })?;
                HttpListener::Tcp(bound)
            }
            HttpAddress::Unix { path, group } => {
                HttpListener::Unix(UnixSocket::bind(section, path, group.as_deref())?)
            }
        };
        Ok(Self {
            listener,
            bounds,
            limits: Arc::clone(limits),
        })
    }

    /// Serves on a TCP socket that somebody else has opened, and listens on.
    ///
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn adopt(
        socket: Socket,
        bounds: HttpBounds,
        limits: &Arc<LimitCounters>,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            listener: HttpListener::Tcp(TcpListener::from_std(socket.into())?),
            bounds,
            limits: Arc::clone(limits),
        })
    }

    /// The TCP address it listens on, with the port that the kernel chose for port 0.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.listener {
            HttpListener::Tcp(listener) => listener.local_addr().ok(),
            HttpListener::Unix(_) => None,
        }
    }

    /// Answers, a task a connection, until the drain and the last answer.
    pub async fn serve(self, handler: impl HttpHandler, mut drain: Drain) {
        let handler = Arc::new(handler);
        let tasks = TaskTracker::new();
        let seats = Seats::new(self.bounds.connections);
        loop {
            let arrived = async {
                let stream = self.accept().await;
                (stream, seats.room().await)
            };
            let (stream, room) = tokio::select! {
                arrived = arrived => arrived,
                () = drain.begun() => break,
            };
            if room != SeatRoom::Free {
                self.limits.count(self.bounds.limit);
            }
            if room == SeatRoom::Full {
                tasks.spawn(turn_away(stream));
                continue;
            }
            let (handler, bounds, drain) = (Arc::clone(&handler), self.bounds, drain.clone());
            let (seat, socket) = (seats.take(), unread::again(&stream));
            let is_silent = move || socket.as_ref().is_none_or(MaybeSilent::is_silent);
            tasks.spawn(async move {
                serve_connection(stream, is_silent, &*handler, &bounds, &seat, drain).await;
            });
        }
        tasks.close();
        tasks.wait().await;
    }

    async fn accept(&self) -> Either<TcpStream, UnixStream> {
        loop {
            let accepted = match &self.listener {
                HttpListener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                    // An answer is one write; without this the next one on the connection may wait for an
                    // acknowledgement. A socket that refuses it works all the same.
                    let _ = stream.set_nodelay(true);
                    Either::Left(stream)
                }),
                HttpListener::Unix(socket) => socket.accept().await.map(Either::Right),
            };
            match accepted {
                Ok(stream) => return stream,
                Err(_) => {
                    self.limits.count(ResourceLimit::Accepts);
                    sleep(BACK_OFF).await;
                }
            }
        }
    }
}

fn tcp_listener(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Tells a client that there is no place. Nothing of it is read, and it is not waited for.
async fn turn_away(mut stream: impl AsyncWrite + Unpin) {
    const FULL: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    // A fresh socket has room for it.
    let _ = timeout(BACK_OFF, stream.write_all(FULL)).await;
}

/// Answers one connection until either side ends it, another needs its seat, or the drain.
async fn serve_connection<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    is_silent: impl Fn() -> bool,
    handler: &impl HttpHandler,
    bounds: &HttpBounds,
    seat: &Seat,
    mut drain: Drain,
) {
    // Whether an answer with an end is being made or written.
    let answering = AtomicBool::new(false);
    let service = service_fn(|request| async {
        let answered = respond(handler, (bounds, seat), request, &answering);
        Ok::<_, Infallible>(answered.await)
    });
    let stream = TokioIo::new(BoundedWrites::new(stream, bounds.patience));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // It counts from the end of the answer before, so it is the limit of idleness too.
        .header_read_timeout(bounds.patience)
        .max_buf_size(HEAD_OCTETS)
        .max_headers(HEADERS)
        .serve_connection(stream, service);
    let mut connection = pin!(connection);
    loop {
        tokio::select! {
            biased;
            // A fault of the peer's: there is nobody to be told.
            _ = connection.as_mut() => return,
            () = drain.begun() => break,
            () = seat.wanted() => if seat.gives_way(&is_silent) { return },
        }
    }
    if answering.load(Ordering::Relaxed) {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(LAST_ANSWER, connection).await;
    }
}

/// An answer of plain text.
pub fn plain_text(status: StatusCode, text: impl Into<Bytes>) -> Response<HttpBody> {
    let mut response = Response::new(whole(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// A body that is there as a whole.
pub fn whole(octets: impl Into<Bytes>) -> HttpBody {
    Full::new(octets.into()).boxed_unsync()
}

/// Where it listens, with the port that the kernel chose for port 0. Shown in the log.
impl fmt::Display for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.listener {
            HttpListener::Tcp(listener) => match listener.local_addr() {
                Ok(address) => address.fmt(f),
                Err(fault) => fault.fmt(f),
            },
            HttpListener::Unix(socket) => write!(f, "unix:{}", socket.path().display()),
        }
    }
}

/// Shown in the log.
impl fmt::Display for HttpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}
