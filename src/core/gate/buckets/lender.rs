//! lender - what a store lends, and what it takes back: its arithmetic, on numbers in memory
//!
//! The store itself plays it as a script, and a test of the daemon's `cluster::store` holds that to this. Months of machines are
//! simulated with it. Not here: what a machine asks for (`slice`), how much is lent at all (`division`).

use std::collections::HashMap;

use crate::gate::buckets::slice::{Lend, LenderPoint, PARTS, Returned, SliceRequest};
use crate::gate::buckets::spec::Bucket;

/// A store that lends, and what it has lent of each bucket.
#[derive(Clone, Debug, Default)]
pub struct LenderModel {
    epochs: u64,
    rows: HashMap<Bucket, LentRow>,
}

#[derive(Clone, Copy, Debug)]
struct LentRow {
    epoch: u64,
    /// Parts of tokens that have come back.
    back: u64,
    /// Where it will be full.
    full: u64,
}

impl LenderModel {
    /// It has lost its data: a bucket that is missing is empty.
    pub fn lose_all(&mut self) {
        self.rows.clear();
    }

    /// Takes back, and lends no more than there is.
    pub fn exchange(&mut self, request: &SliceRequest) -> Lend {
        let burst = u64::from(request.limit.burst) * PARTS;
        let row = self.rows.entry(request.bucket).or_insert_with(|| {
            self.epochs += 1;
            LentRow {
                epoch: self.epochs,
                back: 0,
                full: burst,
            }
        });
        if request.claim.epoch == row.epoch {
            row.back = row.back.max(request.claim.back);
        }
        row.full = row.full.min(row.back + burst);
        for Returned { tokens, until } in [request.unspent, request.refunded] {
            if until.epoch == row.epoch {
                let most = until.back.saturating_sub(row.back);
                row.full = row.full.saturating_sub(most.min(u64::from(tokens) * PARTS));
            }
        }
        row.full = row.full.max(row.back);
        let level = (row.back + burst).saturating_sub(row.full) / PARTS;
        let tokens = u64::from(request.wanted).min(level);
        row.full += tokens * PARTS;
        let small = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
        Lend {
            tokens: small(tokens),
            left: small(level - tokens),
            point: LenderPoint {
                epoch: row.epoch,
                back: row.back,
            },
            until: row.full,
        }
    }
}
