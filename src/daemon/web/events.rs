//! events - the live stream of the page: the snapshot, once a second, as Server-Sent Events
//!
//! All streams of a second share one snapshot. A stream ends with its visit. No task: hyper asks for the next event
//! when the connection has taken the last one, so a slow browser slows only itself.
//! Not here: who may see it (`dashboard`). <https://html.spec.whatwg.org/multipage/server-sent-events.html>

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use super::access::PageAccess;
use super::{StateSource, content};
use crate::net::http::{HttpBody, plain_text};
use crate::report::limits::ResourceLimit;
use gatepost_core::moment::Moment;

const EVERY: Duration = Duration::from_secs(1);

/// How old a snapshot may be to be shown again.
const FRESH: Duration = Duration::from_millis(900);

/// Streams at once.
const STREAMS: usize = 8;

/// Attempts in an event; of more in a second the last.
const ATTEMPTS: usize = 60;

/// All streams.
#[derive(Debug)]
pub(super) struct EventStreams<S> {
    shared: Arc<SharedSnapshot<S>>,
    places: Arc<Semaphore>,
}

#[derive(Debug)]
struct SharedSnapshot<S> {
    source: Arc<S>,
    access: Arc<PageAccess>,
    last: Mutex<Option<(Moment, Bytes)>>,
}

/// One stream.
struct EventStream<S> {
    shared: Arc<SharedSnapshot<S>>,
    cookies: String,
    token: String,
    pause: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl<S: StateSource> EventStreams<S> {
    pub(super) fn new(source: Arc<S>, access: Arc<PageAccess>) -> Self {
        Self {
            shared: Arc::new(SharedSnapshot {
                source,
                access,
                last: Mutex::default(),
            }),
            // limit: http-streams
            places: Arc::new(Semaphore::new(STREAMS)),
        }
    }

    /// A new stream, for a visit that shows these secrets.
    pub(super) fn stream(&self, cookies: &str, token: &str) -> Response<HttpBody> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            let limits = self.shared.source.limits();
            limits.count(ResourceLimit::HttpStreams);
            return plain_text(StatusCode::SERVICE_UNAVAILABLE, "too many pages are open\n");
        };
        let stream = EventStream {
            shared: Arc::clone(&self.shared),
            cookies: cookies.to_owned(),
            token: token.to_owned(),
            pause: Box::pin(sleep(Duration::ZERO)),
            _place: place,
        };
        let mut response = content("", "text/event-stream").map(|_| stream.boxed_unsync());
        // nginx would keep events until it has some kilobytes of them.
        let unbuffered = (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        );
        response.headers_mut().extend([unbuffered]);
        response
    }
}

impl<S: StateSource> SharedSnapshot<S> {
    fn event(&self, now: Moment) -> Bytes {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, event)) = &*last
            && now.since(*at) < FRESH
        {
            return event.clone();
        }
        let mut watch = self.source.watch();
        let old = watch.attempts.len().saturating_sub(ATTEMPTS);
        watch.attempts.drain(..old);
        // One line, as JSON without indentation is.
        let line = serde_json::to_string(&watch).unwrap_or_default();
        let event = Bytes::from(format!("data: {line}\n\n"));
        *last = Some((now, event.clone()));
        event
    }
}

impl<S: StateSource> Body for EventStream<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.pause.as_mut().poll(context));
        self.pause = Box::pin(sleep(EVERY));
        let shared = &self.shared;
        let now = shared.source.now();
        if shared
            .access
            .visitor(&self.cookies, &self.token, now)
            .is_none()
        {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(shared.event(now)))))
    }
}
