//! operator - the operator's requests, answered from the gate and the listeners' context
//!
//! Not here: the socket (`socket`), the messages (`admin::message`), how they are shown (`cli`).

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::listeners::ListenerContext;
use super::notify;
use super::restore;
use crate::admin::message::{self, Request, Response};
use crate::clock::Clock;
use crate::net::upstream::Usability;
use crate::report::durations::Durations;
use crate::report::limits::LimitCounters;
use gatepost_core::gate::request::attempt::{Trust, UserName};
use gatepost_core::gate::request::client::{ClientKey, KeyFault, NetworkKey};
use gatepost_core::gate::request::verdict::Subject;
use gatepost_core::gate::{Changes, Gate};
use gatepost_core::moment::Moment;

mod acts;
mod ask;
mod cluster;
mod crowdsec;
mod dashboard;
mod decided;
mod expel;
mod explained;
mod left_over;
mod lists;
mod own;
mod past;
mod present;
mod process;
mod values;
mod watch;

pub use dashboard::PagePlace;

use acts::Caller;
use left_over::Duty;

/// How long `status` waits for Postfix's first answer, so that the first look after a start says how it is.
const FIRST_ROUND: Duration = Duration::from_millis(50);
const FIRST_ROUNDS: u32 = 20;

/// Answers an operator's questions.
#[derive(Clone, Debug)]
pub struct Operator {
    context: ListenerContext,
    began: Moment,
    page: Option<PagePlace>,
    duty: Duty,
    caller: Caller,
}

impl Operator {
    pub(in crate::server) fn new(
        context: &ListenerContext,
        began: Moment,
        page: Option<PagePlace>,
    ) -> Self {
        Self {
            context: context.clone(),
            began,
            page,
            duty: Duty::Serves,
            caller: Caller::Page,
        }
    }

    /// Answers one question.
    pub async fn answer(&self, request: Request) -> Response {
        self.answer_by(request, None).await
    }

    pub(in crate::server) fn limits(&self) -> &LimitCounters {
        &self.context.services.judging.counters.limits
    }

    pub(in crate::server) fn now(&self) -> Moment {
        self.clock().now()
    }

    /// How long handshakes, logins and checks took.
    pub(in crate::server) fn durations(&self) -> &Durations {
        &self.context.services.judging.counters.durations
    }

    /// How things stand.
    pub fn status(&self) -> message::StatusMessage {
        present::status(&self.context, self.began)
    }

    /// What ends sessions passes its changes on by itself, before it looks what is left.
    async fn decide(
        &self,
        request: Request,
        now: Moment,
        changes: &mut Changes,
    ) -> Result<Response, String> {
        let gate = self.gate();
        match request {
            Request::Watch { after } => Ok(Response::Watch(Box::new(self.watch(after, now)))),
            Request::Dashboard { who, from } => self.page_link(who, from, now),
            Request::Held => Ok(self.held()),
            Request::EndHeld { numbers, why } => Ok(self.end_held(numbers, why)),
            Request::Status => Ok(self.whole_status().await),
            Request::BansList => Ok(self.bans(now)),
            Request::BansAdd {
                subject,
                seconds,
                own,
            } => {
                let subject = expel::subject(&subject, own)?;
                self.ban(subject, Duration::from_secs(seconds), now).await
            }
            Request::BansImport { subjects, seconds } => {
                self.ban_all(&subjects, Duration::from_secs(seconds), now)
                    .await
            }
            Request::Lists { what } => self.lists(what, now).await,
            Request::Expel { target, network } => {
                self.expel(&target, network.as_deref(), now).await
            }
            Request::Forget { user, network } => self.forget(&user, network.as_deref(), now).await,
            Request::BansRemove { subject } => self.unban(&subject, now, changes),
            Request::Forgive { target } => self.forgive(&target, now, changes),
            Request::Introduce {
                user,
                network,
                trap,
            } => {
                let name = self.no_trap(&user, trap, now)?;
                self.introduce(&name, network, now, changes)
            }
            Request::Users { names } => Ok(self.users(names).await),
            Request::Explain { address, user } => self.explain(&address, user, now).await,
            Request::Report { span_s } => self.report(span_s).await,
            Request::NoticesTest => notify::test(&self.context).await.and_then(done),
            Request::Learn { logins, settling } => {
                let stats = restore::learn(gate, &logins, settling, self.clock(), changes);
                Ok(Response::Learnt(stats))
            }
        }
    }

    fn bans(&self, now: Moment) -> Response {
        let ban = |entry| values::ban(entry, self.clock());
        let bans = self.gate().bans(now).into_iter().map(ban).collect();
        Response::Bans { bans }
    }

    fn unban(&self, subject: &str, now: Moment, changes: &mut Changes) -> Result<Response, String> {
        let subject = read_subject(subject)?;
        match (
            self.gate().unban(subject, now, changes),
            self.ban_around(subject, now),
        ) {
            (true, None) => done(format!("{subject} is no longer banned")),
            (true, Some(network)) => done(format!(
                "{subject} is no longer banned itself, but its network {network} is"
            )),
            (false, None) => not_found(format!(
                "{subject} is not banned{}; `gatepost bans` lists all bans",
                self.here()
            )),
            (false, Some(network)) => not_found(format!(
                "{subject} is not banned itself, but its network is: `gatepost bans remove {network}`"
            )),
        }
    }

    fn forgive(
        &self,
        target: &str,
        now: Moment,
        changes: &mut Changes,
    ) -> Result<Response, String> {
        match read_subject(target) {
            Ok(Subject::Client(client)) => {
                self.gate().forgive_client(client, now, changes);
                done(match self.ban_around(Subject::Client(client), now) {
                    None => format!("cleared bans, strikes and buckets of {client}"),
                    Some(network) => format!(
                        "cleared ban, strikes and buckets of {client}; its network {network} stays banned by \
                         hand: `gatepost bans remove {network}`"
                    ),
                })
            }
            Ok(subject @ Subject::Network(_)) => {
                self.gate().unban(subject, now, changes);
                done(format!(
                    "{subject} is no longer banned; the buckets of its clients are unchanged"
                ))
            }
            Err(fault) => {
                let user = self.meant(target, now)?;
                let is_known = self.is_known(&user, now);
                if !is_known && looks_like_address(target) {
                    return Err(fault);
                }
                self.gate().forgive_user(&user, now, changes);
                match is_known {
                    true => done(format!("cleared the buckets of the user {user}")),
                    false => not_found(format!(
                        "nobody knows a user {user}: is the name right? What was held against that name is cleared"
                    )),
                }
            }
        }
    }

    fn introduce(
        &self,
        name: &UserName,
        network: Option<String>,
        now: Moment,
        changes: &mut Changes,
    ) -> Result<Response, String> {
        let network = network.as_deref().map(read_place).transpose()?;
        let remark = match self.is_known(name, now) {
            true => String::new(),
            false => "; the name was not known before".to_owned(),
        };
        self.gate().introduce(name, network, now, changes);
        let Some(network) = network else {
            return done(format!(
                "{name} added as a known user{remark}. To trust a network for this user: gatepost introduce \
                 {name} NETWORK"
            ));
        };
        if !self.is_familiar(name, network, now) {
            return Err(format!(
                "{name} is not familiar in {network}: too many names with the same part before the @ are \
                 known. A name in the `users` file always has room"
            ));
        }
        done(format!(
            "{name} is familiar in {network} for 90 days{remark}"
        ))
    }

    /// A name that guessers use: known, it would be no trap any more.
    fn no_trap(&self, name: &str, is_meant: bool, now: Moment) -> Result<UserName, String> {
        let name = user_name(name)?;
        match !is_meant && self.gate().is_trap(&name) && !self.is_known(&name, now) {
            false => Ok(name),
            true => Err(format!(
                "{name} is a trap ([traps] users): who tries it is banned. If it is really a mailbox: gatepost \
                 introduce --trap {name}; it is no trap then, until `gatepost forget {name}`"
            )),
        }
    }

    /// Until a backend was asked for the first time, as far as that happens at once.
    async fn until_asked(&self) {
        for _ in 0..FIRST_ROUNDS {
            let upstream = Arc::clone(&self.context.services.config.load().upstream);
            let mut backends = upstream.usability();
            if !backends.any(|(_, usability)| usability == Usability::Unknown) {
                return;
            }
            drop(backends);
            sleep(FIRST_ROUND).await;
        }
    }

    fn is_familiar(&self, user: &UserName, network: NetworkKey, now: Moment) -> bool {
        let client = ClientKey::new(network.address());
        let told = self.gate().explain(client, Some(user), now);
        told.user.is_some_and(|told| told.trust == Trust::Familiar)
    }

    fn is_known(&self, user: &UserName, now: Moment) -> bool {
        // Whether a user is known does not depend on the client.
        let client = ClientKey::new(Ipv4Addr::UNSPECIFIED.into());
        let told = self.gate().explain(client, Some(user), now);
        told.user.is_some_and(|told| told.known)
    }

    /// The banned network around a client.
    fn ban_around(&self, subject: Subject, now: Moment) -> Option<Subject> {
        let Subject::Client(client) = subject else {
            return None;
        };
        let network = Subject::Network(client.network());
        self.gate().is_banned(network, now).then_some(network)
    }

    fn clock(&self) -> Clock {
        self.context.services.judging.clock
    }

    fn gate(&self) -> &Gate {
        self.context.services.judging.gate()
    }
}

fn done(message: String) -> Result<Response, String> {
    Ok(Response::Done { message })
}

/// Nothing was there to do it to.
fn not_found(message: String) -> Result<Response, String> {
    Ok(Response::NotFound { message })
}

/// A client, as it stands in a log: an address with its port or in brackets; or a network, for its first address.
fn read_client(text: &str) -> Result<ClientKey, String> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let bare = bare.unwrap_or(text);
    if let Ok(client) = bare.parse::<ClientKey>() {
        return Ok(client);
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Ok(ClientKey::new(socket.ip()));
    }
    match bare.parse::<NetworkKey>() {
        Ok(network) => Ok(ClientKey::new(network.address())),
        Err(_) => bare.parse().map_err(|fault: KeyFault| fault.to_string()),
    }
}

/// Whether somebody meant an address or a network by it, and no user's name.
fn looks_like_address(text: &str) -> bool {
    let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
    let digits = |text: &str, more: &[char]| {
        let fits = |letter: char| letter.is_ascii_hexdigit() || more.contains(&letter);
        text.chars().all(fits)
    };
    let is_v4 = address.contains('.')
        && address
            .chars()
            .all(|one| one.is_ascii_digit() || one == '.');
    let is_v6 = address.contains(':') && digits(address, &[':', '.', '[', ']']);
    (is_v4 || is_v6) && digits(prefix, &[])
}

/// An address, or a network with its prefix.
fn read_subject(text: &str) -> Result<Subject, String> {
    let client = text.parse().map(Subject::Client);
    client.or_else(|_| read_network(text).map(Subject::Network))
}

fn read_network(text: &str) -> Result<NetworkKey, String> {
    text.parse().map_err(|_| {
        format!(
            "{text:?} is neither an address (203.0.113.7, 2001:db8::1) nor a /24 or /48 \
             (203.0.113.0/24, 2001:db8:1::/48). Other networks: [networks] allow and deny"
        )
    })
}

/// A network, or an address in it.
fn read_place(text: &str) -> Result<NetworkKey, String> {
    match read_subject(text) {
        Ok(Subject::Client(client)) => Ok(client.network()),
        _ => read_network(text),
    }
}

fn user_name(text: &str) -> Result<UserName, String> {
    match text {
        "" => Err("a user's name is missing".to_owned()),
        _ => Ok(UserName::new(text.as_bytes())),
    }
}

/// Counts by name.
type Counts = BTreeMap<String, u64>;
