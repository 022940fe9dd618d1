//! instructions - how many instructions a program executes, by valgrind's callgrind
//!
//! The process's own, without the kernel's; whatever else the machine does changes nothing of them.
//! valgrind hides the kernel's vDSO, in which rustix looks for the clock: a program that is to run under it is built with
//! `RUSTFLAGS="--cfg rustix_use_libc" cargo build --release`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use gatepost_daemon::clock::Clock;

use crate::BenchResult;
use crate::program::{Program, run};

/// A program that counts.
#[derive(Debug)]
pub(crate) struct Counted {
    folder: PathBuf,
    program: PathBuf,
}

impl Counted {
    /// Writes into `folder` what is to be started in place of `program`.
    pub(crate) fn prepare(folder: &Path, program: &Path) -> BenchResult<Self> {
        fs::create_dir_all(folder)?;
        let counted = folder.join("counted");
        let out = folder.join("callgrind.out.%p");
        let text = format!(
            "#!/bin/sh\nexec valgrind -q --tool=callgrind --callgrind-out-file={} {} \"$@\"\n",
            out.display(),
            program.display()
        );
        fs::write(&counted, text)?;
        fs::set_permissions(&counted, PermissionsExt::from_mode(0o755))?;
        Ok(Self {
            folder: folder.to_owned(),
            program: counted,
        })
    }

    /// What is to be started.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The instructions of `work`, without those that the program executes in as much time at rest.
    pub(crate) fn during(
        &self,
        program: &Program,
        clock: Clock,
        work: impl FnOnce() -> BenchResult<()>,
    ) -> BenchResult<f64> {
        self.take(program)?;
        let began = clock.now();
        work()?;
        let took = clock.now().since(began);
        let busy = self.take(program)?;
        std::thread::sleep(took);
        let rest = self.take(program)?;
        Ok(busy - rest)
    }

    /// What was executed since the last call.
    fn take(&self, program: &Program) -> BenchResult<f64> {
        let before = self.dumps()?;
        run(Command::new("callgrind_control")
            .arg("--dump")
            .arg(program.id().to_string()))?;
        let mut dumps = self.dumps()?;
        dumps.retain(|dump| !before.contains(dump));
        let dump = dumps.pop().ok_or("callgrind_control has written no dump")?;
        let text = fs::read_to_string(dump)?;
        let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
        Ok(totals
            .ok_or("a dump of callgrind without totals")?
            .trim()
            .parse()?)
    }

    fn dumps(&self) -> BenchResult<Vec<PathBuf>> {
        let paths = fs::read_dir(&self.folder)?.map(|entry| entry.map(|entry| entry.path()));
        Ok(paths.collect::<Result<Vec<_>, _>>()?)
    }
}
