//! lender - the store of `[cluster]`: its address, its user, the files that belong to it
//!
//! Not here: the machines (`cluster`), what is asked of the store (`crate::cluster::store`).

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::claims::{ClaimedPlace, Claims};
use super::finding::{Findings, Remark};
use super::raw;
use super::sections::{check_socket_path, path};
use super::value::Given;
use crate::cluster::secret::ClusterSecret;
use crate::cluster::store::{LenderAddress, LenderChannel, LenderSettings};
use crate::files;
use crate::net::tls;

const HELP: &str = "write \"unix:/run/redis/redis-server.sock\", \"rediss://store.example.org\" (TLS) or \"redis://127.0.0.1\", \
                    with :PORT and /DATABASE where needed";
const SECRET_HELP: &str = "write the path of a file with 32 octets or more, the same on all machines: openssl rand -base64 32 > FILE";
/// Redis's port.
const PORT: u16 = 6379;
/// Octets of a password's file.
const LONGEST_PASSWORD: u64 = 4096;

/// The store; none: none is given, or it is refused.
pub(super) fn read(
    given: &raw::RawCluster,
    folder: &Path,
    claims: &mut Claims,
    findings: &mut Findings,
) -> Option<LenderSettings> {
    let store = given_text(&given.store)?;
    let password_file = file(&given.password_file, folder);
    let authorities = file(&given.ca, folder);
    let url = match LenderUrl::read(store.get_ref()) {
        Ok(url) => url,
        Err(why) => {
            let message = format!("this is no store that lends: {why}");
            findings.refuse(Remark::at(store.span(), message).help(HELP));
            return None;
        }
    };
    let address = match url.place {
        LenderPlace::Unix(socket) => {
            let socket = path(folder, socket);
            check_socket_path(&socket, store, findings);
            let place = ClaimedPlace::Dial(socket.clone());
            claims.enter("cluster.store", place, Some(store.span()));
            LenderAddress::Unix(socket)
        }
        LenderPlace::Clear(host, port) => {
            warn_clear(host, store, findings);
            LenderAddress::Tcp(host.to_owned(), port, LenderChannel::Clear)
        }
        LenderPlace::Tls(host, port) => {
            let channel = LenderChannel::Tls(authorities.clone());
            LenderAddress::Tcp(host.to_owned(), port, channel)
        }
    };
    let is_tls = matches!(address, LenderAddress::Tcp(_, _, LenderChannel::Tls(_)));
    if let Some(ca) = given_text(&given.ca).filter(|_| !is_tls) {
        let remark = Remark::at(ca.span(), "a store without TLS shows no certificate");
        findings.refuse(remark.help("write rediss:// in cluster.store, or leave cluster.ca out"));
    }
    if url.user.is_some() && password_file.is_none() {
        let remark = Remark::at(store.span(), "the store's user has no password");
        findings.refuse(remark.help("write cluster.password-file"));
    }
    Some(LenderSettings {
        address,
        database: url.database,
        user: url.user.map(ToOwned::to_owned),
        password_file,
    })
}

/// The file with the machines' secret.
pub(super) fn secret(
    given: &raw::RawCluster,
    folder: &Path,
    findings: &mut Findings,
) -> Option<PathBuf> {
    if let Some(secret) = given_text(&given.secret_file)
        && !has_a_way(given)
    {
        let remark = Remark::at(
            secret.span(),
            "without a store and without links the machines have no way to tell one another anything",
        );
        findings.refuse(
            remark.help("write cluster.listen and cluster.peers, or cluster.store, or leave cluster.secret-file out"),
        );
    }
    file(&given.secret_file, folder)
}

/// Whether machines can tell one another anything.
fn has_a_way(given: &raw::RawCluster) -> bool {
    let peers = given.peers.as_ref();
    let has_peers = peers.is_some_and(|peers| !peers.get_ref().is_empty());
    has_peers || given_text(&given.store).is_some() || given_text(&given.listen).is_some()
}

/// Looks into the files that belong to the store.
pub(super) fn inspect(file: &raw::RawFile, folder: &Path, findings: &mut Findings) {
    let given = &file.cluster;
    if has_a_way(given) {
        inspect_secret(given, folder, findings);
    }
    if given_text(&given.store).is_none() {
        return;
    }
    if let Some(given) = given_text(&given.password_file) {
        let path = path(folder, given.get_ref());
        match files::read(&path, LONGEST_PASSWORD) {
            Err(why) => {
                let message = format!("cannot read {}: {why}", path.display());
                let remark = Remark::at(given.span(), message);
                findings.refuse(remark.help("write the path of a file with the store's password"));
            }
            Ok(_) => warn_readable(&path, "the store's password", given, findings),
        }
    }
    if let Some(given) = given_text(&given.ca) {
        let path = path(folder, given.get_ref());
        if let Err(problem) = tls::read_chain(&path) {
            let message = format!("cannot use {}: {problem}", path.display());
            let remark = Remark::at(given.span(), message);
            findings.refuse(remark.help("write the path of a PEM file with the store's authority"));
        }
    }
}

fn inspect_secret(given: &raw::RawCluster, folder: &Path, findings: &mut Findings) {
    let Some(given) = given_text(&given.secret_file) else {
        return;
    };
    let path = path(folder, given.get_ref());
    match ClusterSecret::read(&path) {
        Err(why) => {
            let message = format!("cannot use {}: {why}", path.display());
            findings.refuse(Remark::at(given.span(), message).help(SECRET_HELP));
        }
        Ok(_) => warn_readable(&path, "the secret of the machines", given, findings),
    }
}

pub(super) fn warn_readable(
    path: &Path,
    what: &str,
    given: &Spanned<String>,
    findings: &mut Findings,
) {
    const OTHERS: u32 = 0o007;
    let mode = std::fs::metadata(path).map_or(0, |file| file.mode());
    if mode & OTHERS != 0 {
        let message = format!("everybody may read {}, {what}", path.display());
        let help = format!("chmod o-rwx {}", path.display());
        findings.warn(Remark::at(given.span(), message).help(help));
    }
}

fn warn_clear(host: &str, store: &Spanned<String>, findings: &mut Findings) {
    let is_near = matches!(host, "localhost" | "127.0.0.1" | "::1");
    if !is_near {
        let message = "who can write to the store, or on the way to it, can lend every machine more than there is";
        let remark = Remark::at(store.span(), message);
        findings.warn(remark.help("write rediss://, or keep the way to it to yourself"));
    }
}

fn given_text(given: &Given<String>) -> Option<&Spanned<String>> {
    given.as_ref().filter(|text| !text.get_ref().is_empty())
}

fn file(given: &Given<String>, folder: &Path) -> Option<PathBuf> {
    given_text(given).map(|text| path(folder, text.get_ref()))
}

/// The parts of a store's address.
struct LenderUrl<'a> {
    place: LenderPlace<'a>,
    user: Option<&'a str>,
    database: i64,
}

enum LenderPlace<'a> {
    Unix(&'a str),
    Clear(&'a str, u16),
    Tls(&'a str, u16),
}

impl<'a> LenderUrl<'a> {
    fn read(text: &'a str) -> Result<Self, String> {
        if let Some(socket) = text.strip_prefix("unix:") {
            return Ok(Self {
                place: LenderPlace::Unix(socket.strip_prefix("//").unwrap_or(socket)),
                user: None,
                database: 0,
            });
        }
        let (is_tls, rest) = match (
            text.strip_prefix("rediss://"),
            text.strip_prefix("redis://"),
        ) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => {
                return Err("it begins with none of unix:, rediss:// and redis://".into());
            }
        };
        let (authority, database) = match rest.split_once('/') {
            Some((authority, "")) => (authority, 0),
            Some((authority, number)) => (
                authority,
                number
                    .parse::<u16>()
                    .map_err(|_| format!("{number:?} is no number of a database"))?
                    .into(),
            ),
            None => (rest, 0),
        };
        let (user, at) = match authority.rsplit_once('@') {
            Some((user, at)) => (Some(user), at),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err("a password does not belong here, but into cluster.password-file".into());
        }
        let (host, port) = host_and_port(at)?;
        Ok(Self {
            place: match is_tls {
                true => LenderPlace::Tls(host, port),
                false => LenderPlace::Clear(host, port),
            },
            user: user.filter(|user| !user.is_empty()),
            database,
        })
    }
}

/// `host`, `host:port`, `[address]` or `[address]:port`.
fn host_and_port(at: &str) -> Result<(&str, u16), String> {
    let (host, port) = match at.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (
            host,
            rest.strip_prefix(':')
                .or(Some(rest).filter(|rest| !rest.is_empty())),
        ),
        None => match at.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (at, None),
        },
    };
    let fits = |letter: char| letter.is_ascii_alphanumeric() || ".-_:".contains(letter);
    if host.is_empty() || !host.chars().all(fits) {
        return Err(format!("{host:?} is no host"));
    }
    let port = port.map_or(Ok(PORT), |port| {
        let number = port.parse::<u16>().ok().filter(|port| *port > 0);
        number.ok_or_else(|| format!("{port:?} is no port"))
    })?;
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let read = match LenderUrl::read(text) {
            Err(why) => why,
            Ok(url) => {
                let place = match url.place {
                    LenderPlace::Unix(socket) => format!("unix {socket}"),
                    LenderPlace::Clear(host, port) => format!("clear {host} {port}"),
                    LenderPlace::Tls(host, port) => format!("tls {host} {port}"),
                };
                format!("{place} {:?} {}", url.user, url.database)
            }
        };
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn a_store_has_one_place_a_user_and_a_database() {
        check("redis://127.0.0.1", "clear 127.0.0.1 6379 None 0");
        check(
            "rediss://store.example.org:7000/3",
            "tls store.example.org 7000 None 3",
        );
        check(
            "rediss://gatepost@store/",
            "tls store 6379 Some(\"gatepost\") 0",
        );
        check("redis://[::1]:6380", "clear ::1 6380 None 0");
        check("redis://[::1]", "clear ::1 6379 None 0");
        check("unix:/run/redis.sock", "unix /run/redis.sock None 0");
        check("unix:///run/redis.sock", "unix /run/redis.sock None 0");
        check("redis://a/b", "\"b\" is no number of a database");
        check("redis://a:0", "\"0\" is no port");
        check("redis://:6379", "\"\" is no host");
        check("redis://a b", "\"a b\" is no host");
        check(
            "redis://:secret@a",
            "a password does not belong here, but into cluster.password-file",
        );
        check(
            "http://a",
            "it begins with none of unix:, rediss:// and redis://",
        );
    }
}
