//! limits - every bounded resource of the daemon, and how often its bound acted
//!
//! A bound that acts unseen looks like a fault elsewhere. So each stands in [`TABLE`] with its name, and
//! `gatepost status` shows its count under that name. [`LimitCounters`] holds the counts of those that nobody else
//! counts; admission and the gate count their own.
//! Not here: the bounds themselves (each with its resource), what a client may do in one session (its faults
//! end it, and the log tells that).

use super::counter::Counter;

/// A bounded resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceLimit {
    /// Connections at once.
    Sessions,
    /// Connections at once of one client.
    PerClient,
    /// Connections at once of one network.
    PerNetwork,
    /// Sessions of one user that have logged in.
    PerUser,
    /// Postfix's processes, for sessions that have logged in.
    LoggedIn,
    /// New connections of one client.
    Connects,
    /// New connections of one familiar network.
    FamiliarConnects,
    /// Clients whose rate of new connections is remembered.
    ConnectRates,
    /// Descriptors and memory for another connection.
    Accepts,
    /// Refused connections that are held before their reset.
    HeldRefusals,
    /// Connections that were admitted and could not be served.
    Connections,
    /// Load balancers' connections whose PROXY header is not read yet.
    ProxyHeaders,
    /// TLS handshakes that compute at once.
    Handshakes,
    /// Unfamiliar attempts at Postfix at once.
    Turns,
    /// Unfamiliar relayed exchanges at once.
    Exchanges,
    /// Processes of Postfix for logins.
    Processes,
    /// Processes of Postfix for relayed exchanges.
    RelayedExchanges,
    /// Events of the gate on their way to the journal and the log.
    Notices,
    /// How long a session waits until the journal has what it did.
    Acknowledgements,
    /// Operators' connections at once.
    Operators,
    /// Descriptors and memory for another operator.
    OperatorAccepts,
    /// The length of an operator's request.
    OperatorRequests,
    /// Dovecot's connections that ask about logins.
    PolicyConnections,
    /// Connections for metrics, health and the page.
    HttpConnections,
    /// Live streams of the page at once.
    HttpStreams,
    /// Permits that wait for Dovecot's report.
    PolicyPermits,
    /// Questions that wait for a turn.
    PolicyTurns,
    /// What may be asked without the secret: nothing.
    PolicySecrets,
    /// How little of a password's hash is enough: all of it.
    PolicyHashes,
    /// Log lines that wait for their reader.
    LogQueue,
    /// Log lines about refused clients.
    LogLines,
    /// Events on their way to the history, and rows that it keeps of them.
    History,
    /// Notices to the operator that wait to be sent.
    Occurrences,
    /// Facts on their way to the other machines of a cluster.
    ClusterFacts,
    /// Bans that CrowdSec is to be told.
    CrowdsecBans,
    /// Buckets of which the other machines of a cluster are to know what was spent.
    ClusterSpending,
    /// Connections to the port for other machines that have not shown the secret.
    ClusterVisitors,
    /// Rows of the gate's table of clients.
    Clients,
    /// Familiar pairs and known users.
    Pairs,
    /// Bans.
    Bans,
    /// Attempts that have paid and had no answer.
    HeldAttempts,
    /// Clients with credit.
    Credit,
    /// Refused clients whose connections are counted for the listener filter.
    FilterCounts,
    /// Clients in the kernel's program.
    FilterProgram,
}

/// What is known of a limit. The name is public API: the key in `status`.
#[derive(Clone, Copy, Debug)]
pub struct LimitRow {
    /// Which one.
    pub limit: ResourceLimit,
    /// Its key in `status`.
    pub name: &'static str,
    /// What its count counts.
    pub counts: &'static str,
}

const fn row(limit: ResourceLimit, name: &'static str, counts: &'static str) -> LimitRow {
    LimitRow {
        limit,
        name,
        counts,
    }
}

/// How many there are. Not the table's own length: with optimisation the compiler finds a cycle there in tests.
const LIMITS: usize = 44;

/// Every limit, in the order of [`ResourceLimit`].
#[rustfmt::skip]
pub const TABLE: [LimitRow; LIMITS] = [
    row(ResourceLimit::Sessions, "sessions", "clients evicted or turned away while all sessions were taken"),
    row(ResourceLimit::PerClient, "per-client", "connections that gave way to another of their client, or were turned away"),
    row(ResourceLimit::PerNetwork, "per-network", "connections that gave way to another of their network, or were turned away"),
    row(ResourceLimit::PerUser, "per-user", "logins refused: too many sessions of this user, and all at work"),
    row(ResourceLimit::LoggedIn, "logged-in", "logins refused: sessions have all the processes of Postfix that they may have, and none gave way"),
    row(ResourceLimit::Connects, "connects", "connections turned away: too many new ones of this client"),
    row(ResourceLimit::FamiliarConnects, "familiar-connects", "connections turned away: too many new ones of this familiar network"),
    row(ResourceLimit::ConnectRates, "connect-rates", "clients or familiar networks whose rate was forgotten early"),
    row(ResourceLimit::Accepts, "accepts", "tries to accept that failed for want of descriptors or memory"),
    row(ResourceLimit::HeldRefusals, "held-refusals", "refused connections that were reset at once"),
    row(ResourceLimit::Connections, "connections", "admitted connections that were lost before their session"),
    row(ResourceLimit::ProxyHeaders, "proxy-headers", "load balancers' connections reset: too many PROXY headers pending"),
    row(ResourceLimit::Handshakes, "handshakes", "handshakes that others kept from computing until their deadline"),
    row(ResourceLimit::Turns, "turns", "unfamiliar attempts whose turn did not come in time"),
    row(ResourceLimit::Exchanges, "exchanges", "relayed exchanges that found no place, or lost it to another"),
    row(ResourceLimit::Processes, "processes", "logins for which no process of Postfix was free in time"),
    row(ResourceLimit::RelayedExchanges, "relayed-exchanges", "relayed exchanges for which no process of Postfix was free in time"),
    row(ResourceLimit::Notices, "notices", "events that neither the journal nor the log got"),
    row(ResourceLimit::Acknowledgements, "acknowledgements", "sessions that went on before the journal had what they did"),
    row(ResourceLimit::Operators, "operators", "operators' connections refused"),
    row(ResourceLimit::OperatorAccepts, "operator-accepts", "tries to accept an operator that failed"),
    row(ResourceLimit::OperatorRequests, "operator-requests", "requests that were too long"),
    row(ResourceLimit::PolicyConnections, "policy-connections", "auth-policy connections refused, or closed for others"),
    row(ResourceLimit::HttpConnections, "http-connections", "connections for metrics and the page refused, or closed for others"),
    row(ResourceLimit::HttpStreams, "http-streams", "pages that were not shown live: too many are open"),
    row(ResourceLimit::PolicyPermits, "policy-permits", "attempts of which Dovecot's report would have come too late"),
    row(ResourceLimit::PolicyTurns, "policy-turns", "questions of Dovecot's that did not wait for a turn, for too many did"),
    row(ResourceLimit::PolicySecrets, "policy-secrets", "questions without the secret of [auth-policy]"),
    row(ResourceLimit::PolicyHashes, "policy-hashes", "questions with a part of the hash: Dovecot needs auth_policy_hash_truncate = 0"),
    row(ResourceLimit::LogQueue, "log-queue", "lines dropped, or not taken by their reader"),
    row(ResourceLimit::LogLines, "log-lines", "lines about clients that were only counted"),
    row(ResourceLimit::History, "history", "events that the history only counted, or lost"),
    row(ResourceLimit::Occurrences, "occurrences", "notices that were not sent, for too many waited"),
    row(ResourceLimit::ClusterFacts, "cluster-facts", "facts that the other machines were told later, with all the rest"),
    row(ResourceLimit::CrowdsecBans, "crowdsec-bans", "bans that CrowdSec was not told, for too many waited"),
    row(ResourceLimit::ClusterSpending, "cluster-spending", "tries of which the other machines do not know what they have spent"),
    row(ResourceLimit::ClusterVisitors, "cluster-visitors", "connections to the port for other machines reset before their handshake"),
    row(ResourceLimit::Clients, "clients", "clients forgotten early"),
    row(ResourceLimit::Pairs, "pairs", "familiar pairs, devices and known users forgotten early"),
    row(ResourceLimit::Bans, "bans", "bans that ended early"),
    row(ResourceLimit::HeldAttempts, "held-attempts", "attempts without an answer whose tokens stay spent for want of room"),
    row(ResourceLimit::Credit, "credit", "clients whose credit was forgotten early, or not earned for want of room"),
    row(ResourceLimit::FilterCounts, "filter-counts", "connections of refused clients not counted"),
    row(ResourceLimit::FilterProgram, "filter-program", "times that refused clients did not all fit into the kernel's program"),
];

/// How often each limit acted, for those that nobody else counts.
#[derive(Debug)]
pub struct LimitCounters([Counter; LIMITS]);

impl Default for LimitCounters {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

impl LimitCounters {
    /// It acted once.
    pub fn count(&self, limit: ResourceLimit) {
        self.add(limit, 1);
    }

    /// It acted `n` times.
    pub fn add(&self, limit: ResourceLimit, n: u64) {
        if let Some(counter) = self.0.get(limit as usize) {
            counter.add(n);
        }
    }

    /// How often it acted.
    pub fn get(&self, limit: ResourceLimit) -> u64 {
        self.0.get(limit as usize).map_or(0, Counter::get)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_limit_has_its_row_and_its_own_count() {
        let limits = LimitCounters::default();
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.limit as usize, index, "{}", row.name);
            limits.add(row.limit, index as u64);
        }
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(limits.get(row.limit), index as u64, "{}", row.name);
        }
        assert_eq!(ResourceLimit::FilterProgram as usize + 1, TABLE.len());
        let names: BTreeSet<_> = TABLE.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), TABLE.len(), "two limits of one name");
    }
}
