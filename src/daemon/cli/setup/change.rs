//! change - files that `setup` changes: the difference, the backup, and the way back
//!
//! Everything is in the backup before the first file is touched. A file that somebody has changed since is not overwritten by the way
//! back. Not here: which files, and what stands in them (`plan`).

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

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
        if list.exists() {
            let told = format!(
                "{} has a backup already: `gatepost setup --undo` first",
                self.0.display()
            );
            return Err(io::Error::new(ErrorKind::AlreadyExists, told));
        }
        fs::create_dir_all(self.0)?;
        fs::set_permissions(self.0, Permissions::from_mode(0o700))?;
        write(&list, &serde_json::to_vec(changes)?, 0o600)?;
        for change in changes.iter().filter(|change| !change.is_none()) {
            if let Some(folder) = change.path.parent() {
                fs::create_dir_all(folder)?;
            }
            if let Err(error) = write(&change.path, &change.after, change.mode) {
                self.undo()?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Puts everything back; says which files. Nothing is touched when one of them was changed by others.
    pub(super) fn undo(&self) -> io::Result<Vec<PathBuf>> {
        let list = self.0.join(LIST);
        let octets = fs::read(&list).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("{}: there is nothing to take back: {error}", list.display()),
            )
        })?;
        let changes: Vec<FileChange> = serde_json::from_slice(&octets)?;
        for change in &changes {
            let now = read(&change.path)?;
            if now != change.before && now.as_ref() != Some(&change.after) {
                let told = format!(
                    "{} was changed since `setup --apply`: nothing was taken back; compare it with the backup in {}",
                    change.path.display(),
                    list.display()
                );
                return Err(io::Error::other(told));
            }
        }
        for change in &changes {
            match &change.before {
                Some(before) if !change.is_none() => write(&change.path, before, change.mode)?,
                Some(_) => {}
                None if change.path.exists() => fs::remove_file(&change.path)?,
                None => {}
            }
        }
        fs::remove_file(&list)?;
        Ok(changes.into_iter().map(|change| change.path).collect())
    }
}

/// A folder of root's own for as long as it is needed.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new() -> io::Result<Self> {
        let number = crate::store::key::random();
        let name: String = number.iter().map(|octet| format!("{octet:02x}")).collect();
        let path = std::env::temp_dir().join(format!("gatepost-setup-{name}"));
        // Fails where somebody has put something there.
        fs::create_dir(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is a copy, for root only.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(octets) => Ok(Some(octets)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file whole, or as it was.
fn write(path: &Path, octets: &[u8], mode: u32) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".gatepost-new");
    let new = PathBuf::from(name);
    fs::write(&new, octets)?;
    fs::set_permissions(&new, Permissions::from_mode(mode))?;
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
        assert!(
            backup.apply(&changes).is_err(),
            "the first backup would be lost"
        );
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
    }
}
