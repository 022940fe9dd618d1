//! asked - what a running Gatepost says when an operator asks it
//!
//! Not here: a command that may fail (`Setup::command`), what it has logged (`log`).

use serde_json::Value;

use super::{Proxy, Setup};
use crate::kit::mail::User;

impl Setup {
    /// Runs a command that must end well; gives what it prints.
    #[track_caller]
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let ran = self.command(words);
        assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.text);
        ran.text
    }

    /// As [`Setup::ask`], with `--json`.
    #[track_caller]
    pub(crate) fn ask_json(&self, words: &[&str]) -> Value {
        let text = self.ask(&[words, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

impl Proxy {
    /// As [`Setup::ask`].
    #[track_caller]
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        self.setup.ask(words)
    }

    /// As [`Setup::ask_json`].
    #[track_caller]
    pub(crate) fn ask_json(&self, words: &[&str]) -> Value {
        self.setup.ask_json(words)
    }

    /// What `status` tells, whether or not all is well.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        let ran = self.setup.command(&["status", "--json"]);
        serde_json::from_str(&ran.text).unwrap_or_else(|error| panic!("{error}: {}", ran.text))
    }

    /// What is known of a user, if anything is.
    #[track_caller]
    pub(crate) fn explained(&self, User(name, _): User<'_>) -> String {
        self.setup.command(&["explain", name]).text
    }

    /// Whether this user has ever logged in.
    #[track_caller]
    pub(crate) fn is_known(&self, user: User<'_>) -> bool {
        self.explained(user).contains("known, last login")
    }

    /// Whether this user is familiar in 127.`net`.0.0/24.
    #[track_caller]
    pub(crate) fn is_familiar(&self, net: u8, user: User<'_>) -> bool {
        let network = format!("127.{net}.0.0/24 familiar");
        self.explained(user).contains(&network)
    }

    /// Whether a ban of this address or network is in force.
    #[track_caller]
    pub(crate) fn is_banned(&self, subject: &str) -> bool {
        self.ask(&["bans", "list"]).contains(subject)
    }
}
