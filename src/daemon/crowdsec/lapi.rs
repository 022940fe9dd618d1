//! lapi - what CrowdSec's local API is asked and told: a bouncer's decisions, a machine's login and alerts
//!
//! Not here: the connection (`connection`), what the answers mean (`decisions`), when it is asked (`server::crowdsec`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::http::request::Builder;
use hyper::{Method, Request};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

pub use super::connection::LapiFault;
use super::connection::{Body, exchange};
use super::decisions::Pull;
use super::{CrowdsecSettings, alerts, credentials};
use crate::net::http_client::HttpFault;

/// What bouncers are known by at the LAPI: a name and a version.
const AGENT: &str = concat!("gatepost/", env!("CARGO_PKG_VERSION"));
/// The header of a bouncer's key.
const KEY: &str = "X-Api-Key";
/// Octets of an answer with decisions: 200,000 with 300 octets each.
const LONGEST_DECISIONS: usize = 60 << 20;
/// Octets of any other.
const LONGEST: usize = 256 << 10;

/// A LAPI, with the token that a machine has logged in for.
#[derive(Debug)]
pub struct Lapi {
    settings: Arc<CrowdsecSettings>,
    token: Option<HeaderValue>,
}

impl Lapi {
    /// One that nobody has logged in to yet.
    pub const fn new(settings: Arc<CrowdsecSettings>) -> Self {
        Self {
            settings,
            token: None,
        }
    }

    /// A bouncer's decisions, as they came.
    ///
    /// # Errors
    /// There are none to be had; then what changed before the next question is not known, and all of it is to be asked for.
    pub async fn decisions(&self, key: &Path, pull: Pull) -> Result<Body, LapiFault> {
        let key = read(key, credentials::key).await?;
        let path = match pull {
            Pull::Whole => "/v1/decisions/stream?startup=true",
            Pull::Since => "/v1/decisions/stream",
        };
        let request = self.request(Method::GET, path).header(KEY, key);
        self.send(request, Bytes::new(), LONGEST_DECISIONS).await
    }

    /// Tells alerts. A token that holds no longer is replaced.
    ///
    /// # Errors
    /// It does not take them.
    pub async fn tell(&mut self, machine: &Path, alerts: Vec<u8>) -> Result<(), LapiFault> {
        let alerts = Bytes::from(alerts);
        if let Some(token) = self.token.take() {
            match self.post_alerts(&token, alerts.clone()).await {
                Err(LapiFault::Refused(401 | 403, _)) => {}
                other => {
                    self.token = Some(token);
                    return other;
                }
            }
        }
        let token = self.log_in(machine).await?;
        let told = self.post_alerts(&token, alerts).await;
        self.token = Some(token);
        told
    }

    async fn post_alerts(&self, token: &HeaderValue, alerts: Bytes) -> Result<(), LapiFault> {
        let request = self.request(Method::POST, "/v1/alerts");
        let request = request
            .header(AUTHORIZATION, token)
            .header(CONTENT_TYPE, "application/json");
        self.send(request, alerts, LONGEST).await.map(drop)
    }

    async fn log_in(&self, machine: &Path) -> Result<HeaderValue, LapiFault> {
        let machine = read(machine, credentials::machine).await?;
        let login = LapiLogin {
            machine_id: &machine.name,
            password: &machine.password,
            scenarios: alerts::scenarios(),
        };
        let login = serde_json::to_vec(&login).unwrap_or_default();
        let request = self.request(Method::POST, "/v1/watchers/login");
        let request = request.header(CONTENT_TYPE, "application/json");
        let answer = self.send(request, login.into(), LONGEST).await?;
        let garbage = || LapiFault::Garbage("there is no token in it".to_owned());
        let LapiToken { token } = serde_json::from_slice(&answer).map_err(|_| garbage())?;
        let token = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut token = token.map_err(|_| garbage())?;
        token.set_sensitive(true);
        Ok(token)
    }

    fn request(&self, method: Method, path: &str) -> Builder {
        let url = &self.settings.url;
        let path = format!("{}{path}", url.path.trim_end_matches('/'));
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, url.authority())
            .header(USER_AGENT, AGENT)
            .header(CONNECTION, "close")
    }

    async fn send(&self, request: Builder, body: Bytes, longest: usize) -> Result<Body, LapiFault> {
        let request = request.body(Full::new(body));
        let request = request.map_err(|error| HttpFault::Connect(error.to_string()))?;
        exchange(&self.settings, request, longest).await
    }
}

#[derive(Serialize)]
struct LapiLogin<'a> {
    machine_id: &'a str,
    password: &'a str,
    scenarios: [&'static str; 2],
}

#[derive(Deserialize)]
struct LapiToken {
    token: String,
}

/// Reads a file with a secret, on a thread that may wait.
async fn read<T: Send + 'static>(
    path: &Path,
    reader: fn(&Path) -> std::io::Result<T>,
) -> Result<T, LapiFault> {
    let path: PathBuf = path.to_owned();
    let reading = spawn_blocking(move || {
        reader(&path).map_err(|error| LapiFault::File {
            why: error.to_string(),
            path,
        })
    });
    let fault = |error: tokio::task::JoinError| HttpFault::Connect(error.to_string());
    reading.await.map_err(fault)?
}
