//! socket - the operator's UNIX socket, served line by line
//!
//! A few operators at once, each with a deadline for each line. When all connections are taken, the one that has waited
//! longest for its peer gives way (`idle`). The drain ends them: those that wait for their peers at once, the others after
//! a moment for their answer.
//! Not here: how the socket is made (`net::unix_socket`), the answers (`operator`), the messages (`admin::message`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, Interest,
};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use self::idle::IdleConnections;
use super::operator::Operator;
use crate::admin;
use crate::admin::message::{LONGEST, Request, Response};
use crate::drain::Drain;
use crate::net::unix_socket::{SocketFault, UnixSocket};
use crate::report::limits::{LimitCounters, ResourceLimit};

mod idle;

/// How long an operator's command may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// Operators' connections at once.
const OPERATORS: usize = 8;

/// The pause after a failing accept, so as not to spin; and how long a place that another gives up may take.
const BACK_OFF: Duration = Duration::from_millis(100);

/// How long an answer that is being made may take once the drain has begun.
const LAST_ANSWER: Duration = Duration::from_secs(2);

/// How often it is looked whether who asked is still there.
const LOOK: Duration = Duration::from_secs(1);

/// The socket, removed when it is dropped.
#[derive(Debug)]
pub(in crate::server) struct OperatorSocket(UnixSocket);

impl OperatorSocket {
    /// Makes the socket, with its directory where that is missing.
    pub(in crate::server) fn bind(settings: &admin::AdminSettings) -> Result<Self, SocketFault> {
        let group = settings.group.as_deref();
        UnixSocket::bind("[admin]", &settings.socket, group).map(Self)
    }

    /// Answers operators, a task each, until the drain and the last answer.
    pub(in crate::server) async fn serve(self, operator: Operator, mut drain: Drain) {
        let tasks = TaskTracker::new();
        // limit: operators
        let places = Arc::new(Semaphore::new(OPERATORS));
        let idle = IdleConnections::default();
        loop {
            let stream = tokio::select! {
                stream = self.accept(operator.limits()) => stream,
                () = drain.begun() => break,
            };
            let Some(place) = place_for(&places, &idle).await else {
                operator.limits().count(ResourceLimit::Operators);
                turn_away(stream);
                continue;
            };
            let visit = OperatorVisit {
                operator: operator.clone().for_peer(&stream),
                idle: idle.clone(),
                _place: place,
            };
            tasks.spawn(visit.answer(stream, drain.clone()));
        }
        tasks.close();
        tasks.wait().await;
    }

    async fn accept(&self, limits: &LimitCounters) -> UnixStream {
        loop {
            match self.0.accept().await {
                Ok(stream) => return stream,
                Err(_) => {
                    limits.count(ResourceLimit::OperatorAccepts);
                    sleep(BACK_OFF).await;
                }
            }
        }
    }
}

/// A place that is free, or that of the connection that has waited longest for its peer. None: all others ask.
async fn place_for(
    places: &Arc<Semaphore>,
    idle: &IdleConnections,
) -> Option<OwnedSemaphorePermit> {
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        return Some(place);
    }
    if !idle.end_longest() {
        return None;
    }
    // It may have begun to ask in this moment; then it keeps its place.
    let place = Arc::clone(places).acquire_owned();
    timeout(BACK_OFF, place).await.ok()?.ok()
}

/// Tells an operator that there is no place, without waiting.
fn turn_away(stream: UnixStream) {
    let response = Response::Refused {
        message: format!("{OPERATORS} operators are connected already; try again"),
    };
    let octets = rendered(&response);
    // A fresh socket has room for a line. An operator that does not get it sees a closed connection.
    let _ = stream
        .into_std()
        .and_then(|stream| io::Write::write_all(&mut &stream, &octets));
}

/// One connection of an operator's.
struct OperatorVisit {
    operator: Operator,
    idle: IdleConnections,
    _place: OwnedSemaphorePermit,
}

impl OperatorVisit {
    /// Answers until the operator hangs up, is silent for a minute, sends a request that is too long, or another one needs
    /// the place.
    async fn answer(self, stream: UnixStream, mut drain: Drain) {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        while let Some(asked) = self.next(&mut reader, &mut drain).await {
            let is_last = asked == OperatorInput::TooLong;
            let mut stopping = drain.clone();
            let response = tokio::select! {
                response = self.response(asked) => response,
                () = has_gone(&writer) => return,
                () = async { stopping.begun().await; sleep(LAST_ANSWER).await } => return,
            };
            if self.tell(&mut writer, &response, &drain).await.is_err() || is_last {
                return;
            }
        }
    }

    /// What the operator asks next; none: nothing more.
    async fn next(
        &self,
        reader: &mut BufReader<OwnedReadHalf>,
        drain: &mut Drain,
    ) -> Option<OperatorInput> {
        let idle = self.idle.begin();
        tokio::select! {
            asked = read_request(reader) => (asked != OperatorInput::Nothing).then_some(asked),
            () = idle.wanted() => None,
            () = drain.begun() => None,
        }
    }

    async fn response(&self, asked: OperatorInput) -> Response {
        match asked {
            OperatorInput::Request(request) => self.operator.answer(request).await,
            OperatorInput::Malformed(message) => Response::Refused { message },
            OperatorInput::TooLong | OperatorInput::Nothing => {
                self.operator
                    .limits()
                    .count(ResourceLimit::OperatorRequests);
                let message = format!("the request is longer than {LONGEST} octets");
                Response::Refused { message }
            }
        }
    }

    /// Writes an answer, until another one needs the place, or the drain and a moment.
    async fn tell(
        &self,
        writer: &mut OwnedWriteHalf,
        response: &Response,
        drain: &Drain,
    ) -> io::Result<()> {
        let idle = self.idle.begin();
        let mut drain = drain.clone();
        tokio::select! {
            written = write_response(writer, response) => written,
            () = idle.wanted() => Err(io::ErrorKind::TimedOut.into()),
            () = async { drain.begun().await; sleep(LAST_ANSWER).await } => {
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }
}

/// Returns when who asked has closed the connection altogether. One that has only said its last word waits for the answer.
async fn has_gone(writer: &OwnedWriteHalf) {
    loop {
        sleep(LOOK).await;
        let ready = writer.ready(Interest::WRITABLE).await;
        if ready.is_ok_and(|ready| ready.is_write_closed()) {
            return;
        }
    }
}

/// What came from an operator.
#[derive(Debug, PartialEq)]
enum OperatorInput {
    Request(Request),
    /// A line that is no request, and why.
    Malformed(String),
    /// More than the longest line.
    TooLong,
    /// The operator hung up, or was silent for too long.
    Nothing,
}

async fn read_request(reader: &mut (impl AsyncBufRead + Unpin)) -> OperatorInput {
    let mut line = Vec::new();
    let mut bounded = reader.take(LONGEST as u64);
    match timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await {
        Ok(Ok(octets)) if octets > 0 => {}
        _ => return OperatorInput::Nothing,
    }
    if line.len() >= LONGEST && !line.ends_with(b"\n") {
        return OperatorInput::TooLong;
    }
    match serde_json::from_slice(&line) {
        Ok(request) => OperatorInput::Request(request),
        Err(fault) => OperatorInput::Malformed(format!("no request: {fault}")),
    }
}

async fn write_response(
    writer: &mut (impl AsyncWrite + Unpin),
    response: &Response,
) -> io::Result<()> {
    let octets = rendered(response);
    timeout(PATIENCE, writer.write_all(&octets)).await?
}

/// One line.
fn rendered(response: &Response) -> Vec<u8> {
    // Every response is strings and numbers, which JSON takes.
    let mut octets = serde_json::to_vec(response).unwrap_or_default();
    octets.push(b'\n');
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_without_an_end_is_read_to_the_limit_and_no_further() {
        let (mut operator, ours) = tokio::io::duplex(2 * LONGEST);
        let mut ours = BufReader::new(ours);
        operator.write_all(&vec![b'x'; LONGEST - 1]).await.unwrap();
        operator.write_all(b"\n").await.unwrap();
        assert!(matches!(
            read_request(&mut ours).await,
            OperatorInput::Malformed(_)
        ));
        operator.write_all(&vec![b'x'; LONGEST]).await.unwrap();
        // Time would go on, to the time-out, where more were waited for.
        assert_eq!(read_request(&mut ours).await, OperatorInput::TooLong);
        operator.write_all(b"{\"do\":\"status\"}\n").await.unwrap();
        let request = OperatorInput::Request(Request::Status);
        assert_eq!(read_request(&mut ours).await, request);
        assert_eq!(
            read_request(&mut ours).await,
            OperatorInput::Nothing,
            "silence"
        );
    }

    #[tokio::test]
    async fn an_operator_without_a_place_reads_why() {
        let (ours, mut operator) = UnixStream::pair().unwrap();
        turn_away(ours);
        let mut told = String::new();
        operator.read_to_string(&mut told).await.unwrap();
        assert!(told.contains("8 operators are connected"), "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_gone_is_told_from_who_has_said_the_last_word() {
        let (ours, mut operator) = UnixStream::pair().unwrap();
        let (_reader, writer) = ours.into_split();
        operator.shutdown().await.unwrap();
        let waits = timeout(LOOK * 5, has_gone(&writer)).await;
        assert!(waits.is_err(), "it waits for its answer");
        drop(operator);
        timeout(LOOK * 5, has_gone(&writer)).await.unwrap();
    }
}
