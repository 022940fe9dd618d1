//! secrets - whether the machines that tell one another what they know have the same secret
//!
//! Opens what was told in the last minutes: each machine gives a sign of life once a minute.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::super::diagnosis::Diagnosis;
use crate::cluster::ClusterSettings;
use crate::cluster::secret::{ClusterSecret, SealFault};
use crate::cluster::store::{LenderFault, LenderSettings};
use crate::cluster::stream::{BATCH, RecordStream, StreamLength, StreamPlace};
use gatepost_core::moment::Moment;

const TOPIC: &str = "cluster's secret";
/// What is older says nothing about a machine as it is now.
const LATELY: Duration = Duration::from_secs(150);
/// Batches that are read beside those that the stream keeps: what is added meanwhile, and what it does not cut at once.
const MORE: usize = 16;

/// What each machine on the list told last: none: it could be opened.
type LastTold = BTreeMap<String, Option<SealFault>>;

pub(super) async fn look(
    settings: &ClusterSettings,
    store: &LenderSettings,
    path: &Path,
    theirs: Moment,
) -> Vec<Diagnosis> {
    let secret = match ClusterSecret::read(path) {
        Ok(secret) => secret,
        Err(why) => {
            return vec![Diagnosis::wrong(
                TOPIC,
                format!("{} cannot be read: {why}", path.display()),
                "chown root:gatepost, chmod 640, and the same content as on the other machines",
            )];
        }
    };
    match told(settings, store, &secret, theirs).await {
        Ok(told) => judge(settings, &told),
        Err(fault) => vec![Diagnosis::wrong(
            TOPIC,
            format!("what the machines tell one another cannot be read: {fault}"),
            super::RULES,
        )],
    }
}

async fn told(
    settings: &ClusterSettings,
    store: &LenderSettings,
    secret: &ClusterSecret,
    theirs: Moment,
) -> Result<LastTold, LenderFault> {
    let mut stream = RecordStream::connect(store).await?;
    let mut place = StreamPlace::since(theirs - LATELY);
    let mut told = LastTold::new();
    for _ in 0..reads(settings) {
        let part = stream.read(&mut place, BATCH).await?;
        let is_last = part.entries.len() < BATCH;
        for entry in part.entries {
            // Which machine tells it is not proven: only names that are known here are shown.
            if settings.machines.contains(&entry.machine) {
                let fault = secret.open(&entry.machine, &entry.sealed).err();
                told.insert(entry.machine, fault);
            }
        }
        if is_last {
            break;
        }
    }
    Ok(told)
}

/// Batches that are read at most: all that the stream keeps.
fn reads(settings: &ClusterSettings) -> usize {
    let kept = StreamLength::new(settings.machines.len()).kept();
    kept.div_ceil(BATCH) + MORE
}

fn judge(settings: &ClusterSettings, told: &LastTold) -> Vec<Diagnosis> {
    let mut found = Vec::new();
    for (name, fault) in told {
        let wrong = |message: String, cure: &str| Diagnosis::wrong(TOPIC, message, cure);
        match fault {
            None => {}
            Some(SealFault::OtherSecret) if *name == settings.name => found.push(wrong(
                "the gatepost that runs here was started with another secret".to_owned(),
                "systemctl restart gatepost",
            )),
            Some(SealFault::OtherSecret) => found.push(wrong(
                format!("{name} has another secret: nothing is shared with it"),
                "copy the file to each machine, and restart it there (sha256sum shows which differ)",
            )),
            Some(SealFault::Version) => found.push(wrong(
                format!("{name} tells in the words of another version"),
                "the same version of Gatepost on all machines",
            )),
            Some(SealFault::Damaged) => found.push(wrong(
                format!("what {name} tells is damaged, or somebody else wrote it"),
                "who may write to the store? A user of Gatepost's own there (ACL), and TLS on the way",
            )),
        }
    }
    if found.is_empty() {
        let others = told.keys().filter(|name| **name != settings.name);
        let others: Vec<&str> = others.map(String::as_str).collect();
        found.push(match others.is_empty() {
            true => Diagnosis::note(TOPIC, "no other machine has told anything for two minutes"),
            false => Diagnosis::good(TOPIC, format!("the same at {}", others.join(", "))),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_records_are_read_as_the_stream_keeps() {
        let machines = (0..200).map(|n| format!("mx{n}")).collect();
        let settings = ClusterSettings {
            name: "mx0".to_owned(),
            machines,
            store: None,
            mesh: None,
            secret: None,
        };
        assert!(reads(&settings) * BATCH > 94_096);
    }
}
