//! policy - the door for Dovecot's questions: bound where the config has one, and served
//!
//! Not here: what is answered (`auth_policy`).

use std::sync::Arc;

use tokio_util::task::TaskTracker;
use tracing::info;

use crate::auth_policy::{AuthPolicy, BOUNDS};
use crate::config::Config;
use crate::drain::Drain;
use crate::net::http::{HttpAddress, HttpBindFault, HttpServer};
use crate::report::limits::LimitCounters;
use crate::session::Services;

/// The door, if there is one.
#[derive(Debug)]
pub(in crate::server) struct PolicyDoor(Option<(HttpServer, AuthPolicy)>);

impl PolicyDoor {
    /// Binds it.
    pub(in crate::server) fn bind(
        config: &Config,
        services: &Services,
        limits: &Arc<LimitCounters>,
        drain: &Drain,
    ) -> Result<Self, HttpBindFault> {
        let Some(settings) = &config.auth_policy else {
            return Ok(Self(None));
        };
        let address = HttpAddress::Tcp(settings.listen);
        let server = HttpServer::bind(&address, BOUNDS, limits)?;
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
