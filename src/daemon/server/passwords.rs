//! passwords - keeps the owner's list of known passwords as its file is
//!
//! Looks once a minute, and at a reload, whether the file is another one, and reads it on a thread of its own. A file
//! that cannot be used is told once, as long as it stays as it is, and the list before it stays in use.
//! Not here: the list (`known_passwords`), what is told of accounts (`history`).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{error, info};

use super::listeners::ListenerContext;
use crate::known_passwords::{self, KnownPasswords, PasswordFilter};

/// From one look to the next.
const LOOK: Duration = Duration::from_secs(60);

/// Which file was read: another one has another of these.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileState {
    path: PathBuf,
    /// Device, inode, length, and when it was written, in seconds and nanoseconds. None: there is no such file.
    file: Option<[i128; 5]>,
}

impl FileState {
    fn of(path: &Path) -> Self {
        let found = fs::metadata(path).ok();
        Self {
            path: path.to_owned(),
            file: found.map(|found| {
                [
                    found.dev().into(),
                    found.ino().into(),
                    found.len().into(),
                    found.mtime().into(),
                    found.mtime_nsec().into(),
                ]
            }),
        }
    }
}

/// Until the drain.
pub(in crate::server) async fn keep(context: ListenerContext) {
    let mut drain = context.drain.clone();
    let mut settings = context.lists.passwords.subscribe();
    let known = &context.services.judging.known_passwords;
    let mut read = None;
    loop {
        let wanted = settings.borrow_and_update().list.clone();
        tokio::select! {
            () = look(known, wanted, &mut read) => {}
            () = drain.begun() => return,
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            changed = settings.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = drain.begun() => return,
        }
    }
}

/// Reads the list if it is another one than was `read` last.
async fn look(known: &KnownPasswords, wanted: Option<PathBuf>, read: &mut Option<FileState>) {
    let Some(path) = wanted else {
        if read.take().is_some() {
            known.replace(None);
            info!("no list of known passwords is used any more");
        }
        return;
    };
    let before = read.clone();
    let looked = spawn_blocking(move || {
        let state = FileState::of(&path);
        let is_new = before.as_ref() != Some(&state);
        let list = is_new.then(|| known_passwords::read(&path).map_err(|fault| fault.to_string()));
        (state, list)
    });
    let Ok((state, list)) = looked.await else {
        return;
    };
    if let Some(list) = list {
        take_over(known, list, &state.path);
    }
    *read = Some(state);
}

fn take_over(known: &KnownPasswords, list: Result<PasswordFilter, String>, path: &Path) {
    let path = path.display();
    match (list, known.count()) {
        (Ok(filter), _) => {
            let passwords = filter.count();
            known.replace(Some(filter));
            info!(%path, passwords, "the list of known passwords is read");
        }
        (Err(fault), None) => {
            error!(%path, "the list of known passwords cannot be used: {fault}. Logins go on, and none is looked up");
        }
        (Err(fault), Some(_)) => {
            error!(%path, "the list of known passwords cannot be used: {fault}. The one before stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use gatepost_core::gate::request::attempt::Secret;

    use super::*;

    fn lists(known: &KnownPasswords, password: &str) -> Option<bool> {
        known.lists(&Secret::new(password.as_bytes().to_vec()))
    }

    #[tokio::test]
    async fn a_list_is_read_anew_when_its_file_is_another_and_a_damaged_one_leaves_the_old() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        let (known, mut read) = (KnownPasswords::default(), None);
        let wanted = || Some(path.clone());
        look(&known, wanted(), &mut read).await;
        assert_eq!(lists(&known, "one"), None, "there is no file");
        fs::write(&path, "one\n").unwrap();
        look(&known, wanted(), &mut read).await;
        assert_eq!(lists(&known, "one"), Some(true));
        assert_eq!(lists(&known, "two"), Some(false));
        // As lists are replaced: written beside it, and renamed.
        let new = folder.path().join("new");
        fs::write(&new, "two\n").unwrap();
        fs::rename(&new, &path).unwrap();
        look(&known, wanted(), &mut read).await;
        assert_eq!(lists(&known, "two"), Some(true));
        fs::write(&path, "\0").unwrap();
        look(&known, wanted(), &mut read).await;
        assert_eq!(lists(&known, "two"), Some(true), "the old one stays");
        fs::remove_file(&path).unwrap();
        look(&known, wanted(), &mut read).await;
        assert_eq!(lists(&known, "two"), Some(true), "the old one stays");
        look(&known, None, &mut read).await;
        assert_eq!(lists(&known, "two"), None, "the operator wants none");
    }

    #[tokio::test]
    async fn a_list_that_stays_as_it_is_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        fs::write(&path, "one\n").unwrap();
        let (known, mut read) = (KnownPasswords::default(), None);
        look(&known, Some(path.clone()), &mut read).await;
        known.replace(None);
        look(&known, Some(path.clone()), &mut read).await;
        assert_eq!(known.count(), None, "it was read again");
    }
}
