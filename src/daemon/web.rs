//! web - what is answered over HTTP: metrics, whether all is well, and the page
//!
//! `/metrics` for Prometheus, `/healthz` (the process answers) and `/readyz` (logins can work) for what watches
//! services, and the page (`dashboard`). All of the same snapshot as `gatepost status --json`, so that the numbers agree.
//! A browser on this machine sends here whatever a page of a stranger makes it send, under a name that leads to
//! loopback (DNS rebinding). So a request that is not for one of our names gets 421, whatever it asks.
//! Not here: the connections and their bounds (`net::http`), the counters (`report`).

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};

use crate::admin::message::{self, StatusMessage, WatchMessage};
use crate::net::http::{HttpAddress, HttpBody, HttpBounds, HttpHandler, plain_text, whole};
use crate::report::durations::Durations;
use crate::report::limits::{LimitCounters, ResourceLimit};
use gatepost_core::moment::Moment;

pub mod access;
mod dashboard;
mod events;
mod hosts;
pub mod metrics;
pub mod trend;

use access::PageAccess;
use dashboard::Dashboard;
use hosts::HostNames;
use metrics::Exposition;
use trend::Trend;

/// One Prometheus, a balancer's checks and some browsers.
// limit: http-connections
pub const BOUNDS: HttpBounds = HttpBounds {
    section: "[http]",
    connections: 32,
    limit: ResourceLimit::HttpConnections,
    body: 64 * 1024,
    patience: Duration::from_secs(30),
};

/// Where it listens, under which names, and what may be done there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSettings {
    /// Loopback, or a UNIX socket.
    pub address: HttpAddress,
    /// Host names of web servers in front, beside loopback's own.
    pub hosts: Vec<String>,
    /// Whether the page may change something.
    pub actions: PageActions,
}

/// Whether the page may ban, forgive, forget and expel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PageActions {
    /// It only shows.
    #[default]
    Forbidden,
    /// What `gatepost bans`, `forgive`, `forget` and `expel` do.
    Allowed,
}

/// What the state is asked from.
pub trait StateSource: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Moment;

    /// How things stand.
    fn status(&self) -> StatusMessage;

    /// How long things took.
    fn durations(&self) -> &Durations;

    /// How things stand, who is busy, and the last attempts.
    fn watch(&self) -> WatchMessage;

    /// How often limits acted.
    fn limits(&self) -> &LimitCounters;

    /// Does what an operator asks for; `by` is who that is, for the log.
    fn answer(
        &self,
        request: message::Request,
        by: &str,
    ) -> impl Future<Output = message::Response> + Send;
}

/// Answers requests.
#[derive(Debug)]
pub struct WebHandler<S> {
    hosts: HostNames,
    source: Arc<S>,
    dashboard: Dashboard<S>,
}

impl<S: StateSource> WebHandler<S> {
    /// Answers from `source`; the page, to who came by a link of `access`.
    pub fn new(
        settings: &WebSettings,
        source: S,
        access: Arc<PageAccess>,
        trend: Arc<Trend>,
    ) -> Self {
        let source = Arc::new(source);
        Self {
            hosts: HostNames::new(&settings.hosts),
            dashboard: Dashboard::new(settings.actions, Arc::clone(&source), access, trend),
            source,
        }
    }

    async fn route(&self, request: &Request<Bytes>) -> Response<HttpBody> {
        if !self.hosts.admit(request) {
            return plain_text(
                StatusCode::MISDIRECTED_REQUEST,
                "this is no name of ours: ask by 127.0.0.1, [::1] or localhost, or write the name into hosts in [http]\n",
            );
        }
        let answer: fn(&Self, &HeaderMap) -> Response<HttpBody> = match request.uri().path() {
            "/metrics" => Self::metrics,
            "/healthz" => |_, _| plain_text(StatusCode::OK, "ok\n"),
            "/readyz" => |web, _| web.ready(),
            _ => return self.dashboard.answer(request).await,
        };
        match *request.method() {
            Method::GET | Method::HEAD => answer(self, request.headers()),
            _ => only("GET, HEAD"),
        }
    }

    fn metrics(&self, asked: &HeaderMap) -> Response<HttpBody> {
        let accept = asked.get(hyper::header::ACCEPT);
        let accept = accept.and_then(|accept| accept.to_str().ok());
        let format = Exposition::wanted(accept.unwrap_or_default());
        let page = metrics::render(self.source.status(), self.source.durations(), format);
        content(page, format.content_type())
    }

    /// Whether a client that comes now could log in, and why not.
    fn ready(&self) -> Response<HttpBody> {
        let status = self.source.status();
        if status.logins_work {
            return plain_text(StatusCode::OK, "ok\n");
        }
        let mut why = String::new();
        for backend in &status.upstream {
            let reason = backend.reason.as_deref().unwrap_or("not asked yet");
            if backend.state != "usable" {
                why += &format!("{}: {reason}\n", backend.address);
            }
        }
        if status.backend_outage {
            why += "the backend rejects trusted users\n";
        }
        plain_text(StatusCode::SERVICE_UNAVAILABLE, why)
    }
}

/// For every answer: nothing is kept, nothing is guessed, nothing of others is loaded, no other page may show it.
const HEADERS: [(&str, &str); 6] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
];

/// An answer to who has shown the secrets of a visit, or of a link.
#[derive(Clone, Copy, Debug)]
struct ToVisitor;

impl<S: StateSource> HttpHandler for WebHandler<S> {
    /// Everybody on this machine gets files, metrics and health: such a connection gives way to a visitor's.
    fn keeps_seat(&self, answer: &Response<HttpBody>) -> bool {
        answer.extensions().get::<ToVisitor>().is_some()
    }

    async fn answer(&self, request: Request<Bytes>) -> Response<HttpBody> {
        let mut response = self.route(&request).await;
        let headers = response.headers_mut();
        for (name, value) in HEADERS {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        response
    }
}

/// An answer of this type.
fn content(body: impl Into<Bytes>, kind: &'static str) -> Response<HttpBody> {
    let mut response = Response::new(whole(body));
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The methods that there are.
fn only(methods: &'static str) -> Response<HttpBody> {
    let mut response = plain_text(StatusCode::METHOD_NOT_ALLOWED, "");
    let methods = HeaderValue::from_static(methods);
    response.headers_mut().insert(ALLOW, methods);
    response
}

#[cfg(test)]
mod tests;
