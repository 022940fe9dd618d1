//! stream - what the machines of a cluster tell one another, as entries of a stream in the store
//!
//! The stream has a limited length (`length`): who was away for longer finds the last entry that it has read gone, and is told all anew.
//! Not here: what the entries say (`sharing`), when to read and write (`server::sharing`).

mod length;

use std::time::Duration;

use redis::{FromRedisValue, Pipeline, Value};
use tokio::time::timeout;

pub use self::length::{CUT, StreamLength};
use super::store::connection::StoreConnection;
use super::store::{ENTRY, LenderFault, LenderSettings};
use gatepost_core::moment::Moment;

const READ: &str = include_str!("read.lua");
const RECORDS: &str = "gatepost:1:records";
/// Entries that are read at once, at most.
pub const BATCH: usize = 64;
/// Octets of an entry that is read. None of ours has more than 10 KiB.
const LONGEST: usize = 16_384;

/// A connection by which records are read and written.
#[derive(Debug)]
pub struct RecordStream {
    connection: StoreConnection,
    read: String,
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEntry {
    /// Who tells it, as the entry says.
    pub machine: String,
    /// What is told, sealed.
    pub sealed: Vec<u8>,
    /// How long ago it came to the store, by its clock.
    pub age: Duration,
}

/// What was read.
#[derive(Debug)]
pub struct StreamPart {
    /// The store's clock.
    pub time: Moment,
    /// Whether something may have been missed: the last entry that was read is gone.
    pub missed: bool,
    /// The entries since, in their order.
    pub entries: Vec<StreamEntry>,
}

/// How far the stream was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamPlace(Option<String>);

impl StreamPlace {
    /// Before what was told since this moment of the store's clock.
    pub fn since(theirs: Moment) -> Self {
        let millis = theirs.since(Moment::EPOCH).as_millis();
        Self(Some(millis.to_string()))
    }
}

impl RecordStream {
    /// Connects, and makes the script known.
    ///
    /// # Errors
    /// Why the store is not to be had; in two seconds at most.
    pub async fn connect(settings: &LenderSettings) -> Result<Self, LenderFault> {
        let entering = Box::pin(async {
            let mut connection = StoreConnection::open(settings).await?;
            let read = connection.load(READ).await?;
            Ok(Self { connection, read })
        });
        let entered = timeout(ENTRY, entering).await;
        entered.unwrap_or(Err(LenderFault::Silent(ENTRY)))
    }

    /// Adds entries, which `machine` tells. Of all that are there then the store keeps the last ones, about so many.
    ///
    /// # Errors
    /// Some of them may have been added.
    pub async fn add(
        &mut self,
        machine: &str,
        sealed: &[Vec<u8>],
        kept: usize,
    ) -> Result<(), LenderFault> {
        let mut commands = Pipeline::with_capacity(sealed.len());
        for sealed in sealed {
            let command = commands.cmd("XADD").arg(RECORDS);
            let command = command.arg("MAXLEN").arg("~").arg(kept);
            command.arg("*").arg("m").arg(machine).arg("r").arg(sealed);
        }
        let _: Vec<String> = self.connection.ask_all(&commands).await?;
        Ok(())
    }

    /// Reads on from `place`, `batch` entries at most.
    ///
    /// # Errors
    /// Why the store does not say.
    pub async fn read(
        &mut self,
        place: &mut StreamPlace,
        batch: usize,
    ) -> Result<StreamPart, LenderFault> {
        let from = place.0.as_deref().unwrap_or("-");
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.read).arg(1).arg(RECORDS);
        // The last one of before, too: is it still there?
        command.arg(from).arg(batch + 1).arg(LONGEST);
        let told: Vec<Value> = self.connection.ask(&command).await?;
        part(&told, place)
            .ok_or_else(|| LenderFault::Refused("its answer makes no sense".to_owned()))
    }
}

fn part(told: &[Value], place: &mut StreamPlace) -> Option<StreamPart> {
    let (time, entries) = told.split_first()?;
    let time = u64::from_redis_value_ref(time).ok()?;
    let mut read = Vec::new();
    for three in entries.chunks(3) {
        let [number, machine, sealed] = three else {
            return None;
        };
        let number = String::from_redis_value_ref(number).ok()?;
        let sealed = Vec::<u8>::from_redis_value_ref(sealed).ok()?;
        // No name of ours has other letters.
        let machine = String::from_redis_value_ref(machine).unwrap_or_default();
        let entry = StreamEntry {
            machine,
            sealed,
            age: age(&number, time),
        };
        read.push((number, entry));
    }
    let is_first = place.0.is_none();
    let overlap = read
        .first()
        .is_some_and(|(number, _)| place.0.as_ref() == Some(number));
    if overlap {
        read.remove(0);
    } else if read.is_empty() {
        // It was lost: from its beginning the next time.
        place.0 = None;
    }
    if let Some((last, _)) = read.last() {
        place.0 = Some(last.clone());
    }
    Some(StreamPart {
        time: Moment::EPOCH + Duration::from_micros(time),
        missed: !is_first && !overlap,
        entries: read.into_iter().map(|(_, entry)| entry).collect(),
    })
}

/// How long before `time`, in microseconds, an entry got this number: milliseconds, and a count.
fn age(number: &str, time: u64) -> Duration {
    let millis = number.split('-').next().and_then(|part| part.parse().ok());
    let came = millis.unwrap_or(0_u64).saturating_mul(1_000);
    Duration::from_micros(time.saturating_sub(came))
}

#[cfg(test)]
mod tests;
