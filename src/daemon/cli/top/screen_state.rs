//! screen_state - what `gatepost top` shows, and what a key does to it
//!
//! Pure: keys and answers come in, requests go out. Not here: drawing (`view`), asking (`top`).

use std::collections::VecDeque;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::admin::message::{
    AttemptMessage, BusyMessage, Request, Response, StatusMessage, WatchMessage,
};
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::moment::Moment;

mod overlay;

pub(super) use overlay::Overlay;

/// Snapshots that are kept, one a second, for the numbers of the last minute.
const KEPT: usize = 61;

/// Attempts that are kept.
const ATTEMPTS: usize = 200;

/// How long a ban by key lasts: as `gatepost bans add` has it.
const BAN_SECONDS: u64 = 86_400;

/// One of the lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pane {
    #[default]
    Clients,
    Networks,
    Users,
    Bans,
    Attempts,
}

impl Pane {
    /// In the order of the Tab key.
    pub(super) const ALL: [Self; 5] = [
        Self::Clients,
        Self::Networks,
        Self::Users,
        Self::Bans,
        Self::Attempts,
    ];

    fn place(self) -> usize {
        self as usize
    }

    fn step(self, by: usize) -> Self {
        let place = (self.place() + by) % Self::ALL.len();
        Self::ALL.get(place).copied().unwrap_or_default()
    }
}

/// What a key asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyEffect {
    Nothing,
    Quit,
    Ask(Request),
}

/// All that is on the screen.
#[derive(Debug, Default)]
pub(super) struct TopState {
    pub(super) watch: WatchMessage,
    /// The latest first.
    pub(super) attempts: VecDeque<AttemptMessage>,
    pub(super) pane: Pane,
    pub(super) overlay: Option<Overlay>,
    /// What came of the last command.
    pub(super) message: Option<String>,
    /// Since when nobody answers, and why.
    pub(super) lost: Option<(Moment, String)>,
    /// What is selected in each pane, by name; none: the first.
    selected: [Option<String>; Pane::ALL.len()],
    past: VecDeque<StatusMessage>,
}

impl TopState {
    /// What to ask for next.
    pub(super) fn wanted(&self) -> Request {
        let after = self.attempts.front().map_or(0, |one| one.number);
        Request::Watch { after }
    }

    /// Takes a snapshot.
    pub(super) fn take(&mut self, response: Response, now: Moment) {
        let mut watch = match response {
            Response::Watch(watch) => *watch,
            Response::Refused { message } => return self.lose(&message, now),
            _ => return self.lose("the running gatepost is an older one: restart it", now),
        };
        if self.watch.status.started != watch.status.started {
            // Another process, whose numbers begin at zero.
            self.past.clear();
            self.attempts.clear();
        }
        for attempt in watch.attempts.drain(..) {
            self.attempts.push_front(attempt);
        }
        self.attempts.truncate(ATTEMPTS);
        self.past.push_back(watch.status.clone());
        if self.past.len() > KEPT {
            self.past.pop_front();
        }
        self.watch = watch;
        self.lost = None;
    }

    /// Nobody has answered.
    pub(super) fn lose(&mut self, why: &str, now: Moment) {
        let since = self.lost.take().map_or(now, |(since, _)| since);
        self.lost = Some((since, why.to_owned()));
    }

    /// Takes the answer to a command.
    pub(super) fn take_answer(&mut self, answer: Result<Response, String>) {
        let told = match answer {
            Err(fault) => Some(fault),
            Ok(
                Response::Done { message }
                | Response::NotKept { message }
                | Response::Ended { message, .. }
                | Response::NotFound { message }
                | Response::Refused { message },
            ) => Some(message),
            Ok(explained) => {
                self.overlay = Some(Overlay::explained(&explained));
                None
            }
        };
        self.message = told;
    }

    /// How much a number of the snapshot has grown in the last minute.
    pub(super) fn in_a_minute(&self, number: impl Fn(&StatusMessage) -> u64) -> u64 {
        let first = self.past.front().map_or(0, &number);
        number(&self.watch.status).saturating_sub(first)
    }

    /// Whether the last minute was seen whole.
    pub(super) fn has_a_minute(&self) -> bool {
        self.past.len() == KEPT
    }

    /// The names in a pane.
    fn names(&self, pane: Pane) -> Vec<&str> {
        match pane {
            Pane::Clients => names(&self.watch.clients),
            Pane::Networks => names(&self.watch.networks),
            Pane::Users => names(&self.watch.users),
            Pane::Bans => {
                let bans = self.watch.bans.iter();
                bans.map(|one| one.address.as_str()).collect()
            }
            Pane::Attempts => Vec::new(),
        }
    }

    /// How many rows a pane has.
    fn rows(&self, pane: Pane) -> usize {
        match pane {
            Pane::Attempts => self.attempts.len(),
            other => self.names(other).len(),
        }
    }

    /// The selected row of a pane: the same name stays selected when it moves.
    pub(super) fn row(&self, pane: Pane) -> Option<usize> {
        let rows = self.rows(pane);
        let wanted = self.selected.get(pane.place())?.as_deref();
        let found = wanted.and_then(|wanted| match pane {
            Pane::Attempts => {
                let number: u64 = wanted.parse().ok()?;
                self.attempts.iter().position(|one| one.number == number)
            }
            other => self.names(other).iter().position(|name| *name == wanted),
        });
        (rows > 0).then(|| found.unwrap_or(0))
    }

    /// What is selected: an address, a network or a user's name.
    fn target(&self) -> Option<String> {
        let row = self.row(self.pane)?;
        match self.pane {
            Pane::Attempts => self.attempts.get(row).map(|one| one.client.clone()),
            pane => self.names(pane).get(row).map(ToString::to_string),
        }
    }

    fn select(&mut self, row: usize) {
        let pane = self.pane;
        let name = match pane {
            // The first stays the first, of whatever client it is.
            _ if row == 0 => None,
            Pane::Attempts => self.attempts.get(row).map(|one| one.number.to_string()),
            pane => self.names(pane).get(row).map(ToString::to_string),
        };
        if let Some(place) = self.selected.get_mut(pane.place()) {
            *place = name;
        }
    }

    fn move_by(&mut self, rows: isize) {
        let last = self.rows(self.pane).saturating_sub(1);
        let row = self.row(self.pane).unwrap_or(0);
        self.select(row.saturating_add_signed(rows).min(last));
    }

    /// What a key does.
    pub(super) fn on_key(&mut self, key: KeyEvent) -> KeyEffect {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && key.code == KeyCode::Char('c') {
            return KeyEffect::Quit;
        }
        match self.overlay.take() {
            Some(overlay) => self.in_overlay(overlay, key.code),
            None => self.in_lists(key.code),
        }
    }

    fn in_overlay(&mut self, overlay: Overlay, key: KeyCode) -> KeyEffect {
        match (overlay, key) {
            (Overlay::Question { request, .. }, KeyCode::Char('y' | 'Y')) => {
                return KeyEffect::Ask(request);
            }
            (Overlay::Question { .. }, _) => self.message = Some("nothing was done".to_owned()),
            (Overlay::Text { title, lines, from }, key) => {
                let page: u16 = 10;
                let last = u16::try_from(lines.len().saturating_sub(1)).unwrap_or(u16::MAX);
                let from = match key {
                    KeyCode::Down | KeyCode::Char('j') => from.saturating_add(1),
                    KeyCode::PageDown | KeyCode::Char(' ') => from.saturating_add(page),
                    KeyCode::Up | KeyCode::Char('k') => from.saturating_sub(1),
                    KeyCode::PageUp => from.saturating_sub(page),
                    _ => return KeyEffect::Nothing,
                };
                let from = from.min(last);
                self.overlay = Some(Overlay::Text { title, lines, from });
            }
        }
        KeyEffect::Nothing
    }

    fn in_lists(&mut self, key: KeyCode) -> KeyEffect {
        match key {
            KeyCode::Char('q') | KeyCode::Esc => return KeyEffect::Quit,
            KeyCode::Tab | KeyCode::Right => self.pane = self.pane.step(1),
            KeyCode::BackTab | KeyCode::Left => self.pane = self.pane.step(Pane::ALL.len() - 1),
            KeyCode::Down | KeyCode::Char('j') => self.move_by(1),
            KeyCode::Up | KeyCode::Char('k') => self.move_by(-1),
            KeyCode::PageDown => self.move_by(10),
            KeyCode::PageUp => self.move_by(-10),
            KeyCode::Home => self.select(0),
            KeyCode::Char('?' | 'h') => self.overlay = Some(Overlay::keys()),
            KeyCode::Enter | KeyCode::Char('e') => {
                let explain = |address| {
                    KeyEffect::Ask(Request::Explain {
                        address,
                        user: None,
                    })
                };
                return self.target().map_or(KeyEffect::Nothing, explain);
            }
            KeyCode::Char('u') => return self.explain_user(),
            KeyCode::Char(letter) => self.overlay = self.question(letter),
            _ => {}
        }
        KeyEffect::Nothing
    }

    /// The user of the selected attempt.
    fn explain_user(&self) -> KeyEffect {
        let row = self
            .row(Pane::Attempts)
            .filter(|_| self.pane == Pane::Attempts);
        let attempt = row.and_then(|row| self.attempts.get(row));
        match attempt.and_then(|attempt| attempt.user.clone()) {
            Some(address) => KeyEffect::Ask(Request::Explain {
                address,
                user: None,
            }),
            None => KeyEffect::Nothing,
        }
    }

    /// What a key would change, to be asked back.
    fn question(&mut self, key: char) -> Option<Overlay> {
        let target = self.target()?;
        let is_user = self.pane == Pane::Users;
        if is_user && reads_as_address(&target) {
            // The client that tries it chose the name, and a command would take it for the address.
            self.message = Some(format!(
                "the user's name {target} reads as an address: not by key"
            ));
            return None;
        }
        let (text, request) = match key {
            'b' if is_user => {
                self.message =
                    Some("a user cannot be banned, only an address or a network".to_owned());
                return None;
            }
            'b' => (
                format!(
                    "Ban {target} for a day, and end its sessions? It refuses everybody there."
                ),
                Request::BansAdd {
                    subject: target,
                    seconds: BAN_SECONDS,
                    // Nobody bans this machine itself by a slip of the finger.
                    own: false,
                },
            ),
            'f' => (
                format!("Forgive {target}: clear its bans, strikes and spent tokens?"),
                Request::Forgive { target },
            ),
            'x' if is_user => (
                format!("End all sessions of {target}, and forget where that user is familiar?"),
                Request::Expel {
                    target,
                    network: None,
                },
            ),
            'x' => (
                format!("End all sessions of {target}? It may come back at once."),
                Request::Expel {
                    target,
                    network: None,
                },
            ),
            _ => return None,
        };
        self.message = None;
        Some(Overlay::Question { text, request })
    }
}

fn reads_as_address(name: &str) -> bool {
    name.parse::<ClientKey>().is_ok() || name.parse::<NetworkKey>().is_ok()
}

fn names(rows: &[BusyMessage]) -> Vec<&str> {
    rows.iter().map(|one| one.name.as_str()).collect()
}

#[cfg(test)]
pub(super) mod tests;
