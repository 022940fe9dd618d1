//! top - `gatepost top`: what goes on, live, and what to do about it
//!
//! Once a second it asks for the same snapshot as `gatepost status --json`, with who is busy and the last attempts.
//! Keys explain, ban, forgive and expel what is selected; each is asked back before it is done.
//! Not here: what is shown and what a key means (`screen_state`), how it looks (`view`), the commands themselves
//! (`admin::message`).

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use super::{OperatorArgs, exit};
use crate::admin::client::AdminClient;
use crate::admin::message::{Request, Response};
use crate::clock::Clock;

mod screen_state;
mod view;

use screen_state::{KeyEffect, TopState};

/// How often the state is asked for.
const ROUND: Duration = Duration::from_secs(1);

/// Watch live: attempts, busy clients, users under attack, bans, backend
///
/// Keys: Tab and the arrows select, e explains, b bans for a day, f forgives, x expels, q ends. What changes
/// something is asked back first.
#[derive(Debug, clap::Args)]
pub struct TopArgs {
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Shows it until q or Ctrl-C. Exit code 2 if no gatepost answers, or there is no terminal.
pub fn run(args: &TopArgs) -> ExitCode {
    if args.operator.json {
        return exit::fail(
            &"top draws on a terminal; `gatepost status --json` prints the same once",
        );
    }
    if !io::stdout().is_terminal() {
        return exit::fail(&"top needs a terminal; `gatepost status` prints the state once");
    }
    let mut feed = Feed {
        operator: &args.operator,
        client: None,
    };
    let mut state = TopState::default();
    // Before the screen is taken: a fault is read where the command was typed.
    match feed.ask(&state.wanted()) {
        Ok(response) => state.take(response, Clock::wall()),
        Err(fault) => return exit::fail(&fault),
    }
    let mut terminal = match ratatui::try_init() {
        Ok(terminal) => terminal,
        Err(fault) => return exit::fail(&fault),
    };
    let shown = show(&mut terminal, &mut state, &mut feed);
    ratatui::restore();
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => exit::fail(&fault),
    }
}

fn show(
    terminal: &mut DefaultTerminal,
    state: &mut TopState,
    feed: &mut Feed<'_>,
) -> io::Result<()> {
    let clock = Clock::start();
    let mut asked = clock.now();
    loop {
        terminal.draw(|frame| view::draw(frame, state))?;
        let rest = ROUND.saturating_sub(clock.now().since(asked));
        if event::poll(rest)? {
            let effect = match event::read()? {
                Event::Key(key) if key.kind == KeyEventKind::Press => state.on_key(key),
                _ => KeyEffect::Nothing,
            };
            match effect {
                KeyEffect::Nothing => continue,
                KeyEffect::Quit => return Ok(()),
                KeyEffect::Ask(request) => state.take_answer(feed.ask(&request)),
            }
        }
        // What was done is shown at once.
        asked = clock.now();
        match feed.ask(&state.wanted()) {
            Ok(response) => state.take(response, Clock::wall()),
            Err(fault) => state.lose(&fault, Clock::wall()),
        }
    }
}

/// The connection to the running Gatepost, made anew when it breaks.
struct Feed<'a> {
    operator: &'a OperatorArgs,
    client: Option<AdminClient>,
}

impl Feed<'_> {
    fn ask(&mut self, request: &Request) -> Result<Response, String> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => self.operator.connect().map_err(|fault| fault.to_string())?,
        };
        let response = client.ask(request).map_err(|fault| fault.to_string())?;
        self.client = Some(client);
        Ok(response)
    }
}
