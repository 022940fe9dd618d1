//! setup - the log, as the config wants it
//!
//! Lines go to standard error: journald or a container's runtime keeps them. The journal has a time of its
//! own and takes the level as a prefix, sd-daemon(3). Format and level can be changed while we run.
//! Not here: what is logged (`events`), how lines reach their reader (`writer`).

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Json, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt as lines, reload};

use super::places::PlaceBounds;
use super::writer::LineQueue;
use super::{Level, ReportSettings};
use crate::clock::Clock;

/// Changes the log of this process. When the last clone is dropped, what waits is written.
#[derive(Clone)]
pub struct Log {
    queue: LineQueue,
    filter: reload::Handle<Ours, Registry>,
    json: Arc<AtomicBool>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

impl Log {
    /// Starts the log of this process. Where one was started before (a test, the demo), that one stays.
    pub fn start(settings: &ReportSettings) -> Self {
        let (ours, filter) = reload::Layer::new(Ours(level(settings)));
        let json = Arc::new(AtomicBool::new(settings.format == super::Format::Json));
        let queue = LineQueue::before_standard_error();
        let written = lines::layer()
            .with_ansi(false)
            .event_format(LogLineForm::new(
                Arc::clone(&json),
                LogTarget::of_standard_error(),
            ))
            .with_writer(queue.sender());
        let _ = tracing_subscriber::registry()
            .with(ours)
            .with(PlaceBounds::new(Clock::start()))
            .with(written)
            .try_init();
        Self {
            queue,
            filter,
            json,
        }
    }

    /// Writes what waits, for a second at most: for the end of the process. Lines that come later are lost.
    pub fn finish(&self) {
        self.queue.finish();
    }

    /// Goes on with other settings.
    pub fn change(&self, settings: &ReportSettings) {
        self.json
            .store(settings.format == super::Format::Json, Ordering::Relaxed);
        // It fails only where the log is gone: nobody is left to tell.
        let _ = self.filter.reload(Ours(level(settings)));
    }
}

fn level(settings: &ReportSettings) -> LevelFilter {
    match settings.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}

/// Who takes the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LogTarget {
    /// systemd's journal.
    Journal,
    /// A terminal, a file, a container's runtime.
    Other,
}

impl LogTarget {
    /// Who reads our standard error. systemd names the journal's stream, systemd.exec(5).
    fn of_standard_error() -> Self {
        let Ok(named) = std::env::var("JOURNAL_STREAM") else {
            return Self::Other;
        };
        match rustix::fs::fstat(io::stderr()) {
            Ok(stat) => Self::of(&named, stat.st_dev, stat.st_ino),
            Err(_) => Self::Other,
        }
    }

    /// `named` is `device:inode`. A program that the service starts may have its standard error elsewhere.
    fn of(named: &str, device: u64, inode: u64) -> Self {
        match named == format!("{device}:{inode}") {
            true => Self::Journal,
            false => Self::Other,
        }
    }
}

/// A line in the form that its reader and the config ask for.
struct LogLineForm {
    json: Arc<AtomicBool>,
    reader: LogTarget,
    as_text: Format<Full>,
    as_entry: Format<Full, ()>,
    as_json: Format<Json>,
}

impl LogLineForm {
    fn new(json: Arc<AtomicBool>, reader: LogTarget) -> Self {
        let as_text = Format::default().with_target(false).with_ansi(false);
        Self {
            json,
            reader,
            as_entry: as_text.clone().without_time().with_level(false),
            as_text,
            as_json: Format::default()
                .json()
                .flatten_event(true)
                .with_target(false)
                .with_current_span(false)
                .with_span_list(false),
        }
    }
}

impl<S, N> FormatEvent<S, N> for LogLineForm
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.reader == LogTarget::Journal {
            write!(writer, "<{}>", priority(*event.metadata().level()))?;
        }
        match (self.json.load(Ordering::Relaxed), self.reader) {
            (true, _) => self.as_json.format_event(context, writer, event),
            (false, LogTarget::Journal) => self.as_entry.format_event(context, writer, event),
            (false, LogTarget::Other) => self.as_text.format_event(context, writer, event),
        }
    }
}

/// syslog(3)'s number of a level.
fn priority(level: tracing::Level) -> u8 {
    match level {
        tracing::Level::ERROR => 3,
        tracing::Level::WARN => 4,
        tracing::Level::INFO => 6,
        tracing::Level::DEBUG | tracing::Level::TRACE => 7,
    }
}

/// Our own events only, down to a level: what rustls and others have to say at debug and trace is theirs,
/// and nobody has checked it for secrets.
struct Ours(LevelFilter);

impl Ours {
    fn wants(&self, meta: &Metadata<'_>) -> bool {
        meta.target().starts_with("gatepost") && *meta.level() <= self.0
    }
}

impl<S: Subscriber> Layer<S> for Ours {
    fn register_callsite(&self, meta: &'static Metadata<'static>) -> Interest {
        if self.wants(meta) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, meta: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.wants(meta)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::report;

    /// Where the lines of a test go.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let mut page = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            page.write(octets)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[track_caller]
    fn written(format: report::Format, reader: LogTarget) -> String {
        let page = Page::default();
        let json = Arc::new(AtomicBool::new(format == report::Format::Json));
        let copy = page.clone();
        let written = lines::layer()
            .with_ansi(false)
            .event_format(LogLineForm::new(json, reader))
            .with_writer(move || copy.clone());
        let subscriber = tracing_subscriber::registry().with(written);
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(reply = "454 4.7.0 later", "told");
        });
        let octets = page.0.lock().unwrap().clone();
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn the_journal_gets_no_second_time_and_the_level_as_its_prefix() {
        let line = written(report::Format::Text, LogTarget::Journal);
        assert_eq!(line, "<4>told reply=\"454 4.7.0 later\"\n");
        let line = written(report::Format::Json, LogTarget::Journal);
        assert!(line.starts_with("<4>{\"timestamp\""), "{line}");
    }

    #[test]
    fn everybody_else_gets_time_and_level() {
        let line = written(report::Format::Text, LogTarget::Other);
        assert!(
            line.ends_with("  WARN told reply=\"454 4.7.0 later\"\n"),
            "{line}"
        );
        assert!(line.starts_with("20"), "{line}");
    }

    #[test]
    fn the_journal_is_known_by_the_device_and_inode_of_its_stream() {
        assert_eq!(LogTarget::of("9:4711", 9, 4711), LogTarget::Journal);
        assert_eq!(LogTarget::of("9:4711", 9, 4712), LogTarget::Other);
        assert_eq!(LogTarget::of("", 9, 4711), LogTarget::Other);
    }
}
