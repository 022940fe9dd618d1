//! survey - looks at a store for an operator: does it answer, does it take what is written and keep it, who else is there
//!
//! Changes nothing but a key of its own that is gone after a second. Not here: what is judged of it (`cli::doctor`).

use std::time::Duration;

use tokio::time::timeout;

use super::connection::StoreConnection;
use super::{ENTRY, LenderFault, LenderSettings, MACHINES, SeenMachine};
use gatepost_core::moment::Moment;

const PROBE: &str = include_str!("../probe.lua");
const PROBED: &str = "gatepost:1:doctor";
/// How long that key stays, in milliseconds.
const STAYS: u64 = 1_000;
/// Keys of Gatepost's at most: five buckets, the machines, the records, and the one of this look.
const OWN_KEYS: u64 = 8;
/// How often it is asked for its time; the fastest answer counts.
const ASKED: usize = 5;

/// What a store says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreSurvey {
    /// Its version of Redis, or the one that it is compatible with.
    pub version: String,
    /// Whether it is one of a Redis Cluster.
    pub is_sharded: bool,
    /// Whether it follows another server.
    pub is_replica: bool,
    /// Servers that follow it.
    pub replicas: u64,
    /// Whether it takes nothing without one of those that is up to date (`min-replicas-to-write`).
    pub needs_replica: bool,
    /// Octets that it may use; 0: all there are.
    pub max_memory: u64,
    /// Octets that it uses.
    pub used_memory: u64,
    /// What it does when it has used them.
    pub policy: String,
    /// Keys that it has evicted since it was started.
    pub evicted: u64,
    /// Keys that are none of Gatepost's: at least so many.
    pub foreign: u64,
    /// The machines that were there in the last day.
    pub machines: Vec<SeenMachine>,
    /// What came of writing, and of asking what time it is.
    pub probe: Option<StoreProbe>,
    /// Why nothing can be written; none: it can.
    pub refused: Option<LenderFault>,
}

/// An answer to what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreProbe {
    /// How long it took.
    pub took: Duration,
    /// What the store's clock showed.
    pub theirs: Moment,
    /// What ours showed meanwhile: the middle of question and answer.
    pub ours: Moment,
}

/// Looks at a store; `now` is the wall clock.
///
/// # Errors
/// Why it cannot be reached, or does not answer.
pub async fn survey(
    settings: &LenderSettings,
    now: impl Fn() -> Moment,
) -> Result<StoreSurvey, LenderFault> {
    let opening = timeout(ENTRY, Box::pin(StoreConnection::open(settings)));
    let opened = opening.await.unwrap_or(Err(LenderFault::Silent(ENTRY)));
    let mut connection = opened?;
    let info: String = connection.ask(&redis::cmd("INFO")).await?;
    let mut survey = read(&info, settings.database);
    let mut machines = redis::cmd("HGETALL");
    let machines: Vec<(String, String)> = connection.ask(machines.arg(MACHINES)).await?;
    match probe(&mut connection, now).await {
        Ok(probe) => {
            let seen = machines.into_iter();
            survey.machines = seen
                .filter_map(|(name, text)| seen_machine(name, &text, probe.theirs))
                .collect();
            survey.probe = Some(probe);
        }
        Err(why) => survey.refused = Some(why),
    }
    Ok(survey)
}

async fn probe(
    connection: &mut StoreConnection,
    now: impl Fn() -> Moment,
) -> Result<StoreProbe, LenderFault> {
    let script = connection.load(PROBE).await?;
    let mut command = redis::cmd("EVALSHA");
    command.arg(script).arg(1).arg(PROBED).arg(STAYS);
    let mut fastest: Option<StoreProbe> = None;
    for _ in 0..ASKED {
        let asked = now();
        let micros: u64 = connection.ask(&command).await?;
        let took = now().since(asked);
        let probe = StoreProbe {
            took,
            theirs: Moment::EPOCH + Duration::from_micros(micros),
            ours: asked + took / 2,
        };
        if fastest.is_none_or(|fastest| took < fastest.took) {
            fastest = Some(probe);
        }
    }
    fastest.ok_or(LenderFault::Closed)
}

/// What INFO tells.
fn read(info: &str, database: i64) -> StoreSurvey {
    let field = |name: &str| {
        let mut lines = info.lines().filter_map(|line| line.split_once(':'));
        lines.find_map(|(key, value)| (key == name).then(|| value.trim()))
    };
    let number = |name| {
        let text = field(name).unwrap_or_default();
        text.parse::<u64>().unwrap_or_default()
    };
    StoreSurvey {
        version: field("redis_version").unwrap_or_default().to_owned(),
        is_sharded: number("cluster_enabled") == 1,
        is_replica: field("role") == Some("slave"),
        replicas: number("connected_slaves"),
        // It is only told where that is set.
        needs_replica: field("min_slaves_good_slaves").is_some(),
        max_memory: number("maxmemory"),
        used_memory: number("used_memory"),
        policy: field("maxmemory_policy").unwrap_or_default().to_owned(),
        evicted: number("evicted_keys"),
        foreign: foreign(info, database),
        ..StoreSurvey::default()
    }
}

/// Keys beyond those that Gatepost has in its database, and those in others: `db0:keys=3,expires=1,avg_ttl=0`.
fn foreign(info: &str, database: i64) -> u64 {
    let keys = |line: &str| {
        let (number, rest) = line.strip_prefix("db")?.split_once(":keys=")?;
        let keys: u64 = rest.split(',').next()?.parse().ok()?;
        let number: i64 = number.parse().ok()?;
        Some(match number == database {
            true => keys.saturating_sub(OWN_KEYS),
            false => keys,
        })
    };
    info.lines().filter_map(keys).sum()
}

/// As `announce.lua` writes it: process, milliseconds, version, list.
fn seen_machine(name: String, text: &str, theirs: Moment) -> Option<SeenMachine> {
    let mut parts = text.split(' ').skip(1);
    let at: u64 = parts.next()?.parse().ok()?;
    Some(SeenMachine {
        name,
        silent: theirs.since(Moment::EPOCH + Duration::from_millis(at)),
        version: parts.next()?.to_owned(),
        list: parts.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::cluster::own_redis::Redis;

    #[tokio::test]
    async fn a_store_says_how_much_it_may_use_who_is_there_and_what_time_it_is() {
        let options = ["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"];
        let redis = Redis::start(&options).await;
        let mut lender = redis.lender().await;
        lender.announce("mx2", "other", "0badcafe").await.unwrap();
        for number in 0..9 {
            redis.run(&["SET", &format!("other{number}"), "1"]).await;
        }
        let survey = survey(&redis.settings(), Clock::wall).await.unwrap();
        assert_eq!(survey.max_memory, 64 << 20);
        assert_eq!(survey.policy, "allkeys-lru");
        assert!(survey.used_memory > 0 && survey.version.starts_with(char::is_numeric));
        assert!(!survey.is_replica && !survey.is_sharded);
        // Beside those nine there is the list of machines.
        assert_eq!(survey.foreign, 2);
        let [machine] = &survey.machines[..] else {
            panic!("{survey:?}");
        };
        assert_eq!(
            (machine.name.as_str(), machine.list.as_str()),
            ("mx2", "0badcafe")
        );
        assert!(machine.silent < Duration::from_secs(5), "{machine:?}");
        let probe = survey.probe.unwrap();
        let [one, other] = [
            probe.theirs.since(probe.ours),
            probe.ours.since(probe.theirs),
        ];
        assert!(one.max(other) < Duration::from_secs(1), "{probe:?}");
        assert_eq!(survey.refused, None);
    }

    #[tokio::test]
    async fn a_store_that_is_full_or_follows_another_one_says_that_it_takes_nothing() {
        let redis = Redis::start(&["--maxmemory", "1"]).await;
        let survey_of = async || survey(&redis.settings(), Clock::wall).await.unwrap();
        let full = survey_of().await;
        let why = full.refused.map(|why| why.to_string()).unwrap_or_default();
        assert!(why.contains("OOM") && full.probe.is_none(), "{why}");
        redis.run(&["CONFIG", "SET", "maxmemory", "0"]).await;
        redis.run(&["REPLICAOF", "127.0.0.1", "9"]).await;
        let replica = survey_of().await;
        assert!(
            replica.is_replica && replica.refused.is_some(),
            "{replica:?}"
        );
    }

    #[tokio::test]
    async fn a_store_with_replicas_says_whether_it_needs_one_to_take_what_is_written() {
        let redis = Redis::start(&[]).await;
        let survey_of = async || survey(&redis.settings(), Clock::wall).await.unwrap();
        let alone = survey_of().await;
        assert_eq!((alone.replicas, alone.needs_replica), (0, false));
        redis
            .run(&["CONFIG", "SET", "min-replicas-to-write", "1"])
            .await;
        let needs = survey_of().await;
        let why = needs.refused.map(|why| why.to_string()).unwrap_or_default();
        assert!(needs.needs_replica && why.contains("NOREPLICAS"), "{why}");
        let followed = read("role:master\r\nconnected_slaves:2\r\n", 0);
        assert_eq!((followed.replicas, followed.needs_replica), (2, false));
    }

    #[test]
    fn keys_in_other_databases_are_others() {
        let info =
            "# Keyspace\r\ndb0:keys=8,expires=8,avg_ttl=1\r\ndb3:keys=20,expires=0,avg_ttl=0\r\n";
        assert_eq!(foreign(info, 0), 20);
        assert_eq!(foreign(info, 3), 8 + 12);
        assert_eq!(foreign("", 0), 0);
    }
}
