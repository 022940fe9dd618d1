//! ask - one question to a process that was stopped, and its answer
//!
//! An answer to something else is none: one whose places are taken, or that does not know the question, has told nothing.
//! Not here: which processes there are and what they are asked (`predecessors`), what they answer (`operator::left_over`).

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use crate::admin::message::{HeldMessage, LONGEST, Request, Response, WhyEnded};
use crate::net::unix_socket::connect;

/// How long one of them may take. One that hangs holds nobody up.
const PATIENCE: Duration = Duration::from_secs(2);

/// Which sessions it has.
pub(super) async fn held(socket: &Path) -> io::Result<Vec<HeldMessage>> {
    match ask(socket, &Request::Held).await? {
        Response::Held { sessions } => Ok(sessions),
        other => Err(no_answer(&other)),
    }
}

/// Ends those with these numbers. How many there were.
pub(super) async fn end(socket: &Path, numbers: Vec<u64>, why: WhyEnded) -> io::Result<usize> {
    match ask(socket, &Request::EndHeld { numbers, why }).await? {
        Response::Ended { sessions, .. } => Ok(usize::try_from(sessions).unwrap_or(usize::MAX)),
        other => Err(no_answer(&other)),
    }
}

/// Its process has ended, and its sessions with it.
pub(super) fn has_gone(fault: &io::Error) -> bool {
    matches!(
        fault.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

fn no_answer(answer: &Response) -> io::Error {
    match answer {
        Response::Refused { message } => io::Error::other(message.clone()),
        _ => io::Error::other("it answers something else"),
    }
}

async fn ask(socket: &Path, request: &Request) -> io::Result<Response> {
    timeout(PATIENCE, answer(socket, request)).await?
}

async fn answer(socket: &Path, request: &Request) -> io::Result<Response> {
    let (reader, mut writer) = connect(socket).await?.into_split();
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    let mut answer = Vec::new();
    let mut bounded = BufReader::new(reader.take(64 * LONGEST as u64));
    bounded.read_until(b'\n', &mut answer).await?;
    Ok(serde_json::from_slice(&answer)?)
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    /// What comes of the question where this is answered.
    async fn asked(answer: &str) -> (io::Result<Vec<HeldMessage>>, io::Result<usize>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leaving-1");
        let listener = UnixListener::bind(&path).unwrap();
        let serve = async {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = String::new();
                let (reader, mut writer) = stream.split();
                BufReader::new(reader).read_line(&mut asked).await.unwrap();
                writer.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        let ask = async {
            let held = held(&path).await;
            (held, end(&path, vec![1], WhyEnded::ByOrder).await)
        };
        tokio::join!(serve, ask).1
    }

    #[tokio::test]
    async fn an_answer_to_something_else_is_no_answer_and_no_process_that_has_gone() {
        for answer in [
            "{\"is\":\"refused\",\"message\":\"8 operators are connected already\"}\n",
            "{\"is\":\"done\",\"message\":\"\"}\n",
            "{\"is\":\"something\"}\n",
            "\n",
            "",
        ] {
            let (held, ended) = asked(answer).await;
            let (held, ended) = (held.unwrap_err(), ended.unwrap_err());
            assert!(!has_gone(&held) && !has_gone(&ended), "{answer}: {held}");
        }
        let (held, _) = asked("{\"is\":\"held\",\"sessions\":[]}\n").await;
        assert_eq!(held.unwrap(), []);
    }
}
