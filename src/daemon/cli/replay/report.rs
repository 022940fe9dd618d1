//! report - the result of a replay, as text and as JSON
//!
//! Not here: the judging (`trial`). The names of the JSON's fields are public API.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::super::logs;
use super::trial::{Mistake, Trial};
use gatepost_core::logs::LoginHistory;
use gatepost_core::moment::Moment;

/// How many offenders are listed.
const OFFENDERS: usize = 20;

/// The assumptions of a replay; shown with every result.
const ASSUMPTIONS: [&str; 5] = [
    "logs show no passwords: every failure is taken as a new and uncommon password, so none is a free \
     repetition and none takes a token from `words`",
    "a user's right password is taken as one that no other client has tried",
    "a failure without a user name is taken as one for an unknown user",
    "no attempt had to wait for a turn; a refused client continued as it did in the log",
    "at the beginning only those are familiar who logged in before --since",
];

/// The result for one config.
#[derive(Serialize)]
struct ConfigReport<'a> {
    config: &'a str,
    attempts: u64,
    successes: u64,
    failures: u64,
    allowed: u64,
    allowed_by: &'a BTreeMap<&'static str, u64>,
    would_refuse: &'a BTreeMap<&'static str, u64>,
    refused: &'a BTreeMap<&'static str, u64>,
    repeated: u64,
    honest_refused: usize,
    honest_refusals: Vec<RefusedLogin>,
    guesses: u64,
    guesses_per_day: f64,
    guesses_by_day: BTreeMap<String, u64>,
    bans: u64,
    learnt: u64,
    offenders: Vec<OffenderRow>,
}

/// A successful login that would have been refused.
#[derive(Serialize)]
struct RefusedLogin {
    at: String,
    user: String,
    client: String,
    service: &'static str,
    reason: &'static str,
    wait_s: u64,
}

#[derive(Serialize)]
struct OffenderRow {
    client: String,
    failures: u64,
    reached: u64,
}

/// The whole result, as one object.
#[derive(Serialize)]
struct ReplayReport<'a> {
    #[serde(flatten)]
    told: ConfigReport<'a>,
    logs: LogCounts<'a>,
    from: Option<String>,
    until: Option<String>,
    days: f64,
    elsewhere: &'a BTreeMap<&'static str, u64>,
    unnamed_successes: u64,
    unnamed_failures: u64,
    assumptions: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    compare: Option<ConfigReport<'a>>,
}

#[derive(Serialize)]
struct LogCounts<'a> {
    lines: u64,
    tellings: u64,
    merged: u64,
    same_session: u64,
    copies: u64,
    remarks_dropped: u64,
    unreadable: u64,
    not_understood: u64,
    sample: &'a [String],
}

/// A config's name and its result.
pub(super) struct TriedConfig<'a> {
    pub(super) config: String,
    pub(super) trial: &'a Trial,
}

/// Writes one JSON object.
///
/// # Errors
///
/// When `out` cannot be written.
pub(super) fn json(
    history: &LoginHistory,
    tried: &TriedConfig<'_>,
    compared: Option<&TriedConfig<'_>>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let trial = tried.trial;
    let stats = &history.stats;
    let whole = ReplayReport {
        told: config_report(tried),
        logs: LogCounts {
            lines: stats.lines,
            tellings: stats.events,
            merged: history.merged,
            same_session: stats.same_session,
            copies: history.copies,
            remarks_dropped: history.dropped,
            unreadable: stats.unreadable,
            not_understood: stats.not_understood,
            sample: &stats.sample,
        },
        from: trial.first.map(logs::timestamp),
        until: trial.last.map(logs::timestamp),
        days: trial.days(),
        elsewhere: &trial.elsewhere,
        unnamed_successes: trial.unnamed_successes,
        unnamed_failures: trial.unnamed_failures,
        assumptions: &ASSUMPTIONS,
        compare: compared.map(config_report),
    };
    super::super::print_json(out, &whole)
}

fn config_report<'a>(tried: &'a TriedConfig<'_>) -> ConfigReport<'a> {
    let trial = tried.trial;
    let guesses = trial.guesses_in_all();
    ConfigReport {
        config: &tried.config,
        attempts: trial.attempts,
        successes: trial.successes,
        failures: trial.failures(),
        allowed: trial.allowed_in_all(),
        allowed_by: &trial.allowed,
        would_refuse: &trial.would_refuse,
        refused: &trial.refused,
        repeated: trial.repeated,
        honest_refused: trial.mistakes.len(),
        honest_refusals: trial.mistakes.iter().map(refusal).collect(),
        guesses,
        guesses_per_day: guesses as f64 / trial.days(),
        guesses_by_day: trial
            .guesses
            .iter()
            .map(|(&day, &count)| (date(day), count))
            .collect(),
        bans: trial.bans,
        learnt: trial.learnt,
        offenders: trial
            .worst_offenders(OFFENDERS)
            .into_iter()
            .map(|(client, offender)| OffenderRow {
                client: client.to_string(),
                failures: offender.failures,
                reached: offender.reached,
            })
            .collect(),
    }
}

fn refusal(mistake: &Mistake) -> RefusedLogin {
    RefusedLogin {
        at: logs::timestamp(mistake.at),
        user: mistake.user.to_string(),
        client: mistake.client.to_string(),
        service: mistake.service.as_str(),
        reason: mistake.refusal.reason.as_str(),
        wait_s: mistake.refusal.wait.as_secs(),
    }
}

fn date(day: u64) -> String {
    let text = logs::timestamp(Moment::from_seconds(day * 86_400));
    text.split('T').next().unwrap_or_default().to_owned()
}

/// Writes the result as text; the columns are the configs.
///
/// # Errors
///
/// When `out` cannot be written.
pub(super) fn text(
    history: &LoginHistory,
    tried: &[TriedConfig<'_>],
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some(first) = tried.first() else {
        return Ok(());
    };
    read(history, first.trial, out)?;
    table(tried, out)?;
    for tried in tried {
        mistakes(tried, out)?;
    }
    offenders(first.trial, out)?;
    writeln!(out, "\nAssumptions:")?;
    ASSUMPTIONS
        .iter()
        .try_for_each(|line| writeln!(out, "  - {line}"))
}

fn read(history: &LoginHistory, trial: &Trial, out: &mut dyn Write) -> io::Result<()> {
    let stats = &history.stats;
    logs::LineCounts::of(stats).show(out)?;
    writeln!(
        out,
        "{} of them are about logins: {} attempts, {} second lines of an attempt, {} further messages of a \
         session, {} copies in another file",
        history.stats.events,
        history.attempts.len(),
        history.merged,
        history.stats.same_session,
        history.copies,
    )?;
    left_out(history, trial, out)?;
    match (trial.first, trial.last) {
        (Some(first), Some(last)) => writeln!(
            out,
            "from {} to {}, {:.1} days",
            logs::timestamp(first),
            logs::timestamp(last),
            trial.days()
        ),
        _ => writeln!(out, "no login attempt by SMTP in these logs"),
    }
}

/// What was read and is not judged.
fn left_out(history: &LoginHistory, trial: &Trial, out: &mut dyn Write) -> io::Result<()> {
    if history.dropped > 0 {
        writeln!(
            out,
            "not counted, because only a password database or PAM logged them, which do not know the outcome: {} lines",
            history.dropped
        )?;
    }
    if !trial.elsewhere.is_empty() {
        let parts: Vec<String> = trial
            .elsewhere
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        writeln!(
            out,
            "not judged, because they are not SMTP: {} (see --elsewhere)",
            parts.join(", ")
        )?;
    }
    if trial.unnamed_successes > 0 {
        writeln!(
            out,
            "not judged, because the log line does not name the user reliably: {} logins",
            trial.unnamed_successes
        )?;
    }
    Ok(())
}

fn table(tried: &[TriedConfig<'_>], out: &mut dyn Write) -> io::Result<()> {
    let columns: Vec<Column> = tried.iter().map(column).collect();
    let mut rows: Vec<&str> = Vec::new();
    // The rows in the order of the first config; rows that only the second has follow their predecessor.
    for column in &columns {
        let mut place = 0;
        for (name, _) in column {
            match rows.iter().position(|row| *row == name.as_str()) {
                Some(known) => place = known + 1,
                None => {
                    rows.insert(place.min(rows.len()), name);
                    place += 1;
                }
            }
        }
    }
    writeln!(out)?;
    for row in rows {
        write!(out, "{row:<56}")?;
        for column in &columns {
            let value = column.iter().find(|(name, _)| name == row);
            write!(
                out,
                " {:>20}",
                value.map_or("0", |(_, value)| value.as_str())
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}

type Column = Vec<(String, String)>;

fn column(tried: &TriedConfig<'_>) -> Column {
    let trial = tried.trial;
    let mut column: Column = Vec::new();
    let mut row = |name: &str, value: String| column.push((name.to_owned(), value));
    row("config", tried.config.clone());
    row("attempts", trial.attempts.to_string());
    row("allowed", trial.allowed_in_all().to_string());
    for (reason, count) in &trial.allowed {
        row(&format!("  allowed by {reason}"), count.to_string());
    }
    for (reason, count) in &trial.would_refuse {
        row(
            &format!("  allowed only while settling in: {reason}"),
            count.to_string(),
        );
    }
    row("refused", trial.refused_in_all().to_string());
    for (reason, count) in &trial.refused {
        row(&format!("  refused by {reason}"), count.to_string());
    }
    if trial.repeated > 0 {
        row("answered as repetitions", trial.repeated.to_string());
    }
    row("bans", trial.bans.to_string());
    row(
        "failures a day in the logs",
        format!("{:.1}", trial.failures() as f64 / trial.days()),
    );
    row(
        "failures a day that would have reached Dovecot",
        format!("{:.1}", trial.guesses_in_all() as f64 / trial.days()),
    );
    if let Some((day, guesses)) = trial.worst_day() {
        row("  on the worst day", format!("{guesses} ({})", date(day)));
    }
    row("successful logins", trial.successes.to_string());
    row(
        "successful logins that would have been refused",
        trial.mistakes.len().to_string(),
    );
    column
}

/// Each pair of user and client once, with the times.
fn mistakes(tried: &TriedConfig<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut pairs: BTreeMap<(String, String, &str), Vec<Moment>> = BTreeMap::new();
    for mistake in &tried.trial.mistakes {
        let reason = mistake.refusal.reason.as_str();
        let key = (mistake.user.to_string(), mistake.client.to_string(), reason);
        pairs.entry(key).or_default().push(mistake.at);
    }
    if pairs.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nSuccessful logins that {} would have refused:",
        tried.config
    )?;
    for ((user, client, reason), times) in pairs {
        let times: Vec<String> = times.into_iter().map(logs::timestamp).collect();
        writeln!(
            out,
            "  {user} from {client}, by {reason}: {}",
            times.join(", ")
        )?;
    }
    Ok(())
}

fn offenders(trial: &Trial, out: &mut dyn Write) -> io::Result<()> {
    let worst = trial.worst_offenders(OFFENDERS);
    if worst.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:<40} {:>10} {:>20}",
        "Most failures", "in the log", "would have reached"
    )?;
    for (client, offender) in worst {
        let client = client.to_string();
        writeln!(
            out,
            "{client:<40} {:>10} {:>20}",
            offender.failures, offender.reached
        )?;
    }
    Ok(())
}
