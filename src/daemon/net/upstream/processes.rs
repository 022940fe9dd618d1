//! processes - waiting for a process of Postfix: the core's lines, with channels and timers
//!
//! No client is connected to Postfix without a [`HeldProcess`]; its connection holds it to its end, through the
//! splice too. Every wait has a limit, and nobody who stops waiting takes a process along.
//! Not here: who is next, and how many there are (`gate::processes`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::warn;

use crate::drain::Drain;
use crate::net::upstream::Attempted;
use crate::report::limits::{LimitCounters, ResourceLimit};
use gatepost_core::gate::processes::{
    Process, ProcessCounts, ProcessLine, ProcessQueue, ProcessTicket, Purpose,
};
use gatepost_core::gate::request::attempt::AuthOutcome;
use gatepost_core::gate::request::settings::ProcessSettings;

/// The processes of the Postfix behind us. Clones share them.
#[derive(Clone, Debug)]
pub struct Processes(Arc<SharedProcesses>);

#[derive(Debug)]
struct SharedProcesses {
    queue: ProcessQueue<ProcessWaiter>,
    limits: Arc<LimitCounters>,
    /// It was told that somebody waited in vain, and nobody has found a process at once since.
    told: AtomicBool,
}

/// A waiter: who gets its process by it.
#[derive(Debug)]
struct ProcessWaiter(oneshot::Sender<HeldProcess>);

/// A process of Postfix that a client's connection holds; dropped, it is the next one's.
#[derive(Debug)]
pub struct HeldProcess {
    shared: Arc<SharedProcesses>,
    /// None: it is given back already.
    process: Option<Process>,
}

/// What a process is wanted for, which line waits for it, and for how long.
#[derive(Debug)]
pub struct ProcessRequest {
    /// Whose line.
    pub line: ProcessLine,
    /// What for.
    pub purpose: Purpose,
    /// How long.
    pub patience: Duration,
    /// Ends the waiting.
    pub drain: Drain,
}

impl Processes {
    /// All free. Those who wait in vain are counted in `limits`.
    pub fn new(settings: ProcessSettings, limits: Arc<LimitCounters>) -> Self {
        Self(Arc::new(SharedProcesses {
            // limit: processes
            queue: ProcessQueue::new(settings),
            limits,
            told: AtomicBool::new(false),
        }))
    }

    /// Takes over new settings.
    pub fn reconfigure(&self, settings: ProcessSettings) {
        self.0.queue.reconfigure(settings);
        self.0.give_out();
    }

    /// A login was tried, and answered after so long.
    pub fn answered(&self, line: ProcessLine, attempted: &Attempted, took: Duration) {
        // A wrong password is delayed by Dovecot on purpose; other faults were not answered.
        if attempted.outcome() == AuthOutcome::Accept || attempted.is_deferred_by_postfix() {
            self.0.queue.answered(line, took);
            self.0.give_out();
        }
    }

    /// So many are held by sessions of processes that were stopped.
    pub fn elsewhere(&self, sessions: usize) {
        self.0.queue.elsewhere(sessions);
        self.0.give_out();
    }

    /// How many are out.
    pub fn counts(&self) -> ProcessCounts {
        self.0.queue.counts()
    }

    /// A login's process that is free now.
    #[cfg(test)]
    pub(super) fn take(&self, line: ProcessLine) -> Option<HeldProcess> {
        let process = self.0.queue.take(line, Purpose::Login)?;
        Some(self.0.hold(process))
    }

    /// Waits for a process; none if none was free in time, or we are stopping. Cancel-safe.
    pub(super) async fn wait(&self, request: ProcessRequest) -> Option<HeldProcess> {
        let ProcessRequest {
            line,
            purpose,
            patience,
            mut drain,
        } = request;
        if let Some(process) = self.0.queue.take(line, purpose) {
            self.0.told.store(false, Ordering::Relaxed);
            return Some(self.0.hold(process));
        }
        let mut place = WaitingPlace::enter(&self.0, line, purpose);
        let granted = tokio::select! {
            granted = timeout(patience, &mut place.granted) => granted,
            () = drain.begun() => return None,
        };
        let held = granted.ok().and_then(Result::ok);
        if held.is_none() {
            self.0.missed(purpose);
        }
        held
    }
}

impl SharedProcesses {
    fn hold(self: &Arc<Self>, process: Process) -> HeldProcess {
        HeldProcess {
            shared: Arc::clone(self),
            process: Some(process),
        }
    }

    /// Hands out what is free.
    fn give_out(self: &Arc<Self>) {
        loop {
            let mut unwanted = Vec::new();
            for (ProcessWaiter(sender), process) in self.queue.advance() {
                if let Err(mut held) = sender.send(self.hold(process)) {
                    unwanted.extend(held.process.take());
                }
            }
            if unwanted.is_empty() {
                return;
            }
            // They stopped waiting a moment ago.
            for process in unwanted {
                self.queue.free(process);
            }
        }
    }

    /// Somebody waited in vain: counted, and told once until a process is found at once again.
    fn missed(&self, purpose: Purpose) {
        self.limits.count(match purpose {
            Purpose::Login => ResourceLimit::Processes,
            Purpose::Exchange => ResourceLimit::RelayedExchanges,
        });
        if !self.told.swap(true, Ordering::Relaxed) {
            let ProcessCounts {
                logins,
                exchanges,
                logged_in,
                elsewhere,
                waiting,
            } = self.queue.counts();
            warn!(
                logins,
                exchanges,
                logged_in,
                elsewhere,
                waiting,
                "no process of Postfix was free in time for a login: it checks passwords too slowly, or needs more \
                 processes (default_process_limit, and upstream.processes with it)"
            );
        }
    }
}

impl HeldProcess {
    /// Its session has logged in: others may log in now.
    pub(super) fn logged_in(&mut self) {
        if let Some(process) = &mut self.process {
            self.shared.queue.logged_in(process);
            self.shared.give_out();
        }
    }
}

impl Drop for HeldProcess {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            self.shared.queue.free(process);
            self.shared.give_out();
        }
    }
}

/// A place in a line; it is left however the waiting ends.
struct WaitingPlace<'a> {
    shared: &'a SharedProcesses,
    ticket: ProcessTicket,
    granted: oneshot::Receiver<HeldProcess>,
}

impl<'a> WaitingPlace<'a> {
    fn enter(shared: &'a Arc<SharedProcesses>, line: ProcessLine, purpose: Purpose) -> Self {
        let (sender, granted) = oneshot::channel();
        let ticket = shared.queue.enter(line, purpose, ProcessWaiter(sender));
        let place = Self {
            shared,
            ticket,
            granted,
        };
        // One may have become free since it was looked for.
        shared.give_out();
        place
    }
}

impl Drop for WaitingPlace<'_> {
    fn drop(&mut self) {
        self.shared.queue.leave(self.ticket);
    }
}

#[cfg(test)]
mod tests;
