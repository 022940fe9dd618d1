//! plot - a simulated month as a picture: an SVG without scripts, fonts or anything from elsewhere
//!
//! Above, guesses a day on a logarithmic scale: those tried, those that reached Postfix behind each door,
//! and the bound. Below, honest logins a day that met a refusal.
//! Not here: where the numbers come from (`traffic::report`), writing files (`cli`).

use std::fmt::Write;

use crate::traffic::report::{Point, Report};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 170.0;
/// The upper picture, from here to there; then the lower one.
const UPPER: (f64, f64) = (50.0, 250.0);
const LOWER: (f64, f64) = (290.0, 380.0);

const GREY: &str = "#8a8a8a";
const COLOURS: [&str; 7] = [
    "#1b7837", "#d6604d", "#f4a582", "#4393c3", "#b2abd2", "#e08214", "#542788",
];

/// Draws reports of one scenario, a line for each door. None for no reports.
pub fn svg(title: &str, reports: &[&Report]) -> Option<String> {
    let first = reports.first()?;
    let mut out = String::new();
    let background = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    out.push_str(&background);
    // A title may be long, and the whole width is its own.
    text(&mut out, (8.0, 22.0), "start", &escaped(title), 11);
    let days = f64::from(first.days);
    guesses(&mut out, first, reports, days);
    refusals(&mut out, reports, days);
    out.push_str("</svg>\n");
    Some(out)
}

fn guesses(out: &mut String, first: &Report, reports: &[&Report], days: f64) {
    text(out, (LEFT, 42.0), "start", "guesses a day", 11);
    let tried: Vec<f64> = rates(first, |point| point.tried);
    let bound = first.bound.map_or(0.0, |bound| bound as f64);
    let most = tried.iter().copied().fold(bound, f64::max).max(10.0);
    let decades = most.log10().ceil();
    let y = |value: f64| {
        let (top, bottom) = UPPER;
        bottom - (bottom - top) * value.max(1.0).log10() / decades
    };
    for decade in 0..=decades as i32 {
        let value = 10_f64.powi(decade);
        grid(out, y(value), &thousands(value as u64));
    }
    line(out, &tried, days, y, GREY);
    label(out, 0, GREY, "tried");
    for ((at, report), colour) in reports.iter().enumerate().zip(COLOURS) {
        line(out, &rates(report, |point| point.reached), days, y, colour);
        label(out, at + 1, colour, report.door);
    }
    if let Some(bound) = first.bound {
        let at = y(bound as f64);
        let _ = writeln!(
            out,
            "<path d=\"M{LEFT:.0} {at:.1}H{:.0}\" stroke=\"black\" stroke-dasharray=\"5 4\"/>",
            WIDTH - RIGHT
        );
        let words = format!("bound {}", thousands(bound));
        text(out, (WIDTH - RIGHT - 4.0, at - 4.0), "end", &words, 11);
    }
}

fn refusals(out: &mut String, reports: &[&Report], days: f64) {
    let (top, bottom) = LOWER;
    text(
        out,
        (LEFT, top - 8.0),
        "start",
        "honest logins a day that met a refusal",
        11,
    );
    let all = reports
        .iter()
        .flat_map(|report| rates(report, |point| point.refused));
    let most = all.fold(4.0, f64::max);
    let y = |value: f64| bottom - (bottom - top) * value / most;
    grid(out, y(0.0), "0");
    grid(out, y(most), &thousands(most as u64));
    for (report, colour) in reports.iter().zip(COLOURS) {
        line(out, &rates(report, |point| point.refused), days, y, colour);
    }
    for day in 0..=first_days(days) {
        let x = LEFT + (WIDTH - LEFT - RIGHT) * f64::from(day) / days;
        if first_days(days) <= 10 || day % 5 == 0 {
            text(out, (x, bottom + 16.0), "middle", &format!("day {day}"), 11);
        }
    }
}

fn first_days(days: f64) -> u32 {
    days as u32
}

/// Points a day of one kind.
fn rates(report: &Report, of: impl Fn(&Point) -> u32) -> Vec<f64> {
    let day = Report::point_days();
    report
        .course
        .iter()
        .map(|point| f64::from(of(point)) / day)
        .collect()
}

fn line(out: &mut String, values: &[f64], days: f64, y: impl Fn(f64) -> f64, colour: &str) {
    let mut path = String::new();
    for (at, value) in values.iter().enumerate() {
        let day = (at as f64 + 0.5) * Report::point_days();
        let x = LEFT + (WIDTH - LEFT - RIGHT) * day / days;
        let pen = if at == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{pen}{x:.1} {:.1}", y(*value));
    }
    let _ = writeln!(
        out,
        "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
    );
}

fn grid(out: &mut String, y: f64, words: &str) {
    let _ = writeln!(
        out,
        "<path d=\"M{LEFT:.0} {y:.1}H{:.0}\" stroke=\"#e4e4e4\"/>",
        WIDTH - RIGHT
    );
    text(out, (LEFT - 6.0, y + 4.0), "end", words, 11);
}

fn label(out: &mut String, row: usize, colour: &str, words: &str) {
    let y = UPPER.0 + 16.0 * row as f64;
    let x = WIDTH - RIGHT + 14.0;
    let _ = writeln!(
        out,
        "<path d=\"M{x:.0} {y:.0}h18\" stroke=\"{colour}\" stroke-width=\"2.5\"/>"
    );
    text(out, (x + 24.0, y + 4.0), "start", &escaped(words), 11);
}

fn text(out: &mut String, (x, y): (f64, f64), anchor: &str, words: &str, size: u32) {
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{words}</text>"
    );
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;")
}

/// `12,345`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted() {
        for (number, want) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(number), want);
        }
    }
}
