//! import - imports past logins: through the socket of the running gatepost, or into its state directory
//!
//! Not here: which logins (`batch`), what the gate does with them (`gate::operator`).
//!
//! The socket is tried first. If it does not answer, the lock of the state directory shows whether gatepost
//! really does not run; while the lock is held no other process can start.
//! Settling in ends with the last batch: whatever comes between two of them, nobody is judged under full limits who was to be learnt.

use crate::admin::client::{AdminClient, AdminFault};
use crate::admin::message::{BATCH, ImportStats, PastLogin, Request, Response, SettlingAfter};
use crate::clock::Clock;
use crate::config::Config;
use crate::server::restore;
use crate::store::StoreFault;

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImportFault {
    /// Neither the socket nor the state directory can be used.
    #[error("{silence} Its state directory cannot be used either: {closed}")]
    Neither {
        silence: AdminFault,
        closed: StoreFault,
    },
    /// The connection failed.
    #[error(transparent)]
    Client(#[from] AdminFault),
    /// The running gatepost has it, and its disk does not.
    #[error("{0}")]
    NotKept(String),
    /// The running gatepost refused.
    #[error("gatepost refuses: {0}")]
    Refused(String),
}

/// Imports into the running gatepost, or into its state if none runs.
pub(super) fn import(
    config: &Config,
    logins: &[PastLogin],
    after: SettlingAfter,
) -> Result<ImportStats, ImportFault> {
    match AdminClient::connect(&config.admin.socket) {
        Ok(mut client) => by_socket(&mut client, logins, after),
        Err(silence) => in_state(config, logins, after)
            .map_err(|closed| ImportFault::Neither { silence, closed }),
    }
}

/// Imports into the running gatepost, in batches.
pub(super) fn running(config: &Config, logins: &[PastLogin]) -> Result<ImportStats, ImportFault> {
    let mut client = AdminClient::connect(&config.admin.socket)?;
    by_socket(&mut client, logins, SettlingAfter::GoesOn)
}

fn by_socket(
    client: &mut AdminClient,
    logins: &[PastLogin],
    after: SettlingAfter,
) -> Result<ImportStats, ImportFault> {
    let mut imported = ImportStats::default();
    let mut batches = logins.chunks(BATCH).peekable();
    while let Some(batch) = batches.next() {
        let logins = batch.to_vec();
        let settling = match batches.peek() {
            Some(_) => SettlingAfter::GoesOn,
            None => after,
        };
        match client.ask(&Request::Learn { logins, settling })? {
            Response::Learnt(more) => {
                imported.pairs += more.pairs;
                imported.users += more.users;
                imported.settling_ended |= more.settling_ended;
                imported.settling = more.settling;
            }
            Response::NotKept { message } => return Err(ImportFault::NotKept(message)),
            Response::Refused { message } => return Err(ImportFault::Refused(message)),
            other => {
                return Err(ImportFault::Refused(format!(
                    "unexpected answer: {other:?}"
                )));
            }
        }
    }
    Ok(imported)
}

/// Imports into the state of a gatepost that does not run.
fn in_state(
    config: &Config,
    logins: &[PastLogin],
    after: SettlingAfter,
) -> Result<ImportStats, StoreFault> {
    let clock = Clock::start();
    let now = clock.now();
    let (mut store, gate) = restore::restore(config, now)?;
    // No changes are journaled: the snapshot has them all.
    let imported = restore::learn(&gate, logins, after, clock, &mut Vec::new());
    store.save(&gate, now)?;
    Ok(imported)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    /// What a gatepost is told that keeps `kept` batches and then no more: the number of logins of each, and what becomes of
    /// settling in.
    fn told(logins: usize, kept: usize) -> Vec<(usize, SettlingAfter)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let gatepost = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut told = Vec::new();
            for line in BufReader::new(&stream).lines() {
                let Request::Learn { logins, settling } =
                    serde_json::from_str(&line.unwrap()).unwrap()
                else {
                    panic!("not a part of a log");
                };
                told.push((logins.len(), settling));
                let answer = match told.len() <= kept {
                    true => Response::Learnt(ImportStats::default()),
                    false => Response::NotKept {
                        message: "disk full".to_owned(),
                    },
                };
                let mut line = serde_json::to_vec(&answer).unwrap();
                line.push(b'\n');
                (&stream).write_all(&line).unwrap();
            }
            told
        });
        let login = PastLogin {
            user: "anna".to_owned(),
            address: "192.0.2.1".parse().unwrap(),
            at: 1,
        };
        let mut client = AdminClient::connect(&path).unwrap();
        let imported = by_socket(&mut client, &vec![login; logins], SettlingAfter::Ends);
        drop(client);
        assert_eq!(imported.is_ok(), logins.div_ceil(BATCH) <= kept);
        gatepost.join().unwrap()
    }

    #[test]
    fn settling_in_ends_with_the_last_batch_and_with_none_before_it() {
        use SettlingAfter::{Ends, GoesOn};
        assert_eq!(told(BATCH, 9), [(BATCH, Ends)]);
        assert_eq!(told(BATCH + 1, 9), [(BATCH, GoesOn), (1, Ends)]);
        // The second of three is lost.
        let lost = told(2 * BATCH + 1, 1);
        assert_eq!(lost, [(BATCH, GoesOn), (BATCH, GoesOn)]);
    }
}
