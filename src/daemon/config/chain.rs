//! chain - `check` plays the client with the certificates of the config
//!
//! Not here: what a client says of a chain (`net::tls::chain`), whether its files can be used (`inspect`).

use std::path::Path;

use super::finding::{Findings, Remark};
use super::{Config, raw, sections};
use crate::net::tls::{self, chain};
use gatepost_core::moment::Moment;

/// Warns of what mail programs refuse in a certificate chain, each with its cure. Chains that cannot be read are passed over: they
/// are faults already.
pub(super) fn play_the_client(
    file: &raw::RawFile,
    config: &Config,
    folder: &Path,
    now: Moment,
    findings: &mut Findings,
) {
    let mut read = Vec::new();
    for entry in &file.tls.certificate {
        if let Some(given) = &entry.get_ref().chain {
            let path = sections::path(folder, given.get_ref());
            if let Ok(certificates) = tls::read_chain(&path) {
                read.push((given.span(), path, certificates));
            }
        }
    }
    let chains: Vec<_> = read.iter().map(|(_, _, chain)| chain.clone()).collect();
    let hostname = &config.dialogue.hostname;
    let reviewed = chain::review(&chains, hostname, &chain::system_roots(), now);
    for ((span, path, _), problems) in read.iter().zip(reviewed) {
        for problem in problems {
            let told = problem.to_string();
            let (what, cure) = told.split_once("; ").unwrap_or((&told, ""));
            let remark = Remark::at(span.clone(), format!("{} {what}", path.display())).help(cure);
            match problem.is_hint() {
                true => findings.hint(remark),
                false => findings.warn(remark),
            }
        }
    }
}
