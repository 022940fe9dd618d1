//! occurrence - what an operator wants to be told without asking, and where to
//!
//! Not here: when something is one (`history::detector`, `server`), sending it (`server::notify`).

use std::fmt;

/// What happened. The values (`Display`) are public API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OccurrenceKind {
    /// Logins do not work.
    BackendUnusable,
    /// They work again.
    BackendUsable,
    /// A network was banned.
    NetworkBanned,
    /// The bucket that all strangers pay from is empty: an attack on everybody.
    StrangersEmpty,
    /// A user was refused where they are at home.
    FamiliarRefused,
    /// One account has logged in from many networks within an hour.
    ManyNetworks,
    /// The password of an account is on the owner's list of known ones.
    PasswordListed,
    /// A certificate should have been renewed.
    CertificateDue,
    /// Somebody has the right password of a mailbox that nobody has.
    DecoyOpened,
    /// The password of an account seems to be stolen.
    StolenSuspected,
    /// A database of places cannot be read.
    PlacesUnread,
    /// This machine does not reach the others of its cluster.
    ClusterCutOff,
    /// It does again.
    ClusterConnected,
    /// An operator asked for it.
    Test,
}

impl fmt::Display for OccurrenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BackendUnusable => "backend-unusable",
            Self::BackendUsable => "backend-usable",
            Self::NetworkBanned => "network-banned",
            Self::StrangersEmpty => "strangers-empty",
            Self::FamiliarRefused => "familiar-refused",
            Self::ManyNetworks => "many-networks",
            Self::PasswordListed => "password-listed",
            Self::CertificateDue => "certificate-due",
            Self::DecoyOpened => "decoy-opened",
            Self::StolenSuspected => "stolen-suspected",
            Self::PlacesUnread => "places-unread",
            Self::ClusterCutOff => "cluster-cut-off",
            Self::ClusterConnected => "cluster-connected",
            Self::Test => "test",
        })
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// What.
    pub kind: OccurrenceKind,
    /// What it happened to: a user, a network, a backend, a certificate. Of one subject a kind is told once an hour.
    pub subject: String,
    /// A sentence, with names escaped.
    pub text: String,
}

/// Where occurrences are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoticeSettings {
    /// A program and its arguments; empty: none.
    pub command: Vec<String>,
    /// Where a JSON object is posted to.
    pub webhook: Option<Webhook>,
}

impl NoticeSettings {
    /// Whether anything is sent at all.
    pub const fn is_wanted(&self) -> bool {
        !self.command.is_empty() || self.webhook.is_some()
    }
}

/// Where a JSON object is posted to. A part of it may be a secret: `Debug` shows the host only.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// In clear, or in TLS.
    pub scheme: Scheme,
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// With its query.
    pub path: String,
}

/// How a webhook is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In clear.
    Http,
    /// In TLS, verified by the roots of this machine.
    Https,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({})", self.host)
    }
}

impl Webhook {
    /// Reads `http://` or `https://`, a host, a port if wanted, and a path.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = match url.split_once("://") {
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            _ => return Err("it begins with neither https:// nor http://"),
        };
        if !url.bytes().all(|octet| octet.is_ascii_graphic()) || url.contains('#') {
            return Err("a URL has neither blanks, nor letters beyond ASCII, nor a fragment here");
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err("a user and password in a URL are not sent");
        }
        let (host, port) = split_port(authority).ok_or("its port is no number")?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.is_empty() {
            return Err("it names no host");
        }
        let usual = match scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        };
        Ok(Self {
            scheme,
            host: bare.to_owned(),
            port: port.unwrap_or(usual),
            path: match path.starts_with('/') {
                true => path.to_owned(),
                false => format!("/{path}"),
            },
        })
    }
}

/// The host, and the port if there is one.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    // In brackets the colons are the address's.
    let behind = authority.rfind(']').unwrap_or(0);
    let colon = authority.get(behind..)?.find(':').map(|at| at + behind);
    match colon {
        None => Some((authority, None)),
        Some(at) => {
            let port = authority.get(at + 1..)?.parse().ok()?;
            Some((authority.get(..at)?, Some(port)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_taken_apart_or_refused_with_what_is_wrong() {
        let read = |url| Webhook::read(url).map(|hook| (hook.host, hook.port, hook.path));
        let fine = |host: &str, port, path: &str| Ok((host.to_owned(), port, path.to_owned()));
        assert_eq!(
            read("https://ntfy.sh/topic?a=b"),
            fine("ntfy.sh", 443, "/topic?a=b")
        );
        assert_eq!(read("http://[::1]:8080"), fine("::1", 8080, "/"));
        assert_eq!(read("http://127.0.0.1?x"), fine("127.0.0.1", 80, "/?x"));
        for url in [
            "ntfy.sh/topic",
            "ftp://x/",
            "https://",
            "https://:1/",
            "https://a:b/",
            "https://u:p@h/",
            "https://h/a b",
            "https://h/\r\nX: y",
            "https://h/#a",
            "https://h:70000/",
        ] {
            assert!(Webhook::read(url).is_err(), "{url}");
        }
        let shown = format!("{:?}", Webhook::read("https://h/secret"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
