//! cluster - the machines that share one bound, as the operator's message; and whether they are told what was ordered here
//!
//! Not here: what is asked of the store (`server::lending`), links between machines (`server::sharing`).

use crate::admin::message::{
    ClusterMessage, LenderMessage, LinkMessage, MeshMessage, PeerMessage, SeenMessage,
    SharingMessage,
};
use crate::clock::Clock;
use crate::cluster::mesh::{MeshFacts, MeshSettings};
use crate::cluster::secret::SealFault;
use crate::cluster::{ClusterSettings, Lending, LendingState, Sharing, SharingState};
use crate::server::listeners::ListenerContext;
use gatepost_core::moment::Moment;

use super::Operator;
use super::values::time;

impl Operator {
    /// Whether other machines are told what is done here.
    pub(super) fn tells_others(&self) -> bool {
        let settings = self.context.cluster.settings.as_ref();
        settings.is_some_and(|settings| settings.shares())
    }

    /// Behind what is not known: whether an order about it went to other machines all the same.
    pub(super) fn here(&self) -> &'static str {
        match self.tells_others() {
            true => " here; the other machines are told",
            false => "",
        }
    }
}

/// How the machines stand; none: there is only this one.
pub(super) fn present(context: &ListenerContext) -> Option<ClusterMessage> {
    let settings = context.cluster.settings.as_deref()?;
    let lending = context.cluster.lending.get();
    let clock = context.services.judging.clock;
    let shown = |since: &Moment| Some(time(*since, clock));
    let (state, since, reason) = match &lending.state {
        LendingState::NotAsked => ("not-asked", None, None),
        LendingState::Lends { since } => ("lends", shown(since), None),
        LendingState::CutOff { since, why } => ("cut-off", shown(since), Some(why.to_string())),
    };
    let store = settings.store.as_ref().map(|store| LenderMessage {
        address: store.address.to_string(),
        state: state.to_owned(),
        since,
        reason,
    });
    let mesh = context.cluster.mesh.get();
    Some(ClusterMessage {
        name: settings.name.clone(),
        machines: settings.machines.clone(),
        in_force: in_force(settings, &lending, &mesh).to_owned(),
        store,
        seen: seen(settings, &lending, clock.now()),
        mesh: settings
            .mesh
            .as_ref()
            .map(|wanted| linked(settings, wanted, &mesh, clock)),
        sharing: settings
            .secret
            .as_ref()
            .map(|_| sharing(context.cluster.sharing.get(), clock)),
    })
}

fn sharing(sharing: Sharing, clock: Clock) -> SharingMessage {
    let (state, since, reason) = match sharing.state {
        SharingState::NotAsked => ("not-asked", None, None),
        SharingState::Shares { since } => ("shares", Some(since), None),
        SharingState::InPart { since, why } => ("in-part", Some(since), Some(why)),
        SharingState::CutOff { since, why } => ("cut-off", Some(since), Some(why)),
    };
    let other_secret = sharing.machines.into_iter();
    let other_secret = other_secret
        .filter(|(_, told)| told.fault == Some(SealFault::OtherSecret))
        .map(|(name, _)| name);
    SharingMessage {
        state: state.to_owned(),
        since: since.map(|since| time(since, clock)),
        reason,
        whole: sharing.is_whole,
        clock_ahead_s: sharing.ahead,
        told: sharing.told,
        taken: sharing.taken,
        dropped: sharing.dropped,
        other_secret: other_secret.collect(),
    }
}

/// What this machine may spend of the shared buckets.
fn in_force(settings: &ClusterSettings, lending: &Lending, mesh: &MeshFacts) -> &'static str {
    let presence = lending.presence.as_ref();
    let has_name = presence.is_none_or(|(presence, _)| presence.is_ours) && !mesh.is_taken;
    let owns = settings.machines.contains(&settings.name) && has_name;
    match (owns, matches!(lending.state, LendingState::Lends { .. })) {
        (true, true) => "its-part-and-loans",
        (true, false) => "its-part",
        (false, true) => "loans",
        (false, false) => "nothing",
    }
}

/// The other machines of a mesh, and the places that are dialled.
fn linked(
    settings: &ClusterSettings,
    wanted: &MeshSettings,
    mesh: &MeshFacts,
    clock: Clock,
) -> MeshMessage {
    let now = clock.now();
    let others = settings
        .machines
        .iter()
        .filter(|name| **name != settings.name);
    let link = |name: &String| match mesh.links.get(name) {
        None => LinkMessage {
            name: name.clone(),
            ..LinkMessage::default()
        },
        Some(link) => LinkMessage {
            name: name.clone(),
            linked: link.is_linked,
            since: Some(time(link.since, clock)),
            seen_s: Some(now.since(link.heard()).as_secs()),
            address: Some(link.address.to_string()),
            version: Some(link.version.clone()),
            same_list: Some(link.list == settings.list_number()),
            reason: link.why.clone(),
        },
    };
    let without = mesh.dialled.iter().filter_map(|(place, why)| {
        let reason = why.clone()?;
        let address = place.to_string();
        Some(PeerMessage { address, reason })
    });
    MeshMessage {
        listen: wanted.listen.map(|address| address.to_string()),
        unbound: mesh.unbound.clone(),
        clock: mesh.reference.clone(),
        links: others.map(link).collect(),
        without: without.collect(),
    }
}

fn seen(settings: &ClusterSettings, lending: &Lending, now: Moment) -> Vec<SeenMessage> {
    let Some((presence, at)) = &lending.presence else {
        return Vec::new();
    };
    let since = now.since(*at);
    let list = settings.list_hash();
    let seen = presence.machines.iter().map(|one| SeenMessage {
        name: one.name.clone(),
        seen_s: (one.silent + since).as_secs(),
        version: one.version.clone(),
        same_list: one.list == list,
    });
    let mut seen: Vec<SeenMessage> = seen.collect();
    seen.sort_by(|one, other| one.name.cmp(&other.name));
    seen
}
