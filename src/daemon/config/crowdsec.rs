//! crowdsec - the section `[crowdsec]`: where its local API is, and the files with a key and a password
//!
//! Not here: what is asked and told (`crate::crowdsec`), when (`server::crowdsec`).

use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::bounds::{HOUR, SECOND};
use super::finding::{Findings, Remark};
use super::lender::warn_readable;
use super::value::Given;
use super::{raw, sections};
use crate::crowdsec::{CrowdsecSettings, check_key, check_machine};
use crate::http_url::{HttpUrl, Scheme};
use crate::net::tls;

const URL_HELP: &str = "write \"http://127.0.0.1:8080\" for one on this machine, \"https://lapi.example.org:8080\" for another";
const KEY_HELP: &str =
    "cscli bouncers add gatepost --output raw > FILE, for the user gatepost to read";
const MACHINE_HELP: &str =
    "cscli machines add gatepost --auto --file FILE, for the user gatepost to read";

/// None: nobody has asked for it, or it is refused.
pub(super) fn read(
    given: &raw::RawCrowdsec,
    folder: &Path,
    findings: &mut Findings,
) -> Option<CrowdsecSettings> {
    let every = findings.time("crowdsec.every", &given.every, 10 * SECOND, SECOND..=HOUR);
    let Some(url) = text(&given.url) else {
        refuse_without_url(given, findings);
        return None;
    };
    let read = HttpUrl::read(url.get_ref()).and_then(without_query);
    let read = match read {
        Ok(read) => read,
        Err(why) => {
            let message = format!("this is no URL of CrowdSec's local API: {why}");
            findings.refuse(Remark::at(url.span(), message).help(URL_HELP));
            return None;
        }
    };
    let is_near = matches!(&*read.host, "localhost" | "127.0.0.1" | "::1");
    if read.scheme == Scheme::Http && !is_near {
        let remark = Remark::at(url.span(), "the key would go over the network in clear");
        findings.refuse(remark.help("write https://, or reach it through a tunnel on 127.0.0.1"));
    }
    if let Some(ca) = text(&given.ca).filter(|_| read.scheme == Scheme::Http) {
        let remark = Remark::at(ca.span(), "an http:// URL shows no certificate");
        findings.refuse(remark.help("write https:// in crowdsec.url, or leave crowdsec.ca out"));
    }
    let file = |given: &Given<String>| text(given).map(|one| sections::path(folder, one.get_ref()));
    let settings = CrowdsecSettings {
        url: read,
        authorities: file(&given.ca),
        key: file(&given.key_file),
        machine: file(&given.machine_file),
        every,
    };
    if settings.key.is_none() && settings.machine.is_none() {
        findings.missing_at(
            url.span(),
            "CrowdSec is neither asked nor told anything",
            "add key-file = \"/etc/gatepost/crowdsec.key\" to take over its decisions, \
             machine-file = \"/etc/gatepost/crowdsec.yaml\" to tell it bans, or both",
        );
    }
    Some(settings)
}

/// Looks into the files.
pub(super) fn inspect(file: &raw::RawFile, folder: &Path, findings: &mut Findings) {
    let given = &file.crowdsec;
    if text(&given.url).is_none() {
        return;
    }
    let path = |given: &Spanned<String>| sections::path(folder, given.get_ref());
    let mut look = |given: &Given<String>, what, check: fn(&Path) -> io::Result<()>, help| {
        let Some(given) = text(given) else { return };
        let path: PathBuf = path(given);
        match check(&path) {
            Ok(()) => warn_readable(&path, what, given, findings),
            Err(why) => {
                let message = format!("cannot use {}: {why}", path.display());
                findings.refuse(Remark::at(given.span(), message).help(help));
            }
        }
    };
    look(&given.key_file, "CrowdSec's key", check_key, KEY_HELP);
    let password = "CrowdSec's password";
    look(&given.machine_file, password, check_machine, MACHINE_HELP);
    if let Some(given) = text(&given.ca)
        && let Err(problem) = tls::read_chain(&path(given))
    {
        let message = format!("cannot use {}: {problem}", path(given).display());
        let remark = Remark::at(given.span(), message);
        findings.refuse(remark.help("write the path of a PEM file with CrowdSec's authority"));
    }
}

fn refuse_without_url(given: &raw::RawCrowdsec, findings: &mut Findings) {
    let keys = [
        ("key-file", &given.key_file),
        ("machine-file", &given.machine_file),
        ("ca", &given.ca),
    ];
    for (key, value) in keys {
        if let Some(value) = text(value) {
            findings.missing_at(
                value.span(),
                &format!("crowdsec.{key} is of no use without a URL"),
                "add url = \"http://127.0.0.1:8080\"",
            );
        }
    }
}

/// A path is fine where the API stands behind a web server; the rest is ours.
fn without_query(url: HttpUrl) -> Result<HttpUrl, &'static str> {
    match url.path.contains('?') {
        true => Err("it has a query"),
        false => Ok(url),
    }
}

fn text(given: &Given<String>) -> Option<&Spanned<String>> {
    given.as_ref().filter(|text| !text.get_ref().is_empty())
}
