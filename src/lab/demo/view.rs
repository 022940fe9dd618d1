//! view - what the demo shows: the introduction, the live table, the summary
//!
//! Not here: drawing in place (`screen`), the rows that `attack` shows too (`board`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use super::actors::{self, VISITOR};
use super::browser::PageOpening;
use super::setup::DemoInfo;
use crate::backend::{BackendTotals, ClientCounts, Mail};
use crate::board::{self, Cell};
use crate::botnet::{AttemptFigures, HonestFigures, bot_address, is_bot};
use crate::numbers::thousands;
use crate::screen::Tone;
use gatepost_daemon::cli::paint::Paint;

/// The state of the demo at one moment; with `--json`, what is printed at the end.
#[derive(Debug, Serialize)]
pub(super) struct DemoStatus {
    /// Where Gatepost listens.
    gatepost: SocketAddr,
    /// Since the first client came.
    pub(super) seconds: f64,
    /// What the honest users saw.
    honest: HonestFigures,
    /// What the bots saw.
    botnet: AttemptFigures,
    /// What reached the backend of the honest users.
    honest_reached: ClientCounts,
    /// What reached the backend of the bots.
    botnet_reached: ClientCounts,
    /// All that reached the backend, yours too.
    backend: BackendTotals,
    /// The last mails that reached it.
    last_mails: Vec<Mail>,
    /// Attempts refused, by reason.
    refused: BTreeMap<String, u64>,
    /// Bans now.
    bans: u64,
    /// Guesses by strangers that can reach the backend in a day, at most.
    bound_per_day: u64,
}

impl DemoStatus {
    /// Collects it from all parts.
    pub(super) fn ask(
        info: &DemoInfo,
        honest: HonestFigures,
        botnet: AttemptFigures,
        elapsed: Duration,
    ) -> Self {
        let status = info.operator.status();
        let people = actors::people();
        let is_person = |client| people.iter().any(|person| person.source == client);
        Self {
            gatepost: info.gatepost,
            seconds: elapsed.as_secs_f64(),
            honest,
            botnet,
            honest_reached: info.counters.of_clients(is_person),
            botnet_reached: info.counters.of_clients(is_bot),
            backend: info.counters.totals(),
            last_mails: info.counters.last_mails(),
            refused: status.refused,
            bans: status.bans,
            bound_per_day: status.bound_per_day,
        }
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// The live table.
    pub(super) fn table(&self, paint: Paint) -> Vec<String> {
        let elapsed = self.elapsed();
        let mut lines = vec![String::new()];
        lines.extend(board::head(paint, elapsed, "honest users", "botnet"));
        lines.push(board::row(
            paint,
            "addresses",
            &Cell::count(actors::PEOPLE.len() as u64),
            &Cell::count(u64::from(actors::BOTS)),
        ));
        let outcomes = board::outcomes(paint, Some(&self.honest), &self.botnet, elapsed);
        lines.extend(outcomes);
        lines.extend(board::visits(paint, &self.honest));
        lines.push(board::row(
            paint,
            "passwords that reached the checker",
            &Cell::count(self.honest_reached.checks),
            &Cell::count(self.botnet_reached.checks).toned(Tone::Notable),
        ));
        lines.push(String::new());
        lines.push(format!(
            "  {} of {} guesses reached the backend ({}); {} bans now",
            thousands(self.botnet_reached.checks),
            thousands(self.botnet.tries),
            share(self.botnet_reached.checks, self.botnet.tries),
            self.bans
        ));
        lines.push(format!("  refused by bucket: {}", self.reasons()));
        let bound = format!(
            "  the bound: at most {} guesses a day, whatever the size of the botnet",
            thousands(self.bound_per_day)
        );
        lines.push(Tone::Strong.of(&bound, paint));
        lines
    }

    /// One line for a log.
    pub(super) fn line(&self) -> String {
        let line = board::summary_line(Some(&self.honest), &self.botnet, self.elapsed());
        format!("{line} reached={}", self.botnet_reached.checks)
    }

    /// The summary at the end.
    pub(super) fn conclusion(&self) -> String {
        let people = match self.honest.locked_out {
            0 => "no honest user was refused".to_owned(),
            visits => format!("{visits} visits of honest users were refused"),
        };
        let seconds = self.botnet.tries as f64 * 0.045;
        format!(
            "\n  In {:.0} seconds {people}, and {} mails were delivered.\n  \
             Without Gatepost the {} guesses would have kept the one password checker\n  \
             (45 ms each) busy for {seconds:.0} seconds; {} of them reached it.",
            self.seconds,
            thousands(self.honest.mails),
            thousands(self.botnet.tries),
            thousands(self.botnet_reached.checks),
        )
    }

    /// The busiest reasons, as many as fit.
    fn reasons(&self) -> String {
        let mut reasons: Vec<_> = self
            .refused
            .iter()
            .filter(|(_, count)| **count > 0)
            .collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let shown = reasons.iter().take(4);
        let shown: Vec<_> = shown
            .map(|(reason, count)| format!("{reason} {}", thousands(**count)))
            .collect();
        match shown.is_empty() {
            true => "none yet".to_owned(),
            false => shown.join(", "),
        }
    }
}

fn share(part: u64, whole: u64) -> String {
    match whole {
        0 => "-".to_owned(),
        whole => format!("{:.1} %", part as f64 * 100.0 / whole as f64),
    }
}

/// What listens where, and how to try it by hand.
pub(super) fn introduction(info: &DemoInfo, opening: PageOpening, paint: Paint) -> String {
    let strong = |text: &str| Tone::Strong.of(text, paint);
    let taken = match info.has_usual_port() {
        true => "",
        false => " (4650 is taken)",
    };
    let mut text = strong("Gatepost, and everything around it, on loopback");
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "\n\n  gatepost     {}, implicit TLS{taken}\n  \
         behind it    {}, an embedded submission server that checks one password at a time, 45 ms each\n  \
         in front     {} people who log in and send mails, strangers at first;\n               \
         a botnet of {} addresses, {:.0} guesses a second\n\n",
        info.gatepost,
        info.behind,
        actors::PEOPLE.len(),
        actors::BOTS,
        actors::GUESSES_A_SECOND,
    );
    if let Some(link) = &info.link {
        let also = match opening {
            PageOpening::ByItself => ": the page opens by itself; for another browser there is",
            PageOpening::ByHand => ", in a browser on this machine:",
        };
        let _ = writeln!(
            text,
            "  {}{also}\n  {link}\n      # opens once, within ten minutes; `gatepost dashboard`, below, prints another link\n",
            strong("Watch the attack fail")
        );
    }
    let _ = writeln!(
        text,
        "  {}",
        strong("Try it by hand, from another terminal:")
    );
    for line in by_hand(info) {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// Lines to copy into a shell.
fn by_hand(info: &DemoInfo) -> Vec<String> {
    let (address, config) = (info.gatepost, info.config.display());
    let authority = info.certificate.authority.display();
    let (user, password) = VISITOR;
    let to = actors::PEOPLE.first().map_or(user, |(user, _)| user);
    let plain = BASE64_STANDARD.encode(format!("\0{user}\0{password}"));
    let gatepost = std::env::args().next().unwrap_or("gatepost".to_owned());
    let mut lines = vec![
        format!("openssl s_client -quiet -crlf -CAfile {authority} -connect {address}"),
        format!("    # then: EHLO me, and: AUTH PLAIN {plain}"),
        format!(
            "swaks --server {address} --tls-on-connect --auth PLAIN --auth-user {user} \
             --auth-password {password} --from {user} --to {to}"
        ),
        format!(
            "curl --cacert {authority} --user {user}:{password} --mail-from {user} --mail-rcpt {to} \
             --upload-file {config} smtps://{address}"
        ),
        format!("{gatepost} status --config {config}"),
        format!("{gatepost} top --config {config}"),
        format!("{gatepost} dashboard --config {config}"),
        format!("{gatepost} explain --config {config} {}", bot_address(0)),
    ];
    lines.extend(
        info.log
            .iter()
            .map(|log| format!("tail -f {}", log.display())),
    );
    lines
}
