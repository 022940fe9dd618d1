//! explain - `gatepost explain ADDRESS|SESSION|USER [USER]`: why a client or a user is refused

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use super::{OperatorArgs, print_json, show_message};
use crate::admin::message::{
    BucketMessage, DecisionMessage, ExplanationMessage, OutlookMessage, Request, Response,
    UserMessage,
};

/// Explain why a client or a user is or would be refused, with the last decisions
///
/// Of a user: whether known, where the user has logged in and since when, and the last decisions with address and
/// reason. What depends on the password is said so: a common one pays from a smaller bucket.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// An address, the session's id in the refusal (454 or 421) that the client got, or a user
    #[arg(value_name = "ADDRESS|SESSION|USER")]
    address: String,
    /// The user, as in AUTH, at that address
    user: Option<String>,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Sends the request to the running Gatepost.
pub fn run(args: &ExplainArgs) -> ExitCode {
    let request = Request::Explain {
        address: args.address.clone(),
        user: args.user.clone(),
    };
    args.operator.send(&request, show_response)
}

/// Shows an answer as text.
pub(super) fn show_response(response: &Response, out: &mut dyn Write) -> io::Result<()> {
    match response {
        Response::Explanation(explanation) => show(explanation, out),
        Response::User(user) => show_user(user, out),
        Response::NotFound { .. } => show_message(response, out),
        other => print_json(out, other),
    }
}

fn show(e: &ExplanationMessage, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} in {}: {}", e.client, e.network, e.standing)?;
    if let (Some(user), Some(trust), Some(known)) = (&e.user, &e.trust, e.known) {
        writeln!(out, "as {user}: {}, {trust}", shown_known(known))?;
    }
    show_outlook(e, out)?;
    show_mode(&e.mode, out)?;
    writeln!(out, "strikes     {}", e.strikes)?;
    if let Some(ban) = &e.ban {
        writeln!(
            out,
            "banned      {} until {} ({})",
            ban.address, ban.until, ban.reason
        )?;
    }
    for bucket in &e.buckets {
        show_bucket(bucket, out)?;
    }
    if let Some(fault) = &e.last_fault {
        let (at, session, fault) = (&fault.at, &fault.session, &fault.fault);
        writeln!(out, "last fault  {fault}, in session {session} at {at}")?;
    }
    show_decisions(&e.decisions, out)
}

fn show_user(e: &UserMessage, out: &mut dyn Write) -> io::Result<()> {
    let known = shown_known(e.known);
    match &e.last_login {
        Some(last) => writeln!(out, "{}: {known}, last login {last}", e.user)?,
        None => writeln!(out, "{}: {known}, no login remembered", e.user)?,
    }
    if e.trap && !e.known {
        writeln!(out, "trap        nobody may try this name ([traps] users)")?;
    }
    show_mode(&e.mode, out)?;
    if e.networks.is_empty() {
        writeln!(
            out,
            "familiar    nowhere: the user is a stranger everywhere"
        )?;
    }
    for one in &e.networks {
        let (network, trust, since, last) = (&one.network, &one.trust, &one.since, &one.last_login);
        let outlook = shown_outlook(&one.outlook);
        writeln!(
            out,
            "network     {network} {trust}, since {since} or earlier, last {last}: a new password now: {outlook}"
        )?;
    }
    for bucket in &e.buckets {
        show_bucket(bucket, out)?;
    }
    show_decisions(&e.decisions, out)
}

const fn shown_known(known: bool) -> &'static str {
    match known {
        true => "known",
        false => "unknown",
    }
}

fn show_outlook(e: &ExplanationMessage, out: &mut dyn Write) -> io::Result<()> {
    let whole = OutlookMessage {
        attempt: String::new(),
        verdict: e.verdict.clone(),
        reason: e.reason.clone(),
        wait_s: e.wait_s,
    };
    match e.verdict.as_str() {
        "depends" => writeln!(out, "now         depends on what the attempt shows:")?,
        _ => writeln!(out, "now         {}", shown_outlook(&whole))?,
    }
    let differ = e.verdict == "depends" || e.outlooks.iter().any(|one| one.reason != e.reason);
    for one in e.outlooks.iter().filter(|_| differ) {
        writeln!(out, "            {}: {}", one.attempt, shown_outlook(one))?;
    }
    Ok(())
}

fn shown_outlook(one: &OutlookMessage) -> String {
    match one.wait_s {
        0 => format!("{} ({})", one.verdict, one.reason),
        wait => format!("{} ({}), for {}", one.verdict, one.reason, span(wait)),
    }
}

fn show_mode(mode: &str, out: &mut dyn Write) -> io::Result<()> {
    match mode {
        "dry-run" => writeln!(
            out,
            "dry run     only the deny list and bans by hand refuse; what is said of the rest would be"
        ),
        "settling-in" => writeln!(
            out,
            "settling in most refusals are forgiven, within the limits settling and settling-user"
        ),
        _ => Ok(()),
    }
}

fn show_bucket(bucket: &BucketMessage, out: &mut dyn Write) -> io::Result<()> {
    let (name, tokens, burst) = (&bucket.name, bucket.tokens, bucket.burst);
    let [retry, newcomer, others] = [
        bucket.next_retry_s,
        bucket.next_newcomer_s,
        bucket.next_others_s,
    ];
    write!(out, "bucket      {name:<10} {tokens}/{burst}")?;
    if others == 0 {
        return writeln!(out);
    }
    if retry == others {
        return writeln!(out, ", one more in {}", span(others));
    }
    let when = |wait| match wait {
        0 => "now".to_owned(),
        wait => format!("in {}", span(wait)),
    };
    writeln!(
        out,
        "; for a retry {}, a newcomer {}, others {}",
        when(retry),
        when(newcomer),
        when(others)
    )
}

fn show_decisions(decisions: &[DecisionMessage], out: &mut dyn Write) -> io::Result<()> {
    if !decisions.is_empty() {
        writeln!(out, "the last decisions:")?;
    }
    for d in decisions {
        write!(out, "  {} {} {}", d.at, d.session, d.client)?;
        if !matches!(d.door.as_str(), "" | "smtp") {
            write!(out, " at {}", d.door)?;
        }
        write!(out, " {} ({})", d.verdict, d.reason)?;
        match d.wait_s {
            0 => writeln!(out)?,
            wait => writeln!(out, ", for {}", span(wait))?,
        }
    }
    Ok(())
}

fn span(seconds: u64) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(seconds))
}
