//! log - what a running Gatepost has written, as its tests read it
//!
//! Collected as it comes, so that a test waits for a line and not for a time.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

const HANG: Duration = Duration::from_secs(60);

/// The lines of both outputs, in the order in which they came.
#[derive(Clone)]
pub(crate) struct Log(Arc<Shared>);

struct Shared {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

/// One line of the log in JSON.
#[derive(Clone, Debug)]
pub(crate) struct Event(Value);

impl Event {
    /// The text of a field; a number's digits. Empty where there is none.
    pub(crate) fn field(&self, name: &str) -> String {
        let inner = self.0.get("fields").and_then(|fields| fields.get(name));
        match inner.or_else(|| self.0.get(name)) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    /// What happened.
    pub(crate) fn message(&self) -> String {
        self.field("message")
    }

    /// The whole line.
    pub(crate) fn text(&self) -> String {
        self.0.to_string()
    }

    /// The severity.
    pub(crate) fn level(&self) -> String {
        self.field("level")
    }
}

impl Log {
    /// Reads until the program has closed its outputs.
    pub(crate) fn follow(outputs: impl IntoIterator<Item = Box<dyn Read + Send>>) -> Self {
        let log = Self(Arc::new(Shared {
            lines: Mutex::default(),
            grown: Condvar::new(),
        }));
        for output in outputs {
            let log = log.clone();
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    log.0.lines.lock().expect("no reader panics").push(line);
                    log.0.grown.notify_all();
                }
            });
        }
        log
    }

    /// All of it so far.
    pub(crate) fn text(&self) -> String {
        self.0.lines.lock().expect("no reader panics").join("\n")
    }

    /// Waits until some line holds `part`, whatever the format.
    #[track_caller]
    pub(crate) fn wait_for_text(&self, part: &str) {
        self.wait(part, |line| line.contains(part).then_some(()));
    }

    /// The events so far that fit.
    pub(crate) fn events(&self, fits: impl Fn(&Event) -> bool) -> Vec<Event> {
        let lines = self.0.lines.lock().expect("no reader panics");
        lines
            .iter()
            .filter_map(|line| parse(line))
            .filter(|event| fits(event))
            .collect()
    }

    /// Waits for the first event that fits.
    ///
    /// # Panics
    /// Naming `what` when it does not come.
    #[track_caller]
    pub(crate) fn find(&self, what: &str, fits: impl Fn(&Event) -> bool) -> Event {
        self.wait(what, |line| parse(line).filter(&fits))
    }

    #[track_caller]
    fn wait<T>(&self, what: &str, look: impl Fn(&str) -> Option<T>) -> T {
        let mut lines = self.0.lines.lock().expect("no reader panics");
        let mut read = 0;
        loop {
            if let Some(found) = lines[read..].iter().find_map(|line| look(line)) {
                return found;
            }
            read = lines.len();
            let wait = self.0.grown.wait_timeout(lines, HANG);
            let (grown, waited) = wait.expect("no reader panics");
            lines = grown;
            assert!(
                !waited.timed_out(),
                "not in the log: {what}\n{}",
                lines.join("\n")
            );
        }
    }
}

fn parse(line: &str) -> Option<Event> {
    serde_json::from_str(line).ok().map(Event)
}
