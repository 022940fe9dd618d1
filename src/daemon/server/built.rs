//! built - what sessions work with, built from the config
//!
//! Not here: listeners and tasks (`server`), what a reload changes (`reload`).

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_util::task::TaskTracker;

use super::lists::Lists;
use crate::clock::Clock;
use crate::config::Config;
use crate::drain;
use crate::judging::Judging;
use crate::net::tls::{Tls, TlsFault};
use crate::net::upstream::{Deadlines, Processes, Upstream};
use crate::session::registry::SessionRegistry;
use crate::session::{Services, SessionConfig, SessionIds};
use gatepost_core::moment::Moment;

/// What every session works with.
pub(super) fn services(
    config: &Config,
    tls: Tls,
    judging: Judging,
    drainer: &drain::Drainer,
    began: Moment,
) -> Arc<Services> {
    let (clock, limits) = (judging.clock, Arc::clone(&judging.counters.limits));
    let processes = Processes::new(config.processes, limits);
    Arc::new(Services {
        judging: Arc::new(judging),
        tls,
        config: ArcSwap::from_pointee(session_config(config, None, processes, clock)),
        ids: Arc::new(SessionIds::new(began, Clock::wall())),
        registry: Arc::new(SessionRegistry::new(config.registry, drainer.recaller())),
        before_login: TaskTracker::new(),
    })
}

/// The certificates, with as many handshakes at once as the config says.
pub(super) fn tls(config: &Config) -> Result<Tls, TlsFault> {
    let tls = Tls::load(&config.tls)?;
    tls.cap_handshakes(config.admission.handshakes);
    Ok(tls)
}

/// The lists that the owner brings; published ones that an earlier process had are in force again.
pub(super) fn lists(config: &Config, services: &Services) -> Arc<Lists> {
    let (directory, passwords) = (&config.store.directory, &config.known_passwords);
    let lists = Lists::new(directory.clone(), passwords.clone());
    lists.restore(services.judging.gate(), services.judging.clock);
    Arc::new(lists)
}

/// What a session begins with. If `before` has the same upstream it is kept, with what it knows of Postfix.
pub(super) fn session_config(
    config: &Config,
    before: Option<(&Config, &SessionConfig)>,
    processes: Processes,
    clock: Clock,
) -> SessionConfig {
    let upstream = before.filter(|(old, _)| old.upstream == config.upstream);
    SessionConfig {
        dialogue: Arc::new(config.dialogue.clone()),
        timeouts: config.timeouts,
        grace: config.drain,
        filter: config.admission.filter,
        upstream: match upstream {
            Some((_, before)) => Arc::clone(&before.upstream),
            None => Arc::new(Upstream::new(
                config.upstream.clone(),
                Deadlines::default(),
                processes,
                clock,
            )),
        },
    }
}
