//! teach - past logins to the gate: to the running one by its socket, or into the state directory
//!
//! Not here: which logins (`learn`), what the gate makes of them (`gate::operator`).
//!
//! The socket comes first. Where nobody answers, the state directory's lock says whether really nothing
//! runs; while it is held nobody else can start.

use crate::admin::client::{Client, ClientFault};
use crate::admin::message::{BATCH, PastLogin, Request, Response, Taught};
use crate::clock::Clock;
use crate::config::Config;
use crate::server::restore;
use crate::store::StoreFault;

/// Why nothing was learnt.
#[derive(Debug, thiserror::Error)]
pub(super) enum TeachFault {
    /// Neither a gatepost nor its state is to be had.
    #[error("{silence} Nor can its state be changed: {closed}")]
    Neither {
        silence: ClientFault,
        closed: StoreFault,
    },
    /// The conversation broke.
    #[error(transparent)]
    Client(#[from] ClientFault),
    /// The running gatepost will not.
    #[error("gatepost refuses: {0}")]
    Refused(String),
}

/// Teaches the running gatepost, or its state if none runs.
pub(super) fn teach(config: &Config, logins: &[PastLogin]) -> Result<Taught, TeachFault> {
    match Client::connect(&config.admin.socket) {
        Ok(mut client) => by_socket(&mut client, logins),
        Err(silence) => {
            in_state(config, logins).map_err(|closed| TeachFault::Neither { silence, closed })
        }
    }
}

/// Teaches the running gatepost, in batches.
pub(super) fn running(config: &Config, logins: &[PastLogin]) -> Result<Taught, TeachFault> {
    by_socket(&mut Client::connect(&config.admin.socket)?, logins)
}

fn by_socket(client: &mut Client, logins: &[PastLogin]) -> Result<Taught, TeachFault> {
    let mut taught = Taught::default();
    for batch in logins.chunks(BATCH) {
        let logins = batch.to_vec();
        match client.ask(&Request::Learn { logins })? {
            Response::Learnt(more) => {
                taught.pairs += more.pairs;
                taught.users += more.users;
                taught.settling_ended |= more.settling_ended;
            }
            Response::Refused { message } => return Err(TeachFault::Refused(message)),
            other => return Err(TeachFault::Refused(format!("a strange answer: {other:?}"))),
        }
    }
    Ok(taught)
}

/// Teaches the state of a gatepost that does not run.
fn in_state(config: &Config, logins: &[PastLogin]) -> Result<Taught, StoreFault> {
    let now = Clock::start().now();
    let (mut store, gate) = restore::restore(config, now)?;
    // No changes are journaled: the snapshot has them all.
    let taught = restore::learn(&gate, logins, now, &mut Vec::new());
    store.save(&gate, now)?;
    Ok(taught)
}
