//! lending - borrows of the shared buckets ahead of need, in a task of its own
//!
//! Nobody waits for it: what is lent is there when somebody asks the gate, or it is not. Where the store does not answer,
//! the machine goes on with what it owns.
//! Not here: the store (`cluster::store`), what is asked for (`gate::buckets::slice`).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, info, warn};

use super::listeners::ListenerContext;
use crate::cluster::store::{ClusterPresence, Lender, LenderFault, LenderSettings};
use crate::cluster::{ClusterSettings, LendingHealth};
use crate::drain::Drain;
use crate::session::Services;
use crate::store::key;

/// How often it is looked whether something is needed.
const ROUND: Duration = Duration::from_millis(100);
/// Rounds from one sign of life to the next.
const ANNOUNCED: u32 = 10;
/// How long a store that does not lend is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// A machine that has been silent for longer does not count: it may have another list since.
const GONE: Duration = Duration::from_secs(60);

/// What the task works with.
struct Borrower {
    services: Arc<Services>,
    settings: Arc<ClusterSettings>,
    health: LendingHealth,
    /// What sets this process apart from another one with the same name.
    process: String,
    /// The list of machines, as others can compare it.
    list: String,
    /// Others with another list, which were told of.
    disagree: Vec<String>,
}

/// Borrows until the drain begins, then hands back.
pub(in crate::server) async fn lend(context: ListenerContext) {
    let Some(settings) = context.cluster.settings else {
        return;
    };
    let Some(store) = settings.store.clone() else {
        return;
    };
    let mut borrower = Borrower {
        services: context.services,
        process: hex(&key::random()),
        list: settings.list_hash(),
        settings,
        health: context.cluster.lending,
        disagree: Vec::new(),
    };
    let mut drain = context.drain;
    while let Err(fault) = borrower.serve(&store, &mut drain).await {
        borrower.cut_off(fault);
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = drain.begun() => return,
        }
    }
}

impl Borrower {
    async fn serve(
        &mut self,
        store: &LenderSettings,
        drain: &mut Drain,
    ) -> Result<(), LenderFault> {
        let mut lender = tokio::select! {
            lender = Lender::connect(store) => lender?,
            () = drain.begun() => return Ok(()),
        };
        let mut round = interval(ROUND);
        round.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rounds = 0_u32;
        loop {
            tokio::select! {
                _ = round.tick() => {}
                () = drain.begun() => return self.leave(&mut lender).await,
            }
            if rounds.is_multiple_of(ANNOUNCED) {
                self.announce(&mut lender).await?;
            }
            rounds = rounds.wrapping_add(1);
            self.borrow(&mut lender).await?;
        }
    }

    async fn borrow(&self, lender: &mut Lender) -> Result<(), LenderFault> {
        let judging = &self.services.judging;
        let asked = judging.clock.now();
        let requests = judging.gate().slice_requests(asked);
        if requests.is_empty() {
            return Ok(());
        }
        let lent = lender.exchange(&requests).await?;
        let now = judging.clock.now();
        for (request, lend) in requests.iter().zip(lent) {
            judging.gate().lend(request, lend, asked, now);
        }
        Ok(())
    }

    async fn announce(&mut self, lender: &mut Lender) -> Result<(), LenderFault> {
        let name = &self.settings.name;
        let presence = lender.announce(name, &self.process, &self.list).await?;
        let judging = &self.services.judging;
        judging.gate().withhold_own_part(!presence.is_ours);
        let now = judging.clock.now();
        if self.health.lends(now) {
            info!(name, "the store of [cluster] lends");
        }
        let is_ours = presence.is_ours;
        let before = self.health.saw(presence.clone(), now);
        let was_ours = before.is_none_or(|before| before.is_ours);
        match (was_ours, is_ours) {
            (true, false) => error!(
                name,
                "another process has this machine's name in [cluster]: this one has only what the store lends"
            ),
            (false, true) => info!(name, "this machine's name in [cluster] is its own again"),
            (true, true) | (false, false) => {}
        }
        self.compare_lists(&presence);
        Ok(())
    }

    /// Tells once of each machine that has another list: then the parts are no whole.
    fn compare_lists(&mut self, presence: &ClusterPresence) {
        let here = presence.machines.iter().filter(|one| one.silent < GONE);
        let differ = here.filter(|one| one.list != self.list);
        let differ: Vec<String> = differ.map(|one| one.name.clone()).collect();
        for machine in differ.iter().filter(|name| !self.disagree.contains(name)) {
            warn!(
                machine,
                "another list of machines in [cluster] there: until all lists are the same the bound is not what it should be"
            );
        }
        self.disagree = differ;
    }

    async fn leave(&self, lender: &mut Lender) -> Result<(), LenderFault> {
        let judging = &self.services.judging;
        let requests = judging.gate().return_slices(judging.clock.now());
        // Whether it arrives or not, this machine is about to end.
        let _ = lender.exchange(&requests).await;
        let _ = lender.leave(&self.settings.name, &self.process).await;
        Ok(())
    }

    fn cut_off(&self, fault: LenderFault) {
        let why = fault.to_string();
        if self
            .health
            .cut_off(fault, self.services.judging.clock.now())
        {
            warn!(
                "the store of [cluster] does not lend: {why}. This machine goes on with the part of the shared buckets that it owns"
            );
        }
    }
}

fn hex(octets: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*octets))
}
