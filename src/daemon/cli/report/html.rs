//! html - the report as one page: charts inside it, light and dark, nothing fetched
//!
//! Every text of a client's is escaped; a browser is told to run and fetch nothing. Not here: the charts (`bars`).

use std::fmt::Write as _;
use std::io::{self, Write};

use super::accounts;
use super::bars::{Series, chart, sparkline};
use super::markup::{escaped, time};
use super::{Headline, OUTCOMES, count, number, reasons};
use crate::admin::message::{PastDecisionMessage, ReportMessage};
use crate::cli::explain;

const STYLE: &str = include_str!("report.css");

/// Writes the page.
pub(super) fn page(report: &ReportMessage, out: &mut dyn Write) -> io::Result<()> {
    let host = escaped(&report.hostname);
    let mut body = head(report);
    tiles(report, &mut body);
    charts(report, &mut body);
    body.push_str("<div class=\"columns\">");
    counts(report, &mut body);
    attacks(report, &mut body);
    body.push_str("</div>");
    decisions(
        "Honest logins that were refused",
        &report.honest_refused,
        &mut body,
    );
    decisions("Logins from new places", &report.new_places, &mut body);
    accounts::write(report, &mut body);
    events(report, &mut body);
    decisions("The latest decisions", &report.latest, &mut body);
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>Gatepost at {host}</title>\
         <style>{STYLE}</style></head>\n<body><main>{body}</main></body></html>"
    )
}

fn head(report: &ReportMessage) -> String {
    let told = Headline::of(report);
    let class = match told.is_well {
        true => "well",
        false => "wrong",
    };
    let kept = report.kept_since.as_deref().map(|kept| {
        let kept = time(kept);
        format!(" The history begins at {kept}.")
    });
    format!(
        "<header><h1>Gatepost <span>at {}</span></h1><p>{} to {} UTC.{}</p></header>\
         <p class=\"summary {class}\">{}</p>",
        escaped(&report.hostname),
        time(&report.since),
        time(&report.until),
        kept.unwrap_or_default(),
        escaped(&told.text.replace('`', ""))
    )
}

fn series<'a>(report: &ReportMessage, name: &str, class: &'a str, label: &'a str) -> Series<'a> {
    let counts = report.steps.iter().map(|step| step.counters.get(name));
    Series {
        class,
        label,
        counts: counts
            .map(|count| count.copied().unwrap_or_default())
            .collect(),
    }
}

/// What guesses come to: as the page counts them.
const MADE: [&str; 3] = ["refused", "repeated", "guesses"];

/// Four numbers, each with its line: those of the page.
fn tiles(report: &ReportMessage, body: &mut String) {
    let away: u64 = reasons(report, "turned-away.")
        .iter()
        .map(|(_, count)| count)
        .sum();
    let bound = format!("of at most {}", number(report.bound));
    let sum = |names: &[&str]| names.iter().map(|name| count(report, name)).sum::<u64>();
    let by_step = |names: &[&str]| -> Vec<u64> {
        let each = names.iter().map(|name| series(report, name, "", "").counts);
        let add = |all: Vec<u64>, one: Vec<u64>| {
            let pairs = all.iter().zip(one);
            pairs.map(|(all, one)| all + one).collect()
        };
        each.reduce(add).unwrap_or_default()
    };
    let rows = [
        ("honest", &["accepted"][..], "honest logins", String::new()),
        ("kept-out", &MADE, "guesses made", String::new()),
        (
            "reached",
            &["guesses"],
            "guesses reached the backend",
            bound,
        ),
        ("away", &[], "connections closed", String::new()),
    ];
    body.push_str("<section class=\"tiles\">");
    for (class, names, words, more) in rows {
        let (count, counts) = match names {
            [] => (away, turned_away(report)),
            names => (sum(names), by_step(names)),
        };
        let _ = write!(
            body,
            "<div><b>{}</b><span>{words} <small>{more}</small></span>{}</div>",
            number(count),
            sparkline(class, &counts)
        );
    }
    body.push_str("</section>");
}

fn turned_away(report: &ReportMessage) -> Vec<u64> {
    let of = |step: &crate::admin::message::ReportStep| {
        let away = step.counters.iter();
        let away = away.filter(|(name, _)| name.starts_with("turned-away."));
        away.map(|(_, count)| count).sum()
    };
    report.steps.iter().map(of).collect()
}

fn charts(report: &ReportMessage, body: &mut String) {
    let times: Vec<String> = report
        .steps
        .iter()
        .map(|step| label(&step.at, report.step_s))
        .collect();
    let unit = match report.step_s {
        86_400 => "day",
        _ => "hour",
    };
    let honest = [
        series(report, "accepted", "honest", "logged in"),
        series(
            report,
            "guesses",
            "reached",
            "guesses that reached the backend",
        ),
        series(report, "deferred", "deferred", "without an answer"),
    ];
    let refused = [
        series(report, "refused", "kept-out", "refused"),
        series(report, "repeated", "repeated", "repeated"),
    ];
    for (title, series) in [
        (
            format!("What reached the backend, by the {unit}"),
            &honest[..],
        ),
        (
            format!("What was kept from it, by the {unit}"),
            &refused[..],
        ),
    ] {
        let legend: String = series
            .iter()
            .map(|one| format!("<li><i class=\"{}\"></i>{}</li>", one.class, one.label))
            .collect();
        let _ = write!(
            body,
            "<section><h2>{title}</h2><ul class=\"legend\">{legend}</ul>{}</section>",
            chart(&title, &times, series)
        );
    }
}

fn counts(report: &ReportMessage, body: &mut String) {
    let rows = OUTCOMES.map(|(name, words)| (words, count(report, name)));
    bars("Tries to log in", &rows, body);
    bars("Refused by reason", &reasons(report, "refused."), body);
    bars(
        "Connections turned away",
        &reasons(report, "turned-away."),
        body,
    );
}

/// A table of numbers with a bar behind each.
fn bars(title: &str, rows: &[(&str, u64)], body: &mut String) {
    if rows.is_empty() {
        return;
    }
    let most = rows
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or_default()
        .max(1);
    let _ = write!(body, "<section><h2>{title}</h2><table class=\"bars\">");
    for (words, count) in rows {
        let share = u128::from(*count) * 1000 / u128::from(most);
        let _ = write!(
            body,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"bar\"><svg viewBox=\"0 0 1000 10\" \
             preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect width=\"{share}\" height=\"10\"/></svg></td></tr>",
            escaped(words),
            number(*count)
        );
    }
    body.push_str("</table></section>");
}

fn attacks(report: &ReportMessage, body: &mut String) {
    let users = report
        .attacked
        .iter()
        .map(|one| (one.user.clone(), one.refused, one.rejected));
    let networks = report.attackers.iter().map(|one| {
        let place = explain::in_brackets(one.place.as_deref());
        (format!("{}{place}", one.network), one.refused, one.rejected)
    });
    for (title, rows) in [
        ("Users under attack", users.collect::<Vec<_>>()),
        ("Where guesses came from", networks.collect()),
    ] {
        if rows.is_empty() {
            continue;
        }
        let _ = write!(
            body,
            "<section><h2>{title}</h2><table><tr><th></th><th>refused</th><th>reached the backend</th></tr>"
        );
        for (who, refused, rejected) in rows {
            let who = escaped(&who);
            let (refused, rejected) = (number(refused), number(rejected));
            let _ = write!(
                body,
                "<tr><th scope=\"row\">{who}</th><td>{refused}</td><td>{rejected}</td></tr>"
            );
        }
        body.push_str("</table></section>");
    }
}

fn decisions(title: &str, decisions: &[PastDecisionMessage], body: &mut String) {
    if decisions.is_empty() {
        return;
    }
    let _ = write!(
        body,
        "<section><h2>{title}</h2><table class=\"list\"><tr><th>when</th><th>user</th><th>from</th><th>verdict</th><th>reason</th>\
         <th>times</th></tr>"
    );
    for one in decisions {
        let user = one.user.as_deref().unwrap_or("");
        let reason = one.reason.as_deref().unwrap_or("");
        let place = explain::in_brackets(one.place.as_deref());
        let client = format!("{}{place}", one.client);
        let _ = write!(
            body,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            time(&one.at),
            escaped(user),
            escaped(&client),
            escaped(&one.verdict),
            escaped(reason),
            number(one.count)
        );
    }
    body.push_str("</table></section>");
}

fn events(report: &ReportMessage, body: &mut String) {
    let mut rows: Vec<(&str, String)> = Vec::new();
    for outage in &report.outages {
        let backend = outage.backend.as_deref().unwrap_or("all backends");
        let ended = outage.ended.as_deref().map_or("now".to_owned(), time);
        rows.push((
            &outage.began,
            format!(
                "logins could not work until {ended}: {backend}: {}",
                outage.why
            ),
        ));
    }
    for ban in &report.bans {
        let (until, reason) = (time(&ban.until), &ban.reason);
        rows.push((
            &ban.began,
            format!("{} banned until {until} ({reason})", ban.address),
        ));
    }
    for act in &report.acts {
        rows.push((&act.at, format!("operator: {}", act.did)));
    }
    if rows.is_empty() {
        return;
    }
    rows.sort_by(|one, other| other.0.cmp(one.0));
    body.push_str("<section><h2>Outages, bans, operators</h2><table class=\"list\">");
    for (at, what) in rows {
        let (at, what) = (time(at), escaped(&what));
        let _ = write!(body, "<tr><td>{at}</td><td>{what}</td></tr>");
    }
    body.push_str("</table></section>");
}

/// What stands under a step: the hour, or the day.
fn label(rfc3339: &str, step_s: u64) -> String {
    let part = match step_s {
        86_400 => rfc3339.get(5..10),
        _ => rfc3339.get(11..16),
    };
    escaped(part.unwrap_or(rfc3339))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::message::{ActMessage, Attacked, ListedMessage, SuspectedMessage};

    #[test]
    fn what_a_client_wrote_is_text_wherever_it_stands() {
        let evil = "<img src=x onerror=alert(1)>\"'&";
        let decision = PastDecisionMessage {
            user: Some(evil.to_owned()),
            client: evil.to_owned(),
            reason: Some(evil.to_owned()),
            ..PastDecisionMessage::default()
        };
        let report = ReportMessage {
            hostname: evil.to_owned(),
            attacked: vec![Attacked {
                user: evil.to_owned(),
                refused: 1,
                rejected: 1,
            }],
            honest_refused: vec![decision.clone()],
            listed: vec![ListedMessage {
                user: evil.to_owned(),
                since: evil.to_owned(),
            }],
            suspected: vec![SuspectedMessage {
                user: Some(evil.to_owned()),
                ..SuspectedMessage::default()
            }],
            latest: vec![decision.clone()],
            new_places: vec![decision],
            acts: vec![ActMessage {
                at: String::new(),
                did: evil.to_owned(),
            }],
            ..ReportMessage::default()
        };
        let mut out = Vec::new();
        page(&report, &mut out).unwrap();
        let html = String::from_utf8(out).unwrap();
        assert!(!html.contains("<img") && !html.contains("\"'&"), "{html}");
        assert!(html.matches("&lt;img src=x onerror=alert(1)&gt;").count() >= 13);
    }

    #[test]
    fn an_empty_report_is_a_page_too() {
        let mut out = Vec::new();
        page(&ReportMessage::default(), &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().ends_with("</html>\n"));
    }
}
