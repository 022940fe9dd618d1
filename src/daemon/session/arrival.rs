//! arrival - a client's way to TLS, and from there to its login
//!
//! Each stage is a future of its own on the heap, freed with the stage. Before a client's first octet there is
//! none: it costs a descriptor, its address and a timer.
//! Not here: the handshake itself (`net::tls`), the conversation (`conversation`), the splice (`session`).
//! RFC 8314 section 3.3, RFC 3207.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::conversation::{Conversation, Next};
use super::peer::{Peer, WriteAndClose};
use super::{Crossing, Ending, Secured, Visit, called, login};
use crate::judging::Asker;
use crate::net::admission::ConnectionStage;
use crate::net::tls::{Arrived, HandshakeCause, HandshakeClient, HandshakeFault, Negotiated};
use crate::report::events::{self, HandshakeNews};
use crate::report::limits::ResourceLimit;
use gatepost_core::gate::request::verdict::Standing;
use gatepost_core::smtp::command::Command;
use gatepost_core::smtp::dialogue::{Action, Channel, Dialogue};
use gatepost_core::smtp::line::Following;

/// Everything up to a login, where TLS comes first. RFC 8314 section 3.3.
pub(in crate::session) async fn with_implicit_tls(
    visit: &mut Visit,
    stream: TcpStream,
) -> Result<Crossing, Ending> {
    let time_left = tls_begins(visit, &stream).await?;
    Box::pin(from_handshake(visit, stream, time_left)).await
}

/// The handshake within `time_limit`, and what follows up to a login.
async fn from_handshake(
    visit: &mut Visit,
    stream: TcpStream,
    time_limit: Duration,
) -> Result<Crossing, Ending> {
    let mut peer = Peer::new(shake_hands(visit, stream, time_limit).await?);
    let mut dialogue = visit.dialogue(Channel::Secured);
    let first = open(visit, &mut peer, &mut dialogue).await;
    until_login(visit, peer, &mut dialogue, Some(first)).await
}

/// Everything up to a login, where the client asks for TLS. RFC 3207.
pub(in crate::session) async fn with_starttls(
    visit: &mut Visit,
    stream: TcpStream,
) -> Result<Crossing, Ending> {
    let greeted = Box::pin(greet(visit, stream)).await?;
    let time_limit = visit.config.timeouts.line.min(visit.time_left());
    let waited = Box::pin(first_octet(visit, greeted.peer.stream(), time_limit)).await;
    // A dialogue in clear counts for the rate as a handshake does: it costs us about as much.
    if let Ok(Ok(1..)) = waited {
        visit.slot.progressed(ConnectionStage::Spoken);
    }
    Box::pin(from_first_line(visit, greeted, waited)).await
}

/// A client in clear that has its banner.
struct Greeted {
    peer: Peer<TcpStream>,
    dialogue: Dialogue,
}

async fn greet(visit: &mut Visit, stream: TcpStream) -> Result<Box<Greeted>, Ending> {
    let mut peer = Peer::new(stream);
    let mut dialogue = visit.dialogue(Channel::ClearUntilStartTls);
    let first = open(visit, &mut peer, &mut dialogue).await;
    Conversation::new(visit, &mut peer, &mut dialogue)
        .greet(first)
        .await?;
    Ok(Box::new(Greeted { peer, dialogue }))
}

/// What follows the banner, up to a login.
async fn from_first_line(
    visit: &mut Visit,
    mut greeted: Box<Greeted>,
    waited: Result<io::Result<usize>, Ending>,
) -> Result<Crossing, Ending> {
    let Greeted { peer, dialogue } = &mut *greeted;
    let mut conversation = Conversation::new(visit, peer, dialogue);
    let first = waited.err().map(|ending| conversation.end(ending));
    let Next::StartTls = conversation.run(first).await? else {
        return Err(Ending::HungUp);
    };
    let Greeted { peer, mut dialogue } = *greeted;
    // The octets that came in clear behind STARTTLS are dropped with the peer's buffer.
    let (stream, _) = peer.into_parts();
    let time_left = tls_begins(visit, &stream).await?;
    let peer = Peer::new(shake_hands(visit, stream, time_left).await?);
    dialogue.secured();
    until_login(visit, peer, &mut dialogue, None).await
}

/// Waits for the first octet of a handshake. What is left of its time.
async fn tls_begins(visit: &mut Visit, stream: &TcpStream) -> Result<Duration, Ending> {
    let (began, time_limit) = (visit.now(), visit.config.timeouts.handshake);
    let fault = match Box::pin(first_octet(visit, stream, time_limit)).await {
        Ok(Ok(0)) => HandshakeFault::NothingSent,
        Ok(Ok(_)) => {
            visit.slot.progressed(ConnectionStage::Spoken);
            return Ok(time_limit.saturating_sub(visit.now().since(began)));
        }
        Ok(Err(error)) => match error.into() {
            HandshakeFault::Closed => HandshakeFault::NothingSent,
            other => other,
        },
        Err(Ending::TimedOut) => HandshakeFault::Silent,
        Err(ending) => return Err(ending),
    };
    Err(handshake_failed(visit, fault))
}

/// Waits until the client has sent something; zero if it closed instead. Up to then the client has cost a descriptor, its
/// address and a timer.
async fn first_octet(
    visit: &mut Visit,
    stream: &TcpStream,
    time_limit: Duration,
) -> Result<io::Result<usize>, Ending> {
    let (slot, services) = (&visit.slot, &visit.services);
    let (key, epoch) = (visit.key, visit.epoch);
    // Behind a PROXY header the stream is taken to be readable until a look shows that nothing is there.
    let octet = poll_fn(|cx| stream.poll_peek(cx, &mut ReadBuf::new(&mut [0])));
    tokio::select! {
        arrived = timeout(time_limit, octet) => arrived.map_err(|_| Ending::TimedOut),
        ending = called(&mut visit.drain, services, key, epoch) => Err(ending),
        () = slot.evicted() => Err(Ending::Evicted),
    }
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

/// The banner, or what is said in its place. A client that talks first gets 554 and is closed; the HELO name that it sent
/// is checked against the traps all the same. A client that is sure to be refused is told so before it has sent a
/// password: programs take a refusal of AUTH for a wrong one.
async fn open<S: WriteAndClose>(
    visit: &Visit,
    peer: &mut Peer<S>,
    dialogue: &mut Dialogue,
) -> Action {
    let following = peer.early_octets().await;
    if following == Following::Octets {
        visit.slot.progressed(ConnectionStage::Spoken);
    }
    if let Some(line) = peer.early_line()
        && let Ok(Command::Hello { name, .. }) = Command::parse(&line)
    {
        login::helo(visit, name).await;
    }
    match following {
        Following::Nothing => match login::refused_at_accept(visit).await {
            Some(refusal) => dialogue.refuse(refusal),
            None => dialogue.open(following),
        },
        Following::Octets => dialogue.open(following),
    }
}

async fn shake_hands(
    visit: &mut Visit,
    stream: TcpStream,
    time_limit: Duration,
) -> Result<Secured, Ending> {
    let client = HandshakeClient {
        key: visit.key,
        standing: visit.slot.standing(),
    };
    let began = visit.now();
    let accepted = tokio::select! {
        accepted = visit.services.tls.accept(stream, client, time_limit) => accepted,
        ending = called(&mut visit.drain, &visit.services, visit.key, visit.epoch) => return Err(ending),
        () = visit.slot.evicted() => return Err(Ending::Evicted),
    };
    let Arrived {
        stream,
        device,
        label,
    } = accepted.map_err(|fault| handshake_failed(visit, fault))?;
    (visit.device, visit.label) = (device, label);
    visit.slot.progressed(ConnectionStage::Secured);
    let durations = &visit.services.judging.counters.durations;
    durations.handshake.observe(visit.now().since(began));
    visit.tls = Negotiated::of(&stream).version;
    Ok(stream)
}

/// Counts a handshake that failed, and tells it. How the session ends with it.
fn handshake_failed(visit: &Visit, fault: HandshakeFault) -> Ending {
    let counters = &visit.services.judging.counters;
    counters.handshakes_failed.count();
    let cause = fault.cause();
    visit.services.tls.failures.count(cause);
    let news = match (cause, visit.slot.standing()) {
        // A connection alone is no handshake: monitors and port scanners make them.
        (HandshakeCause::NothingSent, _) => HandshakeNews::Detail,
        (cause, Standing::Familiar) if cause.is_lasting() => HandshakeNews::OfOwnUsers,
        _ => HandshakeNews::OfClient,
    };
    let failed = events::FailedHandshake {
        session: visit.seen(),
        cause: cause.as_str(),
        fault: &fault,
        news,
    };
    visit
        .services
        .judging
        .reporter
        .handshake(&failed, visit.now());
    if matches!(fault, HandshakeFault::Busy) {
        counters.limits.count(ResourceLimit::Handshakes);
    }
    Ending::Client(fault.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{cross, serve};

    fn session<A, B, C, D, F>(_: impl FnOnce(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    fn stage<A, B, C, F>(_: impl FnOnce(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    fn last_stage<A, B, F>(_: impl FnOnce(A, B) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_hundred_thousand_idle_sessions_hold_little_beside_their_tls() {
        let silent = session(serve) + stage(first_octet);
        assert!(silent <= 1_280, "a silent connection takes {silent} octets");
        for stage in [
            stage(from_handshake),
            stage(from_first_line),
            last_stage(cross),
        ] {
            let octets = session(serve) + stage;
            assert!(octets <= 2_240, "one session takes {octets} octets");
        }
    }
}
