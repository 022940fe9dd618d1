//! alerts - bans of ours, as a machine tells the LAPI of them
//!
//! One alert with one decision a ban. The LAPI takes the decision's end as so long after `stop_at`, so that is now.
//! A client of IPv6 is a /64, which CrowdSec calls a range.

use serde::Serialize;

use super::ORIGIN;
use super::outbox::ToldBan;
use crate::report::events::timestamp;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::moment::Moment;

/// The names are the LAPI's; it wants all of them.
#[derive(Serialize)]
struct LapiAlert {
    scenario: String,
    scenario_hash: &'static str,
    scenario_version: &'static str,
    message: String,
    events_count: u32,
    events: [(); 0],
    start_at: String,
    stop_at: String,
    capacity: u32,
    leakspeed: &'static str,
    simulated: bool,
    source: LapiSource,
    decisions: [LapiDecision; 1],
}

#[derive(Serialize)]
struct LapiSource {
    scope: &'static str,
    value: String,
    ip: String,
}

#[derive(Serialize)]
struct LapiDecision {
    duration: String,
    #[serde(rename = "type")]
    measure: &'static str,
    scope: &'static str,
    value: String,
    origin: &'static str,
    scenario: String,
}

/// The scenarios that our alerts name.
pub fn scenarios() -> [&'static str; 2] {
    ["gatepost/strikes", "gatepost/trap"]
}

/// What is sent for these bans at `now`, which is `wall` by the wall clock.
pub fn body(bans: &[ToldBan], now: Moment, wall: Moment) -> Vec<u8> {
    let at = timestamp(wall);
    let alerts = bans.iter().map(|ban| alert(ban, now, &at));
    serde_json::to_vec(&alerts.collect::<Vec<_>>()).unwrap_or_default()
}

fn alert(ban: &ToldBan, now: Moment, at: &str) -> LapiAlert {
    // An address, or a /64.
    let value = ban.client.to_string();
    let scope = match ban.client {
        ClientKey::V4(_) => "Ip",
        ClientKey::V6(_) => "Range",
    };
    let scenario = format!("gatepost/{}", ban.cause);
    let seconds = ban.until.since(now).as_secs().max(1);
    LapiAlert {
        message: format!("{value} is banned from logging in: {}", ban.cause),
        scenario_hash: "",
        scenario_version: "",
        events_count: 1,
        events: [],
        start_at: at.to_owned(),
        stop_at: at.to_owned(),
        capacity: 0,
        leakspeed: "0s",
        simulated: false,
        source: LapiSource {
            scope,
            value: value.clone(),
            ip: ban.client.address().to_string(),
        },
        decisions: [LapiDecision {
            duration: format!("{seconds}s"),
            measure: "ban",
            scope,
            value,
            origin: ORIGIN,
            scenario: scenario.clone(),
        }],
        scenario,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use gatepost_core::gate::request::change::BanCause;
    use serde_json::{Value, json};

    #[test]
    fn a_ban_is_told_with_what_is_left_of_it() {
        let ban = |client: &str, until, cause| ToldBan {
            client: ClientKey::from(client.parse::<IpAddr>().unwrap()),
            until: Moment::from_seconds(until),
            cause,
        };
        let bans = [
            ban("192.0.2.7", 1_600, BanCause::Strikes),
            ban("2001:db8:1:2:3::", 900, BanCause::Trap),
        ];
        let sent = body(
            &bans,
            Moment::from_seconds(1_000),
            Moment::from_seconds(86_400),
        );
        let sent: Value = serde_json::from_slice(&sent).unwrap();
        assert_eq!(sent[0]["stop_at"], "1970-01-02T00:00:00Z");
        assert_eq!(sent[0]["scenario"], scenarios()[0]);
        assert_eq!(sent[1]["scenario"], scenarios()[1]);
        assert_eq!(
            sent[0]["source"],
            json!({"scope": "Ip", "value": "192.0.2.7", "ip": "192.0.2.7"})
        );
        assert_eq!(sent[0]["events"], json!([]));
        assert_eq!(
            sent[0]["decisions"],
            json!([{"duration": "600s", "type": "ban", "scope": "Ip", "value": "192.0.2.7",
                "origin": "gatepost", "scenario": "gatepost/strikes"}])
        );
        assert_eq!(sent[1]["decisions"][0]["value"], "2001:db8:1:2::/64");
        assert_eq!(sent[1]["decisions"][0]["scope"], "Range");
        assert_eq!(sent[1]["decisions"][0]["duration"], "1s", "it is over");
    }
}
