use http_body_util::BodyExt;
use hyper::header::{ACCEPT, HOST};

use super::*;
use crate::admin::message::UpstreamMessage;

#[derive(Default)]
struct Fixed {
    status: StatusMessage,
    durations: Durations,
}

impl StateSource for Fixed {
    fn status(&self) -> StatusMessage {
        self.status.clone()
    }

    fn durations(&self) -> &Durations {
        &self.durations
    }
}

fn handler(status: StatusMessage) -> WebHandler<Fixed> {
    let settings = WebSettings {
        address: HttpAddress::Tcp("127.0.0.1:0".parse().unwrap()),
        hosts: Vec::new(),
    };
    WebHandler::new(
        &settings,
        Fixed {
            status,
            ..Fixed::default()
        },
    )
}

async fn ask(
    handler: &WebHandler<Fixed>,
    request: hyper::http::request::Builder,
) -> (StatusCode, HeaderMap, String) {
    let response = handler.answer(request.body(Bytes::new()).unwrap()).await;
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    (head.status, head.headers, body)
}

fn get(path: &str) -> hyper::http::request::Builder {
    Request::get(path).header(HOST, "127.0.0.1:9465")
}

#[tokio::test]
async fn metrics_come_in_the_format_that_is_asked_for_under_its_name() {
    let handler = handler(StatusMessage::default());
    let (status, headers, page) = ask(&handler, get("/metrics")).await;
    assert_eq!((status, page.contains("# EOF")), (StatusCode::OK, false));
    assert_eq!(headers[CONTENT_TYPE], Exposition::Text.content_type());
    assert_eq!(headers[CACHE_CONTROL], "no-store");
    let wanted = get("/metrics").header(ACCEPT, "application/openmetrics-text");
    let (_, headers, page) = ask(&handler, wanted).await;
    assert!(page.ends_with("# EOF\n"));
    assert_eq!(
        headers[CONTENT_TYPE],
        Exposition::OpenMetrics.content_type()
    );
}

#[tokio::test]
async fn a_foreign_name_gets_421_whatever_it_asks() {
    let handler = handler(StatusMessage::default());
    for path in ["/", "/metrics", "/healthz", "/readyz", "/no-such-path"] {
        for method in [Method::GET, Method::POST, Method::HEAD] {
            let request = Request::builder().method(method).uri(path);
            let request = request.header(HOST, "evil.example:9465");
            let (status, _, body) = ask(&handler, request).await;
            assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{path}");
            assert!(!body.contains("gatepost_"), "{body}");
        }
    }
}

#[tokio::test]
async fn it_is_ready_when_logins_can_work_and_says_why_not() {
    let works = handler(StatusMessage {
        logins_work: true,
        ..StatusMessage::default()
    });
    assert_eq!(ask(&works, get("/readyz")).await.0, StatusCode::OK);
    let fails = handler(StatusMessage {
        upstream: vec![UpstreamMessage {
            address: "127.0.0.1:10465".to_owned(),
            state: "unusable".to_owned(),
            reason: Some("it offers no AUTH".to_owned()),
            ..UpstreamMessage::default()
        }],
        backend_outage: true,
        ..StatusMessage::default()
    });
    let (status, _, why) = ask(&fails, get("/readyz")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        why,
        "127.0.0.1:10465: it offers no AUTH\nthe backend rejects trusted users\n"
    );
    let (status, _, body) = ask(&fails, get("/healthz")).await;
    assert_eq!((status, &*body), (StatusCode::OK, "ok\n"));
}

#[tokio::test]
async fn what_is_not_there_or_would_change_something_is_refused() {
    let handler = handler(StatusMessage::default());
    assert_eq!(ask(&handler, get("/")).await.0, StatusCode::NOT_FOUND);
    let post = Request::post("/metrics").header(HOST, "localhost");
    let (status, headers, _) = ask(&handler, post).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(headers[ALLOW], "GET, HEAD");
}
