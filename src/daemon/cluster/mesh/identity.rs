//! identity - by what the machines of a mesh know each other: TLS 1.3 under one key that is derived from their secret
//!
//! Both sides of a link show the same raw public key (RFC 7250) and sign the handshake with it (RFC 8446 section 4.4.3:
//! with another context for each side). A side that can do that has the secret, and has it in this very session. There is
//! no certificate, no authority, no date and no name in it, and no session is resumed.
//! Not here: who of those that have the secret may be linked (`greeting`).

use std::fmt;
use std::sync::Arc;

use ::aws_lc_rs::signature::Ed25519KeyPair;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::cluster::secret::ClusterSecret;

/// Both ends of a link's TLS.
#[derive(Clone)]
pub struct LinkIdentity {
    pub(super) connector: TlsConnector,
    pub(super) acceptor: TlsAcceptor,
}

/// Tells nothing.
impl fmt::Debug for LinkIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkIdentity(..)")
    }
}

impl LinkIdentity {
    /// Of the machines with this secret.
    ///
    /// # Errors
    /// The library makes no key of it.
    pub fn of(secret: &ClusterSecret) -> Result<Self, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = Arc::new(key(secret)?);
        let verifier = Arc::new(SameKey {
            key: key.cert.first().cloned().ok_or_else(no_key)?,
            algorithms: provider.signature_verification_algorithms,
        });
        let client = client(&provider, &verifier, &key)?;
        let server = server(&provider, &verifier, &key)?;
        Ok(Self {
            connector: TlsConnector::from(Arc::new(client)),
            acceptor: TlsAcceptor::from(Arc::new(server)),
        })
    }
}

fn client(
    provider: &Arc<CryptoProvider>,
    verifier: &Arc<SameKey>,
    key: &Arc<CertifiedKey>,
) -> Result<ClientConfig, Error> {
    let own = AlwaysResolvesClientRawPublicKeys::new(Arc::clone(key));
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(verifier) as Arc<dyn ServerCertVerifier>)
        .with_client_cert_resolver(Arc::new(own));
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(config)
}

fn server(
    provider: &Arc<CryptoProvider>,
    verifier: &Arc<SameKey>,
    key: &Arc<CertifiedKey>,
) -> Result<ServerConfig, Error> {
    let own = AlwaysResolvesServerRawPublicKeys::new(Arc::clone(key));
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::clone(verifier) as Arc<dyn ClientCertVerifier>)
        .with_cert_resolver(Arc::new(own));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The key that all machines have.
fn key(secret: &ClusterSecret) -> Result<CertifiedKey, Error> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&secret.links());
    let encoded = pair.map_err(|_| no_key())?.to_pkcs8v1();
    let encoded = PrivatePkcs8KeyDer::from(encoded.map_err(|_| no_key())?.as_ref().to_vec());
    let key = aws_lc_rs::sign::any_eddsa_type(&encoded)?;
    let public = key.public_key().ok_or_else(no_key)?;
    let public = CertificateDer::from(public.as_ref().to_vec());
    Ok(CertifiedKey::new(vec![public], key))
}

fn no_key() -> Error {
    Error::General("no key can be derived from the secret".to_owned())
}

/// Accepts who has the same key, and nobody else.
#[derive(Debug)]
struct SameKey {
    key: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl SameKey {
    fn check(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        match *shown == self.key {
            true => Ok(()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn check_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
    }
}

/// TLS 1.2 is not offered.
fn no_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("TLS 1.3 only".to_owned()))
}

impl ServerCertVerifier for SameKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for SameKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
