//! simulate - the gate against synthetic months of attack: `gatepost simulate`
//!
//! Plays the scenarios, as many at a time as there are processors, and prints what came of them. The
//! promises of the manual are checked on the way: 1 is returned when one is broken.
//! Not here: the traces (`lab::traffic`), what others do (`lab::models`).

use std::io::{self, IsTerminal, Write};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde::Serialize;

use crate::models::{self, Modelled};
use crate::numbers::thousands;
use crate::table::Style;
use crate::traffic::gate_policy::GatePolicy;
use crate::traffic::machines::{MachinesPolicy, Troubles};
use crate::traffic::report::Report;
use crate::traffic::run::run as play;
use crate::traffic::scenario::{CROWDS, SCENARIOS, Scenario};
use crate::traffic::{Ablation, Beside, SimulationPlan};
use gatepost_daemon::cli::exit;

pub mod pictures;

mod stolen;
mod tables;

/// Guesses a day of the attacks that have no cadence of their own: nine in 97 s.
const DAILY: u32 = 8_000;
/// Days and seeds of a crowd.
const CROWD_DAYS: u32 = 4;
const CROWD_SEEDS: u32 = 3;

/// Show the gate, with its defaults, under synthetic months of attack
///
/// Honest users write, roam, mistype and travel meanwhile. Crowds behind shared or new addresses are played calm
/// and beside an attack; those who are refused come again after 5 min, then after twice as long, up to an hour.
/// Every scenario is drawn from a seed and shows the same on every machine. Exit code 1: a promise of the manual
/// was broken.
#[derive(Debug, clap::Args)]
pub struct SimulateArgs {
    /// Only this scenario; may be repeated
    #[arg(long, value_name = "NAME", value_parser = find)]
    scenario: Vec<&'static Scenario>,
    /// List the scenarios, and nothing else
    #[arg(long)]
    list: bool,
    /// Users of the server; may be repeated. Default: 40 and 10000, with --quick 40. A crowd has its own number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    mailboxes: Vec<u32>,
    /// Simulated days. Default: 30, with --quick 4; of a crowd 4 with three seeds, with --quick 2 with one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=366))]
    days: Option<u32>,
    /// Addresses of the botnets that come back with theirs. Default: 10000, with --quick 1000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    pool: Option<u64>,
    /// Several machines that have one bound together, cut off from each other and from their store, which loses its data: does the
    /// bound hold? Of each scenario that promises one
    #[arg(long, value_name = "N", conflicts_with_all = ["against", "without_each"],
          value_parser = clap::value_parser!(u32).range(2..=20))]
    machines: Option<u32>,
    /// Another seed gives another month of the same kind
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// A few days of a small server
    #[arg(long)]
    quick: bool,
    /// Play the same before models of what is in use today
    #[arg(long, conflicts_with = "without_each")]
    against: bool,
    /// Show travellers once more, each with one of folding, list, unknown, scaling, newcomers, retries, devices and systems left out
    #[arg(long)]
    without_each: bool,
    /// Only stolen passwords: of which honest people, and of which thieves, the gate tells
    #[arg(long, conflicts_with_all = ["scenario", "against", "without_each", "svg", "json"])]
    stolen: bool,
    /// Write a picture of each scenario into this folder
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the tables as Markdown
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

/// One scenario before one policy.
#[derive(Clone, Copy)]
struct Job {
    scenario: &'static Scenario,
    plan: SimulationPlan,
    /// The number of the model; none: the gate.
    model: Option<usize>,
    /// How many seeds, from the plan's on.
    seeds: u32,
}

/// A report, and what was left out of the gate.
#[derive(Serialize)]
struct Run {
    without: Option<&'static str>,
    /// What went wrong between several machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    troubles: Option<Troubles>,
    #[serde(flatten)]
    report: Report,
}

/// All of it, as JSON.
#[derive(Serialize)]
struct SimulationSummary<'a> {
    seed: u64,
    guesses_a_day: u32,
    runs: &'a [Run],
    broken: usize,
}

/// Simulates, and prints. 0: all promises were kept, 1: one was broken, 2: a file could not be written.
pub fn run(args: &SimulateArgs) -> ExitCode {
    match simulated(args) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(exit::BELOW_REQUIREMENT),
        Err(fault) => exit::fail(&fault),
    }
}

/// How many promises were broken.
fn simulated(args: &SimulateArgs) -> Result<usize, String> {
    let mut out = io::stdout().lock();
    if args.list {
        let scenarios = SCENARIOS.iter().chain(CROWDS);
        let printed = match args.json {
            true => {
                let all: Vec<_> = scenarios
                    .map(|one| serde_json::json!({ "name": one.name, "about": one.about }))
                    .collect();
                gatepost_daemon::cli::print_json(&mut out, &all)
            }
            false => tables::list(&mut out, scenarios),
        };
        let written = printed.and_then(|()| out.flush());
        gatepost_daemon::cli::exit::unless_closed(written).map_err(|fault| fault.to_string())?;
        return Ok(0);
    }
    let style = match args.markdown {
        true => Style::Markdown,
        false => Style::Terminal,
    };
    if args.stolen {
        return stolen::run(&mut out, style, args.seed).map_err(|fault| fault.to_string());
    }
    let runs = play_all(&jobs(args));
    let whole = || runs.iter().filter(|run| run.without.is_none());
    let broken = whole().map(|run| run.report.broken.len()).sum();
    if let Some(folder) = &args.svg {
        draw(folder, &runs)?;
    }
    let printed = if args.json {
        let summary = SimulationSummary {
            seed: args.seed,
            guesses_a_day: DAILY,
            runs: &runs,
            broken,
        };
        gatepost_daemon::cli::print_json(&mut out, &summary)
    } else {
        tables::print(&mut out, style, &runs)
    };
    let written = printed.and_then(|()| out.flush());
    gatepost_daemon::cli::exit::unless_closed(written).map_err(|fault| fault.to_string())?;
    Ok(broken)
}

fn jobs(args: &SimulateArgs) -> Vec<Job> {
    let scenarios: Vec<&Scenario> = match args.scenario.as_slice() {
        [] if machines(args) > 1 => {
            let bounded =
                |scenario: &&Scenario| scenario.promises.iter().any(|one| one.is_of_several());
            SCENARIOS.iter().filter(bounded).collect()
        }
        [] => SCENARIOS.iter().chain(CROWDS).collect(),
        chosen => chosen.to_vec(),
    };
    let (crowds, servers): (Vec<&Scenario>, Vec<&Scenario>) = scenarios
        .into_iter()
        .partition(|scenario| scenario.users().is_some());
    let mut jobs = server_jobs(args, &servers);
    jobs.extend(crowd_jobs(args, &crowds));
    jobs
}

/// Each crowd calm and beside an attack, with its own number of users.
fn crowd_jobs(args: &SimulateArgs, scenarios: &[&'static Scenario]) -> Vec<Job> {
    let (days, seeds) = match args.quick {
        true => (2, 1),
        false => (CROWD_DAYS, CROWD_SEEDS),
    };
    let mut jobs = Vec::new();
    for beside in [Beside::Nothing, Beside::Guesses] {
        for scenario in scenarios {
            let plan = SimulationPlan {
                mailboxes: scenario.users().unwrap_or(1),
                days: args.days.unwrap_or(days),
                seed: args.seed,
                daily: DAILY,
                pool: 1,
                without: None,
                beside,
                machines: machines(args),
            };
            let models = (0..policies(args)).map(Some);
            jobs.extend(std::iter::once(None).chain(models).map(|model| Job {
                scenario,
                plan,
                model,
                seeds,
            }));
        }
    }
    jobs
}

fn machines(args: &SimulateArgs) -> u32 {
    args.machines.unwrap_or(1)
}

fn policies(args: &SimulateArgs) -> usize {
    match args.against {
        true => models::all().len(),
        false => 0,
    }
}

/// Each scenario at each size.
fn server_jobs(args: &SimulateArgs, scenarios: &[&'static Scenario]) -> Vec<Job> {
    let mailboxes = match args.mailboxes.as_slice() {
        [] if args.quick => vec![40],
        [] => vec![40, 10_000],
        given => given.to_vec(),
    };
    let pool = args.pool.unwrap_or(if args.quick { 1_000 } else { 10_000 });
    let days = args.days.unwrap_or(if args.quick { 4 } else { 30 });
    let mut jobs = Vec::new();
    for mailboxes in mailboxes {
        for scenario in scenarios {
            let plan = SimulationPlan {
                mailboxes: mailboxes as usize,
                days,
                seed: args.seed,
                daily: DAILY,
                pool,
                without: None,
                beside: Beside::Nothing,
                machines: machines(args),
            };
            let job = Job {
                scenario,
                plan,
                model: None,
                seeds: 1,
            };
            jobs.push(job);
            jobs.extend((0..policies(args)).map(|model| Job {
                model: Some(model),
                ..job
            }));
            let left_out = Ablation::ALL.into_iter().filter(|_| args.without_each);
            jobs.extend(left_out.map(|without| Job {
                plan: SimulationPlan {
                    without: Some(without),
                    ..plan
                },
                ..job
            }));
        }
    }
    jobs
}

/// Plays all jobs; the runs stand in the order of the jobs.
fn play_all(jobs: &[Job]) -> Vec<Run> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(jobs.len()));
    let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let progress = io::stderr().is_terminal();
    thread::scope(|scope| {
        for _ in 0..workers.min(jobs.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(at) else { return };
                    let run = job.play();
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((at, run));
                    if progress {
                        tell(done.len(), jobs.len());
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, run)| run).collect()
}

fn tell(done: usize, all: usize) {
    let end = if done == all { "\r\x1b[K" } else { "" };
    // The progress is a courtesy: an error that hides it is no error.
    let _ = write!(io::stderr(), "\rsimulated {done} of {all} {end}");
}

impl Job {
    fn play(self) -> Run {
        let Self { plan, seeds, .. } = self;
        let with = |seed| {
            let plan = SimulationPlan { seed, ..plan };
            self.play_once(&plan)
        };
        let (mut report, troubles) = with(plan.seed);
        for more in 1..u64::from(seeds) {
            report.add(&with(plan.seed.wrapping_add(more)).0);
        }
        self.scenario.check(&plan, &mut report);
        Run {
            without: plan.without.map(Ablation::as_str),
            troubles,
            report,
        }
    }

    fn play_once(self, plan: &SimulationPlan) -> (Report, Option<Troubles>) {
        let Self {
            scenario, model, ..
        } = self;
        let model = model.and_then(|number| models::all().into_iter().nth(number));
        let settings = || scenario.settings(plan);
        match (model, NonZeroU32::new(plan.machines)) {
            (Some(model), _) => (play(scenario, plan, &mut Modelled::new(model)), None),
            (None, Some(machines)) if machines.get() > 1 => {
                let mut policy = MachinesPolicy::new(&settings(), machines, plan.seed);
                let report = play(scenario, plan, &mut policy);
                (report, Some(policy.troubles()))
            }
            (None, _) => (play(scenario, plan, &mut GatePolicy::new(settings())), None),
        }
    }
}

fn find(name: &str) -> Result<&'static Scenario, String> {
    Scenario::named(name).ok_or_else(|| "no such scenario; --list shows them".to_owned())
}

/// Writes a picture of each scenario at each size, all its policies in one.
fn draw(folder: &Path, runs: &[Run]) -> Result<(), String> {
    let unwritable = |path: &Path, fault: io::Error| format!("{}: {fault}", path.display());
    std::fs::create_dir_all(folder).map_err(|fault| unwritable(folder, fault))?;
    let same = |one: &&Report, other: &&Report| {
        (one.scenario, one.mailboxes, one.beside) == (other.scenario, other.mailboxes, other.beside)
    };
    let whole = runs.iter().filter(|run| run.without.is_none());
    let reports: Vec<&Report> = whole.map(|run| &run.report).collect();
    for group in reports.chunk_by(same) {
        let Some(first) = group.first() else { continue };
        let about = Scenario::named(first.scenario).map_or("", |scenario| scenario.about);
        let size = thousands(first.mailboxes as u64);
        let beside = match first.beside {
            Beside::Nothing => "",
            Beside::Guesses => "-attacked",
        };
        let title = format!("{}{beside}: {about} ({size} mailboxes)", first.scenario);
        let Some(picture) = pictures::picture(&title, group) else {
            continue;
        };
        let path = folder.join(format!(
            "{}{beside}-{}.svg",
            first.scenario, first.mailboxes
        ));
        std::fs::write(&path, picture).map_err(|fault| unwritable(&path, fault))?;
    }
    Ok(())
}
