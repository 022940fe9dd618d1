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

mod failures;
mod waiting;

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
