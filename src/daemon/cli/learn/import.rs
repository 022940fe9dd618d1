//! import - imports past logins: through the socket of the running gatepost, or into its state directory
//!
//! Not here: which logins (`batch`), what the gate does with them (`gate::operator`).
//!
//! The socket is tried first. If it does not answer, the lock of the state directory shows whether gatepost
//! really does not run; while the lock is held no other process can start.

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
    settling: SettlingAfter,
) -> Result<ImportStats, ImportFault> {
    let mut imported = ImportStats::default();
    for batch in logins.chunks(BATCH) {
        let logins = batch.to_vec();
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
