//! notices - the section `[notices]`: who is told what happened
//!
//! Not here: what is told, and when (`server::notify`).

use super::finding::{Findings, Remark};
use super::raw;
use crate::http_url::{HttpUrl, Scheme};
use crate::report::occurrence::NoticeSettings;

pub(super) fn read(given: &raw::RawNotices, findings: &mut Findings) -> NoticeSettings {
    NoticeSettings {
        command: command(given, findings),
        webhook: webhook(given, findings),
    }
}

fn command(given: &raw::RawNotices, findings: &mut Findings) -> Vec<String> {
    let Some(given) = &given.command else {
        return Vec::new();
    };
    let words: Vec<String> = given
        .get_ref()
        .iter()
        .map(|word| word.get_ref().clone())
        .collect();
    let is_whole = words.first().is_none_or(|program| program.starts_with('/'));
    if !is_whole || words.iter().any(|word| word.contains('\0')) {
        findings.refuse(
            Remark::at(given.span(), "a command begins with the path of a program").help(
                "write the program and each argument as a text of its own: [\"/usr/local/bin/tell\", \"--urgent\"]; \
                 there is no shell",
            ),
        );
    }
    words
}

fn webhook(given: &raw::RawNotices, findings: &mut Findings) -> Option<HttpUrl> {
    let given = given.webhook.as_ref()?;
    if given.get_ref().is_empty() {
        return None;
    }
    match HttpUrl::read(given.get_ref()) {
        Ok(webhook) => {
            let is_near = matches!(&*webhook.host, "localhost" | "127.0.0.1" | "::1");
            if webhook.scheme == Scheme::Http && !is_near {
                let message = "notices go there in clear, with names and addresses";
                findings.warn(Remark::at(given.span(), message).help("write https://"));
            }
            Some(webhook)
        }
        Err(fault) => {
            let message = format!("this is no URL to send notices to: {fault}");
            let remark = Remark::at(given.span(), message);
            findings.refuse(remark.help("for example \"https://ntfy.example.org/gatepost\""));
            None
        }
    }
}
