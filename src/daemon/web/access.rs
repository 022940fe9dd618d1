//! access - who may see the page: one-time links, and the browsers that came by one
//!
//! `gatepost dashboard` makes a link over the operator's socket. Opened, it is exchanged for two secrets: a cookie that
//! no script can read, and a token that the page keeps for its own origin and sends with every request. A cookie goes
//! to every server on the same host name, whatever its port, so it alone opens nothing; nor does a form of another
//! page, which has no token. There is no password, so there is none to guess. Nothing is kept on the disk.
//! Not here: which requests need what (`web`).

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use subtle::ConstantTimeEq;

use crate::store::key::random;
use gatepost_core::moment::Moment;

/// How long a link can be opened.
const LINK_LASTS: Duration = Duration::from_secs(600);

/// How long a browser that came by a link may stay.
const VISIT_LASTS: Duration = Duration::from_secs(12 * 3600);

/// Links, and browsers, at once; the oldest gives way.
const MOST: usize = 16;

const OCTETS: usize = 16;

type AccessSecret = [u8; OCTETS];

/// Links and visits.
pub struct PageAccess {
    /// The name of the cookie: one of each process, for cookies of one host name are shared by its ports.
    cookie: String,
    state: Mutex<AccessState>,
}

#[derive(Default)]
struct AccessState {
    links: VecDeque<PageLink>,
    visits: VecDeque<PageVisit>,
}

struct PageLink {
    secret: AccessSecret,
    until: Moment,
    visitor: Visitor,
}

struct PageVisit {
    cookie: AccessSecret,
    token: AccessSecret,
    until: Moment,
    visitor: Visitor,
}

/// What a browser gets for a link.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AccessGranted {
    /// `Set-Cookie`.
    pub(super) cookie: String,
    /// For the page alone.
    pub(super) token: String,
}

/// Who came by a link, as far as the command that made it could tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visitor {
    /// The login name.
    pub(super) who: Option<String>,
    /// The address from which the link was asked for, if that was by SSH.
    pub(super) from: Option<String>,
}

/// Characters of a name that is told to the log.
const NAME: usize = 64;

impl Visitor {
    /// Both go into the log: a name is as long as names are, and an address is one.
    pub fn new(who: Option<String>, from: Option<String>) -> Self {
        let plain = |name: &String| {
            name.len() <= NAME && name.bytes().all(|octet| octet.is_ascii_graphic())
        };
        Self {
            who: who.filter(plain),
            from: from.filter(|from| from.parse::<IpAddr>().is_ok()),
        }
    }
}

/// Tells no secret.
impl std::fmt::Debug for PageAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PageAccess(..)")
    }
}

impl Default for PageAccess {
    fn default() -> Self {
        Self {
            cookie: format!(
                "gatepost-{}",
                HEXLOWER.encode(&random()).get(..8).unwrap_or_default()
            ),
            state: Mutex::default(),
        }
    }
}

impl PageAccess {
    /// A new link's secret, for this operator.
    pub fn link(&self, visitor: Visitor, now: Moment) -> String {
        let secret = random();
        let mut state = self.lock();
        let links = &mut state.links;
        links.push_back(PageLink {
            secret,
            until: now + LINK_LASTS,
            visitor,
        });
        while links.len() > MOST {
            links.pop_front();
        }
        HEXLOWER.encode(&secret)
    }

    /// Exchanges the secret of a link, which is used up by that. The visit of a browser that shows a cookie already ends: the
    /// new cookie takes the place of the old one, so that nobody could leave it any more.
    pub(super) fn enter(&self, link: &str, cookies: &str, now: Moment) -> Option<AccessGranted> {
        let secret = unhex(link)?;
        let before = self.cookie_in(cookies);
        let mut state = self.lock();
        state.links.retain(|link| link.until > now);
        let place = state
            .links
            .iter()
            .position(|link| same(&link.secret, &secret))?;
        let visitor = state.links.remove(place)?.visitor;
        let (cookie, token): (AccessSecret, AccessSecret) = (random(), random());
        state
            .visits
            .retain(|visit| !before.is_some_and(|before| same(&visit.cookie, &before)));
        state.visits.push_back(PageVisit {
            cookie,
            token,
            until: now + VISIT_LASTS,
            visitor,
        });
        while state.visits.len() > MOST {
            state.visits.pop_front();
        }
        let (name, seconds) = (&self.cookie, VISIT_LASTS.as_secs());
        Some(AccessGranted {
            cookie: format!(
                "{name}={}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}",
                HEXLOWER.encode(&cookie)
            ),
            token: HEXLOWER.encode(&token),
        })
    }

    /// Who shows both secrets of one visit.
    pub(super) fn visitor(&self, cookies: &str, token: &str, now: Moment) -> Option<Visitor> {
        let (cookie, token) = (self.cookie_in(cookies)?, unhex(token)?);
        let mut state = self.lock();
        state.visits.retain(|visit| visit.until > now);
        let shown = |visit: &&PageVisit| same(&visit.cookie, &cookie) & same(&visit.token, &token);
        let visit = state.visits.iter().find(shown)?;
        Some(visit.visitor.clone())
    }

    /// Ends the visit.
    pub(super) fn leave(&self, token: &str) {
        if let Some(token) = unhex(token) {
            self.lock()
                .visits
                .retain(|visit| !same(&visit.token, &token));
        }
    }

    fn cookie_in(&self, cookies: &str) -> Option<AccessSecret> {
        let pairs = cookies
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='));
        let mut ours = pairs.filter(|(name, _)| *name == self.cookie);
        unhex(ours.next()?.1)
    }

    fn lock(&self) -> MutexGuard<'_, AccessState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compares in a time that tells nothing.
fn same(one: &AccessSecret, other: &AccessSecret) -> bool {
    one.ct_eq(other).into()
}

fn unhex(text: &str) -> Option<AccessSecret> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_seconds(1_000_000 + seconds)
    }

    /// The cookie as a browser sends it, and the token.
    fn entered(access: &PageAccess, now: Moment) -> (String, String) {
        let link = access.link(Visitor::default(), now);
        let granted = access.enter(&link, "", now).unwrap();
        let cookie = granted.cookie.split(';').next().unwrap().to_owned();
        (cookie, granted.token)
    }

    #[test]
    fn a_link_opens_once_and_for_ten_minutes() {
        let access = PageAccess::default();
        let link = access.link(Visitor::default(), at(0));
        let granted = access.enter(&link, "", at(599)).unwrap();
        for part in [
            "; HttpOnly",
            "; SameSite=Strict",
            "; Path=/",
            "; Max-Age=43200",
        ] {
            assert!(granted.cookie.contains(part), "{}", granted.cookie);
        }
        assert_eq!(access.enter(&link, "", at(599)), None);
        let link = access.link(Visitor::default(), at(0));
        assert_eq!(access.enter(&link, "", at(600)), None);
        for wrong in ["", "00", &"0".repeat(32), &"g".repeat(32), &"é".repeat(16)] {
            assert_eq!(access.enter(wrong, "", at(0)), None, "{wrong}");
        }
    }

    #[test]
    fn cookie_and_token_are_needed_both_and_of_one_visit() {
        let access = PageAccess::default();
        let (cookie, token) = entered(&access, at(0));
        let (other_cookie, other_token) = entered(&access, at(0));
        let visitor = |cookie: &str, token: &str| access.visitor(cookie, token, at(1)).is_some();
        assert!(visitor(&cookie, &token));
        assert!(visitor(&format!("a=b; {cookie}; c=d"), &token));
        assert!(visitor(&other_cookie, &other_token));
        assert!(!visitor(&cookie, &other_token) && !visitor(&other_cookie, &token));
        assert!(!visitor(&cookie, "") && !visitor("", &token));
        assert!(!visitor(&format!("x{cookie}"), &token));
        let (_, secret) = cookie.split_once('=').unwrap();
        assert!(!visitor(&cookie, secret), "the cookie is not the token");
    }

    #[test]
    fn a_visit_ends_after_twelve_hours_or_when_it_is_left() {
        let access = PageAccess::default();
        let (cookie, token) = entered(&access, at(0));
        let hours = 12 * 3600;
        assert!(access.visitor(&cookie, &token, at(hours - 1)).is_some());
        assert!(access.visitor(&cookie, &token, at(hours)).is_none());
        let (cookie, token) = entered(&access, at(0));
        access.leave(&token);
        assert!(access.visitor(&cookie, &token, at(0)).is_none());
    }

    #[test]
    fn a_browser_that_comes_again_has_one_visit_and_another_browser_its_own() {
        let access = PageAccess::default();
        let (cookie, token) = entered(&access, at(0));
        let (other_cookie, other_token) = entered(&access, at(0));
        assert_eq!(access.enter(&"0".repeat(32), &cookie, at(0)), None);
        assert!(access.visitor(&cookie, &token, at(0)).is_some());
        let link = access.link(Visitor::default(), at(0));
        access
            .enter(&link, &format!("a=b; {cookie}"), at(0))
            .unwrap();
        assert!(access.visitor(&cookie, &token, at(0)).is_none());
        assert!(access.visitor(&other_cookie, &other_token, at(0)).is_some());
    }

    #[test]
    fn of_more_than_sixteen_links_or_visits_the_oldest_ends() {
        let access = PageAccess::default();
        let first = access.link(Visitor::default(), at(0));
        let visits: Vec<_> = (0..=MOST).map(|_| entered(&access, at(0))).collect();
        let is_there =
            |(cookie, token): &(String, String)| access.visitor(cookie, token, at(0)).is_some();
        assert!(!is_there(&visits[0]) && is_there(&visits[1]) && is_there(&visits[MOST]));
        for _ in 0..MOST {
            access.link(Visitor::default(), at(0));
        }
        assert_eq!(access.enter(&first, "", at(0)), None);
    }
}
