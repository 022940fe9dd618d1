//! lists - published lists of networks, on their way to the gate and in the state directory
//!
//! A list comes in parts, for a request is bounded, and is taken over at its end, whole or not at all. Each source's
//! is a file of its own in the state directory, `list-SOURCE`: its end on the first line, a network a line, and how
//! many there were on the last, so that half a file is seen to be one. A damaged file is told and left out.
//! Not here: which client is on a list (`gate`), formats of others (`cli::bans`).

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, fsync, openat, renameat, unlinkat};
use rustix::io::Errno;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::files;
use crate::known_passwords::KnownPasswordsSettings;
use crate::owner;
use crate::store::{LIST, NEW_LIST};
use gatepost_core::gate::Gate;
use gatepost_core::gate::request::lists::{ListRefusal, MOST_NETWORKS, MOST_SOURCES, is_narrow};
use gatepost_core::gate::request::networks::canonical;
use gatepost_core::moment::Moment;

/// Octets of a file: 200,000 IPv6 networks.
const LONGEST: u64 = 16 << 20;
const HEAD: &str = "# gatepost list, until ";
const END: &str = "# end, networks ";

/// Where lists are kept, and the one that is coming.
#[derive(Debug)]
pub(in crate::server) struct Lists {
    directory: PathBuf,
    coming: Mutex<Option<ComingList>>,
    /// Held while the files and the gate are brought to the same: operators are served at the same time.
    files: Mutex<OwnEnds>,
    /// Where the owner's list of known passwords is.
    pub(in crate::server) passwords: watch::Sender<KnownPasswordsSettings>,
}

/// When the lists end that this process has imported: a moment of its clock, for the date in the file is wrong where the
/// machine's clock was.
type OwnEnds = HashMap<String, Moment>;

/// A list whose end has not come yet.
#[derive(Debug)]
struct ComingList {
    number: u64,
    networks: Vec<IpNet>,
}

impl Lists {
    /// Those in this state directory.
    pub(in crate::server) fn new(directory: PathBuf, passwords: KnownPasswordsSettings) -> Self {
        Self {
            directory,
            coming: Mutex::new(None),
            files: Mutex::default(),
            passwords: watch::Sender::new(passwords),
        }
    }

    /// Keeps a part of a list until its end comes. Another number begins another list: the one before is forgotten.
    ///
    /// # Errors
    ///
    /// What is wrong with it; then the whole list is forgotten.
    pub(in crate::server) fn part(&self, number: u64, networks: &[String]) -> Result<(), String> {
        let mut coming = self.lock();
        let mut list = match coming.take() {
            Some(list) if list.number == number => list,
            _ => ComingList {
                number,
                networks: Vec::new(),
            },
        };
        for text in networks {
            list.networks.push(network(text)?);
        }
        if list.networks.len() > MOST_NETWORKS {
            return Err(too_long());
        }
        *coming = Some(list);
        Ok(())
    }

    /// Takes a list over whose parts have all come: into the gate, and onto the disk.
    ///
    /// # Errors
    ///
    /// Why it is not taken over, or not kept: the second is told apart by its words.
    pub(in crate::server) fn end(
        &self,
        (number, source, count): (u64, &str, usize),
        until: Moment,
        gate: &Gate,
        clock: Clock,
    ) -> Result<Result<(), io::Error>, String> {
        if !is_source(source) {
            return Err(format!(
                "{source:?} is no name for a list: write up to 32 letters, digits, dots, hyphens and underscores"
            ));
        }
        let list = self.lock().take().filter(|list| list.number == number);
        let list = list.filter(|list| list.networks.len() == count);
        let Some(list) = list else {
            return Err("another import came between: try again".to_owned());
        };
        if list.networks.is_empty() {
            return Err("there is no network in it".to_owned());
        }
        let mut own = self.alone();
        let taken = gate.import_list(source, &list.networks, until);
        taken.map_err(refusal)?;
        own.insert(source.to_owned(), until);
        Ok(self.write(source, &whole(clock.on_wall(until), &list.networks)))
    }

    /// Removes a source's list; whether there was one.
    ///
    /// # Errors
    ///
    /// What the disk says: then it comes back with the next start.
    pub(in crate::server) fn remove(&self, source: &str, gate: &Gate) -> io::Result<bool> {
        let mut own = self.alone();
        own.remove(source);
        let was = gate.remove_list(source);
        if !is_source(source) {
            return Ok(was);
        }
        let (directory, owner) = owner::open_directory(&self.directory, Mode::RWXU)?;
        owner.act(
            || match unlinkat(&directory, name(source), AtFlags::empty()) {
                Ok(()) => {
                    fsync(&directory)?;
                    Ok(true)
                }
                Err(Errno::NOENT) => Ok(was),
                Err(errno) => Err(errno.into()),
            },
        )
    }

    /// Reads the lists that are kept, those of earlier processes: at the start, and again after the machine's clock was
    /// set, for each ends on a date. Those of this process get a new date. What cannot be read is told.
    pub(in crate::server) fn restore(&self, gate: &Gate, clock: Clock) {
        let own = self.alone();
        let found = match self.find() {
            Ok(found) => found,
            Err(fault) => return warn!("published lists cannot be read: {fault}"),
        };
        for (source, text) in found {
            if let Some(&until) = own.get(&source) {
                self.date_anew(&source, text, clock.on_wall(until));
                continue;
            }
            let kept = text.map_err(|fault| fault.to_string());
            match kept.and_then(|text| take_up(&source, &text, gate, clock)) {
                Ok(Some(networks)) => info!(source, networks, "a published list is in force"),
                Ok(None) => info!(
                    source,
                    "a published list is left out: it has ended, by this machine's clock"
                ),
                Err(fault) => warn!(source, "a published list is left out: {fault}"),
            }
        }
    }

    /// Writes the lists in force of which the state directory has no file: it is another one than it was.
    pub(in crate::server) fn keep_again(&self, gate: &Gate, clock: Clock) {
        let _own = self.alone();
        let found = match self.find() {
            Ok(found) => found,
            Err(fault) => return warn!("published lists cannot be read: {fault}"),
        };
        for list in gate.lists() {
            if found.iter().any(|(source, _)| *source == list.source) {
                continue;
            }
            let networks = gate.networks_of_list(&list.source).unwrap_or_default();
            let text = whole(clock.on_wall(list.until), &networks);
            if let Err(fault) = self.write(&list.source, &text) {
                warn!(
                    source = list.source,
                    "a published list is not kept: {fault}"
                );
            }
        }
    }

    /// Writes a list's end anew; what else stands in the file stays.
    fn date_anew(&self, source: &str, text: io::Result<String>, until: Moment) {
        let written = text.and_then(|text| match text.split_once('\n') {
            Some((_, rest)) => self.write(source, &format!("{}\n{rest}", head(until))),
            None => Err(io::ErrorKind::InvalidData.into()),
        });
        if let Err(fault) = written {
            warn!(
                source,
                "the end of a published list is not written anew: {fault}"
            );
        }
    }

    /// The files of lists: sources, and what stands in each.
    fn find(&self) -> io::Result<Vec<(String, io::Result<String>)>> {
        let (directory, owner) = owner::open_directory(&self.directory, Mode::RWXU)?;
        owner.act(|| {
            let mut found = Vec::new();
            for entry in Dir::read_from(&directory)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy();
                let Some(source) = name.strip_prefix(LIST).filter(|name| is_source(name)) else {
                    continue;
                };
                let flags = files::READING | OFlags::NOFOLLOW;
                let opened = openat(&directory, entry.file_name(), flags, Mode::empty());
                let text = opened
                    .map_err(io::Error::from)
                    .and_then(files::regular)
                    .and_then(|file| files::read_all(file, LONGEST))
                    .and_then(|octets| String::from_utf8(octets).map_err(io::Error::other));
                found.push((source.to_owned(), text));
                if found.len() == MOST_SOURCES {
                    break;
                }
            }
            Ok(found)
        })
    }

    /// Writes a list, in place of its source's old one.
    fn write(&self, source: &str, text: &str) -> io::Result<()> {
        let (directory, owner) = owner::open_directory(&self.directory, Mode::RWXU)?;
        owner.act(|| {
            let at = directory.as_fd();
            // What a process that was killed has left, or somebody's link.
            let _ = unlinkat(at, NEW_LIST, AtFlags::empty());
            let flags =
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file: File = openat(at, NEW_LIST, flags, Mode::RUSR | Mode::WUSR)?.into();
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            renameat(at, NEW_LIST, at, name(source))?;
            Ok(fsync(at)?)
        })
    }

    fn alone(&self) -> MutexGuard<'_, OwnEnds> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Option<ComingList>> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(source: &str) -> String {
    format!("{LIST}{source}")
}

/// Whether a list may be called so: it is a part of a file's name.
fn is_source(source: &str) -> bool {
    let is_plain =
        |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'-' | b'_');
    (1..=32).contains(&source.len()) && source.bytes().all(is_plain) && !source.starts_with('.')
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<std::net::IpAddr>().map(IpNet::from);
    let network = address.or_else(|_| text.parse::<IpNet>());
    let network = network.map_err(|_| format!("{text:?} is no address and no network"))?;
    let network = canonical(network);
    match is_narrow(network) {
        true => Ok(network),
        false => Err(refusal(ListRefusal::Wide(network))),
    }
}

fn refusal(refused: ListRefusal) -> String {
    match refused {
        ListRefusal::Wide(network) => {
            format!(
                "{network} is wider than a list may name (/8, IPv6 /19): write it into [networks] deny"
            )
        }
        ListRefusal::Long => too_long(),
        ListRefusal::Sources => format!("there are {MOST_SOURCES} lists already: remove one first"),
    }
}

fn too_long() -> String {
    format!("it has more than {MOST_NETWORKS} networks")
}

fn head(until: Moment) -> String {
    format!("{HEAD}{}", until.as_seconds())
}

/// A list's file.
fn whole(until: Moment, networks: &[IpNet]) -> String {
    let lines = networks.iter().map(|network| format!("{network}\n"));
    let lines: String = lines.collect();
    format!("{}\n{lines}{END}{}\n", head(until), networks.len())
}

/// Takes up a list as it was written; none: its time is over. How many networks it has.
fn take_up(source: &str, text: &str, gate: &Gate, clock: Clock) -> Result<Option<usize>, String> {
    let mut lines = text.lines();
    let head = lines.next().and_then(|line| line.strip_prefix(HEAD));
    let until = head.and_then(|until| until.parse().ok());
    let until = Moment::from_seconds(until.ok_or("its first line is damaged")?);
    let end = lines.next_back().and_then(|line| line.strip_prefix(END));
    let count: Option<usize> = end.and_then(|count| count.parse().ok());
    let networks: Vec<IpNet> = lines.map(network).collect::<Result<_, _>>()?;
    if count != Some(networks.len()) {
        return Err("its end is missing".to_owned());
    }
    if until <= Clock::wall() {
        gate.remove_list(source);
        return Ok(None);
    }
    let taken = gate.import_list(source, &networks, clock.at_date(until));
    taken.map_err(refusal)?;
    Ok(Some(networks.len()))
}

#[cfg(test)]
mod tests;
