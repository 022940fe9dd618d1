//! decisions - what the LAPI tells a bouncer, as entries of a list
//!
//! Bans of addresses and ranges count. Other scopes and other measures are ignored, and so is what Gatepost itself has told the LAPI.
//! A duration is what is left from now on. Where there are more entries than there is room for, the rest is counted and not kept.
//! Not here: which of them are taken (`gate::trust::feed`).

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::{ORIGIN, duration};
use gatepost_core::gate::request::lists::{Listing, ListingNews, MOST_NETWORKS};
use gatepost_core::moment::Moment;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// All decisions.
    Whole,
    /// What has changed since this bouncer asked last. The LAPI remembers when that was: an answer that was lost is lost.
    Since,
}

/// What was left out of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotRead {
    /// What no bouncer of addresses can read.
    pub unread: usize,
    /// More than there is room for.
    pub surplus: usize,
}

/// Reads an answer that came at `now`.
///
/// # Errors
///
/// It is none of the LAPI's.
pub fn read(body: &[u8], pull: Pull, now: Moment) -> Result<(ListingNews, NotRead), String> {
    let DecisionStream { new, deleted } =
        serde_json::from_slice(body).map_err(|fault| format!("not the LAPI's JSON: {fault}"))?;
    let begun = new.bans.into_iter().filter(|(_, left)| !left.is_zero());
    let begun = begun.map(|(network, left)| Listing {
        network,
        until: now + left,
    });
    let left_out = NotRead {
        unread: new.left_out.unread,
        surplus: new.left_out.surplus + deleted.left_out.surplus,
    };
    let news = match pull {
        Pull::Whole => ListingNews::Whole(begun.collect()),
        Pull::Since => ListingNews::Since {
            ended: deleted.bans.into_iter().map(|(one, _)| one).collect(),
            begun: begun.collect(),
        },
    };
    Ok((news, left_out))
}

#[derive(Deserialize)]
struct DecisionStream {
    new: DecisionBans,
    deleted: DecisionBans,
}

/// Bans with what is left of each.
#[derive(Default)]
struct DecisionBans {
    bans: Vec<(IpNet, Duration)>,
    left_out: NotRead,
}

#[derive(Deserialize)]
struct DecisionItem<'a> {
    #[serde(borrow, default)]
    origin: Cow<'a, str>,
    #[serde(borrow, default)]
    scope: Cow<'a, str>,
    #[serde(borrow, default, rename = "type")]
    measure: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Cow<'a, str>,
    #[serde(borrow, default)]
    duration: Cow<'a, str>,
    #[serde(default)]
    simulated: Option<bool>,
}

impl DecisionItem<'_> {
    /// Whether it is a ban of an address or a range, and not one of ours.
    fn is_for_us(&self) -> bool {
        let is_of_addresses = ["ip", "range"]
            .iter()
            .any(|scope| self.scope.eq_ignore_ascii_case(scope));
        is_of_addresses
            && self.measure.eq_ignore_ascii_case("ban")
            && self.origin != ORIGIN
            && self.simulated != Some(true)
    }

    fn read(&self) -> Option<(IpNet, Duration)> {
        let address = self.value.parse::<IpAddr>().map(IpNet::from);
        let network = address.or_else(|_| self.value.parse::<IpNet>());
        Some((network.ok()?, duration::read(&self.duration)?))
    }
}

impl<'de> Deserialize<'de> for DecisionBans {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A list, or null where there is nothing.
        deserializer.deserialize_any(StreamVisitor)
    }
}

struct StreamVisitor;

impl<'de> Visitor<'de> for StreamVisitor {
    type Value = DecisionBans;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of decisions, or null")
    }

    fn visit_unit<E>(self) -> Result<DecisionBans, E> {
        Ok(DecisionBans::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<DecisionBans, A::Error> {
        let mut read = DecisionBans::default();
        while let Some(item) = items.next_element::<DecisionItem<'de>>()? {
            if !item.is_for_us() {
                continue;
            }
            match item.read() {
                None => read.left_out.unread += 1,
                Some(_) if read.bans.len() >= MOST_NETWORKS => read.left_out.surplus += 1,
                Some(ban) => read.bans.push(ban),
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_seconds(1_000);

    fn since(text: &str) -> Result<(Vec<String>, Vec<String>, NotRead), String> {
        let (news, left_out) = read(text.as_bytes(), Pull::Since, NOW)?;
        let ListingNews::Since { ended, begun } = news else {
            panic!("{news:?}");
        };
        let begun = begun.iter().map(|one| {
            let left = one.until.since(NOW);
            format!("{} {}", one.network, left.as_millis())
        });
        Ok((
            ended.iter().map(ToString::to_string).collect(),
            begun.collect(),
            left_out,
        ))
    }

    fn item(value: &str, more: &str) -> String {
        format!(
            r#"{{"duration":"1m0.5s","id":1,"origin":"cscli","scenario":"x","scope":"Ip","type":"ban","value":"{value}"{more}}}"#
        )
    }

    #[test]
    fn answers_of_debians_crowdsec_are_read_as_they_came() {
        let nothing = since(r#"{"deleted":null,"new":null}"#).unwrap();
        assert_eq!(nothing, (vec![], vec![], NotRead::default()));
        let text = r#"{"deleted":[{"duration":"-15.888644ms","id":1,"origin":"cscli","scenario":"manual 'ban' from 'admin'","scope":"Ip","type":"ban","value":"192.0.2.7"}],
            "new":[{"duration":"9m59.141628067s","id":1,"origin":"cscli","scenario":"manual 'ban' from 'admin'","scope":"Ip","type":"ban","value":"192.0.2.7"},
            {"duration":"-9.8ms","id":3,"origin":"cscli","scenario":"over","scope":"Ip","type":"ban","value":"192.0.2.8"},
            {"duration":"9m59.141626124s","id":2,"origin":"CAPI","scenario":"manual","scope":"Range","type":"ban","value":"198.51.100.0/24"}]}"#;
        let (ended, begun, left_out) = since(text).unwrap();
        assert_eq!(ended, ["192.0.2.7/32"]);
        assert_eq!(begun, ["192.0.2.7/32 599141", "198.51.100.0/24 599141"]);
        assert_eq!(left_out, NotRead::default());
        let (news, _) = read(text.as_bytes(), Pull::Whole, NOW).unwrap();
        assert!(matches!(news, ListingNews::Whole(all) if all.len() == 2));
    }

    #[test]
    fn our_own_and_what_is_no_ban_of_an_address_are_left_out() {
        let others = [
            item("192.0.2.1", "").replace("cscli", "gatepost"),
            item("anna", "").replace("\"Ip\"", "\"username\""),
            item("192.0.2.2", "").replace("\"ban\"", "\"captcha\""),
            item("192.0.2.3", r#","simulated":true"#),
            item("192.0.2.4", r#","simulated":null,"uuid":"x","more":[{}]"#),
            item("mail.example.org", ""),
            item("192.0.2.5", "").replace("1m0.5s", "soon"),
            item("2001:db8::7", "").replace("\"Ip\"", "\"ip\""),
            "{}".to_owned(),
        ];
        let text = format!(r#"{{"deleted":[{0}],"new":[{0}]}}"#, others.join(","));
        let (ended, begun, left_out) = since(&text).unwrap();
        assert_eq!(begun, ["192.0.2.4/32 60500", "2001:db8::7/128 60500"]);
        assert_eq!(ended, ["192.0.2.4/32", "2001:db8::7/128"]);
        assert_eq!(left_out.unread, 2);
    }

    #[test]
    fn garbage_is_refused_whole() {
        let good = item("192.0.2.1", "");
        for text in [
            "",
            "<html>",
            "null",
            "[]",
            "{}",
            r#"{"new":null}"#,
            r#"{"new":1,"deleted":null}"#,
            &format!(r#"{{"deleted":null,"new":[{good}"#),
            &format!(r#"{{"deleted":null,"new":[{good},{{"value":1}}]}}"#),
            &format!(r#"{{"deleted":null,"new":[{good}]}} x"#),
            &format!(r#"{{"deleted":null,"new":{}"#, "[".repeat(100_000)),
        ] {
            assert!(since(text).is_err(), "{text:.60}");
        }
    }

    #[test]
    fn of_more_than_there_is_room_for_the_rest_is_counted() {
        let items = (0..MOST_NETWORKS as u32 + 3)
            .map(|n| item(&std::net::Ipv4Addr::from_bits(n).to_string(), ""));
        let items: Vec<_> = items.collect();
        let text = format!(r#"{{"deleted":null,"new":[{}]}}"#, items.join(","));
        let (_, begun, left_out) = since(&text).unwrap();
        assert_eq!((begun.len(), left_out.surplus), (MOST_NETWORKS, 3));
    }
}
