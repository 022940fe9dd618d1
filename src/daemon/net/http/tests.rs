//! tests - what a door's clients may do, and what they may not hold up

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Frame};
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::sync::mpsc;

use super::exchange::DROPPED;
use super::*;
use crate::drain::{self, Drainer};

const BOUNDS: HttpBounds = HttpBounds {
    section: "[auth-policy]",
    connections: 3,
    limit: ResourceLimit::PolicyConnections,
    body: 16,
    patience: Duration::from_secs(30),
};

/// Says what it was asked; `/hidden` is refused, and `/stream` streams what the test sends.
#[derive(Default)]
struct Echo {
    streams: std::sync::Mutex<Option<mpsc::Receiver<Bytes>>>,
}

struct Lines(mpsc::Receiver<Bytes>);

impl Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let line = self.0.poll_recv(context);
        line.map(|line| line.map(|octets| Ok(Frame::data(octets))))
    }
}

impl HttpHandler for Echo {
    fn may_stay(&self, head: &Parts) -> bool {
        head.uri.path() == "/own"
    }

    async fn answer(&self, request: Request<Bytes>) -> Response<HttpBody> {
        match request.uri().path() {
            "/hidden" => plain_text(StatusCode::UNAUTHORIZED, ""),
            "/slow" => {
                sleep(Duration::from_secs(1)).await;
                plain_text(StatusCode::OK, "slow")
            }
            "/stream" => {
                let lines = self.streams.lock().unwrap().take().unwrap();
                Response::new(Lines(lines).boxed_unsync())
            }
            path => plain_text(
                StatusCode::OK,
                format!("{} {path} {:?}", request.method(), request.body()),
            ),
        }
    }
}

/// One connection to a door, without a socket: time can be paused.
fn connection(handler: Echo) -> (DuplexStream, Drainer, tokio::task::JoinHandle<()>) {
    let (ours, theirs) = duplex(64 * 1024);
    let (drainer, drain) = drain::channel();
    let serving = tokio::spawn(async move {
        let seats = Seats::new(1);
        let seat = seats.take();
        serve_connection(theirs, || true, &handler, &BOUNDS, &seat, drain).await;
    });
    (ours, drainer, serving)
}

fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// Reads what comes until it ends like this.
async fn read_until(stream: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        let mut octet = [0];
        let some = stream.read(&mut octet).await.unwrap();
        assert!(some > 0, "ended: {}", String::from_utf8_lossy(&read));
        read.push(octet[0]);
    }
    String::from_utf8(read).unwrap()
}

/// All that comes until the other side closes.
async fn read_all(mut stream: impl AsyncRead + Unpin) -> String {
    let mut read = Vec::new();
    // A reset after the answer is an end, too.
    let _ = stream.read_to_end(&mut read).await;
    String::from_utf8(read).unwrap()
}

#[tokio::test(start_paused = true)]
async fn requests_are_answered_one_after_the_other_on_one_connection() {
    let (mut client, _drainer, _) = connection(Echo::default());
    for body in ["first", "second"] {
        client.write_all(&post("/ask", body)).await.unwrap();
        let answer = read_until(&mut client, &format!("POST /ask b\"{body}\"")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_is_read_to_its_bound_and_no_further() {
    let at = "x".repeat(BOUNDS.body);
    let over = format!("{at}x");
    let chunked = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{at}\r\n1\r\nx\r\n0\r\n\r\n"
    );
    for (request, status) in [
        (post("/", &at), "200"),
        (post("/", &over), "413"),
        (chunked.into_bytes(), "413"),
    ] {
        let (mut client, _drainer, _) = connection(Echo::default());
        client.write_all(&request).await.unwrap();
        let head = read_until(&mut client, "\r\n").await;
        assert!(head.contains(status), "{head}");
        // The rest was read, and the connection goes on.
        client.write_all(&post("/", "next")).await.unwrap();
        read_until(&mut client, "b\"next\"").await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_body_without_an_end_only_so_much_is_read() {
    let (mut client, _drainer, serving) = connection(Echo::default());
    let begun = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n";
    client.write_all(begun.as_bytes()).await.unwrap();
    let most = BOUNDS.body * DROPPED + 1;
    client.write_all(&vec![b'x'; most]).await.unwrap();
    let head = read_until(&mut client, "\r\n").await;
    assert!(head.contains("413"), "{head}");
    serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_a_slow_body_and_silence_have_an_end() {
    for begun in [
        "",
        "GET / HT",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab",
    ] {
        let (mut client, _drainer, serving) = connection(Echo::default());
        client.write_all(begun.as_bytes()).await.unwrap();
        let early = timeout(
            BOUNDS.patience - Duration::from_secs(1),
            read_all(&mut client),
        );
        assert!(early.await.is_err(), "{begun:?} is ended too early");
        let answer = timeout(Duration::from_secs(2), read_all(client))
            .await
            .unwrap();
        assert!(answer.is_empty() || answer.contains(" 408 "), "{answer}");
        timeout(Duration::from_secs(1), serving)
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_has_an_end_after_its_answer_too() {
    let (mut client, _drainer, _) = connection(Echo::default());
    client.write_all(&post("/", "")).await.unwrap();
    read_until(&mut client, "b\"\"").await;
    let ended = timeout(BOUNDS.patience + Duration::from_secs(1), read_all(client));
    assert_eq!(ended.await.unwrap(), "");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_the_answer_does_not_hold_the_connection() {
    let (lines, received) = mpsc::channel(1);
    let (mut client, _drainer, serving) = connection(Echo {
        streams: Some(received).into(),
    });
    client.write_all(&post("/stream", "")).await.unwrap();
    let feeding = tokio::spawn(async move {
        while lines.send(Bytes::from(vec![b'x'; 16 * 1024])).await.is_ok() {}
    });
    timeout(BOUNDS.patience + Duration::from_secs(1), serving)
        .await
        .unwrap()
        .unwrap();
    feeding.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_too_long_or_is_none_is_refused() {
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(HEAD_OCTETS));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(HEADERS + 1));
    let lengths = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx";
    for (request, status) in [
        (&*long, "431"),
        (&many, "431"),
        (lengths, "400"),
        ("EHLO x\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nX\0: y\r\n\r\n", "400"),
    ] {
        let (mut client, _drainer, _) = connection(Echo::default());
        client.write_all(request.as_bytes()).await.unwrap();
        let answer = read_all(client).await;
        assert!(answer.contains(status), "{status}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_a_stream_comes_as_it_is_made() {
    let (lines, received) = mpsc::channel(1);
    let (mut client, drainer, serving) = connection(Echo {
        streams: Some(received).into(),
    });
    client.write_all(&post("/stream", "")).await.unwrap();
    for line in ["data: one\n", "data: two\n"] {
        lines.send(Bytes::from(line)).await.unwrap();
        read_until(&mut client, line).await;
    }
    drainer.begin();
    timeout(Duration::from_millis(10), serving)
        .await
        .unwrap()
        .unwrap();
    assert!(
        lines.is_closed(),
        "the drain ends a stream that does not end by itself"
    );
}

#[tokio::test(start_paused = true)]
async fn the_drain_waits_for_an_answer_and_for_nothing_else() {
    let (mut client, drainer, serving) = connection(Echo::default());
    client.write_all(&post("/slow", "")).await.unwrap();
    tokio::task::yield_now().await;
    drainer.begin();
    let answer = read_all(client).await;
    assert!(answer.ends_with("slow"), "{answer}");
    serving.await.unwrap();
    for half in [
        "",
        "POST / HT",
        "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nx",
    ] {
        let (mut client, drainer, serving) = connection(Echo::default());
        client.write_all(half.as_bytes()).await.unwrap();
        sleep(Duration::from_millis(1)).await;
        drainer.begin();
        let at_once = timeout(Duration::from_millis(10), serving);
        at_once.await.unwrap().unwrap();
        assert_eq!(read_all(client).await, "");
    }
}

/// A door on a real socket.
fn serve(address: &HttpAddress) -> (Option<SocketAddr>, Arc<LimitCounters>, Drainer) {
    let limits = Arc::new(LimitCounters::default());
    let server = HttpServer::bind(address, BOUNDS, &limits).unwrap();
    let local = server.to_string().parse().ok();
    let (drainer, drain) = drain::channel();
    tokio::spawn(server.serve(Echo::default(), drain));
    (local, limits, drainer)
}

async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), path: &str) -> String {
    stream.write_all(&post(path, "")).await.unwrap();
    read_until(stream, "\r\n\r\n").await
}

#[tokio::test]
async fn a_new_connection_takes_the_place_of_one_that_was_served_nothing() {
    let loopback = HttpAddress::Tcp("127.0.0.1:0".parse().unwrap());
    let (address, limits, _drainer) = serve(&loopback);
    let connect = || TcpStream::connect(address.unwrap());
    let acted = || limits.get(ResourceLimit::PolicyConnections);
    let mut served = connect().await.unwrap();
    assert!(ask(&mut served, "/").await.contains(" 200 "));
    let silent = connect().await.unwrap();
    let mut refused = connect().await.unwrap();
    assert!(ask(&mut refused, "/hidden").await.contains(" 401 "));
    assert_eq!(acted(), 0, "at the limit");
    let mut third = connect().await.unwrap();
    assert!(ask(&mut third, "/").await.contains(" 200 "));
    assert_eq!(
        read_all(silent).await,
        "",
        "the oldest that was served nothing"
    );
    let mut fourth = connect().await.unwrap();
    assert!(ask(&mut fourth, "/").await.contains(" 200 "));
    assert_eq!(acted(), 2);
    read_all(refused).await;
    let told = read_all(connect().await.unwrap()).await;
    assert!(told.starts_with("HTTP/1.1 503 "), "{told}");
    assert_eq!(acted(), 3);
    for kept in [&mut served, &mut third, &mut fourth] {
        kept.write_all(&post("/", "again")).await.unwrap();
        read_until(kept, "b\"again\"").await;
    }
    drop(served);
    // Its seat is free as soon as the door has seen the end.
    let mut tries = 0;
    loop {
        let mut next = connect().await.unwrap();
        next.write_all(&post("/", "")).await.unwrap();
        if read_all_until_answer(&mut next).await {
            break;
        }
        tries += 1;
        assert!(
            tries < 1_000,
            "the seat of a connection that ended stays taken"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_has_shown_that_it_may_ask_gives_way_to_nobody_while_it_waits_for_the_answer() {
    let loopback = HttpAddress::Tcp("127.0.0.1:0".parse().unwrap());
    let (address, limits, _drainer) = serve(&loopback);
    let connect = || TcpStream::connect(address.unwrap());
    let mut own = connect().await.unwrap();
    let head = "POST /own HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    own.write_all(head.as_bytes()).await.unwrap();
    // Its head is read then.
    read_until(&mut own, "100 Continue\r\n\r\n").await;
    let mut others = Vec::new();
    for _ in 0..6 {
        others.push(connect().await.unwrap());
    }
    for evicted in others.drain(..4) {
        assert_eq!(read_all(evicted).await, "");
    }
    assert_eq!(limits.get(ResourceLimit::PolicyConnections), 4);
    own.write_all(b"Allow").await.unwrap();
    read_until(&mut own, "b\"Allow\"").await;
}

#[tokio::test]
async fn a_question_that_lies_unread_is_answered_though_its_seat_is_wanted() {
    for path in ["/own", "/"] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut asking = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        std::io::Write::write_all(&mut asking, &post(path, "Allow")).unwrap();
        let registered = |stream: std::net::TcpStream| {
            stream.set_nonblocking(true).unwrap();
            TcpStream::from_std(stream).unwrap()
        };
        // The runtime knows nothing of its octets yet, and the seat is wanted already.
        let stream = Either::Left(registered(listener.accept().unwrap().0));
        let (seats, socket) = (Seats::new(1), unread::again(&stream).unwrap());
        let seat = seats.take();
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(pin!(seats.room()).poll(&mut context).is_pending());
        let (_drainer, drain) = drain::channel();
        let (handler, is_silent) = (Echo::default(), || socket.is_silent());
        let mut asking = registered(asking);
        tokio::select! {
            () = serve_connection(stream, is_silent, &handler, &BOUNDS, &seat, drain) => panic!("{path} was cut off"),
            _ = read_until(&mut asking, "b\"Allow\"") => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_refused_gives_way_also_while_it_sends() {
    let refused = "POST /hidden HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab";
    for (begun, gives_way) in [(refused, true), ("POST /own HT", false)] {
        let (mut client, theirs) = duplex(1024);
        client.write_all(begun.as_bytes()).await.unwrap();
        let seats = Seats::new(1);
        let seat = seats.take();
        let (_drainer, drain) = drain::channel();
        let handler = Echo::default();
        let serving = serve_connection(theirs, || false, &handler, &BOUNDS, &seat, drain);
        let mut serving = pin!(serving);
        let moment = Duration::from_millis(1);
        assert!(timeout(moment, &mut serving).await.is_err());
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(pin!(seats.room()).poll(&mut context).is_pending());
        let ended = timeout(moment, &mut serving).await.is_ok();
        assert_eq!(ended, gives_way, "{begun}");
    }
}

/// Whether this connection is served.
async fn read_all_until_answer(stream: &mut TcpStream) -> bool {
    let mut head = [0; 12];
    let read = stream.read_exact(&mut head).await;
    read.is_ok() && head.ends_with(b"200")
}

#[tokio::test]
async fn a_door_may_be_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let address = HttpAddress::Unix {
        path: path.clone(),
        group: None,
    };
    assert_eq!(address.to_string(), format!("unix:{}", path.display()));
    let (_, _, drainer) = serve(&address);
    let mut client = UnixStream::connect(&path).await.unwrap();
    assert!(ask(&mut client, "/").await.contains(" 200 "));
    drainer.begin();
    read_all(client).await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_its_section() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let limits = Arc::new(LimitCounters::default());
    let fault = HttpServer::bind(&HttpAddress::Tcp(address), BOUNDS, &limits).unwrap_err();
    let told = fault.to_string();
    let wanted = format!("[auth-policy]: cannot listen on {address}: ");
    assert!(told.starts_with(&wanted), "{told}");
}
