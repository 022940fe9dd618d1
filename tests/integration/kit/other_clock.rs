//! other_clock - a program whose wall clock shows another time than the machine's, and can be set while it runs

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::program;
use super::proxy::Setup;

const SOURCE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/integration/kit/other_clock.c"
);

/// The wall clock of one program.
pub(crate) struct OtherClock(PathBuf);

impl OtherClock {
    /// Sets it: so many seconds ahead of the machine's, or behind it.
    pub(crate) fn set(&self, ahead: i64) {
        let next = self.0.with_extension("next");
        fs::write(&next, ahead.to_string()).expect("a file");
        fs::rename(next, &self.0).expect("in the same directory");
    }
}

impl Setup {
    /// With a wall clock of its own, so many seconds ahead.
    #[must_use]
    pub(crate) fn with_other_clock(self, ahead: i64) -> (Self, OtherClock) {
        let folder = self.folder();
        let (library, shown) = (folder.join("other_clock.so"), folder.join("other_clock"));
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&library);
        compiler.arg(SOURCE);
        program::run(&mut compiler);
        let clock = OtherClock(shown);
        clock.set(ahead);
        let library = format!("LD_PRELOAD={}", library.display());
        let shown = format!("OTHER_CLOCK={}", clock.0.display());
        (self.under(&["env", &library, &shown]), clock)
    }
}
