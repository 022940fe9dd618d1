//! connection - one request to the LAPI, and what its answer says
//!
//! Not here: what is asked (`lapi`), the connection itself (`net::http_client`).

use std::path::PathBuf;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, StatusCode};

use super::CrowdsecSettings;
use crate::net::http_client::{self, HttpAnswer, HttpFault, HttpLimits};

/// How long a connection may take, with its handshake.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a request and its answer may take: a list of 100,000 decisions comes in a second or two.
const ANSWER: Duration = Duration::from_secs(60);
/// Letters of what the LAPI says of a refusal.
const LONGEST_REMARK: usize = 120;

/// Why the LAPI does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LapiFault {
    /// There is no answer.
    #[error(transparent)]
    Http(#[from] HttpFault),
    /// It answered with another status than that of success.
    #[error("it answered {0} {1:?}")]
    Refused(u16, String),
    /// Its answer is none of the LAPI's.
    #[error("its answer makes no sense: {0}")]
    Garbage(String),
    /// A file that belongs to it.
    #[error("{}: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// What came, with a status of success.
pub(super) type Body = Vec<u8>;

/// Sends a request; an answer of success of at most `longest` octets.
pub(super) async fn exchange(
    settings: &CrowdsecSettings,
    request: Request<Full<Bytes>>,
    longest: usize,
) -> Result<Body, LapiFault> {
    let limits = HttpLimits {
        connect: CONNECT,
        answer: ANSWER,
        longest: Some(longest),
    };
    let authorities = settings.authorities.as_deref();
    succeeded(http_client::exchange(&settings.url, authorities, request, limits).await?)
}

fn succeeded(answer: HttpAnswer) -> Result<Body, LapiFault> {
    match answer.status.is_success() {
        true => Ok(answer.body),
        false => Err(refused(answer.status, &answer.body)),
    }
}

/// What the LAPI says: `{"message": "access forbidden"}`.
fn refused(status: StatusCode, body: &[u8]) -> LapiFault {
    #[derive(serde::Deserialize)]
    struct Remark {
        message: String,
    }
    let remark = serde_json::from_slice::<Remark>(body);
    let remark = remark.map_or_else(
        |_| status.canonical_reason().unwrap_or_default().to_owned(),
        |remark| remark.message,
    );
    let shown = remark.chars().filter(|letter| !letter.is_control());
    LapiFault::Refused(status.as_u16(), shown.take(LONGEST_REMARK).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_with_what_the_lapi_says_of_it() {
        let refused = |body: &str| {
            succeeded(HttpAnswer {
                status: StatusCode::FORBIDDEN,
                body: body.into(),
            })
        };
        for (body, said) in [
            (r#"{"message":"access forbidden"}"#, "access forbidden"),
            (r#"{"message":"a\nb\u001b[2J"}"#, "ab[2J"),
            ("<html>", "Forbidden"),
            ("", "Forbidden"),
        ] {
            assert_eq!(refused(body), Err(LapiFault::Refused(403, said.to_owned())));
        }
        let long = format!(r#"{{"message":"{}"}}"#, "x".repeat(500));
        let Err(LapiFault::Refused(_, said)) = refused(&long) else {
            panic!("it is refused");
        };
        assert_eq!(said.len(), LONGEST_REMARK);
    }
}
