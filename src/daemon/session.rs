//! session - one client, from handshake to ending
//!
//! [`serve`] is the table of contents: TLS, dialogue, login, splice. It reads, writes and waits; what
//! to answer is the dialogue's business, who may try the gate's.
//! Not here: accepting and spawning (`net::listener`, `server`), what the events do (`server`).
//! An attempt that was forwarded is settled whatever the client does: while Postfix is asked, nobody
//! looks at the client, and nobody drops this future (`server` lets it end).
//! RFC 8314 section 3.3, RFC 3207, RFC 4954.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::drain::{Drain, Epoch};
use crate::judging::{Asker, Judging};
use crate::net::admission::{ConnectionStage, Slot};
use crate::net::filter;
use crate::net::listener::{AdmittedConnection, TlsStart};
use crate::net::splice::{self, Handover, SpliceLimits, SpliceOctets};
use crate::net::tls::{HandshakeFault, Negotiated, Tls};
use crate::net::upstream::Upstream;
use crate::report::events;
use crate::report::limits::ResourceLimit;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::moment::Moment;
use gatepost_core::smtp::command::Command;
use gatepost_core::smtp::dialogue::{self, Action, Channel, Dialogue};

mod conversation;
mod ending;
mod entry;
mod id;
mod login;
mod peer;
pub mod registry;

pub use ending::{ClientFault, Ending};
pub use id::{IdFault, SessionId, SessionIds};

use conversation::{Conversation, Next};
use entry::Entered;
use peer::{Peer, WriteAndClose};
use registry::SessionRegistry;

/// The deadlines of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the TLS handshake, and a PROXY header before it.
    pub handshake: Duration,
    /// For one line of the client.
    pub line: Duration,
    /// From accept to login.
    pub login: Duration,
    /// A client that is not logged in is told so at a multiple of this after its credentials came.
    pub failure_delay: Duration,
    /// Without an octet either way, after login.
    pub idle: Duration,
}

/// What all sessions share, for the life of the process.
#[derive(Debug)]
pub struct Services {
    /// The gate, the clock, and what is told.
    pub judging: Arc<Judging>,
    /// Certificates and handshakes.
    pub tls: Tls,
    /// What a reload replaces; a session keeps what it began with.
    pub config: ArcSwap<SessionConfig>,
    /// The next session's id.
    pub ids: SessionIds,
    /// The sessions that have logged in.
    pub registry: Arc<SessionRegistry>,
}

/// What a reload replaces.
#[derive(Debug)]
pub struct SessionConfig {
    /// Banner, EHLO, mechanisms.
    pub dialogue: Arc<dialogue::DialogueSettings>,
    /// Deadlines.
    pub timeouts: Timeouts,
    /// The Postfix behind us.
    pub upstream: Arc<Upstream>,
    /// Whether the kernel may drop banned clients' connections.
    pub filter: filter::FilterMode,
    /// How long a splice may go on when the drain has begun.
    pub grace: Duration,
}

/// What a session knows from its first moment on.
pub(in crate::session) struct Visit {
    pub(in crate::session) id: SessionId,
    pub(in crate::session) client: SocketAddr,
    pub(in crate::session) key: ClientKey,
    pub(in crate::session) listener: SocketAddr,
    pub(in crate::session) slot: Slot,
    pub(in crate::session) began: Moment,
    pub(in crate::session) epoch: Epoch,
    pub(in crate::session) services: Arc<Services>,
    pub(in crate::session) config: Arc<SessionConfig>,
    pub(in crate::session) drain: Drain,
    /// `TLSv1.3`, `TLSv1.2`, or `none` as yet.
    pub(in crate::session) tls: &'static str,
}

/// A client's connection in TLS, on the heap: a session's future holds it many times over otherwise, once
/// for each function that hands it on.
type Secured = Box<TlsStream<TcpStream>>;

/// A client on its way to Postfix.
struct Crossing {
    stream: Secured,
    pipelined: Vec<u8>,
    entered: Box<Entered>,
}

/// Serves one client to its end, and logs that.
pub fn serve(
    connection: AdmittedConnection,
    start: TlsStart,
    services: Arc<Services>,
    drain: Drain,
) -> impl Future<Output = ()> + Send {
    services.judging.counters.sessions.count();
    let visit = Visit {
        id: services.ids.next(),
        client: connection.client,
        key: ClientKey::new(connection.client.ip()),
        listener: connection.listener,
        slot: connection.slot,
        began: services.judging.clock.now(),
        epoch: drain.epoch(),
        config: services.config.load_full(),
        services,
        drain,
        tls: "none",
    };
    attend(visit, connection.stream, start)
}

async fn attend(mut visit: Visit, stream: TcpStream, start: TlsStart) {
    let arrived = match start {
        TlsStart::Implicit => with_implicit_tls(&mut visit, stream).await,
        // The larger of the two, and the rarer: not at every session's expense.
        TlsStart::StartTls => Box::pin(with_starttls(&mut visit, stream)).await,
    };
    let (ending, tally, user) = match arrived {
        Ok(mut crossing) => {
            // On the heap: a session that has not logged in does not hold it.
            let (tally, end) = Box::pin(cross(&visit, &mut crossing)).await;
            // Postfix and the place are let go before the log is written.
            let user = crossing.into_user();
            (Ending::Spliced(end), tally, Some(user))
        }
        Err(ending) => (ending, SpliceOctets::default(), None),
    };
    report(&visit, &ending, tally, user.as_ref());
}

/// Everything up to a login, where TLS comes first. RFC 8314 section 3.3.
async fn with_implicit_tls(visit: &mut Visit, stream: TcpStream) -> Result<Crossing, Ending> {
    let mut peer = Peer::new(shake_hands(visit, stream).await?);
    let mut dialogue = visit.dialogue(Channel::Secured);
    let first = open(visit, &mut peer, &mut dialogue).await;
    until_login(visit, peer, &mut dialogue, Some(first)).await
}

/// Everything up to a login, where the client asks for TLS. RFC 3207.
async fn with_starttls(visit: &mut Visit, stream: TcpStream) -> Result<Crossing, Ending> {
    let mut peer = Peer::new(stream);
    let mut dialogue = visit.dialogue(Channel::ClearUntilStartTls);
    let first = open(visit, &mut peer, &mut dialogue).await;
    let mut conversation = Conversation::new(visit, &mut peer, &mut dialogue);
    let Next::StartTls = conversation.run(Some(first)).await? else {
        return Err(Ending::HungUp);
    };
    // The octets that came in clear behind STARTTLS are dropped with the peer's buffer.
    let (stream, _) = peer.into_parts();
    let peer = Peer::new(shake_hands(visit, stream).await?);
    dialogue.secured();
    until_login(visit, peer, &mut dialogue, None).await
}

/// A conversation in TLS, which ends with a login if it does not end the session.
async fn until_login(
    visit: &mut Visit,
    mut peer: Peer<Secured>,
    dialogue: &mut Dialogue,
    first: Option<Action>,
) -> Result<Crossing, Ending> {
    let mut conversation = Conversation::new(visit, &mut peer, dialogue);
    let Next::LoggedIn(entered) = conversation.run(first).await? else {
        return Err(Ending::HungUp);
    };
    let (stream, pipelined) = peer.into_parts();
    Ok(Crossing {
        stream,
        pipelined,
        entered,
    })
}

/// The banner. A client that talks first gets 554 and is closed; the HELO name that it sent is checked
/// against the traps all the same.
async fn open<S: WriteAndClose>(
    visit: &Visit,
    peer: &mut Peer<S>,
    dialogue: &mut Dialogue,
) -> Action {
    let following = peer.early_octets().await;
    if let Some(line) = peer.early_line()
        && let Ok(Command::Hello { name, .. }) = Command::parse(&line)
    {
        login::helo(visit, name).await;
    }
    dialogue.open(following)
}

async fn shake_hands(visit: &mut Visit, stream: TcpStream) -> Result<Secured, Ending> {
    let (began, time_limit) = (visit.now(), visit.config.timeouts.handshake);
    let mut drain = visit.drain.clone();
    let handshake = async {
        match timeout(time_limit, stream.peek(&mut [0])).await {
            Err(_) => return Err(HandshakeFault::Deadline),
            Ok(Ok(0)) => return Err(HandshakeFault::Closed),
            Ok(octet) => octet?,
        };
        visit.slot.progressed(ConnectionStage::Spoken);
        let spent = visit.now().since(began);
        let tls = &visit.services.tls;
        tls.accept(stream, time_limit.saturating_sub(spent)).await
    };
    let accepted = tokio::select! {
        accepted = handshake => accepted,
        ending = called(&mut drain, &visit.services, visit.key, visit.epoch) => return Err(ending),
        () = visit.slot.evicted() => return Err(Ending::Evicted),
    };
    match accepted {
        Ok(stream) => {
            visit.slot.progressed(ConnectionStage::Secured);
            visit.tls = Negotiated::of(&stream).version;
            Ok(stream)
        }
        Err(fault) => {
            let counters = &visit.services.judging.counters;
            counters.handshakes_failed.count();
            if matches!(fault, HandshakeFault::Busy) {
                counters.limits.count(ResourceLimit::Handshakes);
            }
            Err(Ending::Client(fault.into()))
        }
    }
}

/// Returns when a session that has not logged in must end, since the drain begins or the operator says so.
async fn called(drain: &mut Drain, services: &Services, client: ClientKey, epoch: Epoch) -> Ending {
    let mut seen = epoch;
    while let Some(now) = drain.begun_or_recalled(seen).await {
        seen = now;
        if services.registry.was_expelled(client, epoch) || services.judging.bars(client) {
            return Ending::Expelled;
        }
    }
    Ending::Drained
}

async fn cross(visit: &Visit, crossing: &mut Crossing) -> (SpliceOctets, splice::SpliceEnd) {
    visit.slot.logged_in();
    let entered = &mut *crossing.entered;
    let handover = Handover {
        to_upstream: std::mem::take(&mut crossing.pipelined),
        to_client: std::mem::take(&mut entered.to_client),
    };
    let limits = SpliceLimits {
        idle: visit.config.timeouts.idle,
        grace: visit.config.grace,
    };
    let mut drain = visit.drain.clone();
    splice::splice(
        &mut crossing.stream,
        &mut entered.stream,
        handover,
        limits,
        entered.place.control(),
        &mut drain,
    )
    .await
}

impl Crossing {
    /// Lets both sides go.
    fn into_user(self) -> UserName {
        self.entered.user
    }
}

fn report(visit: &Visit, ending: &Ending, tally: SpliceOctets, user: Option<&UserName>) {
    let services = &visit.services;
    services.judging.counters.octets_in.add(tally.from_client);
    services.judging.counters.octets_out.add(tally.to_client);
    services.judging.reporter.end(&events::End {
        session: visit.seen(),
        ending: ending.as_str(),
        fault: ending.fault(),
        blame: ending.blame(),
        user,
        duration: services.judging.clock.now().since(visit.began),
        octets_in: tally.from_client,
        octets_out: tally.to_client,
    });
}

impl Asker for Visit {
    fn client(&self) -> ClientKey {
        self.key
    }

    fn session(&self) -> u64 {
        self.id.number()
    }

    fn seen(&self) -> events::Session<'_> {
        events::Session {
            id: &self.id,
            key: self.key,
            client: &self.client,
            listener: &self.listener,
            tls: self.tls,
        }
    }

    fn drain(&self) -> Drain {
        self.drain.clone()
    }
}

impl Visit {
    /// The present moment.
    pub(in crate::session) fn now(&self) -> Moment {
        self.services.judging.clock.now()
    }

    fn dialogue(&self, channel: Channel) -> Dialogue {
        Dialogue::new(&self.config.dialogue, self.id.to_string(), channel)
    }

    /// What is left of the time before login.
    pub(in crate::session) fn time_left(&self) -> Duration {
        let spent = self.services.judging.clock.now().since(self.began);
        self.config.timeouts.login.saturating_sub(spent)
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    fn size<A, B, C, D, F>(_: impl FnOnce(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_hundred_thousand_idle_sessions_hold_little_beside_their_tls() {
        let octets = size(serve);
        assert!(
            octets <= 2_048,
            "one session's future takes {octets} octets"
        );
    }
}
