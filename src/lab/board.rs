//! board - the live table of honest users and botnet
//!
//! Shared by `demo` and `attack`. At most 78 columns wide, so that it fits any terminal and can be drawn in
//! place. Not here: how it gets to the terminal (`screen`), and who counts (`botnet`).

use std::time::Duration;

use crate::botnet::{AttemptFigures, HonestFigures};
use crate::numbers::thousands;
use crate::screen::Tone;
use gatepost_daemon::cli::paint::Paint;

const LABEL: usize = 34;
const CELL: usize = 18;

/// A cell of the table: its text and its colour.
#[derive(Clone, Debug)]
pub(crate) struct Cell(String, Option<Tone>);

impl Cell {
    /// A count.
    pub(crate) fn count(count: u64) -> Self {
        Self(thousands(count), None)
    }

    /// A text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self(text.into(), None)
    }

    /// The same in a tone.
    pub(crate) fn toned(self, tone: Tone) -> Self {
        Self(self.0, Some(tone))
    }

    /// A count that should be zero.
    pub(crate) fn fault(count: u64) -> Self {
        let tone = if count == 0 { Tone::Quiet } else { Tone::Bad };
        Self::count(count).toned(tone)
    }

    /// An empty cell.
    pub(crate) fn empty() -> Self {
        Self::text("").toned(Tone::Quiet)
    }
}

/// A line of the table.
pub(crate) fn row(paint: Paint, label: &str, honest: &Cell, botnet: &Cell) -> String {
    let cell = |cell: &Cell| {
        let padded = format!("{:>CELL$}", cell.0);
        cell.1
            .map_or_else(|| padded.clone(), |tone| tone.of(&padded, paint))
    };
    format!("  {label:<LABEL$}{}{}", cell(honest), cell(botnet))
}

/// The head of the table and the line under it.
pub(crate) fn head(paint: Paint, elapsed: Duration, honest: &str, botnet: &str) -> [String; 2] {
    let head = row(
        Paint::Plain,
        &clock_face(elapsed),
        &Cell::text(honest),
        &Cell::text(botnet),
    );
    let rule = format!("  {}", "-".repeat(LABEL + 2 * CELL));
    [Tone::Strong.of(&head, paint), Tone::Quiet.of(&rule, paint)]
}

/// The lines about how login attempts ended.
pub(crate) fn outcomes(
    paint: Paint,
    honest: Option<&HonestFigures>,
    botnet: &AttemptFigures,
    elapsed: Duration,
) -> Vec<String> {
    let line = |label, of: &dyn Fn(&AttemptFigures) -> Cell, good: Tone| {
        let honest = honest.map_or_else(Cell::empty, |honest| of(&honest.tries).toned(good));
        row(paint, label, &honest, &of(botnet))
    };
    let fault = |label, of: &dyn Fn(&AttemptFigures) -> u64| {
        let honest = honest.map_or_else(Cell::empty, |honest| Cell::fault(of(&honest.tries)));
        row(paint, label, &honest, &Cell::count(of(botnet)))
    };
    let seconds = elapsed.as_secs_f64().max(0.001);
    vec![
        line("login attempts", &|f| Cell::count(f.tries), Tone::Good),
        line("  235  logged in", &|f| Cell::count(f.accepted), Tone::Good),
        line(
            "  535  wrong password",
            &|f| Cell::count(f.rejected),
            Tone::Notable,
        ),
        fault("  454  not now", &|f| f.try_later),
        fault("  421, 554  not available", &|f| f.unavailable),
        fault("  connection reset: banned", &|f| f.reset),
        fault("  no server, no answer, other", &others),
        line("  under way", &|f| Cell::count(f.under_way), Tone::Quiet),
        line(
            "attempts a second",
            &|f| Cell::text(rate(f.tries, seconds)),
            Tone::Quiet,
        ),
        line(
            "time to answer, median",
            &|f| time(f.latency.p50_us),
            Tone::Quiet,
        ),
        line(
            "time to answer, 99th percentile",
            &|f| time(f.latency.p99_us),
            Tone::Quiet,
        ),
    ]
}

/// The lines about the honest users' visits.
pub(crate) fn visits(paint: Paint, honest: &HonestFigures) -> Vec<String> {
    let mails = Cell::count(honest.mails).toned(Tone::Good);
    let away = Cell::fault(honest.locked_out);
    let mut lines = vec![
        row(paint, "mails delivered", &mails, &Cell::empty()),
        row(paint, "right password, but refused", &away, &Cell::empty()),
    ];
    if let Some(why) = &honest.last_refusal {
        let refused = Cell::fault(honest.mails_refused);
        lines.push(row(paint, "mails refused", &refused, &Cell::empty()));
        lines.push(format!("  the last one: {why:.60}"));
    }
    lines
}

/// One line for a log: the counts of both so far.
pub(crate) fn summary_line(
    honest: Option<&HonestFigures>,
    botnet: &AttemptFigures,
    elapsed: Duration,
) -> String {
    let honest = honest.map_or_else(String::new, |honest| {
        format!(
            " honest: visits={} logins={} locked-out={} mails={};",
            honest.visits, honest.tries.accepted, honest.locked_out, honest.mails
        )
    });
    format!(
        "{}{honest} botnet: guesses={} 235={} 535={} 454={} 421={} reset={} other={}",
        clock_face(elapsed),
        botnet.tries,
        botnet.accepted,
        botnet.rejected,
        botnet.try_later,
        botnet.unavailable,
        botnet.reset,
        others(botnet)
    )
}

fn others(figures: &AttemptFigures) -> u64 {
    figures.connection_refused + figures.timed_out + figures.closed + figures.other
}

fn rate(count: u64, seconds: f64) -> String {
    format!("{:.1}", count as f64 / seconds)
}

/// A latency with the digits that matter.
fn time(micros: u64) -> Cell {
    Cell::text(match micros {
        0 => "-".to_owned(),
        1..10_000 => format!("{:.1} ms", micros as f64 / 1_000.0),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{:.1} s", micros as f64 / 1_000_000.0),
    })
}

fn clock_face(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_fits() {
        let times: Vec<_> = [0, 1_250, 61_499, 2_050_000].map(|us| time(us).0).into();
        assert_eq!(times, ["-", "1.2 ms", "61 ms", "2.0 s"]);
        assert_eq!(clock_face(Duration::from_secs(3_725)), "62:05");
    }

    #[test]
    fn no_line_is_wider_than_a_terminal_and_columns_stand_below_each_other() {
        let figures = AttemptFigures {
            tries: 123_456_789,
            ..AttemptFigures::default()
        };
        let honest = HonestFigures::default();
        let elapsed = Duration::from_secs(1);
        let mut lines = outcomes(Paint::Plain, Some(&honest), &figures, elapsed);
        lines.extend(head(Paint::Plain, elapsed, "honest users", "botnet"));
        for line in &lines {
            assert_eq!(line.chars().count(), 2 + LABEL + 2 * CELL, "{line}");
        }
        assert!(lines[0].ends_with("      123,456,789"), "{}", lines[0]);
    }

    #[test]
    fn a_mail_that_is_refused_is_shown_with_the_reason() {
        let mut honest = HonestFigures::default();
        assert_eq!(visits(Paint::Plain, &honest).len(), 2);
        honest.mails_refused = 1;
        honest.last_refusal = Some("RCPT TO:<bob>: 550 no".to_owned());
        let lines = visits(Paint::Plain, &honest).join("\n");
        assert!(lines.contains("mails refused"), "{lines}");
        assert!(lines.ends_with("RCPT TO:<bob>: 550 no"), "{lines}");
    }

    #[test]
    fn refused_honest_users_are_shown_in_red_and_refused_bots_are_not() {
        let refused = AttemptFigures {
            try_later: 1,
            ..AttemptFigures::default()
        };
        let honest = HonestFigures {
            tries: refused.clone(),
            ..HonestFigures::default()
        };
        let lines = outcomes(Paint::Colours, Some(&honest), &refused, Duration::ZERO);
        let not_now = lines.iter().find(|line| line.contains("454")).unwrap();
        assert_eq!(not_now.matches("\x1b[31m").count(), 1, "{not_now:?}");
    }
}
