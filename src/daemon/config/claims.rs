//! claims - the places that the sections ask for: addresses, sockets, the state directory
//!
//! Each section enters its own. Two that cannot be had together are refused before anything is bound, and so is an upstream that is
//! one of our own listeners: what `check` accepts, `run` can bind.
//! Not here: binding and connecting (`net`), whether another program holds a place (`doctor`).

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use super::finding::{Findings, Remark};
use crate::{history, store};

/// What a section asks for.
#[derive(Clone, Debug)]
pub(super) enum ClaimedPlace {
    /// An address that we listen at.
    Listen(SocketAddr),
    /// An address of Postfix's.
    Connect(SocketAddr),
    /// A socket that we make.
    Socket(PathBuf),
    /// A socket of another program's.
    Dial(PathBuf),
    /// The state directory.
    State(PathBuf),
}

/// A place, and the key that asks for it. Without a position it is the default.
#[derive(Debug)]
struct PlaceClaim {
    key: &'static str,
    place: ClaimedPlace,
    span: Option<Range<usize>>,
}

/// What is wrong with two places together.
enum Clash {
    /// Nobody could tell which of the two is meant.
    Same(&'static str),
    /// Gatepost would talk to itself.
    Ourselves,
    /// The state directory is in the way.
    State,
}

/// All places of a config file.
#[derive(Debug, Default)]
pub(super) struct Claims {
    claims: Vec<PlaceClaim>,
}

impl Claims {
    /// Enters the place that `key` asks for.
    pub(super) fn enter(
        &mut self,
        key: &'static str,
        place: ClaimedPlace,
        span: Option<Range<usize>>,
    ) {
        let place = match place {
            ClaimedPlace::Listen(address) => ClaimedPlace::Listen(canonical(address)),
            ClaimedPlace::Connect(address) => ClaimedPlace::Connect(canonical(address)),
            ClaimedPlace::Socket(path) => ClaimedPlace::Socket(resolved(&path)),
            ClaimedPlace::Dial(path) => ClaimedPlace::Dial(resolved(&path)),
            ClaimedPlace::State(path) => ClaimedPlace::State(resolved(&path)),
        };
        self.claims.push(PlaceClaim { key, place, span });
    }

    /// Refuses each place that cannot be had together with one before it in the file, or with a default.
    pub(super) fn settle(mut self, findings: &mut Findings) {
        self.claims
            .sort_by_key(|claim| claim.span.as_ref().map(|span| span.start));
        for (index, claim) in self.claims.iter().enumerate() {
            let (before, _) = self.claims.split_at(index);
            let clash = before
                .iter()
                .find_map(|other| Some((other, clash(&claim.place, &other.place)?)));
            if let Some((other, clash)) = clash {
                refuse(claim, other, &clash, findings);
            }
        }
    }
}

fn refuse(claim: &PlaceClaim, other: &PlaceClaim, clash: &Clash, findings: &mut Findings) {
    let line = match &other.span {
        Some(span) => format!("line {}", findings.line(span)),
        None => "the default".to_owned(),
    };
    let (one, two) = (claim.shown(), other.shown());
    let (relation, end, help) = match clash {
        Clash::Same(help) => ("meets", "", *help),
        Clash::Ourselves => (
            "meets",
            ": Gatepost would connect to itself",
            "give each a place of its own: what Gatepost connects to is another program's, as upstream.addresses is the entry in master.cf",
        ),
        Clash::State => (
            "stands in the way of",
            "",
            "write a path outside the state directory, such as \"/run/gatepost/admin.sock\"",
        ),
    };
    let message = format!("{one} {relation} {two} ({line}){end}");
    let remark = match &claim.span {
        Some(span) => Remark::at(span.clone(), message),
        None => Remark::of_file(message),
    };
    let remark = match &other.span {
        Some(span) => remark.beside(span.clone(), "this one"),
        None => remark,
    };
    findings.refuse(remark.help(help));
}

impl PlaceClaim {
    fn shown(&self) -> String {
        let place = match &self.place {
            ClaimedPlace::Listen(address) | ClaimedPlace::Connect(address) => address.to_string(),
            ClaimedPlace::Socket(path) | ClaimedPlace::Dial(path) | ClaimedPlace::State(path) => {
                path.display().to_string()
            }
        };
        format!("{} {place}", self.key)
    }
}

/// Why two places cannot be had together, in either order; none: they can.
fn clash(a: &ClaimedPlace, b: &ClaimedPlace) -> Option<Clash> {
    use ClaimedPlace::{Connect, Dial, Listen, Socket, State};
    match (a, b) {
        (Listen(a), Listen(b)) => overlap(*a, *b).then(|| {
            Clash::Same(match a.ip().is_unspecified() || b.ip().is_unspecified() {
                true => "[::] covers every address of this machine, 0.0.0.0 every IPv4 address: name it once, or take another port",
                false => "name it once, or take another port",
            })
        }),
        (Listen(own), Connect(to)) | (Connect(to), Listen(own)) => {
            // Behind a wildcard only what is surely this machine is ours.
            let is_own = !own.ip().is_unspecified() || to.ip().is_loopback();
            (overlap(*own, *to) && is_own).then_some(Clash::Ourselves)
        }
        (Socket(a), Socket(b)) => (a == b).then_some(Clash::Same(
            "give each a path of its own, such as \"/run/gatepost/admin.sock\" and \"unix:/run/gatepost/http.sock\"",
        )),
        (Socket(own), Dial(to)) | (Dial(to), Socket(own)) => {
            (own == to).then_some(Clash::Ourselves)
        }
        (Socket(socket), State(state)) | (State(state), Socket(socket)) => {
            is_in_the_way(socket, state).then_some(Clash::State)
        }
        _ => None,
    }
}

/// Whether a socket would stand where the state is kept: at the directory, above it, or under a name that is used in it.
fn is_in_the_way(socket: &Path, state: &Path) -> bool {
    let inside = socket
        .strip_prefix(state)
        .ok()
        .and_then(|rest| rest.components().next());
    let name = inside.and_then(|name| name.as_os_str().to_str());
    let is_used = |name| store::is_own_name(name) || history::is_own_name(name);
    state.starts_with(socket) || name.is_some_and(is_used)
}

/// A mapped address as the IPv4 address.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::from((v4, address.port())),
        IpAddr::V6(_) => address,
    }
}

/// The path without links, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let exists = |at: &Path| {
        Some((
            fs::canonicalize(at).ok()?,
            path.strip_prefix(at).ok()?.to_owned(),
        ))
    };
    let (mut whole, rest) = path
        .ancestors()
        .find_map(exists)
        .unwrap_or_else(|| (PathBuf::new(), path.to_owned()));
    for part in rest.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                whole.pop();
            }
            other => whole.push(other),
        }
    }
    whole
}

/// Whether two listeners would receive each other's connections. Port 0 is a new port each time.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && a.port() != 0 && (takes(a.ip(), b.ip()) || takes(b.ip(), a.ip()))
}

/// Whether a listener on `listener` receives connections to `address`: `[::]` receives both families.
fn takes(listener: IpAddr, address: IpAddr) -> bool {
    match listener {
        IpAddr::V6(v6) if v6.is_unspecified() => true,
        IpAddr::V4(v4) if v4.is_unspecified() => address.is_ipv4(),
        _ => listener == address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn overlaps(a: &str, b: &str) -> bool {
        let both = [(a, b), (b, a)]
            .map(|(a, b)| overlap(canonical(a.parse().unwrap()), canonical(b.parse().unwrap())));
        assert_eq!(both[0], both[1]);
        both[0]
    }

    #[test]
    fn a_dual_stack_listener_overlaps_every_address_at_its_port() {
        for other in ["0.0.0.0:465", "127.0.0.1:465", "[::1]:465", "[::]:465"] {
            assert!(overlaps("[::]:465", other), "{other}");
        }
        assert!(!overlaps("[::]:465", "0.0.0.0:587"));
    }

    #[test]
    fn the_ipv4_wildcard_overlaps_mapped_addresses() {
        assert!(overlaps("0.0.0.0:465", "127.0.0.1:465"));
        assert!(overlaps("0.0.0.0:465", "[::ffff:127.0.0.1]:465"));
        assert!(!overlaps("0.0.0.0:465", "[::1]:465"));
    }

    #[test]
    fn single_addresses_and_ports_chosen_by_the_kernel_do_not_overlap() {
        assert!(overlaps("127.0.0.1:465", "127.0.0.1:465"));
        assert!(!overlaps("127.0.0.1:465", "127.0.0.2:465"));
        assert!(!overlaps("[::]:0", "0.0.0.0:0"));
    }

    #[test]
    fn a_socket_stands_in_the_way_of_the_state_where_its_name_is_used() {
        let state = Path::new("/s/state");
        let used = [
            "/s/state",
            "/s",
            "/s/state/known",
            "/s/state/keys.before",
            "/s/state/changes.7",
            "/s/state/debts.version-2",
            "/s/state/known.new-1",
            "/s/state/history.db",
            "/s/state/history.db-wal",
            "/s/state/tickets/admin.sock",
            "/s/state/leaving-1",
            "/s/state/list-drop",
            "/s/state/list-drop/admin.sock",
            "/s/state/new-list",
        ];
        for socket in used {
            assert!(is_in_the_way(Path::new(socket), state), "{socket}");
        }
        for socket in [
            "/s/state/admin.sock",
            "/s/admin.sock",
            "/s/state2",
            "/s/state/known-not",
            "/s/state/leaving",
            "/s/state/new-lists",
            "/s/list-drop",
        ] {
            assert!(!is_in_the_way(Path::new(socket), state), "{socket}");
        }
    }

    #[test]
    fn one_place_has_one_name_by_whichever_way_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap().join("real");
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, folder.path().join("link")).unwrap();
        let wanted = real.join("a.sock");
        for name in [
            "real/a.sock",
            "link/a.sock",
            "./real//a.sock",
            "link/no/../a.sock",
        ] {
            assert_eq!(resolved(&folder.path().join(name)), wanted, "{name}");
        }
    }
}
