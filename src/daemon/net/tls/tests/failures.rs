//! failures - handshakes that fail: what the client is sent, and what is told of it

use super::*;

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
