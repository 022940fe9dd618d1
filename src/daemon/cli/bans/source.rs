//! source - `gatepost bans import`: a published list of networks, in place of the one that its source had
//!
//! Whole or not at all: the list is read before anything is sent, and holds when its last part has come.
//! Not here: the forms of lists (`list_formats`), what it means to be on one (`gate`).

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::import;
use super::list_formats;
use crate::admin::message::{BATCH, ListMessage, ListRequest, Request, Response};
use crate::cli::{OperatorArgs, exit, print_json, show_message};
use crate::clock::Clock;

/// Reads the list and has it taken over.
pub(super) fn run(file: &Path, source: &str, span: Duration, operator: &OperatorArgs) -> ExitCode {
    let shown = file.display();
    let text = match import::read(file) {
        Ok(text) => text,
        Err(fault) => return exit::fail(&format!("{shown}: {fault}")),
    };
    let list = match list_formats::read(&text) {
        Ok(list) => list,
        Err(fault) => {
            return exit::fail(&format!(
                "{shown}: {fault}. Nothing of it is taken, and what {source} had before stays"
            ));
        }
    };
    let number = Clock::wall().as_nanos();
    for part in list.networks.chunks(BATCH) {
        let what = ListRequest::Part {
            number,
            networks: part.iter().map(ToString::to_string).collect(),
        };
        match operator.response(&Request::Lists { what }) {
            Ok(Response::ListPart) => {}
            Ok(Response::Refused { message }) => return exit::fail(&message),
            Ok(_) => {
                return exit::fail(&"gatepost gave another answer: are both of the same version?");
            }
            Err(fault) => return exit::fail(&*fault),
        }
    }
    let what = ListRequest::End {
        number,
        source: source.to_owned(),
        count: list.networks.len(),
        seconds: span.as_secs(),
    };
    operator.send(&Request::Lists { what }, |response, out| {
        show_message(response, out)?;
        match list.private {
            0 => Ok(()),
            private => writeln!(
                out,
                "{private} networks of private use, multicast or reserved ones are left out"
            ),
        }
    })
}

/// Shows the lists in force.
pub(super) fn show_all(operator: &OperatorArgs) -> ExitCode {
    let what = ListRequest::All;
    operator.send(&Request::Lists { what }, show)
}

fn show(response: &Response, out: &mut dyn Write) -> io::Result<()> {
    let Response::Lists { lists } = response else {
        return print_json(out, response);
    };
    if lists.is_empty() {
        return writeln!(out, "no lists");
    }
    writeln!(out, "{:<24} {:<22} NETWORKS", "SOURCE", "UNTIL")?;
    for ListMessage {
        source,
        networks,
        until,
    } in lists
    {
        writeln!(out, "{source:<24} {until:<22} {networks}")?;
    }
    Ok(())
}
