//! ask - what an operator asks about a client, a session, a user or all of them
//!
//! Not here: how the answers are put together (`explained`).

use std::collections::HashMap;

use super::{Operator, decided, explained, looks_like_address, read_client, user_name};
use crate::admin::message::{KnownUserMessage, KnownUsersMessage, Response};
use crate::history::DecisionsOf;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::gate::request::keys::UserId;
use gatepost_core::moment::Moment;

/// Names that the history is asked for.
const NAMES: usize = 20_000;

impl Operator {
    /// The user that an operator means: by the name itself, or, where nobody is known by that, by the name as the log and the
    /// page show it.
    pub(super) fn meant(&self, text: &str, now: Moment) -> Result<UserName, String> {
        let name = user_name(text)?;
        let shown = UserName::of_shown(text).filter(|_| !self.is_known(&name, now));
        Ok(shown.unwrap_or(name))
    }

    /// Explains an address, a session or a user; an address and a user in either order.
    pub(super) async fn explain(
        &self,
        target: &str,
        user: Option<String>,
        now: Moment,
    ) -> Result<Response, String> {
        let user = user.as_deref();
        let fault = match (read_client(target), user) {
            (Ok(client), _) => {
                let whole = whole_network(target);
                return self.explain_client(client, user, whole, now).await;
            }
            (Err(fault), _) => fault,
        };
        let session = match explained::client_of_session(self.gate(), target) {
            None => self.client_of_past_session(target).await,
            found => found,
        };
        if let Some(client) = session {
            return self.explain_client(client, user, None, now).await;
        }
        match user.map(read_client) {
            Some(Ok(client)) => self.explain_client(client, Some(target), None, now).await,
            Some(Err(_)) => Err(format!(
                "{fault}; nor is it the id of a session remembered here"
            )),
            None => self.explain_user(target, fault, now).await,
        }
    }

    /// All known users, with the names that the operator gives, those of who logged in since the start, and those that
    /// the history has: the gate keeps none.
    pub(super) async fn users(&self, names: Vec<String>) -> Response {
        let mut seen = self.names().await;
        let mut listed = self.listed(NAMES).await;
        let gate = self.gate();
        let mut given: HashMap<UserId, String> = names
            .into_iter()
            .filter(|name| !name.is_empty())
            .map(|name| (gate.user_id(&UserName::new(name.as_bytes())), name))
            .collect();
        let users = gate.users().into_iter().map(|one| {
            let name = given.remove(&one.id);
            let name = name.or_else(|| seen.remove(&one.id.code()));
            let password_listed = listed.remove(&one.id.code());
            KnownUserMessage {
                password_listed,
                ..explained::known_user(one, name, self.clock())
            }
        });
        let users = users.collect();
        let mut unknown: Vec<String> = given.into_values().collect();
        unknown.sort();
        Response::Users(KnownUsersMessage { users, unknown })
    }

    /// The names of who logged in since the start, and those that the history has, by the users' ids.
    pub(super) async fn names(&self) -> HashMap<u64, String> {
        let mut names = self.past_names(NAMES).await;
        let logged_in = self.context.services.judging.reporter.names.all();
        names.extend(logged_in.into_iter().map(|(id, name)| (id, name.into())));
        names
    }

    async fn explain_client(
        &self,
        client: ClientKey,
        user: Option<&str>,
        network: Option<NetworkKey>,
        now: Moment,
    ) -> Result<Response, String> {
        let user = user.map(|user| self.meant(user, now)).transpose()?;
        let place = self.context.services.judging.places.find(client);
        let at = (client, place.country);
        let explanation = self.gate().explain_at(at, user.as_ref(), now);
        let id = user.as_ref().map(|user| self.gate().user_id(user));
        let decided = decided::about_client(&self.context, client, &explanation, id);
        let mut explanation = explained::explanation(explanation, user.as_ref(), self.clock());
        explanation.place = place.shown();
        explanation.decided = decided;
        let last_faults = &self.context.services.judging.reporter.last_faults;
        explanation.last_fault = last_faults
            .of(client)
            .map(|fault| explained::fault(fault, self.clock()));
        let of = match (&user, network) {
            (Some(user), _) => DecisionsOf::UserAt(self.gate().user_id(user), client),
            (None, Some(network)) => DecisionsOf::Network(network),
            (None, None) => DecisionsOf::Client(client),
        };
        explanation.past = self.past(of, &explanation.decisions).await;
        explanation.programs = self.programs(of).await;
        Ok(Response::Explanation(Box::new(explanation)))
    }

    async fn explain_user(
        &self,
        text: &str,
        fault: String,
        now: Moment,
    ) -> Result<Response, String> {
        let user = self.meant(text, now)?;
        let places = &self.context.services.judging.places;
        let country_of = |client| places.country(client);
        let told = self.gate().explain_user(&user, country_of, now);
        let id = self.gate().user_id(&user);
        let is_known = told.known;
        let decided = decided::about_user(&self.context, id, &told);
        let mut told = explained::user(&user, id, &told, places, self.clock());
        told.decided = decided;
        told.past = self.past(DecisionsOf::User(id), &told.decisions).await;
        told.programs = self.programs(DecisionsOf::User(id)).await;
        let is_seen =
            !(told.decisions.is_empty() && told.past.is_empty() && told.decided.is_empty());
        if is_known || told.rule.is_some() || is_seen {
            return Ok(Response::User(Box::new(told)));
        }
        if looks_like_address(text) {
            return Err(fault);
        }
        Ok(Response::NotFound {
            message: format!(
                "nobody knows a user {user}, and no attempt as that user is remembered: is the name right? \
                 {fault}; nor is it the id of a session remembered here"
            ),
        })
    }
}

/// The network, where one was written and no client.
fn whole_network(text: &str) -> Option<NetworkKey> {
    match text.parse::<ClientKey>() {
        Ok(_) => None,
        Err(_) => text.parse().ok(),
    }
}
