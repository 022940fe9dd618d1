//! login - AUTH with a scripted Postfix

use tokio::io::{DuplexStream, duplex};

use super::*;
use gatepost_core::gate::permit::{Permit, Verdict};
use gatepost_core::gate::queue::QueueClass;
use gatepost_core::gate::request::attempt::{AuthAttempt, AuthOutcome, UserName};
use gatepost_core::gate::request::doors::Door;
use gatepost_core::gate::request::place::Located;
use gatepost_core::gate::{Gate, Keys};
use gatepost_core::moment::Moment;
use gatepost_core::smtp::sasl::{Credentials, Mechanism, Secret};

fn secret(octets: &[u8]) -> Secret {
    Secret::new(octets.to_vec())
}

fn credentials(mechanism: Mechanism, password: &[u8]) -> Credentials {
    Credentials {
        mechanism,
        authzid: Box::default(),
        user: UserName::new(b"anna".to_vec()),
        secret: secret(password),
    }
}

/// Connected to a Postfix that plays `script` from AUTH on.
fn connected(script: &str) -> (Connected<DuplexStream>, JoinHandle<()>) {
    let (near, mut far) = duplex(64 * 1024);
    let script = script.to_owned();
    let played = tokio::spawn(async move { play(&mut far, &script).await });
    let offered = "AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER SCRAM-SHA-256";
    let ehlo = gatepost_core::smtp::reply::Reply::multiline(250, None, ["mx", offered]);
    let endpoint = Endpoint {
        address: UpstreamAddress::Unix("/postfix".into()),
        health: AddressHealth::new(Clock::start()),
    };
    let connected = Connected::new(
        CommandStream::new(near),
        GreetedClient {
            network: ClientKey::new([192, 0, 2, 1].into()).network(),
            capabilities: Arc::new(Capabilities::parse(&ehlo)),
        },
        Arc::new(endpoint),
        Duration::from_secs(30),
        processes().take(some_line()).unwrap(),
    );
    (connected, played)
}

/// A permit of a gate.
fn permit(credentials: &Credentials) -> Permit {
    let keys = Keys {
        users: [1; 16],
        passwords: [2; 16],
        table: [3; 16],
    };
    let now = Moment::from_seconds(1_795_478_400);
    let gate = Gate::new(
        gatepost_core::gate::request::settings::GateSettings::default(),
        keys,
        now,
    );
    let attempt = AuthAttempt {
        client: "203.0.113.7".parse().unwrap(),
        session: 1,
        user: &credentials.user,
        password: credentials.password(),
        door: Door::Own,
        device: None,
        country: Located::default(),
        system: None,
    };
    match gate.judge_in_turn(&attempt, QueueClass::Ordinary, now, &mut Vec::new()) {
        Verdict::Allow(permit) => permit,
        other => panic!("{other:?}"),
    }
}

async fn try_with(credentials: Credentials, script: &str) -> Attempted<DuplexStream> {
    let (connected, played) = connected(script);
    let permit = permit(&credentials);
    let attempted = connected.log_in(&permit, &credentials).await;
    if attempted.outcome() != AuthOutcome::Accept {
        // The connection to Postfix is closed before the outcome is returned.
        played.await.unwrap();
    }
    attempted
}

async fn try_plain(script: &str) -> Attempted<DuplexStream> {
    let script = format!("C: AUTH PLAIN AGFubmEAZ2VoZWlt\n{script}");
    try_with(credentials(Mechanism::Plain, b"geheim"), &script).await
}

#[tokio::test(start_paused = true)]
async fn plain_takes_one_round_and_octets_after_the_235_are_kept() {
    let attempted = try_plain("S: 235 2.7.0 Authentication successful\nS+ 421 4.3.2 he").await;
    let Attempted::Accept(logged_in) = attempted else {
        panic!("{attempted:?}");
    };
    assert_eq!(logged_in.reply.code(), 235);
    assert_eq!(logged_in.rest, b"421 4.3.2 he");
}

#[tokio::test(start_paused = true)]
async fn a_long_first_message_waits_for_its_prompt() {
    // `AUTH PLAIN ` and CRLF leave 499 octets: 124 quartets of base64, 372 octets of message.
    let fits = credentials(Mechanism::Plain, &[b'x'; 372 - 6]);
    let script = format!("C: AUTH PLAIN {}\nS: 535 5.7.8 no\nEND", encoded(&fits));
    let attempted = try_with(fits, &script).await;
    assert_eq!(attempted.outcome(), AuthOutcome::Reject);
    let longer = credentials(Mechanism::Plain, &[b'x'; 372 - 5]);
    let script = format!(
        "C: AUTH PLAIN\nS: 334\nC: {}\nS: 535 5.7.8 no\nEND",
        encoded(&longer)
    );
    let attempted = try_with(longer, &script).await;
    assert_eq!(attempted.outcome(), AuthOutcome::Reject);
}

/// The first message, in wire format.
fn encoded(credentials: &Credentials) -> String {
    let messages = credentials.client_messages();
    let encoded = gatepost_core::smtp::sasl::encode(messages[0].expose());
    String::from_utf8(encoded.expose().to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn login_answers_two_prompts() {
    let script = "
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: YW5uYQ==
        S: 334 UGFzc3dvcmQ6
        C: Z2VoZWlt
        S: 235 2.7.0 ok
    ";
    let attempted = try_with(credentials(Mechanism::Login, b"geheim"), script).await;
    assert_eq!(attempted.outcome(), AuthOutcome::Accept);
}

#[tokio::test(start_paused = true)]
async fn an_empty_password_is_sent() {
    let script = "
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: YW5uYQ==
        S: 334 UGFzc3dvcmQ6
        C:
        S: 535 5.7.8 no
        END
    ";
    let attempted = try_with(credentials(Mechanism::Login, b""), script).await;
    assert_eq!(attempted.outcome(), AuthOutcome::Reject);
}

#[tokio::test(start_paused = true)]
async fn an_oauth_failure_is_dismissed_and_then_rejected() {
    for (mechanism, first) in [
        (
            Mechanism::XOAuth2,
            "dXNlcj1hbm5hAWF1dGg9QmVhcmVyIHRva2VuAQE=",
        ),
        (
            Mechanism::OAuthBearer,
            "bixhPWFubmEsAWF1dGg9QmVhcmVyIHRva2VuAQE=",
        ),
    ] {
        let script = format!(
            "C: AUTH {mechanism} {first}
             S: 334 eyJzdGF0dXMiOiI0MDEifQ==
             C: AQ==
             S: 535 5.7.8 no
             END"
        );
        let attempted = try_with(credentials(mechanism, b"token"), &script).await;
        assert_eq!(attempted.outcome(), AuthOutcome::Reject);
    }
}

#[tokio::test(start_paused = true)]
async fn only_replies_about_credentials_are_a_reject() {
    for reply in [
        "535 5.7.8 Error: authentication failed",
        "535 authentication failed",
        "534 5.7.9 mechanism too weak",
        "550 5.7.8 no",
        "525 5.7.13 account disabled",
    ] {
        let attempted = try_plain(&format!("S: {reply}\nEND")).await;
        assert_eq!(attempted.outcome(), AuthOutcome::Reject, "{reply}");
    }
    for reply in [
        "454 4.7.0 temporary",
        "421 4.3.2 shutting down",
        "432 4.7.12 password transition",
        "500 5.5.2 what",
        "501 5.5.4 syntax",
        "503 5.5.1 AUTH not enabled",
        "504 5.5.4 mechanism",
        "530 5.7.0 STARTTLS first",
        "538 5.7.11 encryption",
        "250 2.0.0 what",
        "354 go on",
    ] {
        let attempted = try_plain(&format!("S: {reply}\nEND")).await;
        let Attempted::Defer(fault) = attempted else {
            panic!("{reply}: {attempted:?}");
        };
        assert_eq!(fault.to_string(), format!("refused at AUTH: {reply}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_postfix_that_fails_during_auth_is_a_defer() {
    for (script, expected) in [
        ("", "closed at AUTH"),
        ("S+ 23", "closed at AUTH"),
        ("END", "no answer in time at AUTH"),
        ("S: 235-ok\nEND", "no answer in time at AUTH"),
        ("S: ok\nEND", "malformed reply at AUTH"),
        ("S: 235-ok\nS: 535 no\nEND", "malformed reply at AUTH"),
        ("S: 334 bW9yZQ==\nEND", "invalid challenge"),
    ] {
        let attempted = try_plain(script).await;
        let Attempted::Defer(fault) = attempted else {
            panic!("{script}: {attempted:?}");
        };
        assert!(fault.to_string().contains(expected), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mechanism_that_is_not_offered_is_not_tried() {
    let (connected, played) = connected("END");
    let round = connected.begin_cram_md5().await;
    assert!(matches!(
        round,
        Round::Done(Attempted::Defer(UpstreamFault::NoMechanism(_)))
    ));
    played.await.unwrap();
}

#[track_caller]
fn challenge(round: Round<DuplexStream>, expected: &[u8]) -> Exchange<DuplexStream> {
    match round {
        Round::Challenge(exchange, challenge) => {
            assert_eq!(challenge.expose(), expected);
            exchange
        }
        Round::Done(attempted) => panic!("{attempted:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn scram_is_relayed_message_by_message() {
    let script = "
        C: AUTH SCRAM-SHA-256 biwsbj1hbm5hLHI9eA==
        S: 334 cj14eSxzPXosaT00MDk2
        C: Yz1iaXdzLHI9eHkscD1w
        S: 334 dj1z
        C:
        S: 235 2.7.0 ok
    ";
    let (connected, played) = connected(script);
    let first = secret(b"n,,n=anna,r=x");
    let permit = permit(&credentials(Mechanism::Plain, b"hidden"));
    let round = connected
        .begin_scram(&permit, Mechanism::ScramSha256, &first)
        .await;
    let exchange = challenge(round, b"r=xy,s=z,i=4096");
    let round = exchange.answer(&permit, &secret(b"c=biws,r=xy,p=p")).await;
    let exchange = challenge(round, b"v=s");
    let round = exchange.answer(&permit, &secret(b"")).await;
    let Round::Done(attempted) = round else {
        panic!("{round:?}");
    };
    assert_eq!(attempted.outcome(), AuthOutcome::Accept);
    played.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_relayed_exchange_has_a_limit_of_messages() {
    let (connected, _played) = connected(&format!(
        "C: AUTH SCRAM-SHA-256 eA==\n{}",
        "S: 334 eA==\nC: eA==\n".repeat(100)
    ));
    let permit = permit(&credentials(Mechanism::Plain, b"hidden"));
    let mut round = connected
        .begin_scram(&permit, Mechanism::ScramSha256, &secret(b"x"))
        .await;
    let mut rounds = 0;
    while let Round::Challenge(exchange, _) = round {
        round = exchange.answer(&permit, &secret(b"x")).await;
        rounds += 1;
    }
    assert!(matches!(
        round,
        Round::Done(Attempted::Defer(UpstreamFault::Challenge))
    ));
    assert_eq!(rounds, 4);
}

#[tokio::test(start_paused = true)]
async fn a_challenge_that_is_not_base64_ends_the_exchange() {
    let (connected, played) = connected("C: AUTH SCRAM-SHA-256 eA==\nS: 334 ***\nEND");
    let permit = permit(&credentials(Mechanism::Plain, b"hidden"));
    let round = connected
        .begin_scram(&permit, Mechanism::ScramSha256, &secret(b"x"))
        .await;
    assert!(matches!(
        round,
        Round::Done(Attempted::Defer(UpstreamFault::Challenge))
    ));
    played.await.unwrap();
}

#[tokio::test]
async fn a_login_makes_room_for_another_and_holds_its_process_to_its_end() {
    let processes = processes();
    let credentials = credentials(Mechanism::Plain, b"Birnbaum7");
    let (mut connected, _played) = connected(
        "
        C: AUTH PLAIN AGFubmEAQmlybmJhdW03
        S: 235 2.7.0 Authentication successful
    ",
    );
    connected.process = processes.take(some_line()).unwrap();
    assert_eq!(processes.counts().logins, 1);
    let permit = permit(&credentials);
    let Attempted::Accept(logged_in) = connected.log_in(&permit, &credentials).await else {
        panic!("refused");
    };
    let counts = processes.counts();
    assert_eq!((counts.logins, counts.logged_in), (0, 1));
    drop(logged_in);
    assert_eq!(processes.counts().logged_in, 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_postfix_cannot_take_is_its_clients_fault() {
    for (reply, is_own) in [
        ("500 5.5.6 SASL response limit exceeded", true),
        ("501 5.5.4 Syntax error", true),
        ("504 5.5.4 mechanism", false),
        ("454 4.7.0 Temporary authentication failure", false),
    ] {
        let attempted = try_plain(&format!("S: {reply}\nEND")).await;
        assert_eq!(attempted.outcome(), AuthOutcome::Defer, "{reply}");
        assert_eq!(attempted.is_about_message(), is_own, "{reply}");
    }
}
