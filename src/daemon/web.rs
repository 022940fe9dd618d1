//! web - what is answered over HTTP: metrics, and whether all is well
//!
//! `/metrics` for Prometheus, `/healthz` (the process answers) and `/readyz` (logins can work) for whoever watches
//! services. Made of the same snapshot as `gatepost status --json`, so that the numbers agree.
//! A browser on this machine sends here whatever a page of a stranger makes it send, under a name that leads to
//! loopback (DNS rebinding). So a request that is not for one of our names gets 421, whatever it asks.
//! Not here: the connections and their bounds (`net::http`), the counters (`report`).

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};

use crate::admin::message::StatusMessage;
use crate::net::http::{HttpAddress, HttpBody, HttpBounds, HttpHandler, plain_text, whole};
use crate::report::durations::Durations;
use crate::report::limits::ResourceLimit;

mod hosts;
pub mod metrics;

use hosts::HostNames;
use metrics::Exposition;

/// One Prometheus, a balancer's checks and some browsers.
// limit: http-connections
pub const BOUNDS: HttpBounds = HttpBounds {
    section: "[http]",
    connections: 16,
    limit: ResourceLimit::HttpConnections,
    body: 64 * 1024,
    patience: Duration::from_secs(30),
};

/// Where it listens, and under which names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSettings {
    /// Loopback, or a UNIX socket.
    pub address: HttpAddress,
    /// Host names of web servers in front, beside loopback's own.
    pub hosts: Vec<String>,
}

/// What the state is asked from.
pub trait StateSource: Send + Sync + 'static {
    /// How things stand.
    fn status(&self) -> StatusMessage;

    /// How long things took.
    fn durations(&self) -> &Durations;
}

/// Answers requests.
#[derive(Debug)]
pub struct WebHandler<S> {
    hosts: HostNames,
    source: S,
}

impl<S: StateSource> WebHandler<S> {
    /// Answers from `source`.
    pub fn new(settings: &WebSettings, source: S) -> Self {
        Self {
            hosts: HostNames::new(&settings.hosts),
            source,
        }
    }

    fn route(&self, request: &Request<Bytes>) -> Response<HttpBody> {
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
            _ => {
                return plain_text(
                    StatusCode::NOT_FOUND,
                    "there are /metrics, /healthz and /readyz\n",
                );
            }
        };
        match *request.method() {
            Method::GET | Method::HEAD => answer(self, request.headers()),
            _ => {
                let mut response = plain_text(StatusCode::METHOD_NOT_ALLOWED, "");
                let allowed = HeaderValue::from_static("GET, HEAD");
                response.headers_mut().insert(ALLOW, allowed);
                response
            }
        }
    }

    fn metrics(&self, asked: &HeaderMap) -> Response<HttpBody> {
        let accept = asked.get(hyper::header::ACCEPT);
        let accept = accept.and_then(|accept| accept.to_str().ok());
        let format = Exposition::wanted(accept.unwrap_or_default());
        let page = metrics::render(self.source.status(), self.source.durations(), format);
        let mut response = Response::new(whole(page));
        let kind = HeaderValue::from_static(format.content_type());
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
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

impl<S: StateSource> HttpHandler for WebHandler<S> {
    async fn answer(&self, request: Request<Bytes>) -> Response<HttpBody> {
        let mut response = self.route(&request);
        let headers = response.headers_mut();
        for (name, value) in [
            (CACHE_CONTROL, "no-store"),
            (HeaderName::from_static("x-content-type-options"), "nosniff"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

#[cfg(test)]
mod tests;
