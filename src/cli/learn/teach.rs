//! teach - past logins to the gate: to the running one by its socket, or into the state directory
//!
//! Not here: which logins (`learn`), what the gate makes of them (`gate::operator`).
//!
//! The socket comes first. Where nobody answers, the state directory's lock says whether really nothing
//! runs; while it is held nobody else can start.

use crate::admin::client::{Client, ClientFault};
use crate::admin::message::{BATCH, PastLogin, Request, Response};
use crate::clock::Clock;
use crate::clock::Moment;
use crate::config::Config;
use crate::gate::attempt::UserName;
use crate::gate::client::ClientKey;
use crate::server::remember;
use crate::store::StoreFault;

/// What the gate did not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taught {
    /// Pairs that were not familiar before.
    pub(super) pairs: u64,
    /// Users that were not known before.
    pub(super) users: u64,
}

/// Why nothing was learnt.
#[derive(Debug, thiserror::Error)]
pub(super) enum TeachFault {
    /// Gatepost runs, but does not answer.
    #[error("{silence}; and the state cannot be changed: {locked}")]
    Silent {
        silence: ClientFault,
        locked: StoreFault,
    },
    /// The conversation broke.
    #[error(transparent)]
    Client(#[from] ClientFault),
    /// The running gatepost will not.
    #[error("gatepost refuses: {0}")]
    Refused(String),
    /// The file system will not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// Teaches the running gatepost, or its state if none runs.
pub(super) fn teach(config: &Config, logins: &[PastLogin]) -> Result<Taught, TeachFault> {
    match Client::connect(&config.admin.socket) {
        Ok(mut client) => by_socket(&mut client, logins),
        Err(silence) => in_state(config, logins).map_err(|fault| match fault {
            locked @ StoreFault::Locked(_) => TeachFault::Silent { silence, locked },
            other => other.into(),
        }),
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
            Response::Learnt { pairs, users } => {
                taught.pairs += pairs;
                taught.users += users;
            }
            Response::Refused { message } => return Err(TeachFault::Refused(message)),
            other => return Err(TeachFault::Refused(format!("a strange answer: {other:?}"))),
        }
    }
    Ok(taught)
}

/// Teaches the state of a gatepost that does not run. A state that nobody was familiar in ends
/// settling in, as the running gate does.
fn in_state(config: &Config, logins: &[PastLogin]) -> Result<Taught, StoreFault> {
    let now = Clock::start().now();
    let (mut store, gate) = remember::restore(config, now)?;
    let before = gate.status(now);
    for login in logins {
        let user = UserName::new(login.user.as_bytes());
        gate.learn(
            &user,
            ClientKey::new(login.address),
            Moment::from_seconds(login.at),
            now,
        );
    }
    if !logins.is_empty() {
        gate.finish_settling();
    }
    let after = gate.status(now);
    store.save(|| gate.image(now))?;
    let more = |after: usize, before: usize| after.saturating_sub(before) as u64;
    Ok(Taught {
        pairs: more(after.familiar_pairs, before.familiar_pairs),
        users: more(after.known_users, before.known_users),
    })
}
