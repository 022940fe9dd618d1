//! report - the files: JSON for programs, a table and plots for people
//!
//! Not here: what the figures mean (`results`).

use std::fmt::Write as _;
use std::fs;

use gatepost_lab::plot::{self, Axis, Panel};
use serde_json::json;

use crate::BenchResult;
use crate::arguments::Arguments;
use crate::bench::Bench;
use crate::group::Group;
use crate::peer::PeerKind;
use crate::results::Results;

/// Writes what the command line asked for.
pub(crate) fn write(arguments: &Arguments, bench: &Bench, results: &Results) -> BenchResult<()> {
    let machine = machine(bench);
    if let Some(path) = &arguments.json {
        let all = json!({ "machine": machine, "results": results.json() });
        fs::write(path, serde_json::to_vec_pretty(&all)?)?;
    }
    if let Some(folder) = &arguments.report {
        fs::create_dir_all(folder)?;
        let mut text = String::new();
        for line in &machine {
            let _ = writeln!(text, "- {line}");
        }
        let _ = write!(text, "\n{}", results.table(|_| true));
        for note in results.notes() {
            let _ = write!(text, "\n- {note}");
        }
        fs::write(folder.join("table.md"), text)?;
        for (name, svg) in plots(results) {
            fs::write(folder.join(name).with_extension("svg"), svg)?;
        }
    }
    Ok(())
}

const SESSIONS: Axis = Axis::tens("idle sessions");
const ADDRESSES: Axis = Axis::tens("addresses known");
const BANS: Axis = Axis::tens("bans");

/// Plots of lines: file and series, title, axes.
const LINES: [(&str, &str, (Axis, Axis)); 8] = [
    (
        "latency",
        "Honest logins under attack: 9 of 10 are quicker than this",
        (Axis::even("attackers"), Axis::tens("ms")),
    ),
    (
        "crowd-memory",
        "Memory of the proxy",
        (SESSIONS, Axis::tens("MiB, PSS")),
    ),
    (
        "crowd-handshake",
        "CPU of one more session",
        (SESSIONS, Axis::even("µs")),
    ),
    (
        "crowd-newcomer",
        "A newcomer in the crowd",
        (SESSIONS, Axis::even("ms, p50")),
    ),
    (
        "known",
        "A check of the gate",
        (ADDRESSES, Axis::even("ns")),
    ),
    (
        "known-memory",
        "Memory of the gate",
        (ADDRESSES, Axis::even("MiB")),
    ),
    (
        "bans",
        "A look at a banned client",
        (BANS, Axis::even("ns")),
    ),
    (
        "bans-memory",
        "Memory of the gate",
        (BANS, Axis::even("MiB")),
    ),
];

/// Plots of bars: file, row, title, unit.
const BARS: [[&str; 4]; 5] = [
    [
        "session",
        "mail",
        "CPU of an honest session, in the proxy",
        "µs",
    ],
    [
        "stranger",
        "full",
        "CPU of a client that never logs in",
        "µs",
    ],
    [
        "memory",
        "idle",
        "Memory of an idle session before login",
        "KiB",
    ],
    ["reached", "reached", "GuessCount that reached Dovecot", ""],
    [
        "attack",
        "attack",
        "CPU of the whole stack, 1,000 guesses",
        "ms",
    ],
];

/// The plots for which there are figures, by file name.
fn plots(results: &Results) -> Vec<(&'static str, String)> {
    let lines = LINES.into_iter().filter_map(|(name, title, (across, up))| {
        let lines: Vec<plot::PlotLine<'_>> = results
            .lines(name)?
            .iter()
            .map(|(name, points)| (name.as_str(), points.as_slice()))
            .collect();
        let panel = Panel {
            across,
            up,
            lines: &lines,
            limit: None,
        };
        Some((name, plot::panels(title, &[panel])))
    });
    let bars = BARS.into_iter().filter_map(|[name, key, title, unit]| {
        let figure = |kind: PeerKind| Some((kind.name(), results.median(key, kind)?));
        let kinds = PeerKind::ALL
            .into_iter()
            .filter(|kind| *kind != PeerKind::Other);
        let bars: Vec<(&str, f64)> = kinds.filter_map(figure).collect();
        (!bars.is_empty()).then(|| (name, plot::bars(title, unit, &bars)))
    });
    lines.chain(bars).collect()
}

/// What the figures were taken on: a list for people.
fn machine(bench: &Bench) -> Vec<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name\t: "));
    let cores = cpu.matches("processor\t:").count();
    let kernel = read("/proc/sys/kernel/osrelease");
    let command: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    vec![
        format!(
            "{} cores, {}, Linux {}",
            cores,
            model.unwrap_or("unknown"),
            kernel.trim()
        ),
        format!("CPU by {}", Group::new("look").method()),
        format!("ended at {} s since 1970", bench.clock.now().as_seconds()),
        format!("`cargo bench --bench attack -- {}`", command.join(" ")),
    ]
}
