//! explain - why is this refused? `gatepost explain ADDRESS [USER]`, or by the session's id out of a 454

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use super::{Operator, print_json};
use crate::admin::message::{Explanation, Request, Response};

/// Say why a client is, or would be, refused: buckets, strikes, ban, the last decisions
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An address, or the session's id that stands in the client's 454
    #[arg(value_name = "ADDRESS|SESSION")]
    address: String,
    /// As whom it logs in
    user: Option<String>,
    #[command(flatten)]
    operator: Operator,
}

/// Asks the running Gatepost.
pub fn run(args: &Args) -> ExitCode {
    let request = Request::Explain {
        address: args.address.clone(),
        user: args.user.clone(),
    };
    args.operator.ask(&request, |response, out| match response {
        Response::Explanation(explanation) => show(explanation, out),
        other => print_json(out, other),
    })
}

fn show(e: &Explanation, out: &mut dyn Write) -> io::Result<()> {
    let wait = humantime::format_duration(Duration::from_secs(e.wait_s));
    writeln!(out, "{} in {}: {}", e.client, e.network, e.standing)?;
    if let (Some(user), Some(place), Some(known)) = (&e.user, &e.place, e.known) {
        let known = if known { "known" } else { "unknown" };
        writeln!(out, "as {user}: {known}, {place}")?;
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
