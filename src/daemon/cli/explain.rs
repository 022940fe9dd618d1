//! explain - `gatepost explain ADDRESS [USER]`: why a client is refused; also by the session's id in a refusal

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use super::{OperatorArgs, print_json};
use crate::admin::message::{ExplanationMessage, Request, Response};

/// Explain why a client is or would be refused: buckets, strikes, bans, last decisions
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// An address, or the session's id in the refusal (454 or 421) that the client got
    #[arg(value_name = "ADDRESS|SESSION")]
    address: String,
    /// The user, as in AUTH
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
    args.operator
        .send(&request, |response, out| match response {
            Response::Explanation(explanation) => show(explanation, out),
            other => print_json(out, other),
        })
}

fn show(e: &ExplanationMessage, out: &mut dyn Write) -> io::Result<()> {
    let wait = humantime::format_duration(Duration::from_secs(e.wait_s));
    writeln!(out, "{} in {}: {}", e.client, e.network, e.standing)?;
    if let (Some(user), Some(trust), Some(known)) = (&e.user, &e.trust, e.known) {
        let known = if known { "known" } else { "unknown" };
        writeln!(out, "as {user}: {known}, {trust}")?;
    }
    match e.wait_s {
        0 => writeln!(out, "now         {} ({})", e.verdict, e.reason)?,
        _ => writeln!(out, "now         {} ({}), for {wait}", e.verdict, e.reason)?,
    }
    writeln!(out, "strikes     {}", e.strikes)?;
    if let Some(ban) = &e.ban {
        writeln!(
            out,
            "banned      {} until {} ({})",
            ban.address, ban.until, ban.reason
        )?;
    }
    for bucket in &e.buckets {
        let next = humantime::format_duration(Duration::from_secs(bucket.next_s));
        let (name, tokens, burst) = (&bucket.name, bucket.tokens, bucket.burst);
        match bucket.next_s {
            0 => writeln!(out, "bucket      {name:<10} {tokens}/{burst}")?,
            _ => writeln!(
                out,
                "bucket      {name:<10} {tokens}/{burst}, one more in {next}"
            )?,
        }
    }
    if let Some(fault) = &e.last_fault {
        let (at, session, fault) = (&fault.at, &fault.session, &fault.fault);
        writeln!(out, "last fault  {fault}, in session {session} at {at}")?;
    }
    if !e.decisions.is_empty() {
        writeln!(out, "the last decisions:")?;
    }
    for d in &e.decisions {
        writeln!(
            out,
            "  {} {} {} {} ({})",
            d.at, d.session, d.client, d.verdict, d.reason
        )?;
    }
    Ok(())
}
