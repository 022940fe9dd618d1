//! predecessors - processes that were stopped and still have sessions that had logged in: counted, and ended on order
//!
//! Each has a socket of its own in the state directory, with its process id in the name, and answers there which sessions it has.
//! Which of them are meant is decided here, by the rules of the process that serves: a ban, a deny list or an order of the operator
//! reaches everybody, whichever process has the session, and however that one folded and hashed names. One that does not answer, or
//! gives another answer than it was asked for, is asked again until it does.
//! Not here: their end of it (`leaving`), the question itself (`ask`), orders that wait (`pending`), what they have in the bounds of
//! users and Postfix's processes (`counted`).

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::admin::AdminSettings;
use crate::admin::message::{HeldMessage, WhyEnded};
use crate::session::Services;
use crate::session::registry::Whose;
use crate::store::{LEAVING, StoreSettings};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::keys::UserId;
use gatepost_core::moment::Moment;

mod ask;
mod counted;
mod pending;

use ask::has_gone;
use pending::{OrdersLeft, PendingOrders};

/// One that has not answered is asked again after so long.
const AGAIN: Duration = Duration::from_secs(1);

/// The socket of a process that leaves.
pub(super) fn socket_of(state: &StoreSettings, process: u32) -> AdminSettings {
    AdminSettings {
        socket: state.directory.join(format!("{LEAVING}{process}")),
        group: None,
    }
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct LeavingProcess {
    id: u32,
    socket: PathBuf,
}

/// Those that had one state directory.
#[derive(Clone, Debug)]
pub(in crate::server) struct Predecessors {
    directory: Arc<Path>,
    services: Arc<Services>,
    /// Their sessions began before.
    began: Moment,
    pending: Arc<PendingOrders>,
}

/// Which of their sessions are to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum SessionOrder {
    /// These.
    Whose(Whose),
    /// All of clients that are banned by hand or denied when the order is carried out.
    Barred,
    /// All.
    All,
}

/// What an order to end sessions has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::server) struct EndedSessions {
    pub(in crate::server) sessions: usize,
    /// Processes that have not answered. The order is repeated until they do.
    pub(in crate::server) silent: usize,
    /// Sessions that go on, of which nobody tells whether they are the user's.
    pub(in crate::server) nameless: usize,
}

impl EndedSessions {
    /// With so many of our own.
    pub(in crate::server) fn and(self, own: usize) -> Self {
        Self {
            sessions: self.sessions + own,
            ..self
        }
    }

    /// What is left to say of those that have not answered, or have not told all.
    pub(in crate::server) fn remark(self) -> String {
        let mut remark = String::new();
        if self.silent > 0 {
            remark += "; a process that was stopped has sessions and does not answer: what is to be ended there ends when it does";
        }
        if self.nameless > 0 {
            remark += &format!(
                "; a process of an older version still has sessions ({}) and does not tell of which users: `gatepost expel ADDRESS` \
                 ends them by their addresses",
                self.nameless
            );
        }
        remark
    }
}

impl Predecessors {
    pub(in crate::server) fn of(state: &StoreSettings, services: &Arc<Services>) -> Self {
        Self {
            directory: Arc::from(state.directory.as_path()),
            services: Arc::clone(services),
            began: services.judging.clock.now(),
            pending: Arc::default(),
        }
    }

    /// How many sessions they have.
    pub(in crate::server) async fn sessions(&self) -> usize {
        let answers = self.ask_all(|_, process| async move { ask::held(&process.socket).await });
        let answers = answers.await.into_iter();
        answers.filter_map(|(_, held)| Some(held.ok()?.len())).sum()
    }

    /// Ends those that are meant.
    pub(in crate::server) async fn end(&self, order: SessionOrder) -> EndedSessions {
        let mut ended = EndedSessions::default();
        let end_at = |this: Self, process: LeavingProcess| async move {
            this.end_at(&process, &[order]).await
        };
        for (process, answer) in self.ask_all(end_at).await {
            match answer {
                Ok(there) => {
                    ended.sessions += there.sessions;
                    ended.nameless += there.nameless;
                }
                Err(fault) if has_gone(&fault) => {}
                Err(fault) => {
                    warn!(
                        socket = %process.socket.display(),
                        "a process that was stopped and has sessions does not answer ({fault}): what is to be ended there ends when it does"
                    );
                    ended.silent += 1;
                    // One task for each process, however many orders wait for it.
                    if self.pending.add(process.id, order) == OrdersLeft::New {
                        tokio::spawn(self.clone().end_later(process));
                    }
                }
            }
        }
        ended
    }

    /// Asks one that has not answered until it does, or has gone.
    async fn end_later(self, process: LeavingProcess) {
        loop {
            sleep(AGAIN).await;
            let Some(orders) = self.pending.due(process.id) else {
                return;
            };
            let all: Vec<_> = orders.iter().map(|(order, _)| *order).collect();
            match self.end_at(&process, &all).await {
                Ok(EndedSessions { sessions, .. }) => {
                    info!(sessions, "sessions of a stopped process were ended late");
                    if self.pending.done(process.id, &orders) == OrdersLeft::None {
                        return;
                    }
                }
                Err(fault) if has_gone(&fault) => return self.pending.forget(process.id),
                Err(_) => {}
            }
        }
    }

    /// Ends those that are meant by any of these orders at one process.
    async fn end_at(
        &self,
        process: &LeavingProcess,
        orders: &[SessionOrder],
    ) -> io::Result<EndedSessions> {
        let held = ask::held(&process.socket).await?;
        let (mut ended, mut numbers) = (EndedSessions::default(), Vec::new());
        for one in &held {
            match self.is_meant(one, orders) {
                Some(true) => numbers.push(one.number),
                Some(false) => {}
                None => ended.nameless += 1,
            }
        }
        if !numbers.is_empty() {
            ended.sessions = ask::end(&process.socket, numbers, WhyEnded::ByOrder).await?;
        }
        Ok(ended)
    }

    /// Whether a session is meant by any of these; none: it may be, and nobody tells.
    fn is_meant(&self, one: &HeldMessage, orders: &[SessionOrder]) -> Option<bool> {
        let Ok(client) = one.client.parse() else {
            return Some(false);
        };
        let user = self.user_of(one);
        let is_meant = |order: &SessionOrder| match *order {
            SessionOrder::Whose(whose) => whose.is(user, client),
            SessionOrder::Barred => self.services.judging.bars(client),
            SessionOrder::All => true,
        };
        let by_name = |order: &SessionOrder| match *order {
            SessionOrder::Whose(Whose::User(_, network)) => {
                network.is_none_or(|network| network == client.network())
            }
            _ => false,
        };
        match orders.iter().any(is_meant) {
            false if user.is_none() && orders.iter().any(by_name) => None,
            is_meant => Some(is_meant),
        }
    }

    /// Whose session it is, by the rules of this process.
    fn user_of(&self, one: &HeldMessage) -> Option<UserId> {
        let name = UserName::new(one.name.as_slice());
        (!one.name.is_empty()).then(|| self.services.judging.gate().user_id(&name))
    }

    /// Does this with each of them, at the same time: one that hangs holds up no other.
    async fn ask_all<T, F>(
        &self,
        ask: impl Fn(Self, LeavingProcess) -> F,
    ) -> Vec<(LeavingProcess, T)>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let mut asked = JoinSet::new();
        for process in self.processes().await {
            let answer = ask(self.clone(), process.clone());
            asked.spawn(async move { (process, answer.await) });
        }
        asked.join_all().await
    }

    async fn processes(&self) -> Vec<LeavingProcess> {
        let directory = Arc::clone(&self.directory);
        let listed = spawn_blocking(move || processes_in(&directory)).await;
        listed.unwrap_or_default()
    }
}

fn processes_in(directory: &Path) -> Vec<LeavingProcess> {
    let entries = std::fs::read_dir(directory);
    let entries = entries.into_iter().flatten().flatten();
    let process = |socket: PathBuf| {
        let name = socket.file_name()?.to_str()?.strip_prefix(LEAVING)?;
        let id = name.parse().ok()?;
        Some(LeavingProcess { id, socket })
    };
    entries.filter_map(|entry| process(entry.path())).collect()
}
