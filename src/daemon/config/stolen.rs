//! stolen - the section `[stolen]`: when a password seems to be stolen, and what becomes of the logins then
//!
//! Not here: what is counted (`gate`), who is told (`judging`).

use toml::Spanned;

use super::finding::{Findings, Remark};
use super::value::{Given, Number};
use super::{raw, rules};
use gatepost_core::gate::request::suspicion::{FarLogins, NewPlaceLimits, StolenSettings};

/// New places that a limit may be; a user's are kept up to a few more.
const MOST: i64 = 20;

/// The settings; a refused value becomes its default.
pub(super) fn read(file: &raw::RawFile, findings: &mut Findings) -> StolenSettings {
    let given = &file.stolen;
    let defaults = NewPlaceLimits::default();
    needs_database(file, "countries", &given.countries, findings);
    needs_database(file, "systems", &given.systems, findings);
    let mut limit = |key, given, default| findings.number(key, given, default, 0..=MOST);
    let limits = NewPlaceLimits {
        countries: limit("stolen.countries", &given.countries, defaults.countries),
        systems: limit("stolen.systems", &given.systems, defaults.systems),
        networks: limit("stolen.networks", &given.networks, defaults.networks),
        guesses: findings.number("stolen.guesses", &given.guesses, defaults.guesses, 0..=1000),
    };
    StolenSettings {
        far_logins: match given.hold {
            true => FarLogins::Hold,
            false => FarLogins::Tell,
        },
        limits,
        except: excepted(given, findings),
    }
}

/// Warns of a limit that counts nothing.
fn needs_database(file: &raw::RawFile, key: &str, given: &Given<Number>, findings: &mut Findings) {
    let database = file.places.database.as_ref();
    let has_one = database.is_some_and(|paths| !paths.get_ref().is_empty());
    let Some(given) = given
        .as_ref()
        .filter(|given| !has_one && given.get_ref().0 > 0)
    else {
        return;
    };
    let remark = Remark::at(
        given.span(),
        format!("stolen.{key} are found by a database, and none is named"),
    );
    findings.warn(remark.help(
        "name one, [places] database = [\"/var/lib/GeoIP/dbip-country-lite.mmdb\"]: without it stolen.networks alone counts",
    ));
}

/// Users who are not watched.
fn excepted(given: &raw::RawStolen, findings: &mut Findings) -> Vec<String> {
    let names = given.except.iter().flat_map(|list| list.get_ref());
    let mut excepted = Vec::new();
    for name in names {
        match rules::check_name(name.get_ref()) {
            Ok(()) => excepted.push(name.get_ref().clone()),
            Err(why) => findings.refuse(refused(name, why)),
        }
    }
    excepted
}

fn refused(name: &Spanned<String>, why: &str) -> Remark {
    let remark = Remark::at(name.span(), format!("not a user's name: {why}"));
    remark.help("write the name as a client sends it")
}
