//! status - `gatepost status`: the state of the running Gatepost

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use super::{OperatorArgs, print_json};
use crate::admin::message::{LapiMessage, Request, Response, StatusMessage, UpstreamMessage};
use crate::report::limits::TABLE;

mod cluster;

/// Show the state: mode, backend, sessions, bans, buckets, tables, counters
///
/// Exit code 0: logins can work; 1: they cannot, and the reason is shown; 2: no gatepost answers.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// Print one line, for monitoring
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Sends the request to the running Gatepost.
pub fn run(args: &StatusArgs) -> ExitCode {
    args.operator
        .send(&Request::Status, |response, out| match response {
            Response::Status(status) if args.quiet => writeln!(out, "{}", line(status)),
            Response::Status(status) => show(status, out),
            other => print_json(out, other),
        })
}

fn show(status: &StatusMessage, out: &mut dyn Write) -> io::Result<()> {
    let uptime = humantime::format_duration(Duration::from_secs(status.uptime_s));
    writeln!(
        out,
        "gatepost {}, up {uptime}, {}",
        status.version, status.mode
    )?;
    if let Some(until) = &status.settling_until {
        writeln!(
            out,
            "  settling in until {until}: most limits forgive, as far as `settling` has tokens; `gatepost learn` ends this"
        )?;
    }
    around(status, out)?;
    counts(out, "processes", &status.processes)?;
    sessions(status, out)?;
    writeln!(
        out,
        "memory      {} MiB, {} of {} open files",
        status.process.resident_octets >> 20,
        status.process.open_files,
        status.process.open_files_limit
    )?;
    writeln!(out, "bans        {}", status.bans)?;
    users(status, out)?;
    let held = match status.mode.as_str() {
        "enforce" => "",
        _ => ", once the policy is enforced",
    };
    writeln!(
        out,
        "the bound   at most {} guesses a day by strangers reach Postfix{held}",
        status.bound_per_day
    )?;
    cluster::cluster(status, out)?;
    crowdsec(status, out)?;
    stock(status, out)?;
    counts(out, "count", &status.counters)?;
    doors(status, out)?;
    counts(out, "allowed", &status.allowed)?;
    counts(out, "refused", &status.refused)?;
    counts(out, "of familiar", &status.familiar_refused)?;
    counts(out, "would refuse", &status.would_refuse)?;
    counts(out, "turned away", &status.turned_away)?;
    counts(out, "no TLS", &status.handshakes_failed)?;
    limits(status, out)
}

/// The sessions here, and those that an earlier process goes on with.
fn sessions(status: &StatusMessage, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "sessions    {}, {} of them logged in",
        status.sessions, status.logged_in
    )?;
    if status.left_over > 0 {
        writeln!(
            out,
            "            {} more, logged in before the restart, go on in the process that was stopped",
            status.left_over
        )?;
    }
    Ok(())
}

/// Who is known, and who should have another password.
fn users(status: &StatusMessage, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "users       {} known, {} familiar pairs, {} devices",
        status.known_users, status.familiar_pairs, status.devices
    )?;
    if status.suspected > 0 {
        writeln!(
            out,
            "suspected   {} USERS whose password seems to be stolen: gatepost report names them",
            status.suspected
        )?;
    }
    Ok(())
}

/// CrowdSec beside us: what it decides, and what it is told.
fn crowdsec(status: &StatusMessage, out: &mut dyn Write) -> io::Result<()> {
    let Some(crowdsec) = &status.crowdsec else {
        return Ok(());
    };
    let address = &crowdsec.address;
    let since = |lapi: &LapiMessage| lapi.since.clone().unwrap_or_default();
    let reason = |lapi: &LapiMessage| lapi.reason.clone().unwrap_or_default();
    if let Some(lapi) = &crowdsec.decisions {
        let state = match lapi.state.as_str() {
            "answers" => format!("{address} tells its decisions since {}", since(lapi)),
            "fails" => {
                let (since, reason) = (since(lapi), reason(lapi));
                format!("{address} DOES NOT TELL its decisions since {since}: {reason}")
            }
            _ => format!("{address} not asked yet"),
        };
        let left_out = match crowdsec.left_out {
            0 => String::new(),
            count => format!(", {count} left out"),
        };
        writeln!(
            out,
            "crowdsec    {state}; {} in force{left_out}",
            crowdsec.in_force
        )?;
    }
    if let Some(lapi) = &crowdsec.bans {
        let state = match lapi.state.as_str() {
            "answers" => format!("{address} takes bans since {}", since(lapi)),
            "fails" => {
                let (since, reason) = (since(lapi), reason(lapi));
                format!("{address} DOES NOT TAKE bans since {since}: {reason}")
            }
            _ => format!("{address} takes bans, once there is one"),
        };
        let not_taken = match crowdsec.not_taken {
            0 => String::new(),
            count => format!(", {count} refused"),
        };
        writeln!(
            out,
            "crowdsec    {state}; {} told{not_taken}",
            crowdsec.told
        )?;
    }
    Ok(())
}

/// What was told at each door.
fn doors(status: &StatusMessage, out: &mut dyn Write) -> io::Result<()> {
    for (door, told) in &status.doors {
        let told: Vec<String> = told
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        writeln!(out, "door        {door:<18} {}", told.join(", "))?;
    }
    Ok(())
}

/// The state on one line, the worst first.
fn line(status: &StatusMessage) -> String {
    let begins = match status.logins_work {
        true => "OK",
        false => "FAILS",
    };
    let mut line = format!("{begins}: postfix {}", backends(status).join(", "));
    if let Some(fault) = &status.state_not_kept {
        line += &format!("; state not kept since {}: {}", fault.since, fault.why);
    }
    line + &format!(
        "; {}, {} sessions, {} bans",
        status.mode, status.sessions, status.bans
    )
}

/// Each backend in words.
fn backends(status: &StatusMessage) -> Vec<String> {
    let rejects = match status.backend_outage {
        true => ", but rejects trusted users (suspected outage of the backend)",
        false => "",
    };
    let backend = |one: &UpstreamMessage| {
        let address = &one.address;
        let since = one.since.as_deref().unwrap_or_default();
        match (one.state.as_str(), &one.reason, &one.cure) {
            ("usable", ..) => format!("{address} answers since {since}{rejects}"),
            ("not-asked", ..) => format!("{address} not asked yet"),
            (_, Some(reason), Some(cure)) => {
                format!("{address} NOT USABLE since {since}: {reason}: {cure}")
            }
            (_, reason, _) => {
                let reason = reason.as_deref().unwrap_or_default();
                format!("{address} NOT USABLE since {since}: {reason}")
            }
        }
    };
    status.upstream.iter().map(backend).collect()
}

/// What Gatepost needs: Postfix, and the disk.
fn around(status: &StatusMessage, out: &mut dyn Write) -> io::Result<()> {
    for backend in backends(status) {
        writeln!(out, "postfix     {backend}")?;
    }
    for certificate in &status.certificates {
        let names = certificate.names.join(", ");
        let days = certificate.days_left;
        match (&certificate.problem, certificate.is_due) {
            (Some(problem), _) => writeln!(
                out,
                "certificate {names}: {}, clients refuse it; renew it and reload",
                problem.to_uppercase()
            )?,
            (None, true) => writeln!(
                out,
                "certificate {names}: {days} DAYS LEFT; renew it and reload"
            )?,
            (None, false) => writeln!(out, "certificate {names}: {days} days left")?,
        }
    }
    match &status.state_not_kept {
        None => writeln!(out, "state       kept"),
        Some(fault) => writeln!(
            out,
            "state       NOT KEPT since {}: {}",
            fault.since, fault.why
        ),
    }?;
    if let Some(why) = &status.history_not_kept {
        writeln!(out, "history     NOT KEPT: {why}")?;
    }
    for database in &status.places {
        let in_use = database.in_use.as_deref().unwrap_or("NOTHING IN USE");
        match &database.fault {
            None => writeln!(out, "places      {in_use}")?,
            Some(why) => writeln!(out, "places      {in_use}: {} {why}", database.path)?,
        }
    }
    Ok(())
}

/// The fill of buckets and tables.
fn stock(status: &StatusMessage, out: &mut dyn Write) -> io::Result<()> {
    for bucket in &status.buckets {
        writeln!(
            out,
            "bucket      {:<10} {}/{}",
            bucket.name, bucket.tokens, bucket.burst
        )?;
    }
    for (name, fill) in &status.tables {
        let (used, capacity, evicted) = (fill.used, fill.capacity, fill.evicted);
        writeln!(
            out,
            "table       {name:<10} {used}/{capacity}, {evicted} evicted"
        )?;
    }
    Ok(())
}

/// The limits that acted, with what that means.
fn limits(status: &StatusMessage, out: &mut dyn Write) -> io::Result<()> {
    for row in &TABLE {
        let count = status.limits.get(row.name).copied().unwrap_or_default();
        if count > 0 {
            writeln!(out, "limit       {:<18} {count} {}", row.name, row.counts)?;
        }
    }
    Ok(())
}

fn counts(out: &mut dyn Write, title: &str, counts: &BTreeMap<String, u64>) -> io::Result<()> {
    for (name, count) in counts.iter().filter(|(_, count)| **count > 0) {
        writeln!(out, "{title:<11} {name:<18} {count}")?;
    }
    Ok(())
}
