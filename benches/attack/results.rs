//! results - figures by key and peer, medians, and how they stand to the goals
//!
//! Not here: files and plots (`report`).

use std::collections::BTreeMap;

use gatepost_lab::table::{Align, Style, render};
use serde_json::{Value, json};

use crate::peer::PeerKind;
use crate::rows::{BenchScenario, FigureRow, Goal, ROWS};

/// The lines of a plot, by their names.
pub(crate) type Lines = BTreeMap<String, Vec<(f64, f64)>>;

/// All that was measured.
#[derive(Debug, Default)]
pub(crate) struct Results {
    figures: BTreeMap<&'static str, BTreeMap<PeerKind, Vec<f64>>>,
    series: BTreeMap<&'static str, Lines>,
    notes: Vec<String>,
}

impl Results {
    /// Files the figures of one run.
    pub(crate) fn file(&mut self, kind: PeerKind, figures: Vec<(&'static str, f64)>) {
        for (key, figure) in figures {
            eprintln!("   {:<10} {key} {}", kind.name(), shown(figure));
            self.figures
                .entry(key)
                .or_default()
                .entry(kind)
                .or_default()
                .push(figure);
        }
    }

    /// One point of a plot's line.
    pub(crate) fn point(&mut self, plot: &'static str, line: &str, point: (f64, f64)) {
        eprintln!("   {line:<10} {plot} {} {}", shown(point.0), shown(point.1));
        let lines = self.series.entry(plot).or_default();
        lines.entry(line.to_owned()).or_default().push(point);
    }

    /// The lines of a plot.
    pub(crate) fn lines(&self, plot: &str) -> Option<&Lines> {
        self.series.get(plot)
    }

    /// Something that went wrong, reported with the figures.
    pub(crate) fn note(&mut self, text: String) {
        eprintln!("   {text}");
        self.notes.push(text);
    }

    /// What went wrong.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The median of a peer's figures.
    pub(crate) fn median(&self, key: &str, kind: PeerKind) -> Option<f64> {
        let mut figures = self.figures.get(key)?.get(&kind)?.clone();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied()
    }

    /// The table of one scenario, in Markdown; empty where nothing was measured.
    pub(crate) fn table_of(&self, scenario: BenchScenario) -> String {
        self.table(|row| row.scenario == scenario)
    }

    /// The table of the rows that are `wanted`, in Markdown.
    pub(crate) fn table(&self, wanted: impl Fn(&FigureRow) -> bool) -> String {
        let rows: Vec<&FigureRow> = ROWS
            .iter()
            .filter(|row| wanted(row) && self.figures.contains_key(row.key))
            .collect();
        let measured =
            |kind: &PeerKind| rows.iter().any(|row| self.median(row.key, *kind).is_some());
        let kinds: Vec<PeerKind> = PeerKind::ALL.into_iter().filter(measured).collect();
        if kinds.is_empty() {
            return String::new();
        }
        let mut table = vec![cells(&["what", "unit"])];
        if let Some(head) = table.first_mut() {
            head.extend(kinds.iter().map(|kind| kind.name().to_owned()));
            head.extend(cells(&["reached", "goal", ""]));
        }
        table.extend(rows.into_iter().map(|row| {
            let mut cells = cells(&[row.title, row.unit]);
            let figures = kinds.iter().map(|kind| self.median(row.key, *kind));
            cells.extend(figures.map(|figure| figure.map_or("–".to_owned(), shown)));
            let (reached, goal, verdict) = self.judge(row);
            cells.extend([reached, goal, verdict.to_owned()]);
            cells
        }));
        let numbers = vec![Align::Right; kinds.len() + 2];
        let aligns = [vec![Align::Left; 2], numbers, vec![Align::Left]].concat();
        render(Style::Markdown, &aligns, &table)
    }

    /// What was reached, the goal, and whether that is enough.
    fn judge(&self, row: &FigureRow) -> (String, String, &'static str) {
        let ours = self.median(row.key, PeerKind::Gatepost);
        let entry = |reached: Option<f64>, goal: String, good: Option<bool>| {
            let verdict = match good {
                Some(true) => "reached",
                Some(false) => "**missed**",
                None => "",
            };
            (reached.map_or(String::new(), shown), goal, verdict)
        };
        let part = |of: Option<f64>| Some(ours? / of?);
        match row.goal {
            Goal::Of(kind, most) => {
                let ratio = part(self.median(row.key, kind));
                let goal = format!("{most} of {}", kind.name());
                entry(ratio, goal, ratio.map(|ratio| ratio <= most))
            }
            Goal::OfKey(key, kind, most) => {
                let ratio = part(self.median(key, kind));
                let goal = format!("{most} of {}'s `{key}`", kind.name());
                entry(ratio, goal, ratio.map(|ratio| ratio <= most))
            }
            Goal::AtMost(most) => {
                let goal = format!("at most {}", shown(most));
                entry(ours, goal, ours.map(|ours| ours <= most))
            }
            Goal::AtLeast(least) => {
                let goal = format!("at least {}", shown(least));
                entry(ours, goal, ours.map(|ours| ours >= least))
            }
            Goal::BelowAll => {
                let peers = PeerKind::ALL.into_iter().filter(|kind| !kind.is_gatepost());
                let best = peers
                    .filter_map(|kind| self.median(row.key, kind))
                    .reduce(f64::min);
                let ratio = part(best);
                entry(
                    ratio,
                    "below every peer".to_owned(),
                    ratio.map(|ratio| ratio < 1.0),
                )
            }
            Goal::None => (String::new(), String::new(), ""),
        }
    }

    /// Everything, for other programs.
    pub(crate) fn json(&self) -> Value {
        let rows: Vec<Value> = ROWS
            .iter()
            .filter(|row| self.figures.contains_key(row.key))
            .map(|row| {
                let (reached, goal, verdict) = self.judge(row);
                let peers = self.figures.get(row.key).into_iter().flatten();
                let figures: serde_json::Map<String, Value> = peers
                    .map(|(kind, figures)| {
                        let median = self.median(row.key, *kind);
                        let entry = json!({ "median": median, "rounds": figures });
                        (kind.name().to_owned(), entry)
                    })
                    .collect();
                json!({
                    "key": row.key, "what": row.title, "unit": row.unit, "figures": figures,
                    "reached": reached, "goal": goal, "verdict": verdict.replace('*', ""),
                })
            })
            .collect();
        json!({ "rows": rows, "series": self.series, "notes": self.notes })
    }
}

/// A figure with three digits that mean something.
fn shown(figure: f64) -> String {
    match figure.abs() {
        0.0 => "0".to_owned(),
        size if size < 1.0 => format!("{figure:.3}"),
        size if size < 10.0 => format!("{figure:.2}"),
        size if size < 100.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}

fn cells(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
