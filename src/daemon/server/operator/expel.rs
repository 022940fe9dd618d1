//! expel - what ends sessions and takes trust back: a ban by hand, `expel`, `forget`
//!
//! An answer says what was done: how many sessions were ended, and how many still wait for Postfix's answer to
//! a login that was under way.
//! Not here: which sessions those are (`session::registry`), what is still trusted (`gate`).

use std::time::Duration;

use tokio::time::sleep;

use super::own::OwnAddresses;
use super::{Operator, present, read_place, read_subject, values};
use crate::admin::message::{BATCH, Response};
use crate::report::record::Forgotten;
use crate::server::predecessors::{EndedSessions, SessionOrder};
use crate::session::registry::Whose;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::change::{Change, Expulsion, Fact};
use gatepost_core::gate::request::client::NetworkKey;
use gatepost_core::gate::request::verdict::Subject;
use gatepost_core::moment::Moment;

/// How long the answer waits for the sessions to end.
const ROUND: Duration = Duration::from_millis(10);
const ROUNDS: u32 = 100;

impl Operator {
    /// Bans by hand, and ends all sessions of the subject.
    pub(super) async fn ban(
        &self,
        subject: Subject,
        length: Duration,
        now: Moment,
    ) -> Result<Response, String> {
        let until = now + length;
        let mut changes = Vec::new();
        self.gate().ban(subject, until, now, &mut changes);
        let pending = self.context.admission.pending_of(subject);
        let logged_in = self.context.end_barred().await;
        let kept = self.disk_has(changes).await;
        let left = self.left_of(subject).await;
        let sessions = logged_in.sessions + pending.saturating_sub(left);
        let ended = Response::Ended {
            message: format!(
                "{subject} is banned until {}; {}{}",
                values::time(until, self.clock()),
                ended(sessions, left),
                logged_in.remark()
            ),
            sessions: sessions as u64,
            networks: 0,
        };
        Ok(present::kept(ended, kept))
    }

    /// Bans many, and ends their sessions; those that have logged in are counted.
    pub(super) async fn ban_all(
        &self,
        subjects: &[String],
        length: Duration,
        now: Moment,
    ) -> Result<Response, String> {
        if subjects.len() > BATCH {
            return Err(format!("more than {BATCH} addresses at once"));
        }
        let own = OwnAddresses::read();
        let (mut banned, mut refused, mut changes) = (0, Vec::new(), Vec::new());
        for (place, subject) in subjects.iter().enumerate() {
            match bannable(subject, &own) {
                Ok(subject) => {
                    self.gate().ban(subject, now + length, now, &mut changes);
                    banned += 1;
                }
                Err(why) => refused.push((place, why)),
            }
        }
        let logged_in = self.context.end_barred().await;
        let kept = self.disk_has(changes).await;
        let imported = Response::BansImported {
            banned,
            sessions: logged_in.sessions as u64,
            refused,
        };
        Ok(present::kept(imported, kept))
    }

    /// Ends the sessions of a user, and takes the user's trust back; or those of a client or a network.
    pub(super) async fn expel(
        &self,
        target: &str,
        network: Option<&str>,
        now: Moment,
    ) -> Result<Response, String> {
        if let Ok(subject) = read_subject(target) {
            return match network {
                None => Ok(self.expel_place(subject, now).await),
                Some(_) => Err(format!(
                    "{target} is an address or a network already: a network can be named behind a user only"
                )),
            };
        }
        let user = self.meant(target, now)?;
        let network = network.map(read_place).transpose()?;
        let is_known = self.is_known(&user, now);
        let mut changes = Vec::new();
        // Trust first: a login that is judged after this earns it anew, one of before finds the order.
        let networks = self.gate().revoke(&user, network, now, &mut changes);
        let whose = Expulsion::User(self.gate().user_id(&user), network);
        changes.push(Change::here(now, Fact::Expelled(whose)));
        let ended_now = self.end(whose.into()).await;
        let sessions = ended_now.sessions;
        let kept = self.disk_has(changes).await;
        if !is_known && ended_now == EndedSessions::default() {
            return Ok(present::kept(self.unknown(&user, ""), kept));
        }
        let ended = Response::Ended {
            message: format!(
                "{user}: {}; {}{}",
                ended(sessions, 0),
                forgotten(networks, network),
                ended_now.remark()
            ),
            sessions: sessions as u64,
            networks: networks as u64,
        };
        Ok(present::kept(ended, kept))
    }

    /// Makes a user unknown, or takes back that the user is familiar in a network; leaves the sessions alone, and forgets what
    /// the history has.
    pub(super) async fn forget(
        &self,
        user: &str,
        network: Option<&str>,
        now: Moment,
    ) -> Result<Response, String> {
        let user = self.meant(user, now)?;
        let network = network.map(read_place).transpose()?;
        let target = Forgotten {
            user: self.gate().user_id(&user),
            network,
        };
        let judging = &self.context.services.judging;
        if network.is_none() {
            judging.reporter.names.forget(target.user);
        }
        let history = self.forget_history(&user, target, now).await;
        let is_known = self.is_known(&user, now);
        // Another machine may know the user already: a login that it tells of later is one of before.
        if !is_known && !self.tells_others() {
            let kept = self.disk_has(Vec::new()).await;
            return Ok(present::kept(self.unknown(&user, &history), kept));
        }
        let mut changes = Vec::new();
        let networks = match network {
            Some(_) => self.gate().revoke(&user, network, now, &mut changes),
            None => self.gate().forget(&user, now, &mut changes),
        };
        let kept = self.disk_has(changes).await;
        if !is_known {
            return Ok(present::kept(self.unknown(&user, &history), kept));
        }
        let told = forgotten(networks, network);
        let told = match (network, self.is_known(&user, now)) {
            (Some(_), _) => told,
            (None, false) => format!("not known any more; {told}"),
            (None, true) => format!(
                "{told}; still known, for the `users` file has the name: remove it there, then `systemctl reload gatepost`"
            ),
        };
        let ended = Response::Ended {
            message: format!("{user}: {told}{history}"),
            sessions: 0,
            networks: networks as u64,
        };
        Ok(present::kept(ended, kept))
    }

    /// Has the history forget a user, under the hash of before too if names had another key; says what came of it.
    async fn forget_history(&self, user: &UserName, target: Forgotten, now: Moment) -> String {
        let recorder = &self.context.services.judging.recorder;
        let before = self.gate().user_id_before(user);
        let before = before.map(|user| Forgotten { user, ..target });
        let mut gone = 0;
        for target in before.into_iter().chain([target]) {
            match recorder.forget(now, target).await {
                Ok(rows) => gone += rows,
                Err(why) => return format!("; the history still has what it had: {why}"),
            }
        }
        match gone {
            0 => String::new(),
            rows => format!("; {rows} rows of the history are gone"),
        }
    }

    /// Ends logged-in sessions, in whichever process.
    pub(in crate::server) async fn end(&self, whose: Whose) -> EndedSessions {
        let own = self.context.services.registry.expel(whose);
        let order = SessionOrder::Whose(whose);
        self.context.predecessors.end(order).await.and(own)
    }

    async fn expel_place(&self, subject: Subject, now: Moment) -> Response {
        let pending = self.context.admission.pending_of(subject);
        let whose = Expulsion::Place(subject);
        let ended_now = self.end(whose.into()).await;
        let sessions = ended_now.sessions + pending;
        let expelled = Change::here(now, Fact::Expelled(whose));
        // For the other machines; nothing that a disk would have to keep.
        self.context
            .services
            .judging
            .notices
            .pass(vec![expelled])
            .await;
        Response::Ended {
            message: format!(
                "{subject}: {}; it may come back at once: `gatepost bans add {subject}` keeps it out{}",
                ended(sessions, 0),
                ended_now.remark()
            ),
            sessions: sessions as u64,
            networks: 0,
        }
    }

    /// Nobody knows a user; and what the history has let go.
    fn unknown(&self, user: &UserName, history: &str) -> Response {
        let message = format!("nobody knows a user {user}{}", self.here());
        match history.is_empty() {
            true => Response::NotFound {
                message: format!("{message}: is the name right?"),
            },
            false => Response::Done {
                message: format!("{message}{history}"),
            },
        }
    }

    /// How many sessions of a banned subject are still open when their time to end is over.
    async fn left_of(&self, subject: Subject) -> usize {
        for _ in 0..ROUNDS {
            if self.context.admission.pending_of(subject) == 0 {
                return 0;
            }
            sleep(ROUND).await;
        }
        self.context.admission.pending_of(subject)
    }
}

/// The subject of one ban, which may be this machine's own address if the operator says so.
pub(super) fn subject(text: &str, own: bool) -> Result<Subject, String> {
    match own {
        true => read_subject(text),
        false => bannable(text, &OwnAddresses::read()),
    }
}

/// What may be banned: nothing that this machine itself logs in from.
fn bannable(text: &str, own: &OwnAddresses) -> Result<Subject, String> {
    let subject = read_subject(text)?;
    match own.within(subject) {
        None => Ok(subject),
        Some(own) => Err(format!(
            "{subject} is or holds this machine's own address {own}: a ban would refuse webmail and whatever else \
             logs in from here (--own bans it all the same)"
        )),
    }
}

pub(super) fn ended(sessions: usize, left: usize) -> String {
    let ended = match sessions {
        1 => "1 session ended".to_owned(),
        sessions => format!("{sessions} sessions ended"),
    };
    match left {
        0 => ended,
        left => {
            format!("{ended}, {left} more wait for Postfix's answer to a login and end with it")
        }
    }
}

fn forgotten(networks: usize, network: Option<NetworkKey>) -> String {
    match (network, networks) {
        (Some(network), 0) => {
            format!("was not familiar in {network}, and older logins do not count")
        }
        (Some(network), _) => format!("no longer familiar in {network}"),
        (None, 0) => "was familiar nowhere, and older logins do not count".to_owned(),
        (None, 1) => "no longer familiar in 1 network: nowhere".to_owned(),
        (None, networks) => format!("no longer familiar in {networks} networks: nowhere"),
    }
}
