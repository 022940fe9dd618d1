//! places - the section `[places]`: databases, and which countries may log in
//!
//! Not here: reading a database (`places`), what a country rule refuses (`gate`).

use std::path::Path;

use toml::Spanned;

use super::finding::{Findings, Remark};
use super::value::{FromText, GivenList, Misfit, Quoted};
use super::{Config, raw, sections};
use crate::places::{PlaceNews, PlaceSettings, Places};
use gatepost_core::gate::request::place::{AtHome, Country, NearBy, PlaceRules};

/// The countries of ISO 3166-1, and Kosovo, which databases write so.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS \
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE \
    EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM \
    HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC \
    LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO \
    TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// Databases that are read.
const MOST: usize = 4;

impl FromText for Country {
    const EXPECTED: &'static str = "a country as two letters, like \"DE\"";

    fn from_text(text: &str) -> Result<Self, Misfit> {
        let country = Self::new(text).ok_or(Misfit::Form)?;
        match country.to_string().as_str() {
            "UK" => Err(Misfit::Because("is no country of ISO 3166: write \"GB\"")),
            "EL" => Err(Misfit::Because("is no country of ISO 3166: write \"GR\"")),
            "EU" => Err(Misfit::Because(
                "is no country: write the countries that are meant",
            )),
            code if COUNTRIES.split(' ').any(|one| one == code) => Ok(country),
            _ => Err(Misfit::Because(
                "is no country of ISO 3166: write two letters like \"DE\", \"AT\", \"US\"",
            )),
        }
    }
}

/// The databases.
pub(super) fn databases(
    given: &raw::RawPlaces,
    folder: &Path,
    findings: &mut Findings,
) -> PlaceSettings {
    let mut databases = Vec::new();
    for entry in given.database.iter().flat_map(|given| given.get_ref()) {
        let path = sections::path(folder, entry.get_ref());
        let remark = |message: &str| Remark::at(entry.span(), message);
        if entry.get_ref().is_empty() {
            findings.refuse(remark("this path is empty").help("write the path of an MMDB file"));
        } else if databases.contains(&path) {
            findings.refuse(remark("this database is named twice").help("once is enough"));
        } else if databases.len() == MOST {
            findings.refuse(remark("too many databases").help(
                "one with countries and one with autonomous systems are enough; four are read",
            ));
        } else {
            databases.push(path);
        }
    }
    PlaceSettings { databases }
}

/// Which countries may log in.
pub(super) fn rules(file: &raw::RawFile, findings: &mut Findings) -> PlaceRules {
    let given = &file.places;
    let deny = countries(file, &given.deny, findings);
    let only = countries(file, &given.only, findings);
    for entry in given.only.iter().flat_map(|given| given.get_ref()) {
        let country = entry.get_ref().0;
        if deny.contains(&country) {
            let remark = Remark::at(entry.span(), format!("{country} is denied as well"));
            findings.refuse(remark.help("remove it from `only` or from `deny`"));
        }
    }
    PlaceRules {
        only,
        deny,
        at_home: match given.refuse_at_home {
            true => AtHome::Refuse,
            false => AtHome::Spare,
        },
        near_by: match given.near_by_system {
            Some(false) => NearBy::Region,
            Some(true) | None => NearBy::System,
        },
    }
}

/// A list of countries, which needs a database.
pub(super) fn countries(
    file: &raw::RawFile,
    given: &GivenList<Quoted<Country>>,
    findings: &mut Findings,
) -> Vec<Country> {
    let Some(given) = given.as_ref().filter(|given| !given.get_ref().is_empty()) else {
        return Vec::new();
    };
    let database = file.places.database.as_ref();
    if database.is_none_or(|paths| paths.get_ref().is_empty()) {
        findings.refuse(
            Remark::at(
                given.span(),
                "countries are found by a database, and none is named",
            )
            .help("name one: [places] database = [\"/var/lib/GeoIP/dbip-country-lite.mmdb\"]"),
        );
    }
    let countries = given.get_ref().iter();
    countries
        .map(|entry: &Spanned<Quoted<Country>>| entry.get_ref().0)
        .collect()
}

/// Warns of databases that cannot be read, and of rules that nothing holds then: a person is told, and logins go on.
pub(super) fn read_databases(file: &raw::RawFile, config: &Config, findings: &mut Findings) {
    let Some(given) = &file.places.database else {
        return;
    };
    let places = Places::new(&config.places);
    for news in places.look() {
        let PlaceNews::Damaged(state) = news else {
            continue;
        };
        let path = state.path.display();
        let why = state.fault.unwrap_or_default();
        let remark = Remark::at(given.span(), format!("{path} cannot be used: {why}"));
        findings.warn(
            remark.help(
                "logins go on without it, and it is read as soon as a whole file stands there",
            ),
        );
    }
    if config.gate.asks_countries() && !places.has_countries() {
        let remark = Remark::at(given.span(), "none of these databases has countries");
        findings.warn(remark.help(
            "until one has, no rule by country is enforced: [places] only and deny, [[user]] countries",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_one_of_the_world_and_what_is_meant_is_said() {
        let read = |text| Country::from_text(text).map(|country| country.to_string());
        for (text, country) in [
            ("DE", "DE"),
            ("at", "AT"),
            ("XK", "XK"),
            ("ZW", "ZW"),
            ("AD", "AD"),
        ] {
            assert_eq!(read(text).ok().as_deref(), Some(country), "{text}");
        }
        for text in ["UK", "EU", "el", "DD", "XX", "A ", "Z"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(COUNTRIES.split(' ').count(), 250);
    }
}
