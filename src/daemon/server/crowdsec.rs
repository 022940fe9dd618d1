//! crowdsec - two tasks: CrowdSec's decisions taken over, and our bans told to it
//!
//! No session waits for either. Where the LAPI does not answer, what was taken over stays until its own end, and bans wait until theirs is over.
//! After a lost answer, after the clock was set, and from time to time, all decisions are asked for, since the LAPI tells a change once. It is told of once that it does not answer, and once that it
//! does again.
//! Not here: what is asked and told (`crate::crowdsec`), what a decision does (`gate::trust::feed`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{info, warn};

use super::listeners::ListenerContext;
use crate::clock::{Clock, WallWatch};
use crate::crowdsec::decisions::{self, Pull};
use crate::crowdsec::lapi::{Lapi, LapiFault};
use crate::crowdsec::outbox::{ToldBan, ToldBans};
use crate::crowdsec::{CrowdsecHealth, CrowdsecSettings, alerts};
use crate::session::Services;
use gatepost_core::moment::Moment;

/// From one reading of all decisions to the next.
const WHOLE: Duration = Duration::from_secs(3_600);
/// The same where something was told since: of decisions that came into its database while it was asked the LAPI does not tell all.
const WHOLE_AFTER_NEWS: Duration = Duration::from_secs(600);
/// The longest pause after answers that did not come.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Bans that are told at once.
const BATCH: usize = 100;
/// From one telling to the next.
const PAUSE: Duration = Duration::from_secs(1);
/// So often bans are told that the LAPI answers with a refusal.
const TRIES: u32 = 3;

/// As a bouncer: asks for decisions until the drain begins.
pub(in crate::server) async fn follow(context: ListenerContext) {
    let Some(settings) = context.crowdsec.settings else {
        return;
    };
    let Some(key) = settings.key.clone() else {
        return;
    };
    let mut bouncer = Bouncer {
        lapi: Lapi::new(Arc::clone(&settings)),
        key,
        steps: WallWatch::new(context.services.judging.clock.now(), Clock::wall()),
        services: context.services,
        health: context.crowdsec.health,
        settings,
        whole: None,
        has_news: false,
        failures: 0,
    };
    let mut drain = context.drain;
    loop {
        let pause = tokio::select! {
            pause = bouncer.round() => pause,
            () = drain.begun() => return,
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = drain.begun() => return,
        }
    }
}

struct Bouncer {
    lapi: Lapi,
    key: PathBuf,
    /// Of the clock by which a LAPI on this machine says how long a decision lasts.
    steps: WallWatch,
    services: Arc<Services>,
    health: CrowdsecHealth,
    settings: Arc<CrowdsecSettings>,
    /// When all decisions were read; none: something may have been missed since.
    whole: Option<Moment>,
    /// Whether decisions were told since.
    has_news: bool,
    failures: u32,
}

impl Bouncer {
    /// Asks once; how long it is until the next time.
    async fn round(&mut self) -> Duration {
        let now = self.now();
        if self.steps.look(now, Clock::wall()).is_some() {
            self.whole = None;
        }
        let pull = next_pull(self.whole, self.has_news, now);
        match self.pull(pull).await {
            Ok(()) => {
                if pull == Pull::Whole {
                    (self.whole, self.has_news) = (Some(now), false);
                }
                self.failures = 0;
                self.settings.every
            }
            Err(why) => {
                self.whole = None;
                self.failures = self.failures.saturating_add(1);
                let url = &self.settings.url;
                if self.health.does_not_decide(why.clone(), self.now()) {
                    warn!(
                        host = url.host,
                        port = url.port,
                        "CrowdSec does not tell its decisions: {why}. Those that it has told stay until their ends"
                    );
                }
                backed_off(self.settings.every, self.failures)
            }
        }
    }

    async fn pull(&mut self, pull: Pull) -> Result<(), LapiFault> {
        let body = self.lapi.decisions(&self.key, pull).await?;
        let (services, now) = (Arc::clone(&self.services), self.now());
        // Of 100,000 decisions that takes its time.
        let taking = spawn_blocking(move || {
            let (news, left_out) = decisions::read(&body, pull, now)?;
            let counts = services.judging.gate().take_listings(&news);
            Ok((counts, left_out, !news.is_empty()))
        });
        let taken = taking.await.map_err(|error| error.to_string());
        let taken: Result<_, String> = taken.and_then(|taken| taken);
        let (counts, left_out, is_news) = taken.map_err(LapiFault::Garbage)?;
        self.has_news |= is_news;
        let not_held = counts.wide + counts.surplus + left_out.surplus + left_out.unread;
        let (is_new, is_first) = self.health.decided(pull, not_held, self.now());
        if is_new {
            info!(
                decisions = counts.held,
                "the decisions of CrowdSec are in force"
            );
        }
        if is_first {
            warn!(
                wide = counts.wide,
                surplus = counts.surplus + left_out.surplus,
                unread = left_out.unread,
                "decisions of CrowdSec are left out: wider than /8 (IPv6 /19), more than 200,000, or not readable"
            );
        }
        Ok(())
    }

    fn now(&self) -> Moment {
        self.services.judging.clock.now()
    }
}

/// What to ask for, where all was read at `whole`.
fn next_pull(whole: Option<Moment>, has_news: bool, now: Moment) -> Pull {
    let lasts = match has_news {
        true => WHOLE_AFTER_NEWS,
        false => WHOLE,
    };
    match whole.is_some_and(|at| now.since(at) < lasts) {
        true => Pull::Since,
        false => Pull::Whole,
    }
}

/// The pause after so many failures one behind the other.
fn backed_off(every: Duration, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let pause = every.saturating_mul(1 << doublings);
    pause.min(LONGEST_PAUSE.max(every))
}

/// As a machine: tells bans until the drain begins.
pub(in crate::server) async fn tell(context: ListenerContext, bans: Option<ToldBans>) {
    let (Some(mut bans), Some(settings)) = (bans, context.crowdsec.settings) else {
        return;
    };
    let Some(machine) = settings.machine.clone() else {
        return;
    };
    let mut teller = BanTeller {
        lapi: Lapi::new(settings),
        clock: context.services.judging.clock,
        health: context.crowdsec.health,
    };
    let mut drain = context.drain;
    loop {
        tokio::select! {
            told = teller.tell_next(&machine, &mut bans) => {
                if told.is_none() {
                    return;
                }
            }
            () = drain.begun() => return,
        }
    }
}

struct BanTeller {
    lapi: Lapi,
    clock: Clock,
    health: CrowdsecHealth,
}

impl BanTeller {
    /// Tells the next bans, however long that takes. None: there will be none.
    async fn tell_next(&mut self, machine: &Path, bans: &mut ToldBans) -> Option<()> {
        let first = bans.recv().await?;
        let more = std::iter::from_fn(|| bans.try_recv().ok()).take(BATCH - 1);
        let mut batch: Vec<ToldBan> = std::iter::once(first).chain(more).collect();
        let (mut failures, mut refusals) = (0, 0);
        loop {
            let now = self.clock.now();
            // One that waited for the LAPI until it was over is nobody's concern.
            batch.retain(|ban| ban.until > now);
            if batch.is_empty() {
                return Some(());
            }
            let alerts = alerts::body(&batch, now, Clock::wall());
            match self.lapi.tell(machine, alerts).await {
                Ok(()) => {
                    if self.health.took(batch.len(), self.clock.now()) {
                        info!("CrowdSec takes the bans of this gatepost");
                    }
                    sleep(PAUSE).await;
                    return Some(());
                }
                Err(why) => {
                    failures += 1;
                    refusals += u32::from(matches!(why, LapiFault::Refused(..)));
                    self.fails(why);
                }
            }
            if refusals >= TRIES {
                self.health.gave_up(batch.len());
                sleep(PAUSE).await;
                return Some(());
            }
            sleep(backed_off(PAUSE, failures)).await;
        }
    }

    fn fails(&self, why: LapiFault) {
        if self.health.does_not_take(why.clone(), self.clock.now()) {
            warn!("CrowdSec does not take the bans of this gatepost: {why}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_asked_for_once_an_hour_and_sooner_where_something_was_told() {
        let at = Moment::from_seconds;
        let pull = |whole: Option<u64>, has_news, now| next_pull(whole.map(at), has_news, at(now));
        assert_eq!(pull(None, false, 9), Pull::Whole);
        for (has_news, lasts) in [(false, 3_600), (true, 600)] {
            assert_eq!(pull(Some(9), has_news, 9 + lasts - 1), Pull::Since);
            assert_eq!(pull(Some(9), has_news, 9 + lasts), Pull::Whole);
        }
    }

    #[test]
    fn the_pause_doubles_and_has_an_end() {
        let seconds = |every, failures| backed_off(Duration::from_secs(every), failures).as_secs();
        assert_eq!(seconds(10, 1), 10);
        assert_eq!(seconds(10, 2), 20);
        assert_eq!(seconds(10, 6), 300);
        assert_eq!(seconds(10, u32::MAX), 300);
        assert_eq!(seconds(600, 5), 600, "no shorter than without a failure");
    }
}
