//! exposition - the formats of metrics, and which one a scraper wants
//!
//! RFC 9110 section 12.5.1, as far as two types go. A scraper that does not name OpenMetrics gets the older format:
//! `curl`, and old agents that cannot read the newer one.

/// A format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format 0.0.4 of Prometheus.
    Text,
}

const OPEN_METRICS: &str = "application/openmetrics-text";

impl Exposition {
    /// What `Accept` asks for.
    pub fn wanted(accept: &str) -> Self {
        let (mut newer, mut older) = (0.0, 0.0);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let quality = parts.find_map(|part| part.strip_prefix("q="));
            let quality: f64 = quality.map_or(1.0, |quality| quality.parse().unwrap_or_default());
            if kind.eq_ignore_ascii_case(OPEN_METRICS) {
                newer = quality.max(newer);
            } else if kind.eq_ignore_ascii_case("text/plain") {
                older = quality.max(older);
            }
        }
        match newer > 0.0 && newer >= older {
            true => Self::OpenMetrics,
            false => Self::Text,
        }
    }

    /// The value of `Content-Type`. Prometheus reads OpenMetrics only under its own.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_ask_for_open_metrics_gets_the_older_format() {
        for (accept, wanted) in [
            ("", Exposition::Text),
            ("*/*", Exposition::Text),
            ("text/plain", Exposition::Text),
            ("application/openmetrics-text", Exposition::OpenMetrics),
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Exposition::OpenMetrics,
            ),
            (
                "text/plain;version=0.0.4, application/openmetrics-text; q=0.4",
                Exposition::Text,
            ),
            ("application/openmetrics-text;q=0", Exposition::Text),
            ("application/openmetrics-text;q=x", Exposition::Text),
        ] {
            assert_eq!(Exposition::wanted(accept), wanted, "{accept}");
        }
    }
}
