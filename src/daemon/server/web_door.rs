//! web_door - where metrics, health and the page are asked for: bound at the start, served until the drain
//!
//! Not here: what is answered (`web`), the connections (`net::http`).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tracing::info;

use super::operator::{Operator, PagePlace};
use crate::admin::message::{Request, Response, StatusMessage, WatchMessage};
use crate::clock::Clock;
use crate::drain::Drain;
use crate::net::http::{HttpBindFault, HttpServer};
use crate::report::durations::Durations;
use crate::report::limits::LimitCounters;
use crate::web::access::PageAccess;
use crate::web::trend::Trend;
use crate::web::{self, StateSource, WebHandler, WebSettings};
use gatepost_core::moment::Moment;

/// How often the page's charts get a point.
const SAMPLE: Duration = Duration::from_secs(5);

/// Bound, and not yet serving.
#[derive(Debug)]
pub(in crate::server) struct WebDoor {
    server: HttpServer,
    settings: WebSettings,
    access: Arc<PageAccess>,
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
        Ok(Some(Self {
            server,
            settings,
            access: Arc::default(),
        }))
    }

    /// Where the page is.
    pub(in crate::server) fn page(&self) -> PagePlace {
        PagePlace {
            address: self.server.local_addr(),
            access: Arc::clone(&self.access),
        }
    }

    /// Answers until the drain.
    pub(in crate::server) async fn serve(self, operator: Operator, drain: Drain) {
        let address = match self.server.local_addr() {
            Some(address) => address.to_string(),
            None => self.settings.address.to_string(),
        };
        info!(address, "metrics, health and the page");
        let trend = Arc::new(Trend::default());
        let handler = WebHandler::new(
            &self.settings,
            operator.clone(),
            self.access,
            Arc::clone(&trend),
        );
        tokio::join!(
            self.server.serve(handler, drain.clone()),
            sample(operator, trend, drain)
        );
    }
}

/// Notes the counters for the page's charts.
async fn sample(operator: Operator, trend: Arc<Trend>, mut drain: Drain) {
    loop {
        trend.sample(&operator.status(), Clock::wall());
        tokio::select! {
            () = sleep(SAMPLE) => {}
            () = drain.begun() => return,
        }
    }
}

impl StateSource for Operator {
    fn now(&self) -> Moment {
        Self::now(self)
    }

    fn status(&self) -> StatusMessage {
        Self::status(self)
    }

    fn durations(&self) -> &Durations {
        Self::durations(self)
    }

    fn watch(&self) -> WatchMessage {
        Self::watch(self, 0, Self::now(self))
    }

    fn limits(&self) -> &LimitCounters {
        Self::limits(self)
    }

    async fn answer(&self, request: Request, by: &str) -> Response {
        self.answer_by(request, Some(by)).await
    }
}
