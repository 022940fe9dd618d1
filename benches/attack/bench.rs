//! bench - what all scenarios share: the scratch folder, certificates, the backends, the load's runtime
//!
//! Also what a run costs ([`Cost`]), and the rounds in which peers are measured.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatepost_daemon::clock::Clock;
use gatepost_lab::certificate::Authority;
use rustix::process::{Resource, Rlimit, setrlimit};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::BenchResult;
use crate::backend::{MailBackend, PasswordHash};
use crate::cores::{Bound, Cores};
use crate::group;
use crate::peer::{ConfigChanges, Peer, PeerFiles, PeerKind};
use crate::results::Results;

/// What to measure, how often and how much of it.
#[derive(Clone, Debug)]
pub(crate) struct BenchExtent {
    /// In the order of the report.
    pub(crate) kinds: Vec<PeerKind>,
    /// A figure is the median of so many.
    pub(crate) rounds: usize,
    pub(crate) size: BenchSize,
}

/// How much of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BenchSize {
    Full,
    /// For a first look, not for publication.
    Quick,
}

impl BenchExtent {
    /// The larger count, or the smaller one when it has to be quick.
    pub(crate) const fn count(&self, full: usize, quick: usize) -> usize {
        match self.size {
            BenchSize::Full => full,
            BenchSize::Quick => quick,
        }
    }
}

/// The programs of [`PeerKind::Gatepost`] and [`PeerKind::Other`], and what becomes of the scratch folder.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) gatepost: PathBuf,
    pub(crate) other: Option<PathBuf>,
    pub(crate) scratch: ScratchFolder,
}

/// What becomes of the servers' configurations and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScratchFolder {
    Removed,
    Kept,
}

/// Everything that scenarios share.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) extent: BenchExtent,
    pub(crate) files: PeerFiles,
    pub(crate) runtime: Runtime,
    /// For attackers: honest clients must not wait for them in this process.
    pub(crate) attackers: Runtime,
    pub(crate) clock: Clock,
    scratch: TempDir,
    backends: [OnceLock<MailBackend>; 3],
}

/// Which Postfix and Dovecot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackendKind {
    /// SHA256, Postfix at its default 100 processes.
    Sha256,
    /// bcrypt, the same Postfix.
    Bcrypt,
    /// SHA256, and as many processes as sessions.
    Wide,
}

impl Bench {
    /// Makes the folder and the certificate; starts nothing yet.
    pub(crate) fn build(programs: Programs, extent: BenchExtent) -> BenchResult<Self> {
        let mut scratch = TempDir::with_prefix("gatepost-bench-")?;
        scratch.disable_cleanup(programs.scratch == ScratchFolder::Kept);
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(scratch.path(), permissions)?;
        let clock = Clock::start();
        let authority = Authority::new(clock.now())?;
        let leaf = authority.issue(&["mail.example.org", "127.0.0.1"])?;
        let files = leaf.write(&authority, scratch.path())?;
        let pem = scratch.path().join("both.pem");
        let both = fs::read_to_string(&files.key)? + &fs::read_to_string(&files.chain)?;
        fs::write(&pem, both)?;
        fs::set_permissions(&pem, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let open_files = raise_open_files()?;
        let threads = |count| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(count)
                .enable_all()
                .build()
        };
        let (runtime, attackers) = (threads(2)?, threads(1)?);
        runtime.spawn(clean_up_early(scratch.path().to_owned()));
        Ok(Self {
            files: PeerFiles {
                scratch: scratch.path().to_owned(),
                pem,
                chain: files.chain,
                key: files.key,
                open_files,
                gatepost: programs.gatepost,
                other: programs.other,
            },
            extent,
            runtime,
            attackers,
            clock,
            scratch,
            backends: Default::default(),
        })
    }

    /// Where things may be written.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// A Postfix and Dovecot, started when they are first asked for.
    pub(crate) fn backend(&self, behind: BackendKind) -> BenchResult<&MailBackend> {
        let (place, name, hash, processes) = match behind {
            BackendKind::Sha256 => (&self.backends[0], "sha256", PasswordHash::Sha256, 100),
            BackendKind::Bcrypt => (&self.backends[1], "bcrypt", PasswordHash::Bcrypt, 100),
            BackendKind::Wide => (&self.backends[2], "wide", PasswordHash::Sha256, 3000),
        };
        if let Some(backend) = place.get() {
            return Ok(backend);
        }
        let folder = self.folder(name);
        let backend = MailBackend::start(&folder, &self.files.pem, hash, processes)?;
        Ok(place.get_or_init(|| backend))
    }

    /// A Postfix and Dovecot of one's own.
    pub(crate) fn new_backend(&self, name: &str, hash: PasswordHash) -> BenchResult<MailBackend> {
        MailBackend::start(&self.folder(name), &self.files.pem, hash, 100)
    }

    /// Measures every peer of `kinds` that was asked for, in turns, each newly started. Figures are
    /// filed by their keys; a run that fails is noted, and the others go on.
    pub(crate) fn in_turns(
        &self,
        results: &mut Results,
        kinds: &[PeerKind],
        setting: (BackendKind, &ConfigChanges),
        measure: impl Fn(&Measurement<'_>) -> BenchResult<Vec<(&'static str, f64)>>,
    ) -> BenchResult<()> {
        self.rounds(self.extent.rounds, results, (kinds, setting), measure)
    }

    /// As [`Bench::in_turns`], but once, for what takes minutes.
    pub(crate) fn once(
        &self,
        results: &mut Results,
        kinds: &[PeerKind],
        setting: (BackendKind, &ConfigChanges),
        measure: impl Fn(&Measurement<'_>) -> BenchResult<Vec<(&'static str, f64)>>,
    ) -> BenchResult<()> {
        self.rounds(1, results, (kinds, setting), measure)
    }

    /// As [`Bench::once`], each peer with a Postfix and a Dovecot of its own, all on the first processor; the
    /// bench has the others. For attacks that leave something behind.
    pub(crate) fn apart(
        &self,
        results: &mut Results,
        kinds: &[PeerKind],
        (hash, changes): (PasswordHash, &ConfigChanges),
        measure: impl Fn(&Measurement<'_>) -> BenchResult<Vec<(&'static str, f64)>>,
    ) -> BenchResult<()> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        for &kind in &self.extent.kinds {
            if !kinds.contains(&kind) {
                continue;
            }
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("apart-{number}-{}", kind.name());
            let bound = Bound::to(Cores::First);
            let figures = self.new_backend(&name, hash).and_then(|backend| {
                let peer = Peer::start(kind, &self.files, &backend, changes)?;
                if let Some(bound) = &bound {
                    bound.move_to(Cores::Others);
                }
                let backend = &backend;
                measure(&Measurement {
                    bench: self,
                    peer,
                    backend,
                })
            });
            match figures {
                Ok(figures) => results.file(kind, figures),
                Err(fault) => results.note(format!("{}: {fault}", kind.name())),
            }
        }
        Ok(())
    }

    fn rounds(
        &self,
        rounds: usize,
        results: &mut Results,
        (kinds, (behind, changes)): (&[PeerKind], (BackendKind, &ConfigChanges)),
        measure: impl Fn(&Measurement<'_>) -> BenchResult<Vec<(&'static str, f64)>>,
    ) -> BenchResult<()> {
        let backend = self.backend(behind)?;
        for round in 0..rounds {
            for &kind in &self.extent.kinds {
                if !kinds.contains(&kind) {
                    continue;
                }
                let figures = Peer::start(kind, &self.files, backend, changes).and_then(|peer| {
                    measure(&Measurement {
                        bench: self,
                        peer,
                        backend,
                    })
                });
                match figures {
                    Ok(figures) => results.file(kind, figures),
                    Err(fault) => {
                        results.note(format!("{}, round {}: {fault}", kind.name(), round + 1));
                    }
                }
            }
        }
        Ok(())
    }
}

/// One peer, ready, with what stands behind it.
#[derive(Debug)]
pub(crate) struct Measurement<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) peer: Peer,
    pub(crate) backend: &'a MailBackend,
}

/// CPU time, by who used it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// The proxy; where there is none, Postfix.
    pub(crate) proxy: Duration,
    /// Proxy, Postfix and Dovecot.
    pub(crate) stack: Duration,
}

impl Measurement<'_> {
    /// What was used so far.
    fn used(&self) -> BenchResult<Cost> {
        let postfix = self.backend.postfix.group().cpu()?;
        let dovecot = self.backend.dovecot.group().cpu()?;
        let proxy = match &self.peer.program {
            Some(program) => program.group().cpu()?,
            None => Duration::ZERO,
        };
        Ok(Cost {
            proxy: if self.peer.program.is_some() {
                proxy
            } else {
                postfix
            },
            stack: proxy + postfix + dovecot,
        })
    }

    /// What `work` costs, with what it leaves to be done right after it.
    pub(crate) fn cost<T>(&self, work: impl FnOnce() -> BenchResult<T>) -> BenchResult<(Cost, T)> {
        let before = self.used()?;
        let done = work()?;
        std::thread::sleep(Duration::from_millis(300));
        let after = self.used()?;
        let cost = Cost {
            proxy: after.proxy.saturating_sub(before.proxy),
            stack: after.stack.saturating_sub(before.stack),
        };
        Ok((cost, done))
    }

    /// Proportional set size of the proxy and of Postfix, in octets.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let proxy = self
            .peer
            .program
            .as_ref()
            .map_or(0, |program| program.group().memory());
        (proxy, self.backend.postfix.group().memory())
    }
}

/// Interrupted, the bench leaves nothing behind either: Postfix does not end with who started it.
async fn clean_up_early(scratch: PathBuf) {
    let Ok(mut terminated) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
    group::clear_all();
    // What cannot be removed is in the system's folder for temporary files.
    let _ = fs::remove_dir_all(scratch);
    std::process::exit(130);
}

/// A crowd of clients holds a descriptor each, and the servers inherit the limit. Gives what it is;
/// not every root may raise the hard one.
fn raise_open_files() -> BenchResult<u64> {
    let text = fs::read_to_string("/proc/sys/fs/nr_open")?;
    let most = text.trim().parse::<u64>()?.min(500_000);
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) => Ok(most),
        Err(_) => Ok(gatepost_lab::load::raise_descriptor_limit().max(1024)),
    }
}

/// Microseconds of `time` for each of `count`.
pub(crate) fn micros_each(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count.max(1) as f64
}
