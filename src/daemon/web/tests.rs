use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use http_body_util::BodyExt;
use hyper::header::{ACCEPT, CACHE_CONTROL, HOST};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::access::Visitor;
use super::*;
use crate::admin::message::UpstreamMessage;
use crate::net::http::HttpServer;

#[derive(Default)]
struct Fixed {
    status: StatusMessage,
    durations: Durations,
    limits: LimitCounters,
    asked: Mutex<Vec<String>>,
    /// Milliseconds since the beginning.
    now: AtomicU64,
    snapshots: AtomicU64,
}

impl StateSource for Fixed {
    fn status(&self) -> StatusMessage {
        self.status.clone()
    }

    fn durations(&self) -> &Durations {
        &self.durations
    }

    fn now(&self) -> Moment {
        let passed = Duration::from_millis(self.now.load(Ordering::Relaxed));
        Moment::from_seconds(1_000_000) + passed
    }

    fn watch(&self) -> WatchMessage {
        self.snapshots.fetch_add(1, Ordering::Relaxed);
        WatchMessage {
            status: self.status.clone(),
            ..WatchMessage::default()
        }
    }

    fn limits(&self) -> &LimitCounters {
        &self.limits
    }

    async fn answer(&self, request: message::Request, by: &str) -> message::Response {
        let message = format!("{request:?} ({by})");
        self.asked.lock().unwrap().push(message.clone());
        message::Response::Done { message }
    }
}

fn handler(status: StatusMessage) -> WebHandler<Fixed> {
    page(status, PageActions::Forbidden, Arc::default())
}

fn page(status: StatusMessage, actions: PageActions, access: Arc<PageAccess>) -> WebHandler<Fixed> {
    let settings = WebSettings {
        address: HttpAddress::Tcp("127.0.0.1:0".parse().unwrap()),
        hosts: Vec::new(),
        actions,
    };
    let source = Fixed {
        status,
        ..Fixed::default()
    };
    WebHandler::new(&settings, source, access, Arc::default())
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
    assert_eq!(ask(&handler, get("/no")).await.0, StatusCode::NOT_FOUND);
    let post = Request::post("/metrics").header(HOST, "localhost");
    let (status, headers, _) = ask(&handler, post).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(headers[ALLOW], "GET, HEAD");
}

/// A browser that came by a link.
struct Browser {
    web: WebHandler<Fixed>,
    access: Arc<PageAccess>,
    cookie: String,
    token: String,
}

impl Browser {
    async fn new(actions: PageActions, from: Option<&str>) -> Self {
        let access = Arc::new(PageAccess::default());
        let web = page(StatusMessage::default(), actions, Arc::clone(&access));
        let visitor = Visitor::new(Some("root".to_owned()), from.map(str::to_owned));
        let link = access.link(visitor, web.source.now());
        let body = format!("{{\"link\":\"{link}\"}}");
        let (status, headers, body) = send(&web, post("/enter"), &body).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let cookie = headers["set-cookie"].to_str().unwrap();
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
        Self {
            cookie: cookie.split(';').next().unwrap().to_owned(),
            token: answer["token"].as_str().unwrap().to_owned(),
            web,
            access,
        }
    }

    fn with_secrets(&self, request: Asking) -> Asking {
        request
            .header("cookie", &self.cookie)
            .header("x-gatepost-token", &self.token)
    }

    async fn ask(&self, request: &message::Request) -> (StatusCode, String) {
        let body = serde_json::to_string(request).unwrap();
        let (status, _, body) = send(&self.web, self.with_secrets(post("/ask")), &body).await;
        (status, body)
    }

    fn asked(&self) -> Vec<String> {
        self.web.source.asked.lock().unwrap().clone()
    }
}

type Asking = hyper::http::request::Builder;

fn post(path: &str) -> Asking {
    Request::post(path)
        .header(HOST, "127.0.0.1:9465")
        .header("content-type", "application/json")
        .header("sec-fetch-site", "same-origin")
}

async fn send(
    web: &WebHandler<Fixed>,
    request: Asking,
    body: &str,
) -> (StatusCode, HeaderMap, String) {
    let body = Bytes::from(body.to_owned());
    let response = web.answer(request.body(body).unwrap()).await;
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        head.status,
        head.headers,
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

fn ban(subject: &str) -> message::Request {
    message::Request::BansAdd {
        subject: subject.to_owned(),
        seconds: 86_400,
        own: false,
    }
}

fn explain() -> message::Request {
    message::Request::Explain {
        address: "203.0.113.7".to_owned(),
        user: None,
    }
}

#[tokio::test]
async fn the_files_hold_no_data_and_no_other_page_may_use_them() {
    let web = handler(StatusMessage::default());
    for path in [
        "/",
        "/page.js",
        "/charts.js",
        "/page.css",
        "/uPlot.js",
        "/uPlot.css",
        "/uPlot.LICENSE",
    ] {
        let (status, headers, body) = ask(&web, get(path)).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(!body.is_empty(), "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self';",
            "style-src 'self';",
            "connect-src 'self';",
            "frame-ancestors 'none'",
            "form-action 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
    }
    let (_, _, html) = ask(&web, get("/")).await;
    assert!(!html.contains("onclick") && !html.contains("style=") && !html.contains("http://1"));
    let mut script = ask(&web, get("/page.js")).await.2;
    script += &ask(&web, get("/charts.js")).await.2;
    for markup in [
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
    ] {
        assert!(!script.contains(markup), "{markup}");
    }
}

#[tokio::test]
async fn without_the_cookie_or_without_the_token_there_is_no_data() {
    let browser = Browser::new(PageActions::Allowed, None).await;
    let (cookie, token) = (browser.cookie.as_str(), browser.token.as_str());
    let asked = serde_json::to_string(&explain()).unwrap();
    for path in ["/trend", "/events", "/ask", "/leave"] {
        for (cookie, token) in [
            ("", ""),
            (cookie, ""),
            ("", token),
            (cookie, "00"),
            ("x=y", token),
        ] {
            let request = match path {
                "/trend" | "/events" => get(path),
                _ => post(path),
            };
            let request = request
                .header("cookie", cookie)
                .header("x-gatepost-token", token);
            let (status, _, body) = send(&browser.web, request, &asked).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}: {body}");
            assert!(
                !body.contains("lately") && !body.contains("version"),
                "{body}"
            );
        }
    }
    assert_eq!(browser.asked(), [""; 0]);
    let trend = browser.with_secrets(get("/trend"));
    let (status, _, body) = send(&browser.web, trend, "").await;
    assert_eq!(
        (status, body.contains("\"lately\":[]")),
        (StatusCode::OK, true),
        "{body}"
    );
    assert_eq!(browser.ask(&explain()).await.0, StatusCode::OK);
    let leave = browser.with_secrets(post("/leave"));
    assert_eq!(
        send(&browser.web, leave, "{}").await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(browser.ask(&explain()).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_link_is_used_up_by_its_first_use() {
    let access = Arc::new(PageAccess::default());
    let web = page(
        StatusMessage::default(),
        PageActions::Forbidden,
        Arc::clone(&access),
    );
    let link = access.link(Visitor::default(), web.source.now());
    let body = format!("{{\"link\":\"{link}\"}}");
    assert_eq!(send(&web, post("/enter"), &body).await.0, StatusCode::OK);
    for body in [&body, "", "{}", "{\"link\":7}"] {
        let (status, headers, _) = send(&web, post("/enter"), body).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
        assert!(!headers.contains_key("set-cookie"));
    }
}

#[tokio::test]
async fn what_changes_something_comes_from_the_page_itself() {
    let browser = Browser::new(PageActions::Allowed, None).await;
    let body = serde_json::to_string(&ban("203.0.113.7")).unwrap();
    let plain = || {
        let request = Request::post("/ask").header(HOST, "127.0.0.1:9465");
        browser.with_secrets(request)
    };
    let json = || plain().header("content-type", "application/json");
    let foreign = [
        json().header("sec-fetch-site", "cross-site"),
        json().header("sec-fetch-site", "same-site"),
        json().header("sec-fetch-site", "none"),
        json().header("origin", "http://evil.example"),
        json().header("origin", "http://127.0.0.1:8000"),
        json().header("origin", "null"),
        plain()
            .header("content-type", "text/plain")
            .header("sec-fetch-site", "same-origin"),
        plain().header("content-type", "application/x-www-form-urlencoded"),
        plain().header("sec-fetch-site", "same-origin"),
    ];
    for request in foreign {
        let told = format!("{request:?}");
        let (status, ..) = send(&browser.web, request, &body).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{told}");
    }
    assert_eq!(browser.asked(), [""; 0]);
    for request in [
        json().header("sec-fetch-site", "same-origin"),
        json().header("origin", "http://127.0.0.1:9465"),
        json(),
    ] {
        let (status, ..) = send(&browser.web, request, &body).await;
        assert_eq!(status, StatusCode::OK);
    }
    assert_eq!(browser.asked().len(), 3);
    let get = browser.with_secrets(get("/ask"));
    assert_eq!(
        send(&browser.web, get, &body).await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn a_page_that_only_shows_changes_nothing() {
    let browser = Browser::new(PageActions::Forbidden, None).await;
    let target = || "anna".to_owned();
    for request in [
        ban("203.0.113.7"),
        message::Request::BansRemove { subject: target() },
        message::Request::Forgive { target: target() },
        message::Request::Forget {
            user: target(),
            network: None,
        },
        message::Request::Expel {
            target: target(),
            network: None,
        },
    ] {
        let (status, body) = browser.ask(&request).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{request:?}");
        assert!(body.contains("actions = true"), "{body}");
    }
    assert_eq!(browser.asked(), [""; 0]);
    assert_eq!(browser.ask(&explain()).await.0, StatusCode::OK);
    let users = message::Request::Users { names: Vec::new() };
    assert_eq!(browser.ask(&users).await.0, StatusCode::OK);
    let report = message::Request::Report { span_s: 86_400 };
    assert_eq!(browser.ask(&report).await.0, StatusCode::OK);
}

#[tokio::test]
async fn with_actions_the_page_still_does_no_more_than_its_buttons_and_bans_no_own_address() {
    let browser = Browser::new(PageActions::Allowed, Some("203.0.113.7")).await;
    for request in [
        message::Request::Status,
        message::Request::Learn {
            logins: Vec::new(),
            settling: message::SettlingAfter::Ends,
        },
        message::Request::BansImport {
            subjects: vec!["203.0.113.9".to_owned()],
            seconds: 1,
        },
        message::Request::Dashboard {
            who: None,
            from: None,
        },
        message::Request::BansAdd {
            subject: "203.0.113.9".to_owned(),
            seconds: 1,
            own: true,
        },
        ban("203.0.113.7"),
        ban("203.0.113.0/24"),
        message::Request::Expel {
            target: "203.0.113.7".to_owned(),
            network: None,
        },
    ] {
        let (status, _) = browser.ask(&request).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{request:?}");
    }
    assert_eq!(browser.asked(), [""; 0]);
    for request in [ban("203.0.113.8"), ban("198.51.100.0/24")] {
        assert_eq!(browser.ask(&request).await.0, StatusCode::OK);
    }
    let asked = browser.asked();
    assert_eq!(asked.len(), 2);
    assert!(
        asked[0].ends_with("(root at 203.0.113.7, on the page)"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn nobody_bans_the_browser_that_a_web_server_in_front_names() {
    let browser = Browser::new(PageActions::Allowed, None).await;
    let ask = async |subject: &str| {
        let request = browser.with_secrets(post("/ask"));
        let request = request
            .header("x-forwarded-for", "unknown, 198.51.100.4")
            .header("x-forwarded-for", "2001:db8:1:2::9");
        let body = serde_json::to_string(&ban(subject)).unwrap();
        send(&browser.web, request, &body).await.0
    };
    for own in [
        "198.51.100.4",
        "198.51.100.0/24",
        "2001:db8:1:2::77",
        "2001:db8:1::/48",
    ] {
        assert_eq!(ask(own).await, StatusCode::FORBIDDEN, "{own}");
    }
    assert_eq!(browser.asked(), [""; 0]);
    assert_eq!(ask("203.0.113.8").await, StatusCode::OK);
    let asked = browser.asked();
    assert!(
        asked[0].ends_with("(root at 2001:db8:1:2::/64, on the page)"),
        "{asked:?}"
    );
}

/// The next event of a stream, if there is one.
async fn event(body: &mut HttpBody) -> Option<String> {
    let frame = body.frame().await?.unwrap();
    Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_an_event_a_second_and_ends_with_its_visit() {
    let browser = Browser::new(PageActions::Forbidden, None).await;
    let request = browser
        .with_secrets(get("/events"))
        .body(Bytes::new())
        .unwrap();
    let response = browser.web.answer(request).await;
    assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
    let mut body = response.into_body();
    for _ in 0..3 {
        let event = event(&mut body).await.unwrap();
        let line = event
            .strip_prefix("data: ")
            .unwrap()
            .strip_suffix("\n\n")
            .unwrap();
        assert!(!line.contains('\n'), "{line}");
        let watch: WatchMessage = serde_json::from_str(line).unwrap();
        assert_eq!(watch.status, StatusMessage::default());
    }
    browser.access.leave(&browser.token);
    assert_eq!(event(&mut body).await, None);
}

#[tokio::test(start_paused = true)]
async fn all_pages_share_a_snapshot_that_is_never_older_than_a_second() {
    let browser = Browser::new(PageActions::Forbidden, None).await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        let request = browser.with_secrets(get("/events")).body(Bytes::new());
        let response = browser.web.answer(request.unwrap()).await;
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        streams.push(response.into_body());
    }
    let source = &browser.web.source;
    // Each stream has an event a second. What has come is in the first event that is a snapshot's age later: within
    // two seconds, whenever it came.
    for (millis, taken) in [(0, 1), (899, 1), (900, 2), (1_800, 3), (2_699, 3)] {
        source.now.store(millis, Ordering::Relaxed);
        for stream in &mut streams {
            assert!(event(stream).await.is_some());
        }
        assert_eq!(source.snapshots.load(Ordering::Relaxed), taken, "{millis}");
    }
}

#[tokio::test]
async fn who_holds_all_connections_without_a_visit_keeps_no_visitor_out() {
    let browser = Browser::new(PageActions::Forbidden, None).await;
    let limits = Arc::new(LimitCounters::default());
    let address = HttpAddress::Tcp("127.0.0.1:0".parse().unwrap());
    let server = HttpServer::bind(&address, BOUNDS, &limits).unwrap();
    let address = server.local_addr().unwrap();
    let (_drainer, drain) = crate::drain::channel();
    let secrets = format!(
        "Cookie: {}\r\nX-Gatepost-Token: {}\r\n",
        browser.cookie, browser.token
    );
    tokio::spawn(server.serve(browser.web, drain));
    let ask = async |path: &str, fields: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        let read = stream.read_exact(&mut head).await;
        (
            read.map(|_| String::from_utf8(head.to_vec()).unwrap()).ok(),
            stream,
        )
    };
    let served = Some("HTTP/1.1 200".to_owned());
    let (told, _first_visit) = ask("/trend", &secrets).await;
    assert_eq!(told, served);
    let mut held = Vec::new();
    for path in ["/", "/metrics", "/healthz", "/page.js"].repeat(16) {
        let (told, stream) = ask(path, "").await;
        assert_eq!(told, served, "{path}");
        held.push(stream);
    }
    let (told, _second_visit) = ask("/trend", &secrets).await;
    assert_eq!(
        told, served,
        "visitors have the seats of those who are none"
    );
    assert!(limits.get(ResourceLimit::HttpConnections) >= 33);
}

#[tokio::test]
async fn eight_pages_are_shown_live_and_the_ninth_when_one_is_closed() {
    let browser = Browser::new(PageActions::Forbidden, None).await;
    let open = async || {
        let request = browser.with_secrets(get("/events")).body(Bytes::new());
        browser.web.answer(request.unwrap()).await
    };
    let mut streams = Vec::new();
    for _ in 0..8 {
        let stream = open().await;
        assert_eq!(stream.status(), StatusCode::OK);
        streams.push(stream);
    }
    assert_eq!(open().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(browser.web.source.limits.get(ResourceLimit::HttpStreams), 1);
    streams.pop();
    assert_eq!(open().await.status(), StatusCode::OK);
}

/// The page says every reason and every cause in words.
#[test]
fn the_page_has_words_for_every_reason_of_the_gate() {
    use gatepost_core::gate::request::verdict::{BanCause, Reason};
    let script = include_str!("page/page.js");
    let words = |object: &str| {
        let begins = script
            .split_once(&format!("const {object} = {{"))
            .unwrap()
            .1;
        begins.split_once("};").unwrap().0
    };
    let reasons = Reason::all().map(|reason| (words("REASONS"), reason.to_string()));
    let causes = BanCause::ALL.map(|cause| (words("CAUSES"), cause.to_string()));
    for (words, name) in reasons.chain(causes) {
        let quoted = format!("\"{name}\": \"");
        let plain = format!(" {name}: \"");
        assert!(words.contains(&quoted) || words.contains(&plain), "{name}");
    }
}
