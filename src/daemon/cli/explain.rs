//! explain - `gatepost explain ADDRESS|SESSION|USER [USER]`: why a client or a user is refused

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::{OperatorArgs, exit, print_json, show_message};
use crate::admin::message::{
    BucketMessage, DecidedMessage, DecisionMessage, ExplanationMessage, OutlookMessage,
    PastDecisionMessage, ProgramMessage, Request, Response, SuspicionMessage, UserDeviceMessage,
    UserMessage,
};

mod queue_id;

/// Explain why a client or a user is or would be refused, with the last decisions
///
/// Of a user: whether known, where the user has logged in and since when, and the last decisions with address and
/// reason, as far back as the history is kept. What depends on the password is said so: a common one pays from a smaller bucket.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// An address or network, also with port or brackets as in the log; the session's id in the refusal (454 or 421) that the
    /// client got; a user; or the id of a mail in Postfix's queue, if the mail log is here
    #[arg(value_name = "ADDRESS|SESSION|USER|MAIL")]
    address: String,
    /// The user, as in AUTH, at that address
    user: Option<String>,
    /// The mail log for the id of a mail, instead of /var/log/mail.log and the journal
    #[arg(long, value_name = "FILE")]
    mail_log: Option<PathBuf>,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Sends the request to the running Gatepost.
pub fn run(args: &ExplainArgs) -> ExitCode {
    let request = match request(args) {
        Ok(request) => request,
        Err(fault) => return exit::fail(&fault),
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

/// What is asked: as it was given, or about those who submitted the mail of that id, if nobody has such a name.
fn request(args: &ExplainArgs) -> io::Result<Request> {
    let plain = Request::Explain {
        address: args.address.clone(),
        user: args.user.clone(),
    };
    let may_be_mail = args.user.is_none() && queue_id::is_one(&args.address);
    if !may_be_mail
        || !matches!(
            args.operator.response(&plain),
            Ok(Response::NotFound { .. })
        )
    {
        return Ok(plain);
    }
    let Some(found) = queue_id::find(&args.address, args.mail_log.as_deref())? else {
        return Ok(plain);
    };
    let (id, client) = (&args.address, &found.client);
    let user = found.user.as_deref().unwrap_or("nobody, without a login");
    // Without standard error the note is lost.
    let _ = writeln!(
        io::stderr(),
        "gatepost: mail {id} came from {client}, submitted by {user}"
    );
    Ok(Request::Explain {
        address: found.client,
        user: found.user,
    })
}

fn show(e: &ExplanationMessage, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} in {}: {}", e.client, e.network, e.standing)?;
    if let Some(place) = &e.place {
        writeln!(out, "place       {place}")?;
    }
    if let (Some(user), Some(trust), Some(known)) = (&e.user, &e.trust, e.known) {
        let by = match e.near_by_system {
            true => ", by the autonomous system of another login",
            false => "",
        };
        writeln!(out, "as {user}: {}, {trust}{by}", shown_known(known))?;
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
    show_decided(&e.decided, out)?;
    for bucket in &e.buckets {
        show_bucket(bucket, out)?;
    }
    if let Some(fault) = &e.last_fault {
        let (at, session, fault) = (&fault.at, &fault.session, &fault.fault);
        writeln!(out, "last fault  {fault}, in session {session} at {at}")?;
    }
    show_programs(&e.programs, out)?;
    show_decisions(&e.decisions, out)?;
    show_past(&e.past, out)
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
    if let Some(rule) = &e.rule {
        writeln!(out, "rule        {rule}")?;
    }
    if let Some(suspicion) = &e.suspicion {
        show_suspicion(suspicion, out)?;
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
        let place = in_brackets(one.place.as_deref());
        writeln!(
            out,
            "network     {network}{place} {trust}, since {since} or earlier, last {last}: a new password now: {outlook}"
        )?;
    }
    e.devices.iter().try_for_each(|one| show_device(one, out))?;
    show_decided(&e.decided, out)?;
    for bucket in &e.buckets {
        show_bucket(bucket, out)?;
    }
    show_programs(&e.programs, out)?;
    show_decisions(&e.decisions, out)?;
    show_past(&e.past, out)
}

fn show_suspicion(one: &SuspicionMessage, out: &mut dyn Write) -> io::Result<()> {
    let held = match one.held {
        true => "logins from other than familiar places WAIT until gatepost forgive",
        false => "nothing is held",
    };
    let (cause, since) = (&one.cause, &one.since);
    writeln!(
        out,
        "SUSPECTED   the password seems to be stolen ({cause}), since {since}: {held}"
    )?;
    for place in &one.places {
        let system = place.system.map(|number| format!("AS{number}"));
        let known: Vec<&str> = [&place.country, &system]
            .into_iter()
            .filter_map(Option::as_deref)
            .collect();
        let place_of = in_brackets(Some(known.join(", ").as_str()).filter(|text| !text.is_empty()));
        writeln!(out, "new place   {}{place_of}, {}", place.network, place.at)?;
    }
    Ok(())
}

fn show_device(one: &UserDeviceMessage, out: &mut dyn Write) -> io::Result<()> {
    let state = match (one.familiar, one.came_back) {
        (false, _) => "unproven",
        (true, true) => "familiar",
        (true, false) => "not back yet",
    };
    write!(out, "device      {state}, last {}", one.last_login)?;
    match one.wrong {
        0 => writeln!(out),
        wrong => writeln!(out, ", {wrong} wrong passwords since"),
    }
}

fn show_decided(decided: &[DecidedMessage], out: &mut dyn Write) -> io::Result<()> {
    decided
        .iter()
        .try_for_each(|one| writeln!(out, "decided     at {}: {}", one.machine, one.what))
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

fn show_programs(programs: &[ProgramMessage], out: &mut dyn Write) -> io::Result<()> {
    let shown = |one: &ProgramMessage| format!("program     ja4 {}, last {}", one.ja4, one.last);
    programs
        .iter()
        .try_for_each(|one| writeln!(out, "{}", shown(one)))
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

/// Past decisions, a line each.
pub(super) fn show_past(past: &[PastDecisionMessage], out: &mut dyn Write) -> io::Result<()> {
    if !past.is_empty() {
        writeln!(out, "earlier, from the history:")?;
    }
    for one in past {
        write!(out, "  ")?;
        show_past_one(one, out)?;
    }
    Ok(())
}

/// One of them.
pub(super) fn show_past_one(one: &PastDecisionMessage, out: &mut dyn Write) -> io::Result<()> {
    let user = one.user.as_deref().unwrap_or("no name");
    let place = in_brackets(one.place.as_deref());
    write!(
        out,
        "{} {}{place} {user} {}",
        one.at, one.client, one.verdict
    )?;
    if let Some(reason) = &one.reason {
        write!(out, " ({reason})")?;
    }
    if one.new_place {
        write!(out, ", a new place")?;
    }
    if one.count > 1 {
        write!(out, ", {} times until {}", one.count, one.last)?;
    }
    writeln!(out)
}

/// A place behind an address, if it is known.
pub(super) fn in_brackets(place: Option<&str>) -> String {
    place.map(|place| format!(" ({place})")).unwrap_or_default()
}

fn span(seconds: u64) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(seconds))
}
