//! rate - new connections of one client

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::TurnedAway;
use crate::clock::Moment;
use crate::gate::client::ClientKey;
use crate::gate::settings::Quota;

const ROWS: usize = 65_536;

#[derive(Debug)]
pub(super) struct ConnectRate {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    quota: Quota,
    rows: HashMap<ClientKey, Moment>,
}

impl ConnectRate {
    pub(super) fn new(quota: Quota, _secret: &[u8; 16]) -> Self {
        Self {
            state: Mutex::new(State {
                quota,
                rows: HashMap::new(),
            }),
        }
    }

    pub(super) fn reconfigure(&self, quota: Quota) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .quota = quota;
    }

    pub(super) fn take(&self, client: ClientKey, now: Moment) -> Result<(), TurnedAway> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.rows.len() >= ROWS {
            state.rows.retain(|_, free| *free > now);
            if state.rows.len() >= ROWS {
                state.rows.clear();
            }
        }
        let quota = state.quota;
        let span = quota.every.saturating_mul(quota.burst);
        let free = state.rows.entry(client).or_insert(now);
        let next = (*free).max(now) + quota.every;
        if next > now + span {
            return Err(TurnedAway::Connects);
        }
        *free = next;
        Ok(())
    }
}
