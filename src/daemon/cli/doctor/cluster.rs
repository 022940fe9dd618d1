//! cluster - the machines that share one bound: their store, and whether all of them are configured alike
//!
//! Asks the store itself, so it works while Gatepost does not. Not here: what is asked (`cluster::store::survey`), machines that are
//! linked directly (`links`), what the running Gatepost says in detail (`status`).

use std::time::Duration;

use super::MailMachine;
use super::diagnosis::Diagnosis;
use crate::admin::message::ClusterMessage;
use crate::clock::Clock;
use crate::cluster::ClusterSettings;
use crate::cluster::store::survey::{StoreProbe, StoreSurvey, survey};
use crate::cluster::store::{LenderFault, LenderSettings, SeenMachine};

mod links;
mod secrets;

const STORE: &str = "cluster's store";
const MACHINES: &str = "cluster";
/// A machine that has been silent for longer is not there.
const GONE: Duration = Duration::from_secs(60);
/// Clocks that differ by more: one of them is wrong.
const CLOCKS: Duration = Duration::from_secs(5);
/// A store that takes longer lends later than it is needed.
const SLOW: Duration = Duration::from_millis(100);
const RULES: &str = "gatepost-cluster(7) has the ACL line for its user";

pub(super) async fn look(around: &MailMachine) -> Vec<Diagnosis> {
    let Some(settings) = &around.config.cluster else {
        return Vec::new();
    };
    let running = around.running.as_ref();
    let cluster = running.and_then(|running| running.status.cluster.as_ref());
    let mut found: Vec<Diagnosis> = running
        .and_then(|_| as_started(settings, cluster))
        .into_iter()
        .collect();
    let Some(store) = &settings.store else {
        match settings.mesh {
            Some(_) => found.extend(links::look(cluster)),
            None => found.push(alone(settings)),
        }
        return found;
    };
    match survey(store, Clock::wall).await {
        Ok(survey) => {
            found.extend(as_store(store, &survey));
            found.extend(survey.probe.map(as_clock));
            found.extend(as_machines(settings, &survey.machines));
            if let (Some(path), Some(probe)) = (&settings.secret, survey.probe) {
                found.extend(secrets::look(settings, store, path, probe.theirs).await);
            }
        }
        Err(fault) => found.push(unreachable(store, &fault)),
    }
    found
}

/// Neither store nor links: nothing is lent, and nothing is told.
fn alone(settings: &ClusterSettings) -> Diagnosis {
    let (name, total) = (&settings.name, settings.machines.len());
    let message =
        format!("{name}: one of {total}, without a store or links: they tell one another nothing");
    Diagnosis::good(MACHINES, message)
}

/// Whether the Gatepost that runs was started with this list, and has its name for itself.
fn as_started(settings: &ClusterSettings, running: Option<&ClusterMessage>) -> Option<Diagnosis> {
    const RESTART: &str = "systemctl restart gatepost: [cluster] is read at a start only";
    let Some(running) = running else {
        let message = "the gatepost that runs was started without [cluster]";
        return Some(Diagnosis::wrong(MACHINES, message, RESTART));
    };
    if running.machines != settings.machines || running.name != settings.name {
        let message =
            "the gatepost that runs has another list of machines, or another name, than the config";
        return Some(Diagnosis::wrong(MACHINES, message, RESTART));
    }
    let owns_nothing = matches!(running.in_force.as_str(), "loans" | "nothing");
    if owns_nothing && settings.machines.contains(&settings.name) {
        return Some(Diagnosis::wrong(
            MACHINES,
            format!(
                "another process has the name {}: this one has only what is lent",
                settings.name
            ),
            "give each machine its own name in [cluster] name, or end the other process",
        ));
    }
    None
}

fn unreachable(store: &LenderSettings, fault: &LenderFault) -> Diagnosis {
    let cure = match fault {
        LenderFault::File { .. } => {
            "make the file readable for the user gatepost, with the right content".to_owned()
        }
        LenderFault::Connect(_) => format!(
            "is it running, and does a firewall let this machine reach {}? Until then each machine goes on with its own part",
            store.address
        ),
        LenderFault::Silent(_) | LenderFault::Closed => {
            "is it overloaded, frozen, or out of connections (maxclients)?".to_owned()
        }
        LenderFault::Refused(_) => format!("see user and password-file in [cluster]; {RULES}"),
    };
    let message = format!("{} cannot be asked: {fault}", store.address);
    Diagnosis::wrong(STORE, message, cure)
}

fn as_store(store: &LenderSettings, survey: &StoreSurvey) -> Vec<Diagnosis> {
    let address = &store.address;
    let mut found = vec![match (&survey.probe, &survey.refused) {
        (Some(probe), _) => answered(store, probe),
        (None, Some(fault)) => Diagnosis::wrong(
            STORE,
            format!("{address} takes nothing: {fault}"),
            match survey.is_replica {
                true => {
                    "it follows another server: write that one into store = in [cluster]".to_owned()
                }
                false => format!(
                    "if it is full: more maxmemory, or a store of Gatepost's own; if it forbids: {RULES}"
                ),
            },
        ),
        (None, None) => Diagnosis::note(STORE, format!("{address} was not tried")),
    }];
    let major = survey.version.split('.').next().unwrap_or_default();
    if major.parse::<u32>().is_ok_and(|major| major < 7) {
        found.push(Diagnosis::wrong(
            STORE,
            format!("it is of version {}", survey.version),
            "Redis 7 or later, or Valkey",
        ));
    }
    if survey.is_sharded {
        found.push(Diagnosis::wrong(
            STORE,
            "it is one of a Redis Cluster",
            "a server of its own: a replica may follow it",
        ));
    }
    found.push(as_memory(survey));
    found.extend(as_replicas(survey));
    if survey.foreign > 0 {
        let message = format!(
            "other programs have {} keys or more there: who can write to it can lend every machine a half",
            survey.foreign
        );
        found.push(Diagnosis::note(STORE, message).with_cure(
            "a server of Gatepost's own, or a user for each program (ACL); then its maxmemory and a FLUSHALL are nobody else's",
        ));
    }
    found
}

fn answered(store: &LenderSettings, probe: &StoreProbe) -> Diagnosis {
    let message = format!(
        "{} takes what is written, and answers within {:.1} ms",
        store.address,
        probe.took.as_secs_f64() * 1e3
    );
    match probe.took > SLOW {
        false => Diagnosis::good(STORE, message),
        true => Diagnosis::note(STORE, message).with_cure(
            "no login waits for it, but loans come late: a store nearer to the machines",
        ),
    }
}

/// What it loses is no danger: a bucket that is gone is empty. But strangers wait then, and machines tell all anew.
fn as_memory(survey: &StoreSurvey) -> Diagnosis {
    const MIB: u64 = 1 << 20;
    let (used, most) = (survey.used_memory / MIB, survey.max_memory / MIB);
    let policy = &survey.policy;
    if survey.max_memory == 0 {
        let message = format!("it may use all memory of its machine, and uses {used} MiB");
        return Diagnosis::good(STORE, message);
    }
    if policy != "noeviction" {
        let evicted = match survey.evicted {
            0 => String::new(),
            many => format!(" ({many} so far)"),
        };
        return Diagnosis::wrong(
            STORE,
            format!(
                "full ({used} of {most} MiB are used), it evicts keys{evicted}: maxmemory-policy is {policy}. What is lent, or told, is lost then"
            ),
            "maxmemory-policy noeviction, or a store of Gatepost's own: 200 MB are enough for it",
        );
    }
    if survey.used_memory >= survey.max_memory / 10 * 9 {
        return Diagnosis::wrong(
            STORE,
            format!("it uses {used} of {most} MiB: full, it takes nothing"),
            "more maxmemory, or a store of Gatepost's own",
        );
    }
    Diagnosis::good(
        STORE,
        format!("it uses {used} of {most} MiB, and evicts nothing"),
    )
}

/// Two servers that both take what is written lend twice.
fn as_replicas(survey: &StoreSurvey) -> Option<Diagnosis> {
    if survey.replicas == 0 || survey.needs_replica {
        return None;
    }
    let message = format!(
        "{} servers follow it, and it lends without them: while one takes its place and machines still reach it, both lend",
        survey.replicas
    );
    let cure =
        "min-replicas-to-write 1 and min-replicas-max-lag 10, on it and on those that follow it";
    Some(Diagnosis::note(STORE, message).with_cure(cure))
}

fn as_clock(probe: StoreProbe) -> Diagnosis {
    const TOPIC: &str = "cluster's clock";
    let (ahead, behind) = (
        probe.theirs.since(probe.ours),
        probe.ours.since(probe.theirs),
    );
    let differs = ahead.max(behind);
    let way = if ahead > behind { "ahead of" } else { "behind" };
    let message = format!(
        "the store's is {:.1} s {way} this machine's",
        differs.as_secs_f64()
    );
    match differs > CLOCKS {
        false => Diagnosis::good(TOPIC, message),
        true => Diagnosis::wrong(
            TOPIC,
            message,
            "set the one that is wrong: apt install systemd-timesyncd. The bound holds whatever clocks show, but times in logs and \
             reports do not agree",
        ),
    }
}

fn as_machines(settings: &ClusterSettings, seen: &[SeenMachine]) -> Vec<Diagnosis> {
    let here = |one: &&SeenMachine| one.silent < GONE;
    let list = settings.list_hash();
    let total = settings.machines.len();
    let mut found = Vec::new();
    for one in seen.iter().filter(here) {
        let name = one.name.escape_default();
        if one.list != list {
            found.push(Diagnosis::wrong(
                MACHINES,
                format!("{name} has another list of machines: the parts are no whole"),
                "the same machines = [...] in the same order on each, then restart them one after another",
            ));
        } else if !settings.machines.contains(&one.name) {
            found.push(Diagnosis::wrong(
                MACHINES,
                format!(
                    "{name} is none of the {total} machines on the list: it has only what is lent"
                ),
                "add it to machines = [...] on all of them, and restart them; or stop it",
            ));
        }
    }
    let listed = settings.machines.iter();
    let missing = |name: &&String| !seen.iter().filter(here).any(|one| one.name == **name);
    let missing: Vec<&str> = listed.filter(missing).map(String::as_str).collect();
    if !missing.is_empty() {
        let message = format!(
            "not at the store within the last minute: {}",
            missing.join(", ")
        );
        found.push(Diagnosis::note(MACHINES, message).with_cure(
            "if one is gone for good: take it out of machines = [...] on all, or its part of the shared buckets is nobody's",
        ));
    }
    if found.is_empty() {
        let message = format!("all {total} machines are there, with the same list");
        found.push(Diagnosis::good(MACHINES, message));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::diagnosis::Condition;
    use super::*;
    use gatepost_core::moment::Moment;

    fn settings() -> ClusterSettings {
        ClusterSettings {
            name: "mx1".to_owned(),
            machines: vec!["mx1".to_owned(), "mx2".to_owned()],
            store: None,
            mesh: None,
            secret: None,
        }
    }

    fn seen(name: &str, list: &str, silent: u64) -> SeenMachine {
        SeenMachine {
            name: name.to_owned(),
            silent: Duration::from_secs(silent),
            version: "0".to_owned(),
            list: list.to_owned(),
        }
    }

    #[track_caller]
    fn says(found: &[Diagnosis], state: Condition, words: &str) {
        let fits = |one: &&Diagnosis| one.state == state && one.message.contains(words);
        assert!(found.iter().any(|one| fits(&one)), "{words}: {found:#?}");
    }

    #[test]
    fn one_machine_more_another_list_and_one_that_is_missing_are_named() {
        let settings = settings();
        let list = settings.list_hash();
        let own = seen("mx1", &list, 1);
        let both = [own.clone(), seen("mx2", &list, 59)];
        says(&as_machines(&settings, &both), Condition::Good, "all 2");
        let three = [both.as_slice(), &[seen("mx3", &list, 1)]].concat();
        says(
            &as_machines(&settings, &three),
            Condition::Wrong,
            "mx3 is none",
        );
        let differ = [own.clone(), seen("mx2\u{1b}[2J", "other", 1)];
        let told = as_machines(&settings, &differ);
        says(&told, Condition::Wrong, "mx2\\u{1b}[2J has another list");
        let silent = [own, seen("mx2", "other", 60)];
        let told = as_machines(&settings, &silent);
        says(&told, Condition::Note, "last minute: mx2");
        assert_eq!(told.len(), 1, "{told:#?}");
    }

    #[test]
    fn a_store_that_evicts_or_is_nearly_full_is_wrong() {
        let memory = |policy: &str, used, most| {
            let survey = StoreSurvey {
                policy: policy.to_owned(),
                used_memory: used,
                max_memory: most,
                ..StoreSurvey::default()
            };
            as_memory(&survey).state
        };
        assert_eq!(memory("allkeys-lru", 90, 0), Condition::Good);
        assert_eq!(memory("allkeys-lru", 1, 100), Condition::Wrong);
        assert_eq!(memory("noeviction", 89, 100), Condition::Good);
        assert_eq!(memory("noeviction", 90, 100), Condition::Wrong);
    }

    #[test]
    fn a_store_that_lends_without_the_servers_that_follow_it_is_told() {
        let told = |replicas, needs_replica| {
            as_replicas(&StoreSurvey {
                replicas,
                needs_replica,
                ..StoreSurvey::default()
            })
        };
        assert!(told(0, false).is_none() && told(1, true).is_none());
        says(
            &[told(2, false).expect("a note")],
            Condition::Note,
            "2 servers follow it",
        );
    }

    #[test]
    fn clocks_may_differ_by_five_seconds() {
        let ours = Moment::from_seconds(1_800_000_000);
        let clock = |theirs| {
            let took = Duration::ZERO;
            as_clock(StoreProbe { took, theirs, ours })
        };
        assert_eq!(clock(ours + CLOCKS).state, Condition::Good);
        let behind = clock(ours - CLOCKS - Duration::from_nanos(1));
        assert_eq!(behind.state, Condition::Wrong);
        assert!(behind.message.contains("5.0 s behind"), "{behind:?}");
    }
}
