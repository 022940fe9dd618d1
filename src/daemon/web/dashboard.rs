//! dashboard - the page: its files, who may see its data, and what may be done with it
//!
//! The files hold no data, and everybody on this machine may read them. Data needs the cookie and the token of one visit
//! (`access`). What changes something needs `actions`, too, and comes from the page itself: a POST of JSON whose
//! origin is ours.
//! Not here: how links are made (`access`), the stream of events (`events`), the answers (`server::operator`).

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN, SET_COOKIE};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use serde::Deserialize;
use tracing::info;

use super::access::{PageAccess, Visitor};
use super::events::EventStreams;
use super::trend::Trend;
use super::{PageActions, StateSource, ToVisitor, content, only};
use crate::admin::message;
use crate::net::http::{HttpBody, plain_text};
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// A file of the page: its path, type and content.
type PageFile = (&'static str, &'static str, &'static [u8]);

/// uPlot 1.6.32 (MIT) draws the charts; its licence is the last file.
const FILES: [PageFile; 7] = [
    ("/", HTML, include_bytes!("page/index.html")),
    ("/page.css", CSS, include_bytes!("page/page.css")),
    ("/page.js", JAVASCRIPT, include_bytes!("page/page.js")),
    ("/charts.js", JAVASCRIPT, include_bytes!("page/charts.js")),
    ("/uPlot.css", CSS, include_bytes!("page/uPlot.min.css")),
    (
        "/uPlot.js",
        JAVASCRIPT,
        include_bytes!("page/uPlot.iife.min.js"),
    ),
    ("/uPlot.LICENSE", TEXT, include_bytes!("page/uPlot.LICENSE")),
];

/// The page keeps the token for its own origin, and sends it in this field.
const TOKEN: HeaderName = HeaderName::from_static("x-gatepost-token");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Answers for the page.
#[derive(Debug)]
pub(super) struct Dashboard<S> {
    actions: PageActions,
    source: Arc<S>,
    access: Arc<PageAccess>,
    trend: Arc<Trend>,
    streams: EventStreams<S>,
}

/// What a page with a link sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnterRequest {
    link: String,
}

impl<S: StateSource> Dashboard<S> {
    pub(super) fn new(
        actions: PageActions,
        source: Arc<S>,
        access: Arc<PageAccess>,
        trend: Arc<Trend>,
    ) -> Self {
        Self {
            actions,
            streams: EventStreams::new(Arc::clone(&source), Arc::clone(&access)),
            source,
            access,
            trend,
        }
    }

    pub(super) async fn answer(&self, request: &Request<Bytes>) -> Response<HttpBody> {
        let path = request.uri().path();
        if let Some((_, kind, file)) = FILES.iter().find(|(name, ..)| *name == path) {
            return match *request.method() {
                Method::GET | Method::HEAD => content(*file, kind),
                _ => only("GET, HEAD"),
            };
        }
        let is_change = matches!(path, "/enter" | "/ask" | "/leave");
        match (path, request.method()) {
            ("/trend" | "/events", &Method::GET) => {}
            ("/trend" | "/events", _) => return only("GET"),
            (_, &Method::POST) if is_change => {}
            _ if is_change => return only("POST"),
            _ => return plain_text(StatusCode::NOT_FOUND, "there is nothing here\n"),
        }
        if is_change && !is_from_the_page(request.headers()) {
            return refused(StatusCode::FORBIDDEN, "this did not come from the page");
        }
        let mut response = match path {
            "/enter" => self.enter(request),
            _ => self.to_visitor(request, path).await,
        };
        if response.status().is_success() {
            response.extensions_mut().insert(ToVisitor);
        }
        response
    }

    /// Exchanges the secret of a link.
    fn enter(&self, request: &Request<Bytes>) -> Response<HttpBody> {
        let link: Result<EnterRequest, _> = serde_json::from_slice(request.body());
        let link = link.map(|request| request.link).unwrap_or_default();
        let cookies = text(request.headers(), COOKIE);
        let Some(granted) = self.access.enter(&link, cookies, self.source.now()) else {
            return refused(
                StatusCode::UNAUTHORIZED,
                "this link was opened before, or is older than ten minutes",
            );
        };
        let mut response = json(&serde_json::json!({ "token": granted.token }));
        if let Ok(cookie) = HeaderValue::from_str(&granted.cookie) {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        response
    }

    /// What only a visitor may see or do.
    async fn to_visitor(&self, request: &Request<Bytes>, path: &str) -> Response<HttpBody> {
        let headers = request.headers();
        let (cookies, token) = (text(headers, COOKIE), text(headers, TOKEN));
        let Some(visitor) = self.access.visitor(cookies, token, self.source.now()) else {
            return refused(
                StatusCode::UNAUTHORIZED,
                "open the page by a link of `gatepost dashboard`",
            );
        };
        match path {
            "/trend" => json(&serde_json::json!({
                "trend": self.trend.message(),
                "actions": self.actions == PageActions::Allowed,
            })),
            "/events" => self.streams.stream(cookies, token),
            "/leave" => {
                self.access.leave(token);
                plain_text(StatusCode::NO_CONTENT, "")
            }
            _ => {
                let asking = AskingBrowser::new(visitor, request.headers());
                self.ask(request.body(), &asking).await
            }
        }
    }

    /// An operator's request, as far as the page may send it.
    async fn ask(&self, body: &Bytes, browser: &AskingBrowser) -> Response<HttpBody> {
        let request: message::Request = match serde_json::from_slice(body) {
            Ok(request) => request,
            Err(fault) => return refused(StatusCode::BAD_REQUEST, &format!("no request: {fault}")),
        };
        match self.permitted(&request, browser) {
            Permitted::ToRead => {}
            Permitted::ToChange => {
                let (who, from) = (browser.who(), browser.from());
                let asked = serde_json::to_string(&request).unwrap_or_default();
                info!(who, from, asked, "page");
            }
            Permitted::Never(why) => return refused(StatusCode::FORBIDDEN, why),
        }
        let by = format!("{} at {}, on the page", browser.who(), browser.from());
        json(&self.source.answer(request, &by).await)
    }

    fn permitted(&self, request: &message::Request, browser: &AskingBrowser) -> Permitted {
        use message::Request as Asked;
        let subject = match request {
            Asked::Explain { .. } | Asked::Users { .. } | Asked::Report { .. } => {
                return Permitted::ToRead;
            }
            Asked::BansAdd { own: true, .. } => {
                return Permitted::Never("the page bans no address of this machine");
            }
            Asked::BansAdd { subject, .. } => Some(subject),
            Asked::Expel { target, .. } => Some(target),
            Asked::BansRemove { .. } | Asked::Forgive { .. } | Asked::Forget { .. } => None,
            _ => return Permitted::Never("the page cannot do that"),
        };
        if self.actions == PageActions::Forbidden {
            return Permitted::Never(
                "the page may change nothing: actions = true in [http] allows it",
            );
        }
        match subject.is_some_and(|subject| browser.is_within(subject)) {
            true => Permitted::Never("that is where you come from yourself"),
            false => Permitted::ToChange,
        }
    }
}

/// What the page may do with a request.
enum Permitted {
    ToRead,
    ToChange,
    Never(&'static str),
}

/// A visitor, and where they are: where the link was asked for, and the browser by what a web server in front says.
/// That may be invented, and is believed all the same: it only spares addresses of what this visitor would do to them.
struct AskingBrowser {
    visitor: Visitor,
    places: Vec<ClientKey>,
}

/// Addresses of proxies that are looked at, the last ones.
const HOPS: usize = 8;

impl AskingBrowser {
    fn new(visitor: Visitor, headers: &HeaderMap) -> Self {
        let fields = headers.get_all(FORWARDED_FOR).iter();
        let fields = fields.filter_map(|field| field.to_str().ok());
        let hops = fields.flat_map(|field| field.split(',')).map(str::trim);
        let hops: Vec<ClientKey> = hops.filter_map(|hop| hop.parse().ok()).collect();
        let last = hops.into_iter().rev().take(HOPS);
        let link = visitor.from.iter().filter_map(|from| from.parse().ok());
        Self {
            places: link.chain(last).collect(),
            visitor,
        }
    }

    fn who(&self) -> &str {
        self.visitor.who.as_deref().unwrap_or("somebody")
    }

    /// The nearest that is known.
    fn from(&self) -> String {
        let place = self.places.first().map(ToString::to_string);
        place.unwrap_or_else(|| "this machine".to_owned())
    }

    /// Whether an address or a network is, or holds, one of the places.
    fn is_within(&self, subject: &str) -> bool {
        self.places
            .iter()
            .any(|place| match subject.parse::<ClientKey>() {
                Ok(client) => client == *place,
                Err(_) => subject.parse::<NetworkKey>() == Ok(place.network()),
            })
    }
}

/// A field, if it is there and text.
fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    let field = headers.get(name);
    field
        .and_then(|field| field.to_str().ok())
        .unwrap_or_default()
}

/// Whether a request was made by a page of ours: JSON, which no form can send, and of our own origin. Browsers say
/// that in Sec-Fetch-Site where the connection is trusted, else in Origin.
fn is_from_the_page(headers: &HeaderMap) -> bool {
    let field = |name: HeaderName| headers.get(name).and_then(|field| field.to_str().ok());
    let is_json = field(CONTENT_TYPE).is_some_and(|kind| kind.split(';').next() == Some(JSON));
    let origin = field(ORIGIN).and_then(|origin| origin.split_once("://"));
    let host = field(HOST);
    is_json
        && match (field(FETCH_SITE), origin) {
            (Some(site), _) => site == "same-origin",
            (None, Some((_, origin))) => Some(origin) == host,
            // No browser.
            (None, None) => !headers.contains_key(ORIGIN),
        }
}

fn json(value: &impl serde::Serialize) -> Response<HttpBody> {
    content(serde_json::to_vec(value).unwrap_or_default(), JSON)
}

/// As the operator's socket refuses.
fn refused(status: StatusCode, why: &str) -> Response<HttpBody> {
    let message = why.to_owned();
    let mut response = json(&message::Response::Refused { message });
    *response.status_mut() = status;
    response
}
