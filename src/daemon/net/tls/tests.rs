//! tests - handshakes with tokio-rustls's client over a duplex, with certificates made here

use std::fs;
use std::io;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::SupportedKxGroup;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{AlertDescription, ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::{TlsConnector, client};

use gatepost_core::gate::request::device::DeviceTicket;

use super::*;

const DEADLINE: Duration = Duration::from_secs(10);

const STRANGER: HandshakeClient = HandshakeClient {
    key: ClientKey::V4(0x7f00_0001),
    standing: Standing::Stranger,
};

const BOTH: &[&rustls::SupportedProtocolVersion] =
    &[&rustls::version::TLS13, &rustls::version::TLS12];

/// A folder of certificates, and a client that trusts them all.
pub(super) struct Shelf {
    folder: TempDir,
    trusted: RootCertStore,
    pub(super) settings: TlsSettings,
}

impl Shelf {
    pub(super) fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            trusted: RootCertStore::empty(),
            settings: TlsSettings {
                certificates: Vec::new(),
            },
        }
    }

    /// With one certificate for each list of names.
    pub(super) fn with(names: &[&[&str]]) -> Self {
        let mut shelf = Self::new();
        for names in names {
            shelf.add(params(names), &KeyPair::generate().unwrap());
        }
        shelf
    }

    pub(super) fn add(
        &mut self,
        params: CertificateParams,
        key: &KeyPair,
    ) -> CertificateDer<'static> {
        let certificate = params.self_signed(key).unwrap();
        self.add_files(&certificate.pem(), &key.serialize_pem());
        let certificate = certificate.der().clone();
        self.trusted.add(certificate.clone()).unwrap();
        certificate
    }

    pub(super) fn add_files(&mut self, chain: &str, key: &str) {
        let number = self.settings.certificates.len();
        let files = CertificateFiles {
            chain: self.folder.path().join(format!("chain{number}.pem")),
            key: self.folder.path().join(format!("key{number}.pem")),
        };
        fs::write(&files.chain, chain).unwrap();
        fs::write(&files.key, key).unwrap();
        self.settings.certificates.push(files);
    }

    pub(super) fn load(&self) -> Tls {
        Tls::load(&self.settings).unwrap()
    }

    fn client(&self, versions: &[&'static rustls::SupportedProtocolVersion]) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(self.trusted.clone())
            .with_no_client_auth()
    }
}

pub(super) fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    CertificateParams::new(names).unwrap()
}

type Met = (
    Result<Arrived<DuplexStream>, HandshakeFault>,
    io::Result<client::TlsStream<DuplexStream>>,
);

/// A handshake, and one octet each way, so that the client reads its ticket.
async fn meet(tls: &Tls, client: &Arc<ClientConfig>, name: &str) -> Met {
    let (near, far) = duplex(64 * 1024);
    let connector = TlsConnector::from(Arc::clone(client));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let (mut ours, mut theirs) = tokio::join!(
        tls.accept(near, STRANGER, DEADLINE),
        connector.connect(name, far)
    );
    if let (Ok(ours), Ok(theirs)) = (&mut ours, &mut theirs) {
        ours.stream.write_all(b"!").await.unwrap();
        ours.stream.flush().await.unwrap();
        assert_eq!(theirs.read_u8().await.unwrap(), b'!');
    }
    (ours, theirs)
}

async fn agreed(tls: &Tls, client: &Arc<ClientConfig>, name: &str) -> Negotiated {
    Negotiated::of(&meet(tls, client, name).await.0.unwrap().stream)
}

#[tokio::test]
async fn both_versions_work_and_their_parameters_are_reported() {
    let shelf = Shelf::with(&[&["mx.example.org"]]);
    let tls = shelf.load();
    for (version, name) in [
        (&rustls::version::TLS13, "TLSv1.3"),
        (&rustls::version::TLS12, "TLSv1.2"),
    ] {
        let client = Arc::new(shelf.client(&[version]));
        let agreed = agreed(&tls, &client, "mx.example.org").await;
        assert_eq!(agreed.version, name);
        assert!(agreed.cipher.starts_with("TLS"), "{}", agreed.cipher);
        assert_eq!(agreed.server_name.as_deref(), Some("mx.example.org"));
        assert_eq!(agreed.handshake, HandshakeKind::Full);
    }
}

#[tokio::test]
async fn the_name_chooses_the_certificate_and_the_first_is_the_default() {
    let mut shelf = Shelf::new();
    let mut add = |names| shelf.add(params(names), &KeyPair::generate().unwrap());
    let first = add(&["mx.example.org"]);
    let second = add(&["Smtp.Example.net", "*.example.com"]);
    let exact = add(&["a.example.com"]);
    let tls = shelf.load();
    let mut client = shelf.client(BOTH);
    client.enable_sni = true;
    let client = Arc::new(client);

    for (name, expected) in [
        ("mx.example.org", &first),
        ("smtp.example.net", &second),
        ("SMTP.example.NET", &second),
        ("b.example.com", &second),
        ("a.example.com", &exact),
    ] {
        let (_, theirs) = meet(&tls, &client, name).await;
        let theirs = theirs.unwrap();
        assert_eq!(
            &theirs.get_ref().1.peer_certificates().unwrap()[0],
            expected,
            "{name}"
        );
    }
    // An asterisk matches one label; a client without a name gets the default.
    for name in [
        "x.b.example.com",
        "example.com",
        "other.example",
        "192.0.2.1",
    ] {
        let (_, theirs) = meet(&tls, &client, name).await;
        let error = theirs.unwrap_err().to_string();
        assert!(
            error.contains("certificate not valid for name"),
            "{name}: {error}"
        );
        assert!(error.contains("mx.example.org"), "{name}: {error}");
    }
}

#[tokio::test]
async fn of_two_certificates_for_one_name_the_client_gets_the_one_it_can_verify() {
    let mut shelf = Shelf::new();
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    shelf.add(params(&["mx.example.org"]), &ed25519);
    let p256 = shelf.add(params(&["mx.example.org"]), &KeyPair::generate().unwrap());
    let tls = shelf.load();
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let all = provider.signature_verification_algorithms;
    let without_ed25519: Vec<_> = all
        .mapping
        .iter()
        .copied()
        .filter(|(scheme, _)| *scheme != rustls::SignatureScheme::ED25519)
        .collect();
    provider.signature_verification_algorithms = rustls::crypto::WebPkiSupportedAlgorithms {
        all: all.all,
        mapping: Vec::leak(without_ed25519),
    };
    let old = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(BOTH)
        .unwrap()
        .with_root_certificates(shelf.trusted.clone())
        .with_no_client_auth();

    let (_, theirs) = meet(&tls, &Arc::new(old), "mx.example.org").await;

    let theirs = theirs.unwrap();
    assert_eq!(theirs.get_ref().1.peer_certificates().unwrap()[0], p256);
}

#[tokio::test]
async fn a_ticket_outlives_a_reload_with_a_new_certificate() {
    let mut shelf = Shelf::with(&[&["mx.example.org"]]);
    let tls = shelf.load();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let client = Arc::new(shelf.client(&[version]));
        assert_eq!(
            agreed(&tls, &client, "mx.example.org").await.handshake,
            HandshakeKind::Full
        );

        let renewed = KeyPair::generate().unwrap();
        shelf.settings.certificates.clear();
        let certificate = shelf.add(params(&["mx.example.org"]), &renewed);
        tls.take_over(tls.read(&shelf.settings).unwrap());

        let again = agreed(&tls, &client, "mx.example.org").await;
        assert_eq!(again.handshake, HandshakeKind::Resumed, "{again:?}");
        let stranger = Arc::new(shelf.client(&[version]));
        let (_, theirs) = meet(&tls, &stranger, "mx.example.org").await;
        let theirs = theirs.unwrap();
        assert_eq!(
            theirs.get_ref().1.peer_certificates().unwrap()[0],
            certificate
        );
    }
}

/// The device of a handshake with `client`, and whether it was resumed.
async fn device(tls: &Tls, client: &Arc<ClientConfig>) -> (HandshakeKind, Option<Device>) {
    let arrived = meet(tls, client, "mx.example.org").await.0.unwrap();
    (Negotiated::of(&arrived.stream).handshake, arrived.device)
}

#[tokio::test]
async fn a_client_that_brings_its_ticket_is_the_same_device_also_after_a_restart() {
    let shelf = Shelf::with(&[&["mx.example.org"]]);
    let tls = shelf.load();
    let client = Arc::new(shelf.client(BOTH));
    let (kind, first) = device(&tls, &client).await;
    let first = first.unwrap();
    assert_eq!(
        (kind, first.ticket()),
        (HandshakeKind::Full, DeviceTicket::New)
    );
    let restarted = shelf.load();
    restarted
        .ticket_keys()
        .take_over(&tls.ticket_keys().octets());
    for tls in [&tls, &restarted, &tls] {
        tls.take_over(tls.read(&shelf.settings).unwrap());
        let (kind, again) = device(tls, &client).await;
        let again = again.unwrap();
        assert_eq!(
            (kind, again.ticket()),
            (HandshakeKind::Resumed, DeviceTicket::Returned)
        );
        assert_eq!(again.expose(), first.expose());
    }
    let other = Arc::new(shelf.client(BOTH));
    assert_ne!(
        device(&tls, &other).await.1.unwrap().expose(),
        first.expose()
    );
}

#[tokio::test]
async fn a_ticket_of_elsewhere_is_none_and_no_error() {
    let shelf = Shelf::with(&[&["mx.example.org"]]);
    let client = Arc::new(shelf.client(BOTH));
    let (_, first) = device(&shelf.load(), &client).await;
    let (kind, second) = device(&shelf.load(), &client).await;
    assert_eq!(kind, HandshakeKind::Full);
    assert_eq!(second.unwrap().ticket(), DeviceTicket::New);
    assert_ne!(first.unwrap().expose(), second.unwrap().expose());
}

#[tokio::test]
async fn tls_1_2_resumes_as_ever_names_no_device_and_keeps_nothing_over_a_restart() {
    let shelf = Shelf::with(&[&["mx.example.org"]]);
    let tls = shelf.load();
    let client = Arc::new(shelf.client(&[&rustls::version::TLS12]));
    assert_eq!(device(&tls, &client).await, (HandshakeKind::Full, None));
    assert_eq!(device(&tls, &client).await, (HandshakeKind::Resumed, None));
    let restarted = shelf.load();
    restarted
        .ticket_keys()
        .take_over(&tls.ticket_keys().octets());
    assert_eq!(
        device(&restarted, &client).await,
        (HandshakeKind::Full, None)
    );
}

#[tokio::test]
async fn a_bad_reload_leaves_the_old_certificate_in_place() {
    let shelf = Shelf::with(&[&["mx.example.org"]]);
    let tls = shelf.load();
    let before = tls.certificates();
    fs::write(&shelf.settings.certificates[0].key, "half writ").unwrap();
    assert!(tls.read(&shelf.settings).is_err());
    assert_eq!(tls.certificates(), before);
    let client = Arc::new(shelf.client(BOTH));
    assert_eq!(
        agreed(&tls, &client, "mx.example.org").await.version,
        "TLSv1.3"
    );
}

#[tokio::test]
async fn a_browsers_protocol_is_refused_with_its_alert() {
    let shelf = Shelf::with(&[&["mx.example.org"]]);
    let tls = shelf.load();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        for offer in [&["h2", "http/1.1"][..], &["http/1.1"], &["smtp", "h3"]] {
            let mut client = shelf.client(&[version]);
            client.alpn_protocols = offer.iter().map(|name| name.as_bytes().to_vec()).collect();
            let (ours, theirs) = meet(&tls, &Arc::new(client), "mx.example.org").await;
            let ours = ours.unwrap_err();
            assert!(matches!(ours, HandshakeFault::ForeignProtocol(_)), "{ours}");
            let alert = theirs.unwrap_err().downcast::<rustls::Error>().unwrap();
            let expected = AlertDescription::NoApplicationProtocol;
            assert_eq!(alert, rustls::Error::AlertReceived(expected));
        }
        let mut client = shelf.client(&[version]);
        client.alpn_protocols = vec![b"smtp".to_vec()];
        agreed(&tls, &Arc::new(client), "mx.example.org").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_closed_at_the_deadline() {
    let tls = Shelf::with(&[&["mx.example.org"]]).load();
    let (near, _far) = duplex(1024);
    let fault = tls.accept(near, STRANGER, DEADLINE).await.unwrap_err();
    assert!(matches!(fault, HandshakeFault::Deadline), "{fault}");
}

#[tokio::test]
async fn a_client_that_closes_is_reported_as_closed() {
    let tls = Shelf::with(&[&["mx.example.org"]]).load();
    let hello = client_hello();
    for sent in [0, 5, 100, hello.len()] {
        let (near, mut far) = duplex(4096);
        far.write_all(&hello[..sent]).await.unwrap();
        drop(far);
        let fault = tls.accept(near, STRANGER, DEADLINE).await.unwrap_err();
        assert!(matches!(fault, HandshakeFault::Closed), "{sent}: {fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn octets_that_are_not_tls_are_reported_as_such_and_answered_with_an_alert() {
    let tls = Shelf::with(&[&["mx.example.org"]]).load();
    for (garbage, cause) in [
        (
            &b"GET / HTTP/1.1\r\nHost: mx.example.org\r\n\r\n"[..],
            HandshakeCause::PlainText,
        ),
        (b"EHLO laptop\r\n", HandshakeCause::PlainText),
        (b"hello\r\n", HandshakeCause::PlainText),
        (
            b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00",
            HandshakeCause::Other,
        ),
        (&[0xff; 600], HandshakeCause::NotTls),
        (
            &[0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0],
            HandshakeCause::Version,
        ),
    ] {
        let (near, mut far) = duplex(4096);
        far.write_all(garbage).await.unwrap();
        let fault = tls.accept(near, STRANGER, DEADLINE).await.unwrap_err();
        assert_eq!(fault.cause(), cause, "{fault}");
        let mut answer = Vec::new();
        far.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer.first(), Some(&21), "an alert: {answer:?}");
    }
}

/// What a client that has only these suites of TLS 1.2 and groups is told, and what we say of it.
async fn told(
    tls: &Tls,
    shelf: &Shelf,
    suites: &[SupportedCipherSuite],
    groups: &[&'static dyn SupportedKxGroup],
) -> (AlertDescription, String) {
    let provider = CryptoProvider {
        cipher_suites: suites.to_vec(),
        kx_groups: groups.to_vec(),
        ..rustls::crypto::aws_lc_rs::default_provider()
    };
    let client = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(shelf.trusted.clone())
        .with_no_client_auth();
    let (ours, theirs) = meet(tls, &Arc::new(client), "mx.example.org").await;
    let fault = theirs.unwrap_err().downcast::<rustls::Error>().unwrap();
    let rustls::Error::AlertReceived(alert) = fault else {
        panic!("no alert: {fault}");
    };
    (alert, ours.unwrap_err().to_string())
}

#[tokio::test]
async fn a_client_that_has_nothing_in_common_is_told_of_with_what_would_help_it() {
    use rustls::crypto::aws_lc_rs::{cipher_suite, kx_group};
    let with_key = |algorithm| {
        let mut shelf = Shelf::new();
        let key = KeyPair::generate_for(algorithm).unwrap();
        shelf.add(params(&["mx.example.org"]), &key);
        (shelf.load(), shelf)
    };
    let ecdsa_only = [cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256];
    let rsa_only = [cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256];
    let groups = [kx_group::X25519];
    let (tls, shelf) = with_key(&rcgen::PKCS_RSA_SHA256);
    let (alert, said) = told(&tls, &shelf, &ecdsa_only, &groups).await;
    assert_eq!(alert, AlertDescription::HandshakeFailure);
    assert!(
        said.contains("offers TLS 1.2, and no cipher suite in common; an EC certificate beside the RSA one would help"),
        "{said}"
    );
    let (tls, shelf) = with_key(&rcgen::PKCS_ECDSA_P256_SHA256);
    let (_, said) = told(&tls, &shelf, &rsa_only, &groups).await;
    assert!(said.contains("an RSA certificate beside"), "{said}");
}

/// A ClientHello of TLS 1.0 with a suite, and no extension.
fn hello_of_tls_1_0() -> Vec<u8> {
    let message = [
        &[1, 0, 0, 41, 3, 1][..],
        &[7; 32],
        &[0, 0, 2, 0, 0x2f, 1, 0],
    ]
    .concat();
    [&[22, 3, 1, 0, 45][..], &message].concat()
}

#[tokio::test(start_paused = true)]
async fn a_client_of_tls_1_0_is_told_that_its_version_is_too_old() {
    let tls = Shelf::with(&[&["mx.example.org"]]).load();
    let (near, mut far) = stalled(&hello_of_tls_1_0()).await;
    let fault = tls.accept(near, STRANGER, DEADLINE).await.unwrap_err();
    assert_eq!(fault.cause(), HandshakeCause::Version);
    assert_eq!(
        fault.to_string(),
        "offers TLS 1.0 at most; TLS 1.2 and 1.3 are served"
    );
    let mut answer = Vec::new();
    far.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, [21, 3, 1, 0, 2, 2, 70]);
}

#[tokio::test]
async fn what_a_client_has_against_our_certificate_is_told() {
    let shelf = Shelf::with(&[&["mx.example.org"]]);
    let tls = shelf.load();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let mut other = Shelf::new();
        let mut unknown = params(&["mx.example.org"]);
        let name = (rcgen::DnType::CommonName, "another authority");
        unknown.distinguished_name.push(name.0, name.1);
        other.add(unknown, &KeyPair::generate().unwrap());
        let (ours, _) = meet(&tls, &Arc::new(other.client(&[version])), "mx.example.org").await;
        assert_eq!(ours.unwrap_err().cause(), HandshakeCause::UnknownCa);
        let named = Arc::new(shelf.client(&[version]));
        let (ours, _) = meet(&tls, &named, "wrong.example.org").await;
        assert_eq!(ours.unwrap_err().cause(), HandshakeCause::BadCertificate);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_refused_client_still_sends_is_read_so_that_nothing_resets_it() {
    let tls = Shelf::with(&[&["mx.example.org"]]).load();
    let (near, mut far) = duplex(8 * 1024);
    let (refused, written) = tokio::join!(
        tls.accept(near, STRANGER, DEADLINE),
        far.write_all(&[b'x'; 40_000])
    );
    assert_eq!(refused.unwrap_err().cause(), HandshakeCause::PlainText);
    written.unwrap();
}

/// The octets of a ClientHello; its client does not continue.
fn client_hello() -> Vec<u8> {
    let config = Arc::new(Shelf::with(&[&["mx.example.org"]]).client(BOTH));
    let name = ServerName::try_from("mx.example.org").unwrap();
    let mut connection = rustls::ClientConnection::new(config, name).unwrap();
    let mut wire = Vec::new();
    connection.write_tls(&mut wire).unwrap();
    wire
}

/// The octets that a client has sent when it stops.
async fn stalled(octets: &[u8]) -> (DuplexStream, DuplexStream) {
    let (near, mut far) = duplex(64 * 1024);
    far.write_all(octets).await.unwrap();
    (near, far)
}

#[tokio::test(start_paused = true)]
async fn clients_that_stop_in_the_middle_hold_up_nobody() {
    let shelf = Shelf::with(&[&["mx.example.org"]]);
    let tls = shelf.load();
    tls.cap_handshakes(1);
    let hello = client_hello();
    let partly = stalled(&hello[..hello.len() - 1]).await;
    let complete = stalled(&hello).await;
    // Takes no octet of the answer either.
    let (near, mut far) = duplex(hello.len());
    far.write_all(&hello).await.unwrap();
    let stopped = async {
        tokio::join!(
            tls.accept(partly.0, STRANGER, DEADLINE),
            tls.accept(complete.0, STRANGER, DEADLINE),
            tls.accept(near, STRANGER, DEADLINE),
        )
    };
    let served = async {
        for version in BOTH {
            let client = Arc::new(shelf.client(&[version]));
            let met = meet(&tls, &client, "mx.example.org");
            // The clock goes on only when there is nothing left to do.
            let met = timeout(Duration::from_millis(1), met).await;
            assert!(met.expect("nobody is waited for").0.is_ok());
        }
    };
    let ((first, second, third), ()) = tokio::join!(biased; stopped, served);
    for fault in [first, second, third] {
        assert!(matches!(fault, Err(HandshakeFault::Deadline)), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_may_not_compute_until_its_deadline_is_told_apart() {
    let tls = Shelf::with(&[&["mx.example.org"]]).load();
    tls.cap_handshakes(1);
    let _slot = tls.computing.slot(STRANGER.key, STRANGER.standing).await;
    let (near, _far) = stalled(&client_hello()).await;
    let fault = tls.accept(near, STRANGER, DEADLINE).await.unwrap_err();
    assert!(matches!(fault, HandshakeFault::Busy), "{fault}");
}

#[tokio::test(start_paused = true)]
async fn while_a_stranger_computes_a_familiar_client_does_too() {
    let shelf = Shelf::with(&[&["mx.example.org"]]);
    let tls = shelf.load();
    tls.cap_handshakes(1);
    let _slot = tls.computing.slot(STRANGER.key, STRANGER.standing).await;
    for standing in [Standing::Familiar, Standing::Allow] {
        let familiar = HandshakeClient {
            standing,
            ..STRANGER
        };
        let (near, mut far) = stalled(&client_hello()).await;
        tokio::select! {
            fault = tls.accept(near, familiar, DEADLINE) => panic!("{fault:?}"),
            answer = far.read_u8() => assert_eq!(answer.unwrap(), 22, "a ServerHello"),
        }
    }
}

#[test]
fn the_future_of_a_handshake_is_small_and_send() {
    let tls = Shelf::with(&[&["mx.example.org"]]).load();
    let future = tls.accept(duplex(1).0, STRANGER, DEADLINE);
    let size = size_of_val(&future);
    assert!(size < 512, "{size} octets");
    fn may_be_spawned<T: Send>(_: T) {}
    may_be_spawned(future);
}
