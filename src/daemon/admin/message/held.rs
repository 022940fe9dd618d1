//! held - what a process that was stopped tells of the sessions that it still has
//!
//! The two may be of different versions: what the other one does not tell has a default, and what it does not know is left out.
//! Not here: the requests for it (`admin::message`).

use serde::{Deserialize, Serialize};

/// A session of a process that was stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldMessage {
    /// In that process.
    pub number: u64,
    /// The octets of the user's name, as the client wrote it; none: that version does not tell them.
    #[serde(default)]
    pub name: Vec<u8>,
    /// An address, or an IPv6 /64.
    pub client: String,
    /// How it works; none: that version does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<WorkMessage>,
}

/// How a session works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkMessage {
    /// Since its login, in seconds.
    pub lasts_s: u64,
    /// Since its last octet, in seconds.
    pub still_s: u64,
    /// Octets between the last two samples.
    pub lately: u32,
    /// Whether Postfix waits for the client.
    pub clients_turn: bool,
}

/// Why sessions of a process that was stopped are to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhyEnded {
    /// The operator says so.
    #[default]
    ByOrder,
    /// Their places go to other sessions.
    GaveWay,
}

impl WhyEnded {
    /// Whether it need not be said, and an older version understands the request.
    pub fn is_by_order(&self) -> bool {
        *self == Self::ByOrder
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::message::{Request, Response};

    #[test]
    fn what_an_older_version_tells_is_read_and_what_it_is_asked_it_understands() {
        let older =
            r#"{"is":"held","sessions":[{"number":7,"user":"c0ffee","client":"192.0.2.1"}]}"#;
        let Response::Held { sessions } = serde_json::from_str(older).unwrap() else {
            panic!("another answer");
        };
        let expected = HeldMessage {
            number: 7,
            name: Vec::new(),
            client: "192.0.2.1".to_owned(),
            work: None,
        };
        assert_eq!(sessions, [expected]);
        let by_order = Request::EndHeld {
            numbers: vec![7],
            why: WhyEnded::ByOrder,
        };
        let asked = serde_json::to_string(&by_order).unwrap();
        assert_eq!(asked, r#"{"do":"end-held","numbers":[7]}"#);
        let read: Request = serde_json::from_str(&asked).unwrap();
        assert_eq!(read, by_order);
    }
}
