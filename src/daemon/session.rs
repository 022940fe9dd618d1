//! session - one client, from handshake to ending
//!
//! [`serve`] is the table of contents: TLS, dialogue, login, splice. It reads, writes and waits; the dialogue decides
//! what is answered, and the gate who may try.
//! Not here: the stages up to a login (`arrival`), accepting and spawning (`net::listener`, `server`), what the events do (`server`).
//! An attempt that was forwarded is settled whatever the client does: while Postfix is asked, nobody
//! looks at the client, and nobody drops this future (`server` lets it end).
//! RFC 8314 section 3.3, RFC 3207, RFC 4954.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::drain::{Drain, Epoch};
use crate::judging::{Asker, Judging};
use crate::net::admission::Slot;
use crate::net::filter;
use crate::net::listener::{AdmittedConnection, TlsStart};
use crate::net::splice::{self, Handover, SpliceLimits, SpliceOctets};
use crate::net::tls::{HandshakeCause, Tls};
use crate::net::upstream::Upstream;
use crate::report::events;
use crate::report::ja4::Ja4;
use crate::report::last_faults::LastFault;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::device::Device;
use gatepost_core::moment::Moment;
use gatepost_core::smtp::dialogue::{self, Channel, Dialogue, FaultRecord};

mod arrival;
mod conversation;
mod ending;
mod entry;
mod id;
mod login;
mod peer;
pub mod registry;

pub use ending::{ClientFault, Ending};
pub use id::{IdFault, SessionId, SessionIds};

use entry::Entered;
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
    pub ids: Arc<SessionIds>,
    /// The sessions that have logged in.
    pub registry: Arc<SessionRegistry>,
    /// Those that have not: only they change what the gate knows.
    pub before_login: TaskTracker,
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
    /// Held until the login, or the end.
    before_login: Option<TaskTrackerToken>,
    /// `TLSv1.3`, `TLSv1.2`, or `none` as yet.
    pub(in crate::session) tls: &'static str,
    /// As the ticket of its TLS session names it.
    pub(in crate::session) device: Option<Device>,
    /// Of its program; none as yet, or its ClientHello has none.
    pub(in crate::session) label: Option<Ja4>,
    /// What the client did wrong in a conversation that has ended.
    pub(in crate::session) faults: Option<Box<FaultRecord>>,
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
    let mut visit = Visit {
        id: services.ids.next(),
        client: connection.client,
        key: ClientKey::new(connection.client.ip()),
        listener: connection.listener,
        slot: connection.slot,
        began: services.judging.clock.now(),
        epoch: drain.epoch(),
        config: services.config.load_full(),
        before_login: Some(services.before_login.token()),
        services,
        drain,
        tls: "none",
        device: None,
        label: None,
        faults: None,
    };
    let stream = connection.stream;
    // What a stage needs is on the heap for as long as the stage lasts. Before a client's first octet that is
    // nothing: this future, and no buffer. No function of its own: its arguments would be held twice.
    async move {
        let arrived = match start {
            TlsStart::Implicit => arrival::with_implicit_tls(&mut visit, stream).await,
            TlsStart::StartTls => arrival::with_starttls(&mut visit, stream).await,
        };
        let (ending, tally, user) = match arrived {
            Ok(mut crossing) => {
                visit.before_login = None;
                let (tally, end) = Box::pin(cross(&visit, &mut crossing)).await;
                // Postfix and the place are let go before the log is written.
                let user = crossing.into_user();
                (Ending::Spliced(end), tally, Some(user))
            }
            Err(ending) => (ending, SpliceOctets::default(), None),
        };
        report(&visit, &ending, tally, user.as_ref());
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
    let judging = &visit.services.judging;
    judging.counters.octets_in.add(tally.from_client);
    judging.counters.octets_out.add(tally.to_client);
    let now = visit.now();
    let faults = visit.faults.as_ref();
    let fault = match (faults, ending) {
        (Some(faults), _) => Some(faults.first.as_str()),
        (None, Ending::Client(ClientFault::Handshake(fault))) => match fault.cause() {
            HandshakeCause::NothingSent => None,
            cause => Some(cause.as_fault()),
        },
        (None, _) => None,
    };
    if let Some(fault) = fault {
        judging.reporter.last_faults.note(LastFault {
            client: visit.key,
            at: now,
            session: visit.id.number(),
            fault,
        });
    }
    let end = events::End {
        session: visit.seen(),
        ending: ending.as_str(),
        fault: ending.fault(),
        blame: ending.blame(),
        wrong: faults.map(|faults| events::FaultBeforeLogin {
            fault: faults.first.as_str(),
            reply: &faults.reply,
            count: faults.count,
        }),
        user,
        account: user.map(|user| judging.gate().user_id(user)),
        duration: now.since(visit.began),
        octets_in: tally.from_client,
        octets_out: tally.to_client,
    };
    judging.reporter.end(&end, now);
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
            ja4: self.label,
        }
    }

    fn drain(&self) -> Drain {
        self.drain.clone()
    }

    async fn evicted(&self) {
        self.slot.evicted().await;
    }

    fn device(&self) -> Option<Device> {
        self.device
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
