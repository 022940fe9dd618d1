//! overlay - what lies over the lists of `gatepost top`: an explanation, the keys, a question

use crate::admin::message::{Request, Response};
use crate::cli::explain;

/// What lies over the lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::top) enum Overlay {
    /// Something to read; the first line that is shown.
    Text {
        title: String,
        lines: Vec<String>,
        from: u16,
    },
    /// A question: with `y` the request is sent.
    Question { text: String, request: Request },
}

impl Overlay {
    /// An explanation to read.
    pub(super) fn explained(response: &Response) -> Self {
        let mut text = Vec::new();
        // A vector takes everything that is written to it.
        let _ = explain::show_response(response, &mut text);
        let text = String::from_utf8_lossy(&text);
        Self::Text {
            title: "explain".to_owned(),
            lines: text.lines().map(str::to_owned).collect(),
            from: 0,
        }
    }

    /// What the keys do.
    pub(super) fn keys() -> Self {
        let lines = [
            "Tab, arrows left, right   the next list",
            "arrows up, down           select",
            "Enter, e                  explain what is selected",
            "u                         explain the user of the selected attempt",
            "b                         ban an address or a network for a day",
            "f                         forgive: clear bans, strikes and spent tokens",
            "x                         expel: end sessions; of a user, forget the networks too",
            "q                         end",
            "",
            "accept   Postfix accepted the password",
            "reject   Postfix rejected it: a guess that reached it",
            "refuse   Gatepost refused the attempt, 454",
            "repeat   a known wrong password, answered without Postfix",
            "defer    Postfix could not say, 454",
        ];
        Self::Text {
            title: "keys".to_owned(),
            lines: lines.map(str::to_owned).into(),
            from: 0,
        }
    }
}
