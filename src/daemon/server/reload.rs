//! reload - SIGHUP: the config read anew, taken whole or not at all
//!
//! Open sessions keep the rules that they began with. Keys that cannot change while we run are named.
//! Not here: which keys those are (`config`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::admission_settings;
use super::built::session_config;
use super::listeners::ListenerContext;
use super::places;
use crate::clock::Clock;
use crate::config::{Config, Finding};
use crate::net::listener;
use crate::net::tls::NextCertificates;
use crate::report::events;
use crate::report::setup::Log;

/// How long the files of a config may take.
const READING: Duration = Duration::from_secs(30);

/// How long a reload waits for a new Postfix.
const FIRST_PROBE: Duration = Duration::from_secs(2);

/// Reads the config anew.
#[derive(Debug)]
pub struct Reloader {
    pub(in crate::server) path: PathBuf,
    pub(in crate::server) log: Log,
    pub(in crate::server) context: ListenerContext,
    pub(in crate::server) config: Arc<ArcSwap<Config>>,
    pub(in crate::server) listeners: Vec<watch::Sender<listener::ListenerSettings>>,
}

impl Reloader {
    /// Reads the config and all that it names, where reading may take its time. A disk that does not answer keeps one thread,
    /// and no session.
    async fn read(&self) -> Result<(Config, Vec<Finding>, NextCertificates), String> {
        let (path, services) = (self.path.clone(), Arc::clone(&self.context.services));
        let reading = spawn_blocking(move || {
            let loaded = Config::load(&path, Clock::wall());
            let (config, warnings) = loaded.map_err(|faults| format!("\n{faults}"))?;
            let certificates = services.tls.read(&config.tls);
            let certificates = certificates.map_err(|fault| format!(" {fault}"))?;
            Ok((config, warnings, certificates))
        });
        match timeout(READING, reading).await {
            Ok(Ok(read)) => read,
            Ok(Err(panicked)) => Err(format!(" {panicked}")),
            Err(_) => Err(format!(
                " its files were not read within {} s",
                READING.as_secs()
            )),
        }
    }

    /// Reads the config and its certificates, and goes on with them; or says what is wrong with them and goes
    /// on as before.
    pub async fn reload(&self) {
        let services = &self.context.services;
        let now = services.judging.clock.now();
        let (config, warnings, certificates) = match self.read().await {
            Ok(read) => read,
            Err(fault) => return error!("not reloaded, the old config stays:{fault}"),
        };
        for warning in warnings.iter().filter(|warning| !warning.is_hint()) {
            events::config_warning(&warning.summary());
        }
        services.tls.take_over(certificates);
        let before = self.config.load_full();
        for key in before.fixed_changes(&config) {
            warn!(key, "this change takes a restart: the old value stays");
        }
        let config = config.with_fixed_of(&before);
        services.tls.cap_handshakes(config.admission.handshakes);
        let mut changes = Vec::new();
        services
            .judging
            .gate()
            .reconfigure(config.gate.clone(), now, &mut changes);
        services.judging.notices.pass(changes).await;
        // Those on the new deny list.
        let expelled = self.context.end_barred().await.sessions;
        let admission = admission_settings(&config);
        self.context.admission.reconfigure(&admission);
        services.registry.reconfigure(config.registry);
        self.log.change(&config.report);
        let passwords = config.known_passwords.clone();
        self.context.lists.passwords.send_replace(passwords);
        self.context.notices.store(Arc::new(config.notices.clone()));
        for (sender, settings) in self.listeners.iter().zip(&config.listeners) {
            sender.send_replace(settings.clone());
        }
        places::take_over(&services.judging, &config.places).await;
        services.judging.reconfigure(config.turns);
        let sessions = services.config.load_full();
        let processes = sessions.upstream.processes().clone();
        processes.reconfigure(config.processes);
        let before_it = Some((&*before, &*sessions));
        let session = session_config(&config, before_it, processes, services.judging.clock);
        if before.upstream != config.upstream {
            // A Postfix that is new to us is asked before the first client is sent to it. Should it take too
            // long, the probe's task goes on asking.
            let _ = timeout(FIRST_PROBE, session.upstream.probe()).await;
        }
        services.config.store(Arc::new(session));
        self.config.store(Arc::new(config));
        info!(expelled, "reloaded");
    }
}
