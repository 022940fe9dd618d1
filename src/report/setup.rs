//! setup - the log, as the config wants it
//!
//! Lines go to standard error: journald or a container's runtime keeps them. Format and level can be
//! changed while we run. Not here: what is logged (`events`).

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt};

use super::{Format, Level, Settings};

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// Changes the log of this process.
#[derive(Clone)]
pub struct Log(reload::Handle<Boxed, Registry>);

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Log")
    }
}

impl Log {
    /// Starts the log of this process. Where one was started before (a test, the demo), that one stays.
    pub fn start(settings: &Settings) -> Self {
        let (layer, handle) = reload::Layer::new(layer(settings));
        let _ = tracing_subscriber::registry().with(layer).try_init();
        Self(handle)
    }

    /// Goes on with other settings.
    pub fn change(&self, settings: &Settings) {
        // It fails only where the log is gone: nobody is left to tell.
        let _ = self.0.reload(layer(settings));
    }
}

fn layer(settings: &Settings) -> Boxed {
    let level = match settings.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    match settings.format {
        Format::Text => fmt::layer()
            .with_writer(io::stderr)
            .with_target(false)
            .with_ansi(false)
            .with_filter(Ours(level))
            .boxed(),
        Format::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(io::stderr)
            .with_filter(Ours(level))
            .boxed(),
    }
}

/// Our own events only: what rustls and others have to say at debug and trace is theirs, and nobody has
/// checked it for secrets.
struct Ours(LevelFilter);

impl<S> tracing_subscriber::layer::Filter<S> for Ours {
    fn enabled(
        &self,
        meta: &tracing::Metadata<'_>,
        _: &tracing_subscriber::layer::Context<'_, S>,
    ) -> bool {
        meta.target().starts_with("gatepost") && *meta.level() <= self.0
    }

    fn callsite_enabled(
        &self,
        meta: &'static tracing::Metadata<'static>,
    ) -> tracing::subscriber::Interest {
        if meta.target().starts_with("gatepost") && *meta.level() <= self.0 {
            tracing::subscriber::Interest::always()
        } else {
            tracing::subscriber::Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0)
    }
}
