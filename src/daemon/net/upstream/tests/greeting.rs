//! greeting - what is sent to Postfix before a login, and offers that are refused

use tokio::io::duplex;

use super::*;
use crate::net::proxy_header::{self, Announced};

const DEADLINE: Duration = Duration::from_secs(10);

/// Greets a scripted Postfix as `party`; the whole script must be played.
async fn greet_as(
    announcement: Announce,
    party: Party<'_>,
    script: &str,
) -> Result<Capabilities, UpstreamFault> {
    let (near, mut far) = duplex(64 * 1024);
    let mut commands = CommandStream::new(near);
    let script = script.to_owned();
    let played = tokio::spawn(async move { play(&mut far, &script).await });
    let settings = announcing(announcement);
    let hello = commands.greet(party, &settings);
    let greeted = timeout(DEADLINE, hello).await;
    let greeted = greeted.unwrap_or(Err(UpstreamFault::TimedOut(commands.step())));
    drop(commands);
    played.await.unwrap();
    greeted
}

fn announcing(announce: Announce) -> UpstreamSettings {
    UpstreamSettings {
        announce,
        ..settings()
    }
}

async fn greet(announcement: Announce, script: &str) -> Result<Capabilities, UpstreamFault> {
    greet_as(announcement, Party::Client(&origin()), script).await
}

#[track_caller]
fn fault_text(greeted: Result<Capabilities, UpstreamFault>) -> String {
    greeted.unwrap_err().to_string()
}

#[tokio::test(start_paused = true)]
async fn version_2_of_proxy_names_the_client_before_anything_else() {
    let (near, mut far) = duplex(1024);
    let played = tokio::spawn(async move {
        let announced = proxy_header::read(&mut far).await.unwrap();
        let origin = origin();
        let expected = Announced::Client {
            source: origin.client,
            destination: origin.listener,
        };
        assert_eq!(announced, expected);
        play(&mut far, GREETS).await;
    });
    let mut commands = CommandStream::new(near);
    let origin = origin();
    let offered = commands
        .greet(Party::Client(&origin), &announcing(Announce::ProxyV2))
        .await
        .unwrap();
    assert_eq!(offered.mechanisms().len(), 6);
    played.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn ehlo_without_a_name_carries_the_address() {
    for (client, name) in [
        ("203.0.113.7:9", "[203.0.113.7]"),
        ("[::ffff:203.0.113.7]:9", "[203.0.113.7]"),
        ("[2001:db8::7]:9", "[IPv6:2001:db8::7]"),
    ] {
        let origin = ClientOrigin {
            client: client.parse().unwrap(),
            helo: None,
            ..origin()
        };
        let script = GREETS.replace("laptop", name);
        greet_as(Announce::Nothing, Party::Client(&origin), &script)
            .await
            .unwrap();
    }
}

const XCLIENT: &str = "
    S: 220 mx.example.org ESMTP
    C: EHLO laptop
    S: 250-mx.example.org
    S: 250-XCLIENT NAME ADDR PROTO HELO LOGIN PORT
    S: 250 AUTH PLAIN
    C: XCLIENT ADDR=203.0.113.7 PORT=51234 NAME=[UNAVAILABLE] PROTO=ESMTP HELO=laptop
";

#[tokio::test(start_paused = true)]
async fn xclient_is_sent_once_and_ehlo_again_after_its_220() {
    let script = format!(
        "{XCLIENT}
        S: 220 mx.example.org ESMTP
        C: EHLO laptop
        S: 250-mx.example.org
        S: 250 AUTH PLAIN"
    );
    let offered = greet(Announce::Xclient, &script).await.unwrap();
    assert!(offered.offers_xclient(), "what is offered to us");
}

#[tokio::test(start_paused = true)]
async fn postfix_is_refused_when_xclient_is_refused_or_missing() {
    let refused = format!("{XCLIENT}\nS: 550 5.7.0 insufficient authorization\nEND");
    assert!(
        fault_text(greet(Announce::Xclient, &refused).await).contains("refused at XCLIENT: 550")
    );
    let missing = format!("{GREETS}\nEND");
    assert!(fault_text(greet(Announce::Xclient, &missing).await).contains("no XCLIENT"));
    let probe = GREETS.replace("laptop", "gate.example.org");
    let probed = greet_as(Announce::Xclient, Party::Probe, &probe).await;
    assert!(fault_text(probed).contains("no XCLIENT"));
}

#[tokio::test(start_paused = true)]
async fn postfix_is_refused_when_the_client_could_send_xclient_itself() {
    let offering = GREETS.replace("SIZE 10240000", "XCLIENT NAME ADDR");
    let announced = announced(&offering);
    assert!(fault_text(greet(Announce::ProxyV1, &announced).await).contains("any other user"));
    assert!(fault_text(greet(Announce::Nothing, &offering).await).contains("any other user"));
    let still = format!(
        "{XCLIENT}
        {offering}
        END"
    );
    assert!(fault_text(greet(Announce::Xclient, &still).await).contains("any other user"));
}

#[tokio::test(start_paused = true)]
async fn postfix_is_refused_when_it_offers_starttls() {
    let offering = GREETS.replace("SIZE 10240000", "STARTTLS");
    let with_client = fault_text(greet(Announce::Nothing, &offering).await);
    assert!(with_client.contains("offers STARTTLS"), "{with_client}");
    let probe = offering.replace("laptop", "gate.example.org");
    let probed = greet_as(Announce::Nothing, Party::Probe, &probe).await;
    assert!(matches!(probed, Err(UpstreamFault::OffersStartTls)));
    let behind_xclient = format!(
        "{XCLIENT}
        {offering}
        END"
    );
    let greeted = greet(Announce::Xclient, &behind_xclient).await;
    assert!(matches!(greeted, Err(UpstreamFault::OffersStartTls)));
}

#[tokio::test(start_paused = true)]
async fn a_greeting_of_several_lines_and_in_pieces_is_one_greeting() {
    let script = GREETS.replace(
        "S: 220 mx.example.org ESMTP Postfix",
        "S: 220-mx.example.org\nS+ 2\nS+ 20\nS: -be patient\nS: 220 now",
    );
    greet(Announce::Nothing, &script).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_names_the_step_and_postfixs_reply() {
    let cases = [
        (
            "S: 421 4.3.2 busy\nEND",
            "refused at its greeting: 421 4.3.2 busy",
        ),
        (
            "S: 554 5.7.1 go away\nEND",
            "refused at its greeting: 554 5.7.1 go away",
        ),
        (
            "S: 220 mx\nC: EHLO laptop\nS: 502 5.5.1 no\nEND",
            "refused at EHLO: 502 5.5.1 no",
        ),
        ("S: 220 mx\nC: EHLO laptop", "connection closed at EHLO"),
        ("S+ 220 m", "it closes the connection instead of a greeting"),
        (
            "S: HTTP/1.1 400 Bad Request\nEND",
            "malformed reply at its greeting: not an SMTP reply",
        ),
        ("S: 220 mx\nS: 220 mx\nEND", "unexpected reply before EHLO"),
        ("END", "no answer in time at its greeting"),
        (
            "S: 220 mx\nC: EHLO laptop\nS: 250-mx\nEND",
            "no answer in time at EHLO",
        ),
    ];
    for (script, expected) in cases {
        let text = fault_text(greet(Announce::Nothing, script).await);
        assert!(text.contains(expected), "{text} for {script}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_postfix_that_parses_the_proxy_header_as_commands_is_reported() {
    for script in [
        "S: 220 mx\nS: 500 5.5.2 Error: bad syntax\nEND",
        "S: 220 mx\nC: EHLO laptop\nS: 500 5.5.2 Error: bad syntax\nEND",
    ] {
        let greeted = greet(Announce::ProxyV1, &announced(script)).await;
        assert!(fault_text(greeted).contains("does not expect a PROXY header"));
    }
}

#[tokio::test(start_paused = true)]
async fn slow_octets_do_not_outlast_the_deadline() {
    let (near, mut far) = duplex(1024);
    let dripped = tokio::spawn(async move {
        let mut drop_by_drop = tokio::time::interval(Duration::from_secs(1));
        let mut dripped = 0;
        while far.write_all(b"2").await.is_ok() {
            drop_by_drop.tick().await;
            dripped += 1;
        }
        dripped
    });
    let mut commands = CommandStream::new(near);
    let origin = origin();
    let settings = settings();
    let greeted = timeout(DEADLINE, commands.greet(Party::Client(&origin), &settings));
    assert!(greeted.await.is_err());
    drop(commands);
    assert!(dripped.await.unwrap() <= 12);
}

#[tokio::test(start_paused = true)]
async fn an_endless_reply_is_not_read() {
    for endless in ["x", "250-x\r\n"] {
        let (near, mut far) = duplex(64 * 1024);
        let flooded = tokio::spawn(async move {
            let flood = endless.repeat(10_000);
            let mut sent = 0;
            play(&mut far, "S: 220 mx\nC: EHLO laptop").await;
            while sent < 100_000_000 && far.write_all(flood.as_bytes()).await.is_ok() {
                sent += flood.len();
            }
            sent
        });
        let mut commands = CommandStream::new(near);
        let origin = origin();
        let greeted = commands.greet(Party::Client(&origin), &settings()).await;
        assert!(matches!(
            greeted,
            Err(UpstreamFault::Malformed(UpstreamStep::Ehlo, _))
        ));
        drop(commands);
        assert!(flooded.await.unwrap() < 1_000_000);
    }
}
