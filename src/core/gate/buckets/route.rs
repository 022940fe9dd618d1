//! route - which buckets a try pays
//!
//! A familiar pair pays its own bucket and no other. Everyone else pays client, network, user and
//! one shared bucket: near if there is any, else the first that fits of words, unknown, strangers.
//! Not here: taking tokens (`bucket`), asking in order (`judge`).

use crate::gate::Gate;
use crate::gate::buckets::bucket::{Place, Share};
use crate::gate::buckets::limit::Limit;
use crate::gate::buckets::table::{Key, Kind};
use crate::gate::buckets::tries::Newness;
use crate::gate::case::Case;
use crate::gate::request::settings::Part;
use crate::gate::request::verdict::Reason;
use crate::gate::trust::familiar::Bond;

/// The buckets that an attempt pays, in the order in which they may refuse it.
pub(in crate::gate) type Route = [Option<Place>; 4];

impl Gate {
    /// The ways to pay, the first that can be paid counts.
    pub(in crate::gate) fn routes(&self, case: &Case) -> [Option<Route>; 2] {
        let Case {
            client,
            network,
            user,
            who,
            word,
            ..
        } = *case;
        let keyed = |key| Some(Place::Keyed(key));
        if who.bond == Bond::Familiar {
            let id = self.keys.pair(user, network);
            let kind = Kind::Pair;
            return [Some([keyed(Key { kind, id }), None, None, None]), None];
        }
        let route = |user, share| {
            [
                keyed(Key::client(client)),
                keyed(Key::network(network)),
                keyed(user),
                Some(Place::Shared(share)),
            ]
        };
        let share = if self.seen.is_word(word) {
            Share::Words
        } else if !who.known && self.rules.load().without != Some(Part::Unknown) {
            Share::Unknown
        } else {
            Share::Strangers
        };
        let far = Some(route(Key::far(user), share));
        match who.bond {
            Bond::Near => [Some(route(Key::near(user), Share::Near)), far],
            _ => [far, None],
        }
    }
}

/// What a route rests on: its last bucket.
pub(in crate::gate) fn grounds(route: &Route) -> Reason {
    let last = route.iter().flatten().next_back();
    last.map_or(Reason::Strangers, |place| reason(*place))
}

/// Tokens of a bucket that a client must leave to newcomers: none if it is one itself, else the last
/// third of a user's or of a shared bucket. So a botnet that comes back with its addresses leaves
/// something to a traveller.
pub(in crate::gate) fn kept_from(newness: Newness, place: Place, limit: Limit) -> u32 {
    let is_common = match place {
        Place::Keyed(key) => matches!(key.kind, Kind::UserNear | Kind::UserFar),
        Place::Shared(_) => true,
    };
    match newness {
        Newness::Returns if is_common => limit.burst() / 3,
        Newness::Returns | Newness::Newcomer => 0,
    }
}

/// What a bucket refuses with.
pub(in crate::gate) fn reason(place: Place) -> Reason {
    match place {
        Place::Keyed(key) => match key.kind {
            Kind::Pair => Reason::Familiar,
            Kind::ClientV4 | Kind::ClientV6 => Reason::Client,
            Kind::Network => Reason::Network,
            Kind::UserNear => Reason::UserNear,
            Kind::UserFar | Kind::Word => Reason::UserFar,
        },
        Place::Shared(Share::Near) => Reason::Near,
        Place::Shared(Share::Words) => Reason::Words,
        Place::Shared(Share::Unknown) => Reason::Unknown,
        Place::Shared(Share::Strangers) => Reason::Strangers,
    }
}
