//! tables - what the reports of simulated months say, in rows and columns
//!
//! Not here: what the numbers mean (`traffic::report`), how a table is written (`table`).

use std::io::{self, Write};

use super::Run;
use crate::numbers::thousands;
use crate::table::{Align, Style, render};
use crate::traffic::Beside;
use crate::traffic::machines::Troubles;
use crate::traffic::report::{LoginStats, Report};
use crate::traffic::scenario::Scenario;

mod crowd;

/// Cells; the first column holds names, the others numbers.
type Rows = Vec<Vec<String>>;

/// The scenarios, one a line.
pub(super) fn list<'a>(
    out: &mut dyn Write,
    scenarios: impl Iterator<Item = &'a Scenario>,
) -> io::Result<()> {
    for scenario in scenarios {
        writeln!(out, "{:<17} {}", scenario.name, scenario.about)?;
    }
    Ok(())
}

/// All tables, one after another.
pub(super) fn print(out: &mut dyn Write, style: Style, runs: &[Run]) -> io::Result<()> {
    let crowds = runs.partition_point(|run| !of_crowd(&run.report));
    let (servers, crowds) = runs.split_at(crowds);
    let same = |one: &Run, other: &Run| one.report.mailboxes == other.report.mailboxes;
    for runs in servers.chunk_by(same) {
        let Some(first) = runs.first() else { continue };
        let size = thousands(first.report.mailboxes as u64);
        let days = match first.report.days {
            1 => "1 day".to_owned(),
            days => format!("{days} days"),
        };
        heading(out, style, &format!("{size} mailboxes, {days}"))?;
        let whole: Vec<&Report> = runs
            .iter()
            .filter(|run| run.without.is_none())
            .map(|run| &run.report)
            .collect();
        if whole.iter().any(|report| report.policy != "gatepost") {
            comparison(out, style, &whole)?;
        } else {
            overview(out, style, &whole)?;
        }
        if runs.iter().any(|run| run.without.is_some()) {
            left_out(out, style, runs)?;
        }
        tell_troubles(out, runs)?;
        tell_broken(out, &whole)?;
    }
    let crowds: Vec<&Report> = crowds.iter().map(|run| &run.report).collect();
    crowd::print(out, style, &crowds)
}

/// What went wrong between several machines.
fn tell_troubles(out: &mut dyn Write, runs: &[Run]) -> io::Result<()> {
    let troubled = runs
        .iter()
        .filter_map(|run| Some((run.report.scenario, run.troubles?)));
    for (scenario, all) in troubled {
        let Troubles {
            machines,
            cuts,
            outages,
            wiped,
            lost,
            restarts,
        } = all;
        writeln!(
            out,
            "{scenario}: {machines} machines, cut off {cuts} times, their store away {outages} times and empty {wiped} times then, {lost} slices \
             lost, {restarts} restarts"
        )?;
    }
    Ok(())
}

fn tell_broken(out: &mut dyn Write, reports: &[&Report]) -> io::Result<()> {
    for report in reports {
        for broken in &report.broken {
            let beside = match report.beside {
                Beside::Nothing => "",
                Beside::Guesses => ", attacked",
            };
            writeln!(out, "BROKEN {}{beside}: {broken}", report.scenario)?;
        }
    }
    Ok(())
}

fn of_crowd(report: &Report) -> bool {
    Scenario::named(report.scenario).is_some_and(|scenario| scenario.users().is_some())
}

fn overview(out: &mut dyn Write, style: Style, reports: &[&Report]) -> io::Result<()> {
    let mut rows = vec![cells(&[
        "scenario",
        "tried a day",
        "reached a day",
        "worst day",
        "bound",
        "inside",
        "again",
        "lost",
        "home refused",
        "near refused",
        "far refused",
        "far, first try",
        "mean wait",
        "longest wait",
        "right but 535",
        "bans",
    ])];
    rows.extend(reports.iter().map(|report| row(report)));
    table(out, style, &rows)?;
    let notes = "guesses: reached = Postfix was asked about a stranger's guess; inside = about one out of a\n\
         network where the victim logs in; again = about a known wrong password once more; lost = accounts whose right password was found.\n\
         Waits are of far logins.";
    writeln!(out, "{notes}\n")
}

fn row(report: &Report) -> Vec<String> {
    let days = f64::from(report.days.max(1));
    let guesses = &report.guesses;
    let (home, near, far) = (&report.home, &report.near, &report.far);
    let wrongly_rejected = home.wrongly_rejected + near.wrongly_rejected + far.wrongly_rejected;
    vec![
        report.scenario.to_owned(),
        thousands((guesses.tried as f64 / days).round() as u64),
        thousands(guesses.per_day.round() as u64),
        thousands(guesses.worst_day),
        report.bound.map_or_else(|| "-".to_owned(), thousands),
        thousands(guesses.inside),
        thousands(guesses.again),
        thousands(guesses.lost as u64),
        of(home),
        of(near),
        of(far),
        percent(far),
        time(far.mean_wait as u64),
        time(far.longest_wait),
        thousands(wrongly_rejected),
        thousands(report.bans),
    ]
}

/// Guesses a day that reached Postfix, and refused ones of a thousand honest logins, by policy.
fn comparison(out: &mut dyn Write, style: Style, reports: &[&Report]) -> io::Result<()> {
    let tried = |report: &Report| {
        let tried = report.guesses.tried as f64 / f64::from(report.days.max(1));
        vec![report.scenario.to_owned(), thousands(tried.round() as u64)]
    };
    let rows = by_policy(reports, &["scenario", "tried a day"], tried, |report| {
        let days = f64::from(report.days.max(1));
        let reached = (report.guesses.reached + report.guesses.again) as f64 / days;
        let refused = 1000.0 * report.refused() as f64 / report.visits().max(1) as f64;
        format!("{} / {refused:.1}", thousands(reached.round() as u64))
    });
    table(out, style, &rows)?;
    writeln!(
        out,
        "password checks a day that attackers got / honest logins of a thousand that met a refusal\n"
    )
}

/// A row for each scenario, and in it a column for each policy, behind the `first` ones.
fn by_policy(
    reports: &[&Report],
    head: &[&str],
    first: impl Fn(&Report) -> Vec<String>,
    cell: impl Fn(&Report) -> String,
) -> Rows {
    let same = |one: &&Report, other: &&Report| one.scenario == other.scenario;
    let mut rows: Rows = Vec::new();
    for group in reports.chunk_by(same) {
        let Some(report) = group.first() else {
            continue;
        };
        if rows.is_empty() {
            let policies = group.iter().map(|report| report.policy.to_owned());
            rows.push(cells(head).into_iter().chain(policies).collect());
        }
        let played = group.iter().map(|report| cell(report));
        rows.push(first(report).into_iter().chain(played).collect());
    }
    rows
}

/// Travellers that got in at the first try, with each part left out.
fn left_out(out: &mut dyn Write, style: Style, runs: &[Run]) -> io::Result<()> {
    let same = |one: &Run, other: &Run| one.report.scenario == other.report.scenario;
    let mut rows: Rows = Vec::new();
    for group in runs.chunk_by(same) {
        if rows.is_empty() {
            let mut head = cells(&["travellers in at the first try, of 100"]);
            head.extend(group.iter().map(|run| match run.without {
                Some(part) => format!("without {part}"),
                None => "whole".to_owned(),
            }));
            rows.push(head);
        }
        let Some(first) = group.first() else { continue };
        let mut row = vec![first.report.scenario.to_owned()];
        row.extend(group.iter().map(|run| percent(&run.report.far)));
        rows.push(row);
    }
    table(out, style, &rows)?;
    writeln!(out)
}

fn heading(out: &mut dyn Write, style: Style, words: &str) -> io::Result<()> {
    match style {
        Style::Terminal => writeln!(out, "{words}\n"),
        Style::Markdown => writeln!(out, "### {words}\n"),
    }
}

fn table(out: &mut dyn Write, style: Style, rows: &Rows) -> io::Result<()> {
    writeln!(out, "{}", render(style, &[Align::Left, Align::Right], rows))
}

fn cells(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn of(visits: &LoginStats) -> String {
    format!("{} of {}", thousands(visits.refused), thousands(visits.all))
}

fn percent(visits: &LoginStats) -> String {
    let percent = visits.first_try_percent();
    percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.1} %"))
}

fn time(seconds: u64) -> String {
    match seconds {
        0 => "-".to_owned(),
        1..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        for (seconds, want) in [(0, "-"), (119, "119 s"), (300, "5 min"), (9_000, "2.5 h")] {
            assert_eq!(time(seconds), want);
        }
    }
}
