//! owner - whose directory it is, and acting as that user
//!
//! Root that works in a directory of another user's would do with root's rights what that user prepared: follow
//! a link, or write into a file that is not theirs. So the way to the directory is gone step by step, and from
//! the first step on that is not root's, everything is done as its owner: setfsuid(2) and setfsgid(2), which
//! hold for one thread and take root's rights over files away with them. What is made is theirs, too.
//! A process that is not root acts as itself: it can do nothing that its user may not do already.
//! Not here: files (`store::directory`, `files`).

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::unistd::{Gid, Uid, User, getegid, geteuid, setfsgid, setfsuid, setgroups};
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, mkdirat, open, openat, readlinkat};
use rustix::io::Errno;

/// Symbolic links on the way to a directory, as in the kernel.
const LINKS: usize = 40;

/// Looks at a file, whatever it is, and opens nothing.
const LOOKING: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A directory to list, lock and sync.
const DIRECTORY: OFlags = OFlags::DIRECTORY
    .union(OFlags::RDONLY)
    .union(OFlags::CLOEXEC);

/// The group of a user that the system does not know: nobody's.
const NO_GROUP: Gid = Gid::from_raw(65_534);

/// The user whose rights are used to open, make, rename and remove files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// As who we are.
    Ourselves,
    /// We are root, and somebody else can change what stands there.
    Other {
        /// The user.
        user: Uid,
        /// Their group.
        group: Gid,
    },
}

impl Owner {
    /// Does `work` with this owner's rights, and no other.
    pub(crate) fn act<T>(self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Self::Other { user, group } = self else {
            return work();
        };
        let _acting = Acting::begin(user, group)?;
        work()
    }

    fn of(stat: &Stat) -> Self {
        let user = Uid::from_raw(stat.st_uid);
        let group = match Gid::from_raw(stat.st_gid) {
            // Root's group would be some of root's rights again.
            group if group.as_raw() == 0 => {
                let known = User::from_uid(user).ok().flatten();
                known.map_or(NO_GROUP, |known| known.gid)
            }
            group => group,
        };
        Self::Other { user, group }
    }
}

/// This thread acts on files as another user, until it is dropped.
struct Acting;

impl Acting {
    fn begin(user: Uid, group: Gid) -> io::Result<Self> {
        let acting = Self;
        setfsgid(group);
        setfsuid(user);
        // Neither call says that it was refused: the next one tells who we are.
        let (none_user, none_group) = (Uid::from_raw(u32::MAX), Gid::from_raw(u32::MAX));
        if setfsuid(none_user) == user && setfsgid(none_group) == group {
            return Ok(acting);
        }
        let message = format!("root may not act as its owner, user {user} of group {group}");
        Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        setfsuid(geteuid());
        setfsgid(getegid());
    }
}

/// Opens a directory, and makes it with those above it where they are missing, in `mode`; and says with
/// which user's rights everything in it is done.
///
/// # Errors
///
/// What the system refuses to root, or on the way to its owner.
pub(crate) fn open_directory(path: &Path, mode: Mode) -> io::Result<(OwnedFd, Owner)> {
    let path = match path.as_os_str().is_empty() {
        true => Path::new("."),
        false => path,
    };
    let path = std::path::absolute(path)?;
    if !geteuid().is_root() {
        let rest = path.strip_prefix("/").unwrap_or(&path);
        return Ok((make_and_open(&root()?, rest, mode)?, Owner::Ourselves));
    }
    let (handle, owner) = Way::to(&path, mode)?.walk()?;
    if owner != Owner::Ourselves {
        // Groups that root was given are none of the owner's.
        setgroups(&[])?;
    }
    Ok((handle, owner))
}

fn root() -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(open("/", flags, Mode::empty())?)
}

/// Makes what is missing of `rest` below `at`, and opens it.
fn make_and_open(at: &OwnedFd, rest: &Path, mode: Mode) -> io::Result<OwnedFd> {
    let mut made = PathBuf::new();
    for component in rest.components() {
        made.push(component);
        // Where something is, or nothing may be made, opening it says what is wrong.
        let _ = mkdirat(at, &made, mode);
    }
    let rest = match rest.as_os_str().is_empty() {
        true => Path::new("."),
        false => rest,
    };
    Ok(openat(at, rest, DIRECTORY, Mode::empty())?)
}

/// The way of root to a directory: no step of it was taken through what is another's.
struct Way {
    at: OwnedFd,
    rest: VecDeque<OsString>,
    links: usize,
    /// Of what is made.
    mode: Mode,
}

impl Way {
    fn to(path: &Path, mode: Mode) -> io::Result<Self> {
        let mut way = Self {
            at: root()?,
            rest: VecDeque::new(),
            links: 0,
            mode,
        };
        way.turn(path)?;
        Ok(way)
    }

    /// Goes on to `path`, from here or from the root, and then the rest of the way.
    fn turn(&mut self, path: &Path) -> io::Result<()> {
        for component in path.components().rev() {
            match component {
                Component::RootDir => self.at = root()?,
                other => self.rest.push_front(other.as_os_str().to_owned()),
            }
        }
        Ok(())
    }

    fn walk(mut self) -> io::Result<(OwnedFd, Owner)> {
        while let Some(name) = self.rest.pop_front() {
            let step = self.look(&name)?;
            let stat = fstat(&step)?;
            if stat.st_uid != 0 {
                self.rest.push_front(name);
                let owner = Owner::of(&stat);
                return Ok((self.finish_as(owner, &step, &stat)?, owner));
            }
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => self.at = step,
                FileType::Symlink => {
                    self.links += 1;
                    if self.links > LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let target = readlinkat(&step, "", Vec::new())?;
                    let target: OsString =
                        std::os::unix::ffi::OsStringExt::from_vec(target.into_bytes());
                    self.turn(Path::new(&target))?;
                }
                _ => return Err(Errno::NOTDIR.into()),
            }
        }
        let handle = openat(&self.at, ".", DIRECTORY, Mode::empty())?;
        Ok((handle, Owner::Ourselves))
    }

    /// What stands next on the way; a directory is made where nothing does.
    fn look(&self, name: &OsString) -> io::Result<OwnedFd> {
        let look = || openat(&self.at, name, LOOKING, Mode::empty());
        match look() {
            Err(Errno::NOENT) => match mkdirat(&self.at, name, self.mode) {
                Ok(()) | Err(Errno::EXIST) => Ok(look()?),
                Err(errno) => Err(errno.into()),
            },
            found => Ok(found?),
        }
    }

    /// Goes the rest of the way as the owner of the next step. The step itself may stand where only root can
    /// go, so it is opened from here.
    fn finish_as(mut self, owner: Owner, step: &OwnedFd, stat: &Stat) -> io::Result<OwnedFd> {
        let mut at = self.at;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            at = step.as_fd().try_clone_to_owned()?;
            self.rest.pop_front();
        }
        let rest: PathBuf = self.rest.iter().collect();
        owner.act(|| make_and_open(&at, &rest, self.mode))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    use super::*;

    const BOB: u32 = 12_345;

    fn bob() -> Owner {
        Owner::Other {
            user: Uid::from_raw(BOB),
            group: Gid::from_raw(BOB + 1),
        }
    }

    fn opened(path: &Path) -> io::Result<(OwnedFd, Owner)> {
        open_directory(path, Mode::RWXU)
    }

    fn close(path: &Path) {
        set_permissions(path, Permissions::from_mode(0o700)).unwrap();
    }

    /// A folder of bob's inside one that is root's alone. These tests need root, as `tests/run` has it.
    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        close(folder.path());
        let bobs = folder.path().join("bobs");
        std::fs::create_dir(&bobs).unwrap();
        chown(&bobs, Some(BOB), Some(BOB + 1)).unwrap();
        (folder, bobs)
    }

    #[test]
    fn root_acts_as_itself_in_its_own_directories_and_as_their_owner_in_others() {
        let (folder, bobs) = folder();
        let ours = folder.path().join("new/newer");
        assert_eq!(opened(&ours).unwrap().1, Owner::Ourselves);
        assert_eq!(ours.metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(opened(&bobs).unwrap().1, bob());
        // What is below bob's directory is bob's to change, also where another user owns it.
        let below = bobs.join("new/newer");
        assert_eq!(opened(&below).unwrap().1, bob());
        assert_eq!(below.metadata().unwrap().uid(), BOB);
        chown(&below, Some(0), Some(0)).unwrap();
        close(&below);
        assert!(opened(&below).is_err(), "bob may not list it");
    }

    #[test]
    fn a_link_counts_by_who_made_it() {
        let (folder, bobs) = folder();
        let target = folder.path().join("target");
        std::fs::create_dir(&target).unwrap();
        close(&target);
        let ours = folder.path().join("ours");
        symlink(&target, &ours).unwrap();
        assert_eq!(opened(&ours).unwrap().1, Owner::Ourselves);
        let theirs = folder.path().join("theirs");
        symlink(&target, &theirs).unwrap();
        std::os::unix::fs::lchown(&theirs, Some(BOB), Some(BOB + 1)).unwrap();
        assert!(opened(&theirs).is_err(), "root's, and bob's word");
        let inside = bobs.join("link");
        symlink(&target, &inside).unwrap();
        assert!(opened(&inside).is_err(), "below bob's");
        let around = folder.path().join("around");
        symlink(&around, &around).unwrap();
        assert!(opened(&around).is_err(), "a circle");
        let beside = folder.path().join("missing/../target/./new");
        assert_eq!(opened(&beside).unwrap().1, Owner::Ourselves);
        assert!(target.join("new").is_dir());
    }

    #[test]
    fn root_that_acts_as_another_user_has_no_right_of_root_and_gets_them_back() {
        let (folder, _) = folder();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "x").unwrap();
        close(&secret);
        let read = || std::fs::read(&secret);
        assert!(bob().act(read).is_err());
        assert!(Owner::Ourselves.act(read).is_ok());
        assert!(read().is_ok());
    }
}
