//! sharing - has the machines of a cluster tell one another what they know: over their store, or directly
//!
//! In a task of its own. Nobody waits for it: a login is judged by what is known here.
//! Not here: what is told (`telling`), its two ways (`by_store`, `by_mesh`), what is done with a fact (`merging`).

use std::sync::Arc;

use tracing::error;

use super::listeners::ListenerContext;
use crate::cluster::OutboxFacts;
use crate::cluster::secret::ClusterSecret;

mod by_mesh;
mod by_store;
mod ledger;
mod orders;
mod read_letters;
mod settling_in;
mod sync;
mod telling;
mod told_letters;

use telling::FactExchange;

/// Tells and is told until the drain begins.
pub(in crate::server) async fn share(context: ListenerContext, outbox: Option<OutboxFacts>) {
    let settings = context.cluster.settings.clone();
    let Some((settings, outbox)) = settings.zip(outbox) else {
        return;
    };
    let Some(path) = &settings.secret else {
        return;
    };
    let secret = match ClusterSecret::read(path) {
        Ok(secret) => secret,
        Err(why) => {
            error!(path = %path.display(), "the secret of [cluster] cannot be read, and nothing is shared: {why}");
            return;
        }
    };
    let exchange = FactExchange::new(context, Arc::clone(&settings), outbox);
    match (&settings.store, &settings.mesh) {
        (Some(store), _) => by_store::share(exchange, secret, store).await,
        (None, Some(mesh)) => by_mesh::share(exchange, &secret, mesh).await,
        (None, None) => {}
    }
}
