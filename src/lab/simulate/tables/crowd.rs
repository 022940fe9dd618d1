//! crowd - who of a crowd is let through, and who is shut out, in rows and columns
//!
//! Not here: what the numbers mean (`traffic::report`).

use std::io::{self, Write};

use super::{Rows, by_policy, cells, heading, table, tell_broken, time};
use crate::numbers::thousands;
use crate::table::Style;
use crate::traffic::Beside;
use crate::traffic::report::{LoginStats, Report};

/// All tables of crowds.
pub(super) fn print(out: &mut dyn Write, style: Style, reports: &[&Report]) -> io::Result<()> {
    let same = |one: &&Report, other: &&Report| one.beside == other.beside;
    for group in reports.chunk_by(same) {
        let Some(first) = group.first() else { continue };
        let words = match first.beside {
            Beside::Nothing => "crowds, calm",
            Beside::Guesses => "crowds beside 8,000 guesses a day",
        };
        heading(out, style, words)?;
        if group.iter().any(|report| report.policy != "gatepost") {
            comparison(out, style, group)?;
        } else {
            overview(out, style, group)?;
        }
        tell_broken(out, group)?;
    }
    Ok(())
}

fn overview(out: &mut dyn Write, style: Style, reports: &[&Report]) -> io::Result<()> {
    let mut rows: Rows = vec![cells(&[
        "crowd",
        "users",
        "first logins",
        "refused",
        "longest wait",
        "later logins",
        "refused",
        "longest wait",
        "never in",
        "home refused",
        "guesses a day",
        "of them inside",
        "bans",
    ])];
    rows.extend(reports.iter().map(|report| row(report)));
    table(out, style, &rows)?;
    writeln!(
        out,
        "first = each user's first login from a place that is not near one of theirs; never in = not within a day;\n\
         inside = out of a network where the victim logs in. Sums of all seeds, guesses of a mean day of one.\n"
    )
}

fn row(report: &Report) -> Vec<String> {
    let (first, later) = (&report.first, &report.later);
    let days = f64::from(report.days.max(1)) * f64::from(report.seeds.max(1));
    let a_day = |count: u64| thousands((count as f64 / days).round() as u64);
    vec![
        report.scenario.to_owned(),
        thousands(report.mailboxes as u64),
        thousands(first.all),
        refused(first),
        time(first.longest_wait),
        thousands(later.all),
        refused(later),
        time(later.longest_wait),
        thousands(first.never + later.never),
        thousands(report.home.refused),
        a_day(report.guesses.reached + report.guesses.again),
        a_day(report.guesses.inside),
        thousands(report.bans),
    ]
}

/// The first and the later logins of a hundred that met a refusal, by policy.
fn comparison(out: &mut dyn Write, style: Style, reports: &[&Report]) -> io::Result<()> {
    let name = |report: &Report| vec![report.scenario.to_owned()];
    let rows = by_policy(reports, &["crowd"], name, |report| {
        format!("{} / {}", refused(&report.first), refused(&report.later))
    });
    table(out, style, &rows)?;
    writeln!(
        out,
        "of a hundred logins that met a refusal: first ones from a new place / all others\n"
    )
}

fn refused(visits: &LoginStats) -> String {
    let percent = visits.refused_percent();
    percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.1}"))
}
