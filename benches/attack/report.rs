//! report - the files: JSON for programs, a table and plots for people
//!
//! Not here: what the figures mean (`results`).

use std::fmt::Write as _;
use std::fs;

use serde_json::json;

use crate::Outcome;
use crate::arguments::Arguments;
use crate::group::Group;
use crate::results::Results;
use crate::stage::Stage;

/// Writes what the command line asked for.
pub(crate) fn write(arguments: &Arguments, stage: &Stage<'_>, results: &Results) -> Outcome<()> {
    let machine = machine(stage);
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
    }
    Ok(())
}

/// What the figures were taken on: a list for people.
fn machine(stage: &Stage<'_>) -> Vec<String> {
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
        format!("begun at {} s since 1970", stage.clock.now().as_seconds()),
        format!("`cargo bench --bench attack -- {}`", command.join(" ")),
    ]
}
