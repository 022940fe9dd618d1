//! decided - at which machine of a cluster it was decided what an explanation tells
//!
//! Not here: how that is known (`cluster::decided`).

use super::values::time;
use crate::admin::message::DecidedMessage;
use crate::server::listeners::ListenerContext;
use gatepost_core::gate::explain::{Explanation, UserExplanation};
use gatepost_core::gate::request::change::Subject;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::decided::DecidedThing;
use gatepost_core::gate::request::keys::UserId;
use gatepost_core::moment::Moment;

/// What is asked for: what it is called, and its moment if it is to be one and no other.
type AskedThing = (DecidedThing, String, Option<Moment>);

/// Of a client, and of a user there.
pub(super) fn about_client(
    context: &ListenerContext,
    client: ClientKey,
    e: &Explanation,
    user: Option<UserId>,
) -> Vec<DecidedMessage> {
    let bans = e.ban.iter().chain(&e.network_ban);
    let ban = |ban: &gatepost_core::gate::operator::BanEntry| {
        let what = format!("the ban of {}", ban.subject);
        (DecidedThing::Ban(ban.subject), what, Some(ban.until))
    };
    let mut asked: Vec<AskedThing> = bans.map(ban).collect();
    if asked.is_empty() {
        for subject in [Subject::Client(client), Subject::Network(client.network())] {
            let what = format!("the ban of {subject} was lifted");
            asked.push((DecidedThing::Lifted(subject), what, None));
        }
    }
    if let Some(user) = user {
        let network = client.network();
        let what = format!("the login in {network}");
        asked.push((DecidedThing::Familiar(user, network), what, None));
        asked.extend(taken_back(user));
    }
    told(context, asked)
}

/// Of a user.
pub(super) fn about_user(
    context: &ListenerContext,
    user: UserId,
    e: &UserExplanation,
) -> Vec<DecidedMessage> {
    let networks = e.networks.iter().map(|one| {
        let what = format!("the login in {}", one.network);
        let thing = DecidedThing::Familiar(user, one.network);
        (thing, what, Some(one.last))
    });
    let mut asked: Vec<AskedThing> = networks.collect();
    if let (true, Some(last)) = (asked.is_empty(), e.last) {
        let what = "the login or introduction".to_owned();
        asked.push((DecidedThing::Known(user), what, Some(last)));
    }
    asked.extend(taken_back(user));
    told(context, asked)
}

/// What was taken back of a user, whenever it was.
fn taken_back(user: UserId) -> [AskedThing; 2] {
    [
        (
            DecidedThing::Forgotten(user),
            "the user was forgotten".to_owned(),
            None,
        ),
        (
            DecidedThing::Revoked(user, None),
            "all networks were taken back".to_owned(),
            None,
        ),
    ]
}

/// What is known of it.
fn told(context: &ListenerContext, asked: Vec<AskedThing>) -> Vec<DecidedMessage> {
    let cluster = &context.cluster;
    let Some(settings) = &cluster.settings else {
        return Vec::new();
    };
    let clock = context.services.judging.clock;
    let found = asked.into_iter().filter_map(|(thing, what, at)| {
        let (decided, origin) = cluster.decided.find(thing, at)?;
        // A ban is told by its end, which stands beside it.
        let what = match thing {
            DecidedThing::Ban(_) => what,
            _ => format!("{what}, {}", time(decided, clock)),
        };
        Some(DecidedMessage {
            machine: settings.machine(origin),
            what,
        })
    });
    found.collect()
}
