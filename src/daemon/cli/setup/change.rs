//! change - files that `setup` changes: the difference, the backup, and the way back
//!
//! Everything is in the backup before the first file is touched. What a second time changes is added, and the files as they were at
//! first stay in it. In a file that somebody has changed since, only what was changed here is put back. Not here: which files, and what stands in them (`plan`).

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::revert::reverted;
use super::scratch::Scratch;

/// The list of what was changed, in the backup.
const LIST: &str = "list.json";

/// A file before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileChange {
    /// Where it is.
    pub(super) path: PathBuf,
    /// None: it is not there.
    pub(super) before: Option<Vec<u8>>,
    pub(super) after: Vec<u8>,
    /// Its permissions.
    pub(super) mode: u32,
}

impl FileChange {
    /// Of a file that may be there already. A new one gets `mode`.
    pub(super) fn new(path: &Path, after: Vec<u8>, mode: u32) -> io::Result<Self> {
        let before = read(path)?;
        let mode = match path.metadata() {
            Ok(metadata) => metadata.permissions().mode() & 0o7777,
            Err(_) => mode,
        };
        Ok(Self {
            // A link stays a link.
            path: path.canonicalize().unwrap_or_else(|_| path.to_owned()),
            before,
            after,
            mode,
        })
    }

    pub(super) fn is_none(&self) -> bool {
        self.before.as_ref() == Some(&self.after)
    }

    /// The file as it would be without this change, in which others may have changed more since, and how many of its places they
    /// have changed as well. None: it is not there.
    fn before_now(&self) -> io::Result<(Option<Vec<u8>>, usize)> {
        let now = match read(&self.path)? {
            Some(now) if now != self.after && self.before.as_ref() != Some(&now) => now,
            _ => return Ok((self.before.clone(), 0)),
        };
        let before = self.before.as_deref().unwrap_or_default();
        let reverted = reverted(&now, &self.after, before)?;
        Ok((Some(reverted.text), reverted.missed))
    }

    fn make(&self) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        write(&self.path, &self.after, self.mode)
    }

    /// As diff(1) prints it.
    pub(super) fn difference(&self) -> io::Result<String> {
        let folder = Scratch::new()?;
        let (old, new) = (folder.0.join("old"), folder.0.join("new"));
        fs::write(&old, self.before.as_deref().unwrap_or_default())?;
        fs::write(&new, &self.after)?;
        let label = self.path.display().to_string();
        let mut diff = Command::new("diff");
        diff.args(["-u", "--label", &label, "--label", &label]);
        let said = diff.arg(old).arg(new).output()?.stdout;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}

/// The files as they were.
pub(super) struct Backup<'a>(&'a Path);

impl<'a> Backup<'a> {
    pub(super) const fn new(folder: &'a Path) -> Self {
        Self(folder)
    }

    /// Keeps what is there now, then changes it. What fails in the middle is put back.
    pub(super) fn apply(&self, changes: &[FileChange]) -> io::Result<()> {
        let list = self.0.join(LIST);
        let mut kept = match list.exists() {
            true => self.changes()?,
            false => Vec::new(),
        };
        let earlier = read(&list)?;
        let meant: Vec<_> = changes.iter().filter(|change| !change.is_none()).collect();
        for change in &meant {
            keep(&mut kept, change)?;
        }
        fs::create_dir_all(self.0)?;
        fs::set_permissions(self.0, Permissions::from_mode(0o700))?;
        write(&list, &serde_json::to_vec(&kept)?, 0o600)?;
        for (made, change) in meant.iter().enumerate() {
            if let Err(error) = change.make() {
                for change in meant.iter().take(made) {
                    put(&change.path, change.before.as_deref(), change.mode)?;
                }
                put(&list, earlier.as_deref(), 0o600)?;
                let path = change.path.display();
                let told = format!("{path}: {error}; nothing was changed");
                return Err(io::Error::new(error.kind(), told));
            }
        }
        Ok(())
    }

    /// What was changed, and from what.
    fn changes(&self) -> io::Result<Vec<FileChange>> {
        let list = self.0.join(LIST);
        let octets = fs::read(&list).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("{}: there is nothing to take back: {error}", list.display()),
            )
        })?;
        Ok(serde_json::from_slice(&octets)?)
    }

    /// Puts everything back; says which files. Nothing is touched when in one of them others have changed the same places.
    pub(super) fn undo(&self) -> io::Result<Vec<PathBuf>> {
        let list = self.0.join(LIST);
        let changes = self.changes()?;
        let mut back = Vec::new();
        for change in &changes {
            let (before, missed) = change.before_now()?;
            if missed > 0 {
                let told = format!(
                    "{} was changed since `setup --apply`, at the same places: nothing was taken back; compare it with the \
                     backup in {}",
                    change.path.display(),
                    list.display()
                );
                return Err(io::Error::other(told));
            }
            back.push((change, before));
        }
        for (change, before) in back {
            if !change.is_none() {
                put(&change.path, before.as_deref(), change.mode)?;
            }
        }
        fs::remove_file(&list)?;
        Ok(changes.into_iter().map(|change| change.path).collect())
    }
}

/// Adds a change to what is kept: the file as it was at first, and as it will be.
fn keep(kept: &mut Vec<FileChange>, change: &FileChange) -> io::Result<()> {
    let Some(held) = kept.iter_mut().find(|held| held.path == change.path) else {
        kept.push(change.clone());
        return Ok(());
    };
    // What others have changed at the same places is changed now, and comes back in its place.
    (held.before, _) = held.before_now()?;
    held.after = change.after.clone();
    Ok(())
}

/// A file as it was, which may be: not there.
fn put(path: &Path, octets: Option<&[u8]>, mode: u32) -> io::Result<()> {
    match octets {
        Some(octets) => write(path, octets, mode),
        None if path.exists() => remove(path),
        None => Ok(()),
    }
}

/// Removes a file, and the folder that was made for it alone.
fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with("gatepost.") {
        // What others have put there stays, and the folder with it.
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(octets) => Ok(Some(octets)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file whole, or as it was. Its owner and group stay: Gatepost may read its own by the group alone.
fn write(path: &Path, octets: &[u8], mode: u32) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".gatepost-new");
    let new = PathBuf::from(name);
    let _ = fs::remove_file(&new);
    // There may be passwords in it: nobody else may open it in between.
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(octets)?;
    if let Ok(old) = path.metadata() {
        fchown(&file, Some(old.uid()), Some(old.gid()))?;
    }
    // Changing the owner takes some of the permissions away.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_back_byte_for_byte_and_new_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("old"), b"one\r\n\xff").unwrap();
        fs::set_permissions(path("old"), Permissions::from_mode(0o640)).unwrap();
        let changes = [
            FileChange::new(&path("old"), b"two".to_vec(), 0o644).unwrap(),
            FileChange::new(&path("conf.d/new"), b"three".to_vec(), 0o644).unwrap(),
        ];
        let backup = path("backup");
        let backup = Backup::new(&backup);
        backup.apply(&changes).unwrap();
        assert_eq!(fs::read(path("old")).unwrap(), b"two");
        assert_eq!(fs::read(path("conf.d/new")).unwrap(), b"three");
        // Once more, with one that is gone and one that is to be different.
        fs::remove_file(path("conf.d/new")).unwrap();
        let again = [
            FileChange::new(&path("old"), b"two and a half".to_vec(), 0o644).unwrap(),
            FileChange::new(&path("conf.d/new"), b"three".to_vec(), 0o644).unwrap(),
        ];
        backup.apply(&again).unwrap();
        assert_eq!(fs::read(path("old")).unwrap(), b"two and a half");
        assert_eq!(fs::read(path("conf.d/new")).unwrap(), b"three");
        assert_eq!(backup.undo().unwrap().len(), 2);
        assert_eq!(fs::read(path("old")).unwrap(), b"one\r\n\xff");
        assert_eq!(
            path("old").metadata().unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert!(!path("conf.d/new").exists());
        assert!(backup.undo().is_err(), "once");
    }

    #[test]
    fn what_others_have_changed_since_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        fs::write(&one, "1").unwrap();
        fs::write(&two, "2").unwrap();
        let change = |path: &Path| FileChange::new(path, b"new".to_vec(), 0o644).unwrap();
        let backup = folder.path().join("backup");
        let backup = Backup::new(&backup);
        backup.apply(&[change(&one), change(&two)]).unwrap();
        fs::write(&two, "by hand").unwrap();
        let told = backup.undo().unwrap_err().to_string();
        assert!(told.contains("two was changed since"), "{told}");
        assert_eq!(fs::read_to_string(&one).unwrap(), "new", "all or nothing");
        let again = FileChange::new(&two, b"newer".to_vec(), 0o644).unwrap();
        backup.apply(&[again]).unwrap();
        backup.undo().unwrap();
        assert_eq!(fs::read_to_string(&two).unwrap(), "by hand");
    }

    #[test]
    fn what_fails_in_the_middle_leaves_everything_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        fs::write(&one, "1").unwrap();
        fs::write(&two, "2").unwrap();
        let change = |path: &Path, after: &str| FileChange::new(path, after.into(), 0o644).unwrap();
        let backup = folder.path().join("backup");
        let backup = Backup::new(&backup);
        // A folder that cannot be made: a file is there.
        let impossible = || FileChange {
            path: two.join("below"),
            before: None,
            after: b"3".to_vec(),
            mode: 0o644,
        };
        let new = folder.path().join("new");
        let refused = backup.apply(&[change(&one, "a"), change(&new, "a"), impossible()]);
        let told = refused.unwrap_err().to_string();
        assert!(told.contains("two/below"), "{told}");
        assert_eq!(fs::read_to_string(&one).unwrap(), "1");
        assert!(!new.exists());
        assert!(backup.undo().is_err(), "there is nothing to take back");
        // What an earlier time has changed stays, and can be taken back.
        backup.apply(&[change(&one, "a")]).unwrap();
        assert!(backup.apply(&[change(&two, "b"), impossible()]).is_err());
        let content = [&one, &two].map(|path| fs::read_to_string(path).unwrap());
        assert_eq!(content, ["a", "2"]);
        assert_eq!(backup.undo().unwrap(), [one.canonicalize().unwrap()]);
        assert_eq!(fs::read_to_string(&one).unwrap(), "1");
    }

    #[test]
    fn a_file_keeps_its_group_and_nobody_else_reads_the_backup() {
        let folder = tempfile::tempdir().unwrap();
        let (path, backup) = (folder.path().join("gatepost.toml"), folder.path().join("b"));
        fs::write(&path, "one").unwrap();
        std::os::unix::fs::chown(&path, None, Some(65_532)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let is_readable = || {
            let now = path.metadata().unwrap();
            assert_eq!((now.gid(), now.mode() & 0o7777), (65_532, 0o640));
        };
        let change = FileChange::new(&path, b"two".to_vec(), 0o644).unwrap();
        let kept = Backup::new(&backup);
        kept.apply(&[change]).unwrap();
        is_readable();
        let modes = [&backup, &backup.join(LIST)].map(|path| path.metadata().unwrap().mode());
        assert_eq!(modes.map(|mode| mode & 0o777), [0o700, 0o600]);
        kept.undo().unwrap();
        is_readable();
    }
}
