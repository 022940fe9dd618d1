//! opening - the file as the historian opens it, puts it aside and removes it, and what is told of its faults
//!
//! Not here: what is written (`historian`), the file itself (`database`, `place`).

use tracing::{error, info, warn};

use super::Historian;
use crate::clock::Clock;
use crate::history::database::{Database, HistoryFault};
use crate::history::place::{HistoryPlace, NAME};
use crate::history::statements;

/// Writes in a row that may find somebody reading before it is a fault: a minute and a half, with the waits.
const PATIENCE: u32 = 30;

impl Historian {
    /// Opens the file where it is not open, or is no more what its name leads to.
    pub(super) fn be_open(&mut self) -> Result<(), HistoryFault> {
        if let Some((place, database)) = &self.open
            && database.is_in_place(place)
            && place.check().is_ok()
        {
            return Ok(());
        }
        self.open = None;
        let place = HistoryPlace::open(&self.settings.directory)?;
        for path in place.clear()? {
            let path = path.display();
            error!(%path, "what stood beside the history is put aside: it is no regular file");
        }
        let mut opened = Database::open(&place);
        if let Err(fault) = &opened
            && let Some(to) = fault.name_aside()
        {
            put_aside(&place, &to, fault)?;
            opened = Database::open(&place);
        }
        let database = opened?;
        if !self.is_taken_over {
            place.act(|| {
                statements::end_left_outages(&database.connection, Clock::wall())
                    .map_err(HistoryFault::from)
            })?;
            self.is_taken_over = true;
        }
        self.open = Some((place, database));
        Ok(())
    }

    /// Takes over what an earlier process left, where there is something.
    pub(super) fn take_over(&mut self) {
        let place = HistoryPlace::open(&self.settings.directory);
        if place.is_ok_and(|place| place.identity().is_some()) {
            let done = self.be_open();
            self.tell(done);
        }
    }

    /// Tells what the disk makes of it, once; what is damaged is put aside at the next opening. A reader ends some time:
    /// what was to be written waits for the next round.
    pub(super) fn tell(&mut self, done: Result<(), HistoryFault>) {
        match done {
            Ok(()) => {
                self.busy = 0;
                self.written.set_fault(None);
                if self.fault.take().is_some() {
                    info!("the history is being kept again");
                }
            }
            Err(fault) if fault.is_busy() && self.busy < PATIENCE => self.busy += 1,
            Err(fault) => {
                self.open = None;
                let told = fault.to_string();
                if self.fault.as_ref() != Some(&told) {
                    error!(
                        "the history ({NAME}) is not kept: {told}. The service goes on; what happens meanwhile is \
                         not in `gatepost report` and `explain`"
                    );
                }
                self.written.set_fault(Some(told.clone()));
                self.fault = Some(told);
            }
        }
    }

    /// Nothing is kept: what was, goes.
    pub(super) fn remove(&self) {
        let removed = HistoryPlace::open(&self.settings.directory).and_then(|place| place.remove());
        match removed {
            Ok(true) => info!("the history is removed: [history] keep is 0"),
            Ok(false) => {}
            Err(fault) => warn!("the history cannot be removed: {fault}"),
        }
    }
}

/// Puts a file aside that will not get better by itself.
fn put_aside(place: &HistoryPlace, to: &str, fault: &HistoryFault) -> Result<(), HistoryFault> {
    let kept = place.put_aside(to)?;
    let path = kept.display();
    match fault {
        HistoryFault::Newer(_) => warn!(%path, "the history is put aside: {fault}"),
        _ => {
            error!(%path, "the history is damaged, and put aside: {fault}. A new one is begun");
        }
    }
    Ok(())
}
