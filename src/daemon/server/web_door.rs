//! web_door - where metrics and health are asked for: bound at the start, served until the drain
//!
//! Not here: what is answered (`web`), the connections (`net::http`).

use std::sync::Arc;

use tracing::info;

use super::Operator;
use crate::drain::Drain;
use crate::net::http::{HttpBindFault, HttpServer};
use crate::report::durations::Durations;
use crate::report::limits::LimitCounters;
use crate::web::{self, StateSource, WebHandler, WebSettings};

/// Bound, and not yet serving.
#[derive(Debug)]
pub(in crate::server) struct WebDoor {
    server: HttpServer,
    settings: WebSettings,
}

impl WebDoor {
    /// None where nobody has asked for it.
    pub(in crate::server) fn bind(
        settings: Option<&WebSettings>,
        limits: &Arc<LimitCounters>,
    ) -> Result<Option<Self>, HttpBindFault> {
        let Some(settings) = settings.cloned() else {
            return Ok(None);
        };
        let server = HttpServer::bind(&settings.address, web::BOUNDS, limits)?;
        Ok(Some(Self { server, settings }))
    }

    /// Answers until the drain.
    pub(in crate::server) async fn serve(self, operator: Operator, drain: Drain) {
        let address = match self.server.local_addr() {
            Some(address) => address.to_string(),
            None => self.settings.address.to_string(),
        };
        info!(address, "metrics and health");
        let handler = WebHandler::new(&self.settings, operator);
        self.server.serve(handler, drain).await;
    }
}

impl StateSource for Operator {
    fn status(&self) -> crate::admin::message::StatusMessage {
        Self::status(self)
    }

    fn durations(&self) -> &Durations {
        Self::durations(self)
    }
}
