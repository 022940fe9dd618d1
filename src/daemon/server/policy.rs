//! policy - the door for Dovecot's questions: bound where the config has one, and served
//!
//! Where systemd has opened its port, nobody else can listen there while Gatepost is restarted, and be shown the secret;
//! Dovecot's questions wait for the next one.
//! Not here: what is answered (`auth_policy`).

use std::sync::Arc;

use tokio_util::task::TaskTracker;
use tracing::info;

use crate::auth_policy::{AuthPolicy, BOUNDS};
use crate::config::Config;
use crate::drain::Drain;
use crate::net::http::{HttpAddress, HttpBindFault, HttpServer};
use crate::net::listener::given::GivenSockets;
use crate::session::Services;

/// The door, if there is one.
#[derive(Debug)]
pub(in crate::server) struct PolicyDoor(Option<(HttpServer, AuthPolicy)>);

impl PolicyDoor {
    /// Binds it, unless it was given.
    pub(in crate::server) fn bind(
        config: &Config,
        services: &Services,
        given: &mut GivenSockets,
        drain: &Drain,
    ) -> Result<Self, HttpBindFault> {
        let limits = &services.judging.counters.limits;
        let Some(settings) = &config.auth_policy else {
            return Ok(Self(None));
        };
        let address = settings.listen;
        let server = match given.take(address) {
            Some(socket) => HttpServer::adopt(socket, BOUNDS, limits).map_err(|source| {
                let section = BOUNDS.section;
                HttpBindFault::Tcp {
                    section,
                    address,
                    source,
                }
            })?,
            None => HttpServer::bind(&HttpAddress::Tcp(address), BOUNDS, limits)?,
        };
        let (judging, ids) = (Arc::clone(&services.judging), Arc::clone(&services.ids));
        let door = AuthPolicy::new(judging, ids, settings.clone(), drain.clone());
        Ok(Self(Some((server, door))))
    }

    /// Answers until the drain.
    pub(in crate::server) fn serve(self, tasks: &TaskTracker, drain: &Drain) {
        let Some((server, door)) = self.0 else {
            return;
        };
        info!(address = %server, "listening for Dovecot's questions");
        tasks.spawn(door.clone().expire(drain.clone()));
        tasks.spawn(server.serve(door, drain.clone()));
    }
}
