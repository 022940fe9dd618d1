//! exchange - one request of a connection: its body is read, its answer is made
//!
//! Not here: the connection and its seat (`http`), what is answered (each door).

use std::sync::atomic::{AtomicBool, Ordering};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Request, Response, StatusCode};
use tokio::time::timeout;

use super::seats::Seat;
use super::{HttpBody, HttpBounds, HttpHandler, plain_text};

/// Of a body that is too long so many times its bound are read and dropped.
pub(super) const DROPPED: usize = 64;

/// Reads the body of a request and has it answered.
pub(super) async fn respond(
    handler: &impl HttpHandler,
    (bounds, seat): (&HttpBounds, &Seat),
    request: Request<Incoming>,
    answering: &AtomicBool,
) -> Response<HttpBody> {
    let (head, body) = request.into_parts();
    answering.store(false, Ordering::Relaxed);
    match handler.may_stay(&head) {
        true => seat.served(),
        false => seat.asked(),
    }
    let body = timeout(bounds.patience, read(body, bounds.body)).await;
    answering.store(true, Ordering::Relaxed);
    let response = match body {
        Ok(Ok(Some(body))) => handler.answer(Request::from_parts(head, body)).await,
        Ok(Ok(None)) => handler.too_long(&head),
        Ok(Err(_)) => last_answer(StatusCode::BAD_REQUEST),
        Err(_) => last_answer(StatusCode::REQUEST_TIMEOUT),
    };
    if handler.keeps_seat(&response) {
        seat.served();
    }
    let is_whole = response.body().size_hint().exact().is_some();
    answering.store(is_whole, Ordering::Relaxed);
    response
}

/// The body of a request. None: it is longer than `most`. What is beyond is read and dropped, so that the client is
/// told so and can go on; much more is not even read.
async fn read(mut body: Incoming, most: usize) -> Result<Option<Bytes>, hyper::Error> {
    let (mut kept, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(octets) = frame?.into_data() else {
            continue;
        };
        length += octets.len();
        if length > most.saturating_mul(DROPPED) {
            break;
        }
        if length <= most {
            kept.extend_from_slice(&octets);
        }
    }
    Ok((length <= most).then(|| kept.into()))
}

/// A refusal after which nothing more can be read from the connection.
fn last_answer(status: StatusCode) -> Response<HttpBody> {
    let mut response = plain_text(status, "");
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}
