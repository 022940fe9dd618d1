//! accounts - the accounts with whose password something is the matter: it seems to be stolen, or is on the owner's list
//!
//! As text and in the page. Not here: the rest of the report (`report`, `html`).

use std::fmt::Write as _;
use std::io::{self, Write};

use super::markup::{escaped, time};
use crate::admin::message::ReportMessage;

/// Accounts with one thing the matter.
struct AccountList {
    heading: &'static str,
    /// On the page, where there is less room.
    short: &'static str,
    /// Since when, who and why.
    rows: Vec<[String; 3]>,
}

fn lists(report: &ReportMessage) -> [AccountList; 2] {
    let suspected = report.suspected.iter().map(|one| {
        let name = one.user.as_ref().unwrap_or(&one.id);
        [one.since.clone(), name.clone(), one.cause.clone()]
    });
    let listed = report.listed.iter();
    let listed = listed.map(|one| [one.since.clone(), one.user.clone(), String::new()]);
    [
        AccountList {
            heading: "accounts whose password seems to be stolen, until `gatepost forgive USER`",
            short: "Passwords that seem to be stolen",
            rows: suspected.collect(),
        },
        AccountList {
            heading: "accounts whose password is on the list of known passwords",
            short: "Passwords on the list",
            rows: listed.collect(),
        },
    ]
}

/// Writes them as text.
pub(super) fn show(report: &ReportMessage, out: &mut dyn Write) -> io::Result<()> {
    for list in lists(report) {
        if !list.rows.is_empty() {
            writeln!(out, "\n{}", list.heading)?;
        }
        for [since, user, cause] in list.rows {
            let line = format!("  {since}  {user}  {cause}");
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    Ok(())
}

/// Writes them into the page.
pub(super) fn write(report: &ReportMessage, body: &mut String) {
    for list in lists(report) {
        if list.rows.is_empty() {
            continue;
        }
        let _ = write!(
            body,
            "<section><h2>{}</h2><table class=\"list\">",
            list.short
        );
        for [since, user, cause] in list.rows {
            let (since, user, cause) = (time(&since), escaped(&user), escaped(&cause));
            let _ = write!(
                body,
                "<tr><td>{since}</td><td>{user}</td><td>{cause}</td></tr>"
            );
        }
        body.push_str("</table></section>");
    }
}
