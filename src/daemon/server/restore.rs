//! restore - the gate as an earlier process left it, or a new one; and what old logs add to it
//!
//! What is damaged is set aside and named in the log; the start goes on. Not here: files (`store`), their
//! meaning (`gate::image`).

use tracing::{info, warn};

use crate::admin::message::{PastLogin, Taught};
use crate::config::Config;
use crate::store::key::random;
use crate::store::{SetAside, Store, StoreFault};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::{Gate, Keys};
use gatepost_core::moment::Moment;

/// Opens the state directory and builds the gate from it: for a start, and for `learn` while nothing runs.
///
/// # Errors
///
/// When another process holds the directory, or it cannot be read.
pub fn restore(config: &Config, now: Moment) -> Result<(Store, Gate), StoreFault> {
    let (store, kept) = Store::open(&config.store)?;
    for aside in &kept.set_aside {
        tell(aside);
    }
    let keys = || Keys {
        users: kept.keys.users,
        passwords: random(),
        table: kept.keys.rows,
    };
    let settings = &config.gate;
    let image = kept.image.as_deref();
    let gate = match Gate::restore(settings.clone(), keys(), image, &kept.journal, now) {
        Ok(gate) => gate,
        Err(fault) => {
            tell(&store.set_snapshot_aside(&fault.to_string())?);
            // Without the image the journal's bans are still worth having.
            Gate::restore(settings.clone(), keys(), None, &kept.journal, now)
                .unwrap_or_else(|_| Gate::new(settings.clone(), keys(), now))
        }
    };
    if let Some(until) = gate.settles_until(now) {
        info!(
            "settling in: nobody is familiar yet, so only traps and `client` refuse until {}; \
             `gatepost learn` makes familiar whoever logged in according to your mail log, and ends it",
            crate::report::events::timestamp(until)
        );
    }
    Ok((store, gate))
}

/// Makes familiar whoever logged in, and ends settling in if anybody did; what that added.
pub fn learn(gate: &Gate, logins: &[PastLogin], now: Moment) -> Taught {
    let (users_before, pairs_before) = gate.known();
    let settling = gate.settles_until(now).is_some();
    for login in logins {
        let user = UserName::new(login.user.as_bytes());
        let client = ClientKey::new(login.address);
        gate.learn(&user, client, Moment::from_seconds(login.at), now);
    }
    if !logins.is_empty() {
        gate.finish_settling();
    }
    let (users, pairs) = gate.known();
    Taught {
        pairs: pairs.saturating_sub(pairs_before) as u64,
        users: users.saturating_sub(users_before) as u64,
        settling_ended: settling && gate.settles_until(now).is_none(),
    }
}

fn tell(aside: &SetAside) {
    warn!(path = %aside.path.display(), why = %aside.why, "a damaged state file was set aside");
}
