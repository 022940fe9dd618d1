//! links_as_root - root's commands in a directory that somebody else filled with links, FIFOs and devices
//!
//! The service's user is taken over; the next thing that root does is `gatepost learn`, or a restart. The promise:
//! nothing outside the directory is written, made or given away, and no command hangs.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::kit::impostor::{Conduct, Impostor};
use crate::kit::program::Ran;
use crate::kit::proxy::Setup;

const NOBODY: u32 = 65_534;

/// Every name that Gatepost uses or has used in its state directory.
const NAMES: [&str; 12] = [
    "known",
    "known.new",
    "debts",
    "debts.new",
    "keys",
    "keys.new",
    "changes.1",
    "changes.2",
    "snapshot",
    "snapshot.new",
    "journal.1",
    "known.damaged-1",
];

const TRICKS: [Trick; 6] = [
    Trick::Link,
    Trick::Dangling,
    Trick::Device,
    Trick::Fifo,
    Trick::Folder,
    Trick::HardLink,
];

#[derive(Clone, Copy, Debug)]
enum Trick {
    /// To a file of root's.
    Link,
    /// To a file that root would make.
    Dangling,
    /// To one without an end.
    Device,
    /// One that nobody writes into.
    Fifo,
    Folder,
    /// A second name of a file of root's.
    HardLink,
}

/// A Gatepost that is not running, its state directory that is nobody's, and what is not nobody's.
struct Scene {
    setup: Setup,
    state: PathBuf,
    secret: PathBuf,
    dangling: PathBuf,
}

impl Scene {
    fn new(setup: Setup) -> Self {
        // Others may come here, as to /var/lib.
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(setup.folder(), open).unwrap();
        let state = setup.folder().join("state");
        fs::create_dir(&state).unwrap();
        chown(&state, Some(NOBODY), Some(NOBODY)).unwrap();
        let secret = setup.write("secret", "root's");
        let dangling = setup.folder().join("cron.d");
        Self {
            setup,
            state,
            secret,
            dangling,
        }
    }

    fn lay(&self, trick: Trick, name: &str) {
        let at = self.state.join(name);
        match trick {
            Trick::Link => symlink(&self.secret, &at).unwrap(),
            Trick::Dangling => symlink(&self.dangling, &at).unwrap(),
            Trick::Device => symlink("/dev/zero", &at).unwrap(),
            Trick::Fifo => mknodat(CWD, &at, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap(),
            Trick::Folder => fs::create_dir(&at).unwrap(),
            Trick::HardLink => return fs::hard_link(&self.secret, &at).unwrap(),
        }
        lchown(&at, Some(NOBODY), Some(NOBODY)).unwrap();
    }

    fn learn(&self, log: &Path) -> Ran {
        // A hang fails where the kit's deadline is.
        self.setup.command(&["learn", log.to_str().unwrap()])
    }

    #[track_caller]
    fn nothing_happened_outside(&self, what: &str) {
        let secret = fs::read_to_string(&self.secret).unwrap();
        assert_eq!(secret, "root's", "{what}: overwritten");
        let owner = self.secret.metadata().unwrap();
        assert_eq!((owner.uid(), owner.gid()), (0, 0), "{what}: given away");
        assert!(!self.dangling.exists(), "{what}: made outside");
    }
}

fn log(setup: &Setup) -> PathBuf {
    setup.write(
        "mail.log",
        "2026-11-24T04:00:00+00:00 mx dovecot: imap-login: Login: user=<anna@example.org>, method=PLAIN, \
         rip=203.0.113.7, lip=192.0.2.1, mpid=7, TLS, session=<a>\n",
    )
}

fn setup() -> Setup {
    let impostor = Impostor::start(Conduct::Honest);
    Setup::new(&impostor.address().to_string())
}

#[test]
fn learn_writes_only_what_is_the_directorys_owners_whatever_stands_at_its_names() {
    for trick in TRICKS {
        let scene = Scene::new(setup());
        let log = log(&scene.setup);
        for name in NAMES {
            scene.lay(trick, name);
        }
        for _ in 0..2 {
            let ran = scene.learn(&log);
            assert_eq!(ran.code, Some(0), "{trick:?}: {}", ran.text);
            scene.nothing_happened_outside(&format!("{trick:?}"));
        }
        for name in ["known", "debts", "keys"] {
            let made = scene.state.join(name).symlink_metadata().unwrap();
            assert!(made.is_file(), "{trick:?}: {name}");
            assert_eq!(made.uid(), NOBODY, "{trick:?}: {name}");
        }
        // What was learnt the first time was read back the second time.
        let again = scene.learn(&log);
        assert!(again.text.contains("0 pairs newly"), "{}", again.text);
    }
}

#[test]
fn a_link_in_the_directorys_own_place_counts_as_the_word_of_who_made_it() {
    let scene = Scene::new(setup());
    let log = log(&scene.setup);
    let roots = scene.setup.folder().join("roots");
    fs::create_dir(&roots).unwrap();
    fs::remove_dir(&scene.state).unwrap();
    symlink(&roots, &scene.state).unwrap();
    lchown(&scene.state, Some(NOBODY), Some(NOBODY)).unwrap();
    let ran = scene.learn(&log);
    assert_eq!(ran.code, Some(2), "{}", ran.text);
    assert_eq!(fs::read_dir(&roots).unwrap().count(), 0);
}

#[test]
fn a_service_that_root_starts_writes_nothing_outside_either_and_stops_in_time() {
    let impostor = Impostor::start(Conduct::Honest);
    let scene = Scene::new(Setup::new(&impostor.address().to_string()));
    for (name, trick) in NAMES.iter().zip(TRICKS.iter().cycle()) {
        scene.lay(*trick, name);
    }
    let Scene {
        setup,
        state,
        secret,
        dangling,
    } = scene;
    let proxy = setup.start();
    let ran = proxy.setup.command(&["bans", "add", "192.0.2.7"]);
    assert_eq!(ran.code, Some(0), "{}", ran.text);
    let mut proxy = proxy;
    proxy.kill_and_start();
    let ran = proxy.setup.command(&["bans", "list"]);
    assert!(ran.text.contains("192.0.2.7"), "{}", ran.text);
    proxy.terminate();
    proxy.ends_well();
    let scene = Scene {
        setup: proxy.setup,
        state,
        secret,
        dangling,
    };
    scene.nothing_happened_outside("run");
    assert!(
        scene
            .state
            .join("known")
            .symlink_metadata()
            .unwrap()
            .is_file()
    );
}

#[test]
fn a_fifo_as_log_certificate_or_list_of_users_is_named_and_nobody_waits() {
    let impostor = Impostor::start(Conduct::Honest);
    let setup = Setup::new(&impostor.address().to_string());
    let fifo = setup.folder().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
    for command in ["learn", "replay"] {
        let ran = setup.command(&[command, fifo.to_str().unwrap()]);
        assert_eq!(ran.code, Some(2), "{command}: {}", ran.text);
        assert!(ran.text.contains("it is a FIFO"), "{command}: {}", ran.text);
    }
    let mut proxy = setup.start();
    let chain = proxy.setup.folder().join("chain.pem");
    fs::rename(&fifo, &chain).unwrap();
    let ran = proxy.setup.command(&["check"]);
    assert_eq!(ran.code, Some(2), "{}", ran.text);
    assert!(ran.text.contains("it is a FIFO"), "{}", ran.text);
    proxy.reload();
    proxy.log().wait_for_text("not reloaded");
    fs::remove_file(&chain).unwrap();
    proxy.setup.new_certificate();
    proxy.setup.set("users", "users");
    mknodat(
        CWD,
        proxy.setup.folder().join("users"),
        FileType::Fifo,
        Mode::RUSR,
        0,
    )
    .unwrap();
    let ran = proxy.setup.command(&["check"]);
    assert!(ran.text.contains("it is a FIFO"), "{}", ran.text);
    proxy.terminate();
    proxy.ends_well();
}
