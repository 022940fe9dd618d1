//! report - `gatepost report`: what happened in a time, on one page, as text, HTML or JSON
//!
//! The text is fit for a nightly mail, the HTML has the same with charts. Not here: the page (`html`), where the numbers
//! come from (`server::operator`).

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use super::{OperatorArgs, explain, print_json};
use crate::admin::message::{
    Attacked, Attacker, PastDecisionMessage, ReportMessage, Request, Response,
};

mod accounts;
mod bars;
mod html;
mod markup;

/// Report what happened: tries, refusals, users under attack, outages
///
/// With refusals by reason, guesses beside the bound, logins from new places, and honest logins that were refused.
/// From the history, so it covers restarts. For a nightly mail: `gatepost report | mail -s gatepost postmaster`.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// The time up to now: 1d, 12h, 4w
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = span)]
    since: Duration,
    /// Print one HTML page, with charts
    #[arg(long, conflicts_with = "json")]
    html: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Sends the request to the running Gatepost.
pub fn run(args: &ReportArgs) -> ExitCode {
    let span_s = args.since.as_secs();
    args.operator.send(
        &Request::Report { span_s },
        |response, out| match response {
            Response::Report(report) if args.html => html::page(report, out),
            Response::Report(report) => show(report, out),
            other => print_json(out, other),
        },
    )
}

fn span(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(366 * 86_400);
    match humantime::parse_duration(text) {
        Ok(span) if (Duration::from_secs(60)..=LONGEST).contains(&span) => Ok(span),
        Ok(_) => Err("write a time from 1m to 366d".to_owned()),
        Err(fault) => Err(fault.to_string()),
    }
}

/// What is to be said first: whether all is well.
struct Headline {
    is_well: bool,
    text: String,
}

impl Headline {
    fn of(report: &ReportMessage) -> Self {
        let mut wrong = Vec::new();
        if !report.logins_work {
            wrong.push("logins cannot work now: `gatepost status` says why".to_owned());
        }
        if let Some(why) = &report.not_kept {
            wrong.push(format!("nothing is kept to report on ({why})"));
        }
        if let Some(why) = &report.fault {
            wrong.push(format!("the disk does not take the history now ({why})"));
        }
        match count(report, "familiar-refused") {
            0 => {}
            1 => wrong.push("1 honest login was refused".to_owned()),
            many => wrong.push(format!("{many} honest logins were refused")),
        }
        match report.outages.len() {
            0 => {}
            1 => wrong.push("logins could not work for a time".to_owned()),
            many => wrong.push(format!("logins could not work {many} times")),
        }
        Self {
            is_well: wrong.is_empty(),
            text: match wrong.is_empty() {
                true => "All is well: logins work, and no honest login was refused.".to_owned(),
                false => {
                    let mut text = wrong.join("; ") + ".";
                    if let Some(first) = text.get_mut(..1) {
                        first.make_ascii_uppercase();
                    }
                    text
                }
            },
        }
    }
}

/// The rows of attempts: counter, words.
const OUTCOMES: [(&str, &str); 5] = [
    ("accepted", "logged in"),
    (
        "rejected",
        "wrong password or no such user, says the backend",
    ),
    ("refused", "refused: the backend was not asked"),
    (
        "repeated",
        "the same wrong password again: the backend was not asked",
    ),
    ("deferred", "no answer from the backend"),
];

fn count(report: &ReportMessage, name: &str) -> u64 {
    report.counters.get(name).copied().unwrap_or_default()
}

/// Counters behind a prefix that counted anything, the largest first.
fn reasons<'a>(report: &'a ReportMessage, prefix: &str) -> Vec<(&'a str, u64)> {
    let mut found: Vec<(&str, u64)> = report
        .counters
        .iter()
        .filter_map(|(name, count)| Some((name.strip_prefix(prefix)?, *count)))
        .filter(|(_, count)| *count > 0)
        .collect();
    found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    found
}

/// 1,234,567.
fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn show(report: &ReportMessage, out: &mut dyn Write) -> io::Result<()> {
    let (host, since, until) = (&report.hostname, &report.since, &report.until);
    writeln!(out, "gatepost at {host}, {since} to {until}")?;
    if let Some(kept) = &report.kept_since {
        writeln!(out, "the history begins at {kept}")?;
    }
    writeln!(out, "\n{}\n", Headline::of(report).text)?;
    show_counts(report, out)?;
    show_attackers(report, out)?;
    show_decisions("honest logins refused", &report.honest_refused, out)?;
    show_decisions("logins from new places", &report.new_places, out)?;
    accounts::show(report, out)?;
    if !report.outages.is_empty() {
        writeln!(out, "\nlogins could not work")?;
    }
    for outage in &report.outages {
        let ended = outage.ended.as_deref().unwrap_or("now");
        let backend = outage.backend.as_deref().unwrap_or("all backends");
        writeln!(
            out,
            "  {} to {ended}  {backend}: {}",
            outage.began, outage.why
        )?;
    }
    if !report.bans.is_empty() {
        writeln!(out, "\nbans")?;
    }
    for ban in &report.bans {
        writeln!(
            out,
            "  {}  {} until {} ({})",
            ban.began, ban.address, ban.until, ban.reason
        )?;
    }
    if !report.acts.is_empty() {
        writeln!(out, "\ndone by operators")?;
    }
    for act in &report.acts {
        writeln!(out, "  {}  {}", act.at, act.did)?;
    }
    Ok(())
}

fn show_counts(report: &ReportMessage, out: &mut dyn Write) -> io::Result<()> {
    let row =
        |out: &mut dyn Write, count, words: &str| writeln!(out, "{:>14}  {words}", number(count));
    row(out, count(report, "attempts"), "tries to log in")?;
    for (name, words) in OUTCOMES {
        row(out, count(report, name), words)?;
    }
    let guesses = number(count(report, "guesses"));
    writeln!(
        out,
        "\nguesses by strangers that reached the backend: {guesses}; the bound for this time is {} ({} a day)",
        number(report.bound),
        number(report.bound_per_day)
    )?;
    for (title, prefix) in [
        ("refused by reason", "refused."),
        ("connections turned away", "turned-away."),
    ] {
        let found = reasons(report, prefix);
        if !found.is_empty() {
            writeln!(out, "\n{title}")?;
        }
        for (reason, count) in found {
            row(out, count, reason)?;
        }
    }
    Ok(())
}

fn show_attackers(report: &ReportMessage, out: &mut dyn Write) -> io::Result<()> {
    if !report.attacked.is_empty() {
        writeln!(out, "\nusers under attack: refused, reached the backend")?;
    }
    for Attacked {
        user,
        refused,
        rejected,
    } in &report.attacked
    {
        writeln!(
            out,
            "{:>14}{:>10}  {user}",
            number(*refused),
            number(*rejected)
        )?;
    }
    if !report.attackers.is_empty() {
        writeln!(
            out,
            "\nnetworks that guesses came from: refused, reached the backend"
        )?;
    }
    for Attacker {
        network,
        place,
        refused,
        rejected,
    } in &report.attackers
    {
        writeln!(
            out,
            "{:>14}{:>10}  {network}{}",
            number(*refused),
            number(*rejected),
            explain::in_brackets(place.as_deref())
        )?;
    }
    Ok(())
}

fn show_decisions(
    title: &str,
    decisions: &[PastDecisionMessage],
    out: &mut dyn Write,
) -> io::Result<()> {
    if !decisions.is_empty() {
        writeln!(out, "\n{title}")?;
    }
    for one in decisions {
        write!(out, "  ")?;
        explain::show_past_one(one, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_thousands_apart() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ];
        for (count, shown) in cases {
            assert_eq!(number(count), shown);
        }
    }

    #[test]
    fn all_is_well_only_where_logins_work_and_no_honest_one_was_refused() {
        let mut report = ReportMessage {
            logins_work: true,
            ..ReportMessage::default()
        };
        assert!(Headline::of(&report).is_well);
        report.counters.insert("familiar-refused".to_owned(), 2);
        let told = Headline::of(&report);
        assert!(!told.is_well && told.text == "2 honest logins were refused.");
        report.counters.clear();
        report.fault = Some("no room".to_owned());
        let told = Headline::of(&report);
        let expected = "The disk does not take the history now (no room).";
        assert!(!told.is_well && told.text == expected, "{}", told.text);
        report.fault = None;
        report.logins_work = false;
        assert!(!Headline::of(&report).is_well);
    }

    #[test]
    fn a_time_is_taken_within_its_bounds() {
        for (text, taken) in [
            ("59s", false),
            ("1m", true),
            ("366d", true),
            ("367d", false),
            ("x", false),
        ] {
            assert_eq!(span(text).is_ok(), taken, "{text}");
        }
    }
}
