//! pictures - a simulated month as a picture: guesses above, refused logins below
//!
//! Not here: how lines are drawn (`plot`), where the numbers come from (`traffic::report`), writing files.

use crate::numbers::thousands;
use crate::plot::{self, Axis, Panel, PlotLine};
use crate::traffic::report::{Point, Report};

const DAYS: Axis = Axis::even("days");

/// Draws reports of one scenario, a line for each policy. None for no reports.
pub fn picture(title: &str, reports: &[&Report]) -> Option<String> {
    let first = *reports.first()?;
    let tried = a_day(first, |point| point.tried);
    let lines_of = |of: fn(&Point) -> u32| {
        let line = move |report: &&Report| (report.policy, a_day(report, of));
        reports.iter().map(line).collect::<Vec<_>>()
    };
    let (reached, refused) = (lines_of(|point| point.reached), lines_of(|p| p.refused));
    let mut guesses: Vec<PlotLine<'_>> = reached.iter().map(|(name, at)| (*name, &**at)).collect();
    guesses.push(("tried", &tried));
    let refused: Vec<PlotLine<'_>> = refused.iter().map(|(name, at)| (*name, &**at)).collect();
    let bound = first
        .bound
        .map(|bound| format!("bound {}", thousands(bound)));
    let panels = [
        Panel {
            across: DAYS,
            up: Axis::tens("guesses a day at Postfix"),
            lines: &guesses,
            limit: bound.as_deref().zip(first.bound.map(|bound| bound as f64)),
        },
        Panel {
            across: DAYS,
            up: Axis::even("honest logins a day that were refused"),
            lines: &refused,
            limit: None,
        },
    ];
    Some(plot::panels(title, &panels))
}

/// How many a day, at the middle of each of the report's points.
fn a_day(report: &Report, of: impl Fn(&Point) -> u32) -> Vec<(f64, f64)> {
    let days = Report::point_days();
    let points = report.course.iter().enumerate();
    points
        .map(|(at, point)| ((at as f64 + 0.5) * days, f64::from(of(point)) / days))
        .collect()
}
