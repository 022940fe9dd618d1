//! lists - an operator's published lists of networks: taken over, shown, removed
//!
//! Not here: where they are kept (`server::lists`), which client is on one (`gate`).

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::{Operator, crowdsec, done, not_found};
use crate::admin::message::{BATCH, ListMessage, ListRequest, Response};
use crate::crowdsec::SOURCE;
use crate::server::lists::Lists;
use crate::server::operator::values;
use crate::session::Services;
use gatepost_core::moment::Moment;

impl Operator {
    /// Does what is asked about published lists.
    pub(super) async fn lists(&self, what: ListRequest, now: Moment) -> Result<Response, String> {
        match what {
            ListRequest::All => {
                let shown = self.gate().lists().into_iter().map(|one| ListMessage {
                    source: one.source,
                    networks: one.networks,
                    until: values::time(one.until, self.clock()),
                });
                let decisions = crowdsec::as_list(&self.context, now);
                let lists = shown.chain(decisions).collect();
                Ok(Response::Lists { lists })
            }
            ListRequest::Part { networks, .. } if networks.len() > BATCH => {
                Err(format!("more than {BATCH} networks at once"))
            }
            ListRequest::Part { number, networks } => {
                self.context.lists.part(number, &networks)?;
                Ok(Response::ListPart)
            }
            ListRequest::End {
                number,
                source,
                count,
                seconds,
            } => {
                let until = now + Duration::from_secs(seconds);
                self.end_list((number, source, count), until).await
            }
            ListRequest::Remove { source } if source == SOURCE => Err(format!(
                "{SOURCE} is no list that was imported: take its decisions away there, by `cscli decisions delete`"
            )),
            ListRequest::Remove { source } => self.remove_list(source).await,
        }
    }

    async fn end_list(
        &self,
        (number, source, count): (u64, String, usize),
        until: Moment,
    ) -> Result<Response, String> {
        let clock = self.clock();
        let message = format!(
            "the list {source} is in force until {}: {count} networks",
            values::time(until, clock)
        );
        let (lists, services) = self.for_a_thread();
        let ended = spawn_blocking(move || {
            let gate = services.judging.gate();
            lists.end((number, &source, count), until, gate, clock)
        });
        match ended.await.map_err(|fault| fault.to_string())?? {
            Ok(()) => done(message),
            Err(fault) => Ok(Response::NotKept {
                message: format!(
                    "{message}; the disk did not take it ({fault}), so a restart forgets it"
                ),
            }),
        }
    }

    async fn remove_list(&self, source: String) -> Result<Response, String> {
        let (lists, services) = self.for_a_thread();
        let name = source.clone();
        let removed = spawn_blocking(move || lists.remove(&name, services.judging.gate()));
        match removed.await.map_err(|fault| fault.to_string())? {
            Ok(true) => done(format!("the list {source} is removed")),
            Ok(false) => not_found(format!("there is no list {source}")),
            Err(fault) => Ok(Response::NotKept {
                message: format!(
                    "the list {source} is removed; the disk did not take it ({fault}), so a restart brings it back"
                ),
            }),
        }
    }

    fn for_a_thread(&self) -> (Arc<Lists>, Arc<Services>) {
        (
            Arc::clone(&self.context.lists),
            Arc::clone(&self.context.services),
        )
    }
}
