//! entry - how we are let into the store: its password, its certificate
//!
//! Files are read at each connection, so that a new password takes no restart.
//! Not here: the connection (`connection`), what is asked then (`store`).

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;

use super::{LenderFault, LenderSettings};
use crate::files;
use crate::net::tls::chain::system_roots;
use crate::net::tls::read_chain;

/// Octets of a password's file.
const LONGEST_PASSWORD: u64 = 4096;

/// Moves octets of a connection as long as somebody waits for an answer.
pub(super) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(super) async fn open(
    login: &RedisConnectionInfo,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<(MultiplexedConnection, Driver), LenderFault> {
    // Every wait has its own limit here.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let opened = MultiplexedConnection::new_with_config(login, stream, config).await;
    let (connection, driver) = opened.map_err(|error| LenderFault::Refused(error.to_string()))?;
    Ok((connection, Box::pin(driver)))
}

pub(super) async fn login(settings: &LenderSettings) -> Result<RedisConnectionInfo, LenderFault> {
    let mut login = RedisConnectionInfo::default()
        .set_db(settings.database)
        .set_skip_set_lib_name();
    if let Some(user) = &settings.user {
        login = login.set_username(user);
    }
    let Some(path) = settings.password_file.clone() else {
        return Ok(login);
    };
    let read = path.clone();
    let password = blocking(move || files::read(&read, LONGEST_PASSWORD)).await;
    let fault = |why: String| LenderFault::File {
        path: path.clone(),
        why,
    };
    let password = password.map_err(|error| fault(error.to_string()))?;
    let password = String::from_utf8(password).map_err(|error| fault(error.to_string()))?;
    Ok(login.set_password(password.trim_end_matches(['\n', '\r'])))
}

pub(super) async fn connector(authorities: Option<PathBuf>) -> Result<TlsConnector, LenderFault> {
    let roots = blocking(move || Ok(roots(authorities))).await;
    let roots = roots.map_err(|error| LenderFault::Connect(error.to_string()))??;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| LenderFault::Connect(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(authorities: Option<PathBuf>) -> Result<RootCertStore, LenderFault> {
    let Some(path) = authorities else {
        return Ok(system_roots());
    };
    let fault = |why: String| LenderFault::File {
        path: path.clone(),
        why,
    };
    let certificates = read_chain(&path).map_err(|problem| fault(problem.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let added = roots.add(certificate);
        added.map_err(|error| fault(error.to_string()))?;
    }
    Ok(roots)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

pub(super) fn unreachable(error: io::Error) -> LenderFault {
    LenderFault::Connect(error.to_string())
}
