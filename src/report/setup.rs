//! setup - the log, as the config wants it
//!
//! Lines go to standard error: journald or a container's runtime keeps them. Format and level can be
//! changed while we run. Not here: what is logged (`events`).

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

use super::{Level, Settings};

/// Changes the log of this process.
#[derive(Clone)]
pub struct Log {
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
    pub fn start(settings: &Settings) -> Self {
        let (ours, filter) = reload::Layer::new(Ours(level(settings)));
        let json = Arc::new(AtomicBool::new(settings.format == super::Format::Json));
        let form = Form {
            json: Arc::clone(&json),
            as_text: Format::default().with_target(false).with_ansi(false),
            as_json: Format::default()
                .json()
                .flatten_event(true)
                .with_target(false)
                .with_current_span(false)
                .with_span_list(false),
        };
        let written = lines::layer()
            .with_ansi(false)
            .event_format(form)
            .with_writer(io::stderr);
        let _ = tracing_subscriber::registry()
            .with(ours)
            .with(written)
            .try_init();
        Self { filter, json }
    }

    /// Goes on with other settings.
    pub fn change(&self, settings: &Settings) {
        self.json
            .store(settings.format == super::Format::Json, Ordering::Relaxed);
        // It fails only where the log is gone: nobody is left to tell.
        let _ = self.filter.reload(Ours(level(settings)));
    }
}

fn level(settings: &Settings) -> LevelFilter {
    match settings.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}

/// A line in either form.
struct Form {
    json: Arc<AtomicBool>,
    as_text: Format<Full>,
    as_json: Format<Json>,
}

impl<S, N> FormatEvent<S, N> for Form
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.json.load(Ordering::Relaxed) {
            self.as_json.format_event(context, writer, event)
        } else {
            self.as_text.format_event(context, writer, event)
        }
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
