//! run - what goes over a link while it stands: letters both ways, and a sign of life every second
//!
//! A machine that says nothing for five seconds is gone. Letters wait in a queue of limited length, and those of the other side
//! until they are taken: so nobody's memory grows.
//! Not here: what letters say (`message`), who takes them (`server::sharing::by_mesh`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::frame::{ClockReading, LinkFrame, read_octets};
use super::greeting::LinkRefusal;
use super::link::{LinkContext, LinkFault, MeshLink};
use gatepost_core::moment::Moment;

/// From one sign of life to the next.
const ROUND: Duration = Duration::from_secs(1);
/// A machine that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(5);
/// How long the other side may take no octet: it may be busy with what it was told.
const STUCK: Duration = Duration::from_secs(30);

/// Sets a link apart from those before it.
pub type LinkId = u64;

/// What a link tells.
#[derive(Debug)]
pub enum LinkEvent {
    /// The other side tells something, as `message` writes it.
    Letter(LinkId, Vec<u8>),
    /// What the other side says makes no sense, or is of a later version.
    Skipped(LinkId),
    /// The link is over.
    Ended(LinkId, LinkFault),
}

impl MeshLink {
    /// Takes letters in and sends what comes by `outgoing`, until either side ends; notes in `heard` when the other one said
    /// something. When nothing comes by `outgoing` any more it says `Stops`, and ends.
    pub async fn run(
        self,
        id: LinkId,
        context: Arc<LinkContext>,
        (events, mut outgoing): (mpsc::Sender<LinkEvent>, mpsc::Receiver<Arc<[u8]>>),
        heard: Arc<AtomicU64>,
    ) {
        // What was read behind the greeting is still in the buffer.
        let (mut reader, mut writer) = split(self.stream);
        // A machine that asks faster than answers can be sent gets the last one.
        let (answers, mut answered) = watch::channel(None);
        let mut listener = LinkListener {
            id,
            name: self.greeting.name,
            context: Arc::clone(&context),
            events: events.clone(),
            answers,
            heard,
        };
        let fault = tokio::select! {
            fault = listener.listen(&mut reader) => fault,
            fault = talk(&mut writer, &context, &mut outgoing, &mut answered) => fault,
        };
        // The receiver may be gone.
        let _ = events.send(LinkEvent::Ended(id, fault)).await;
    }
}

/// Takes in what the other side says.
struct LinkListener {
    id: LinkId,
    name: String,
    context: Arc<LinkContext>,
    events: mpsc::Sender<LinkEvent>,
    answers: watch::Sender<Option<ClockReading>>,
    heard: Arc<AtomicU64>,
}

impl LinkListener {
    async fn listen(&mut self, reader: &mut (impl AsyncRead + Unpin)) -> LinkFault {
        loop {
            let octets = match timeout(SILENCE, read_octets(reader)).await {
                Ok(Ok(octets)) => octets,
                Ok(Err(fault)) => return fault.into(),
                Err(_) => return LinkFault::Silent(SILENCE),
            };
            let now = self.context.clock.now();
            self.heard.store(now.as_nanos(), Ordering::Relaxed);
            let event = match LinkFrame::read(&octets) {
                Some(LinkFrame::Letter(letter)) => LinkEvent::Letter(self.id, letter),
                Some(LinkFrame::Refusal(why)) => return LinkFault::Refused(why),
                Some(other) => {
                    self.answer(other, now);
                    continue;
                }
                None => LinkEvent::Skipped(self.id),
            };
            if self.events.send(event).await.is_err() {
                return LinkFault::Closed;
            }
        }
    }

    fn answer(&self, frame: LinkFrame, now: Moment) {
        let common = &self.context.common;
        match frame {
            LinkFrame::Ping(asked) => {
                self.answers.send_replace(Some(common.reading(asked, now)));
            }
            // An answer that was long on its way says little.
            LinkFrame::Pong(reading)
                if self.context.machines.contains(&reading.reference)
                    && now.since(reading.asked) < SILENCE =>
            {
                common.told(&self.name, &reading, (reading.asked, now));
            }
            _ => {}
        }
    }
}

/// Sends what is to be sent, and a sign of life every second.
async fn talk(
    writer: &mut (impl AsyncWrite + Unpin),
    context: &LinkContext,
    outgoing: &mut mpsc::Receiver<Arc<[u8]>>,
    answered: &mut watch::Receiver<Option<ClockReading>>,
) -> LinkFault {
    let mut round = interval(ROUND);
    round.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let octets: Arc<[u8]> = tokio::select! {
            _ = round.tick() => LinkFrame::Ping(context.clock.now()).octets().into(),
            Ok(()) = answered.changed() => match answered.borrow_and_update().clone() {
                Some(reading) => LinkFrame::Pong(reading).octets().into(),
                None => continue,
            },
            octets = outgoing.recv() => match octets {
                Some(octets) => octets,
                None => {
                    let stops = LinkFrame::Refusal(LinkRefusal::Stops).octets();
                    // It may be gone.
                    let _ = timeout(ROUND, async {
                        send(writer, &stops).await?;
                        writer.shutdown().await
                    })
                    .await;
                    return LinkFault::Closed;
                }
            },
        };
        match timeout(STUCK, send(writer, &octets)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.into(),
            Err(_) => return LinkFault::Silent(STUCK),
        }
    }
}

async fn send(writer: &mut (impl AsyncWrite + Unpin), octets: &[u8]) -> std::io::Result<()> {
    writer.write_all(octets).await?;
    writer.flush().await
}
