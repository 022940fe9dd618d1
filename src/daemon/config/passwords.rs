//! passwords - the section `[passwords]`: the owner's list of passwords that are known elsewhere
//!
//! A list that is not there yet is no reason not to start: it may come later, and logins do not depend on it.
//! Not here: what stands in it (`known_passwords`), when it is read (`server::passwords`).

use std::path::Path;

use super::finding::{Findings, Remark};
use super::{raw, sections};
use crate::files;
use crate::known_passwords::KnownPasswordsSettings;

pub(super) fn read(
    given: &raw::RawPasswords,
    folder: &Path,
    findings: &mut Findings,
) -> KnownPasswordsSettings {
    let list = given.list.as_ref();
    let list = list.filter(|given| !given.get_ref().is_empty());
    KnownPasswordsSettings {
        list: list.map(|given| {
            let path = sections::path(folder, given.get_ref());
            if let Err(fault) = files::open_regular(&path) {
                let message = format!("cannot read {}: {fault}", path.display());
                let remark = Remark::at(given.span(), message);
                findings.warn(remark.help(
                    "logins go on, and no password is looked up until there is a file with one password, or one SHA-1 \
                     hash, a line",
                ));
            }
            path
        }),
    }
}
