//! bars - a chart of stacked bars over time, as SVG inside a page
//!
//! Colours are classes, so that the page's style sheet has them for light and dark. Numbers are whole; the axis has a
//! round number at its top. Not here: the page (`html`), what is counted.

use std::fmt::Write as _;

/// One colour of the stacks.
pub(super) struct Series<'a> {
    /// Its class in the style sheet.
    pub(super) class: &'a str,
    /// What it counts.
    pub(super) label: &'a str,
    /// A number for each step.
    pub(super) counts: Vec<u64>,
}

/// The drawing's size, in its own units.
const WIDTH: f64 = 920.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 10.0;

/// Labels under the axis, at most.
const LABELS: usize = 8;

/// Bars, the first series at the bottom, with `times` under them.
pub(super) fn chart(title: &str, times: &[String], series: &[Series<'_>]) -> String {
    let sum = |step: usize| -> u64 {
        let counts = series.iter().map(|one| one.counts.get(step));
        counts.flatten().sum()
    };
    let highest = (0..times.len()).map(sum).max().unwrap_or_default();
    let top = round_up(highest.max(4));
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>"
    );
    grid(top, &mut svg);
    let step = (WIDTH - LEFT) / float(times.len().max(1) as u64);
    let floor = HEIGHT - BOTTOM;
    let scale = (floor - TOP) / float(top);
    for (place, time) in times.iter().enumerate() {
        let x = LEFT + step * float(place as u64);
        let mut y = floor;
        let _ = write!(svg, "<g><title>{time}: {}</title>", told(series, place));
        // A place to point at, also where nothing was counted.
        let _ = write!(
            svg,
            "<rect class=\"hit\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{step:.1}\" height=\"{:.1}\"/>",
            floor - TOP
        );
        for one in series {
            let count = one.counts.get(place).copied().unwrap_or_default();
            if count == 0 {
                continue;
            }
            // What is there is seen.
            let height = (float(count) * scale).max(1.5);
            y -= height;
            let (left, width) = (x + step * 0.12, step * 0.76);
            let _ = write!(
                svg,
                "<rect class=\"{}\" x=\"{left:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>",
                one.class
            );
        }
        svg.push_str("</g>");
        if place.is_multiple_of(times.len().div_ceil(LABELS).max(1)) {
            let (x, y) = (x + step / 2.0, HEIGHT - 6.0);
            let _ = write!(
                svg,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{time}</text>"
            );
        }
    }
    svg + "</svg>"
}

/// Lines at the quarters of the height, with their numbers.
fn grid(top: u64, svg: &mut String) {
    let floor = HEIGHT - BOTTOM;
    for part in 0..=4_u64 {
        let y = floor - (floor - TOP) * float(part) / 4.0;
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{:.1}\" \
             y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            short(top * part / 4)
        );
    }
}

fn told(series: &[Series<'_>], place: usize) -> String {
    let told = series.iter().map(|one| {
        let count = one.counts.get(place).copied().unwrap_or_default();
        format!("{} {}", super::number(count), one.label)
    });
    told.collect::<Vec<_>>().join(", ")
}

/// A small line without axes.
pub(super) fn sparkline(class: &str, counts: &[u64]) -> String {
    const LINE: (f64, f64) = (160.0, 32.0);
    let highest = float(counts.iter().copied().max().unwrap_or_default().max(1));
    let step = LINE.0 / float(counts.len().saturating_sub(1).max(1) as u64);
    let mut points = String::new();
    for (place, count) in counts.iter().enumerate() {
        let x = step * float(place as u64);
        let y = LINE.1 - 2.0 - (LINE.1 - 4.0) * float(*count) / highest;
        let _ = write!(points, "{x:.1},{y:.1} ");
    }
    let points = points.trim_end();
    format!(
        "<svg class=\"spark {class}\" viewBox=\"0 0 {} {}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <polygon points=\"0,{1} {points} {0},{1}\"/><polyline points=\"{points}\"/></svg>",
        LINE.0, LINE.1
    )
}

/// The next round number that can be divided by four.
fn round_up(count: u64) -> u64 {
    let mut ten = 1_u64;
    loop {
        for first in [4, 8, 12, 16, 20, 24, 32, 40, 48, 60, 80, 100] {
            let round = ten.saturating_mul(first);
            if round >= count {
                return round;
            }
        }
        ten = ten.saturating_mul(10);
    }
}

/// 1200 as 1.2k.
fn short(count: u64) -> String {
    let tenths = |one: u64, unit: &str| match count * 10 / one % 10 {
        0 => format!("{}{unit}", count / one),
        tenth => format!("{}.{tenth}{unit}", count / one),
    };
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => tenths(1_000, "k"),
        _ => tenths(1_000_000, "M"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_at_a_round_number_that_four_divides() {
        for (count, top) in [(1, 4), (4, 4), (5, 8), (9, 12), (101, 120), (1_201, 1_600)] {
            assert_eq!(round_up(count), top, "{count}");
            assert_eq!(round_up(count) % 4, 0);
        }
        assert!(round_up(u64::MAX) > 0, "it ends");
    }

    #[test]
    fn long_numbers_are_short_on_the_axis() {
        let cases = [
            (999, "999"),
            (1_000, "1k"),
            (1_250, "1.2k"),
            (3_000_000, "3M"),
        ];
        for (count, shown) in cases {
            assert_eq!(short(count), shown);
        }
    }

    #[test]
    fn every_step_has_its_bar_and_a_zero_none() {
        let times = ["a", "b"].map(ToOwned::to_owned);
        let series = [Series {
            class: "x",
            label: "of x",
            counts: vec![3, 0],
        }];
        let svg = chart("title", &times, &series);
        assert_eq!(svg.matches("class=\"x\"").count(), 1);
        assert!(svg.contains("a: 3 of x") && svg.contains("b: 0 of x"));
    }
}
