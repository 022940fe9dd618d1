//! occurrence - what an operator wants to be told without asking, and where to
//!
//! Not here: when something is one (`history::detector`, `server`), sending it (`server::notify`).

use std::fmt;

use crate::http_url::HttpUrl;

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

/// Where a kind of occurrence comes from, and so how many of it there can be. Each has a bucket of notices of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeSource {
    /// Anybody.
    Strangers,
    /// Anybody who knows the right password of an account.
    Passwords,
    /// A backend, this machine, another one of the cluster, the operator.
    Operation,
}

impl NoticeSource {
    /// All.
    pub const ALL: [Self; 3] = [Self::Strangers, Self::Passwords, Self::Operation];
}

impl OccurrenceKind {
    /// Who can bring it about. A user's refusal at home is for what somebody else may have done there.
    pub const fn source(self) -> NoticeSource {
        match self {
            Self::NetworkBanned | Self::StrangersEmpty | Self::FamiliarRefused => {
                NoticeSource::Strangers
            }
            Self::ManyNetworks
            | Self::PasswordListed
            | Self::DecoyOpened
            | Self::StolenSuspected => NoticeSource::Passwords,
            Self::BackendUnusable
            | Self::BackendUsable
            | Self::CertificateDue
            | Self::PlacesUnread
            | Self::ClusterCutOff
            | Self::ClusterConnected
            | Self::Test => NoticeSource::Operation,
        }
    }
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
    pub webhook: Option<HttpUrl>,
}

impl NoticeSettings {
    /// Whether anything is sent at all.
    pub const fn is_wanted(&self) -> bool {
        !self.command.is_empty() || self.webhook.is_some()
    }
}
