//! socket - the operator's UNIX socket, served line by line
//!
//! A few operators at once, each with a deadline for each line; the drain ends them.
//! Not here: how the socket is made (`net::unix_socket`), the answers (`operator`), the messages (`admin::message`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::operator::Operator;
use crate::admin;
use crate::admin::message::{LONGEST, Request, Response};
use crate::drain::Drain;
use crate::net::unix_socket::{SocketFault, UnixSocket};
use crate::report::limits::{LimitCounters, ResourceLimit};

/// How long an operator's command may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// Operators' connections at once.
const OPERATORS: usize = 8;

/// The pause after a failing accept, so as not to spin.
const BACK_OFF: Duration = Duration::from_millis(100);

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
        loop {
            let stream = tokio::select! {
                stream = self.accept(operator.limits()) => stream,
                () = drain.begun() => break,
            };
            match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    let (operator, drain) = (operator.clone().for_peer(&stream), drain.clone());
                    tasks.spawn(async move {
                        answer(stream, operator, drain).await;
                        drop(place);
                    });
                }
                Err(_) => {
                    operator.limits().count(ResourceLimit::Operators);
                    turn_away(stream);
                }
            }
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

/// Answers one operator until it hangs up, is silent for a minute, or sends a request that is too long.
async fn answer(stream: UnixStream, operator: Operator, mut drain: Drain) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let asked = tokio::select! {
            asked = read_request(&mut reader) => asked,
            () = drain.begun() => return,
        };
        let response = match asked {
            OperatorInput::Request(request) => operator.answer(request).await,
            OperatorInput::Malformed(message) => Response::Refused { message },
            OperatorInput::TooLong => {
                operator.limits().count(ResourceLimit::OperatorRequests);
                let message = format!("the request is longer than {LONGEST} octets");
                let _ = write_response(&mut writer, &Response::Refused { message }).await;
                return;
            }
            OperatorInput::Nothing => return,
        };
        if write_response(&mut writer, &response).await.is_err() {
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
}
