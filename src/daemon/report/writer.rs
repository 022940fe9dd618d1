//! writer - log lines to standard error, from a thread of their own
//!
//! A reader that stops reading must stop no session: lines wait in a bounded queue (`tracing-appender`), and
//! where it is full they are dropped and counted. When lines flow again, the next one says how many were
//! dropped. Not here: the form of a line (`setup`).

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::warn;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Lines that may wait. A line is some 300 octets, a few KB where a client chose the longest name.
const LINES: usize = 4_096;

/// How long lines gather behind one that was written. To wake the thread for each of them costs a session more than the line does.
const GATHERING: Duration = Duration::from_millis(20);

/// The queue and its thread. Clones are the same queue.
#[derive(Clone)]
pub(in crate::report) struct LineQueue {
    sender: NonBlocking,
    /// Dropped, it waits a second at most until the lines are written.
    guard: Arc<Mutex<Option<WorkerGuard>>>,
}

/// What was lost, in lines.
#[derive(Debug, Default)]
struct Losses {
    /// Counts what the queue dropped.
    dropped: OnceLock<ErrorCounter>,
    /// What the reader did not take: it has hung up, or its disk is full.
    refused: AtomicU64,
}

/// The losses of this process's log.
static LOSSES: OnceLock<Arc<Losses>> = OnceLock::new();

/// Lines of this process's log that nobody got.
pub fn lines_lost() -> u64 {
    LOSSES.get().map_or(0, |losses| losses.all())
}

impl LineQueue {
    /// A queue before standard error, whose losses are this process's from now on.
    pub(in crate::report) fn before_standard_error() -> Self {
        let losses = Arc::clone(LOSSES.get_or_init(Arc::default));
        Self::before(io::stderr(), losses)
    }

    fn before(reader: impl Write + Send + 'static, losses: Arc<Losses>) -> Self {
        // limit: log-queue
        let (sender, guard) = NonBlockingBuilder::default()
            .buffered_lines_limit(LINES)
            .thread_name("gatepost-log")
            .finish(LineReader {
                reader,
                losses: Arc::clone(&losses),
                told: 0,
                written: 0,
            });
        // A second log of one process is never the one that is used.
        let _ = losses.dropped.set(sender.error_counter());
        Self {
            sender,
            guard: Arc::new(Mutex::new(Some(guard))),
        }
    }

    /// Where lines are put.
    pub(in crate::report) fn sender(&self) -> NonBlocking {
        self.sender.clone()
    }

    /// Writes what waits, for a second at most. Lines that come later are lost.
    pub(in crate::report) fn finish(&self) {
        let mut guard = self.guard.lock().unwrap_or_else(PoisonError::into_inner);
        drop(guard.take());
    }
}

impl Losses {
    fn all(&self) -> u64 {
        let dropped = self.dropped.get().map_or(0, ErrorCounter::dropped_lines);
        dropped as u64 + self.refused.load(Ordering::Relaxed)
    }
}

/// The reader, and what it was told of the losses. Lives in the queue's thread.
struct LineReader<W> {
    reader: W,
    losses: Arc<Losses>,
    /// Losses that a line has told.
    told: u64,
    /// Lines written since.
    written: usize,
}

impl<W> LineReader<W> {
    fn tell_losses(&mut self) {
        let lost = self.losses.all();
        let lines = lost.saturating_sub(self.told);
        (self.told, self.written) = (lost, 0);
        if lines > 0 {
            // It goes through the queue like every line.
            warn!(
                lines,
                "log lines were lost: their reader is too slow, or refuses them"
            );
        }
    }
}

impl<W: Write> Write for LineReader<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.reader.write(octets)
    }

    /// A whole line.
    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        self.reader.write_all(line).inspect_err(|_| {
            self.losses.refused.fetch_add(1, Ordering::Relaxed);
        })?;
        self.written += 1;
        if self.written >= LINES {
            self.tell_losses();
        }
        Ok(())
    }

    /// The queue is empty.
    fn flush(&mut self) -> io::Result<()> {
        self.tell_losses();
        self.reader.flush()?;
        thread::sleep(GATHERING);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A reader that takes a line when the test says so.
    struct Slow {
        go: Receiver<()>,
        taken: Sender<String>,
    }

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.go.recv().map_err(io::Error::other)?;
            let text = String::from_utf8_lossy(line).into_owned();
            self.taken.send(text).map_err(io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stops_holds_up_nobody_and_what_it_misses_is_counted() {
        let (go, wait) = channel();
        let (taken, lines) = channel();
        let losses = Arc::new(Losses::default());
        let slow = Slow { go: wait, taken };
        let queue = LineQueue::before(slow, Arc::clone(&losses));
        let mut sender = queue.sender();
        for _ in 0..LINES + 100 {
            sender.write_all(b"a line\n").unwrap();
        }
        // One may be in the thread's hands.
        assert!((99..=100).contains(&losses.all()), "{}", losses.all());
        for _ in 0..LINES {
            go.send(()).unwrap();
            assert_eq!(lines.recv().unwrap(), "a line\n");
        }
    }

    #[test]
    fn what_waits_is_written_at_the_end() {
        let (go, wait) = channel();
        let (taken, lines) = channel();
        let slow = Slow { go: wait, taken };
        let queue = LineQueue::before(slow, Arc::default());
        queue.sender().write_all(b"the last\n").unwrap();
        go.send(()).unwrap();
        queue.finish();
        assert_eq!(lines.try_recv().unwrap(), "the last\n");
    }

    #[test]
    fn what_the_reader_refuses_is_counted() {
        let (go, wait) = channel();
        drop(go);
        let losses = Arc::new(Losses::default());
        let slow = Slow {
            go: wait,
            taken: channel().0,
        };
        let queue = LineQueue::before(slow, Arc::clone(&losses));
        queue.sender().write_all(b"gone\n").unwrap();
        queue.finish();
        assert_eq!(losses.all(), 1);
    }
}
