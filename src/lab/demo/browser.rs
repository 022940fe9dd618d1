//! browser - the demo's page in a browser, where somebody sits before a screen
//!
//! The link opens the page once and for the first to come, and what a command line says every user of the machine can read. So the
//! browser gets a file in the demo's own folder, which leads there.
//! Not here: the link for other browsers, which is printed (`view`).

use std::env;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What opens a file in the browser of the desktop: freedesktop's, and macOS's.
const OPENERS: [&str; 2] = ["xdg-open", "open"];

/// How a person comes to the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageOpening {
    /// Something was started that should show it.
    ByItself,
    /// By the link.
    ByHand,
}

/// Opens it, and does not wait.
pub(super) fn open(link: &str, folder: &Path) -> PageOpening {
    match has_screen() && start(link, folder) {
        true => PageOpening::ByItself,
        false => PageOpening::ByHand,
    }
}

fn start(link: &str, folder: &Path) -> bool {
    let file = folder.join("page.html");
    let leads = format!(
        "<!doctype html><meta charset=\"utf-8\"><title>Gatepost</title><meta http-equiv=\"refresh\" content=\"0;url={link}\">\
         <p>The demo's page: <a href=\"{link}\">open it</a>\n"
    );
    // The folder is 0700.
    if fs::write(&file, leads).is_err() {
        return false;
    }
    OPENERS.iter().any(|opener| {
        let mut command = Command::new(opener);
        // A browser that it starts does not end with the demo's Ctrl-C.
        command.arg(&file).process_group(0);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().is_ok()
    })
}

/// Whether there is a desktop: over SSH there is none, and a browser in the terminal would take the table's place.
fn has_screen() -> bool {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(target_os = "macos") && !is_set("SSH_CONNECTION")
        || is_set("WAYLAND_DISPLAY")
        || is_set("DISPLAY")
}
