//! listeners - the listeners, and the addresses of Postfix
//!
//! Not here: whether two of them meet (`claims`), binding and connecting (`net::listener`, `net::upstream`).

use std::net::{Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::path::Path;

use toml::Spanned;

use super::claims::{ClaimedPlace, Claims, canonical};
use super::finding::{Findings, Remark};
use super::machine::Machine;
use super::value::Quoted;
use super::{networks, raw, sections};
use crate::net::listener::{ListenerSettings, TlsStart};
use crate::net::upstream::{self, Announce, UpstreamAddress};
use gatepost_core::smtp::sasl::Mechanism;

/// RFC 8314 section 7.3: submission with TLS from the first octet.
const SUBMISSIONS: u16 = 465;
/// RFC 6409: submission, STARTTLS.
const SUBMISSION: u16 = 587;
/// RFC 5321: mail from other servers.
const SMTP: u16 = 25;

/// The listeners; `[::]:465` with implicit TLS where none is configured.
pub(super) fn listeners(
    file: &raw::RawFile,
    claims: &mut Claims,
    findings: &mut Findings,
) -> Vec<ListenerSettings> {
    const KEY: &str = "listen.address";
    let Some(given) = &file.listen else {
        let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, SUBMISSIONS));
        claims.enter(KEY, ClaimedPlace::Listen(address), None);
        return vec![ListenerSettings {
            address,
            tls: TlsStart::Implicit,
            proxy_from: Vec::new(),
        }];
    };
    if given.is_empty() {
        findings.refuse(Remark::of_file("there is no listener").help(
            "leave `listen` out for the default, or add a table:\n[[listen]]\naddress = \"[::]:465\"",
        ));
    }
    let mut listeners = Vec::new();
    for entry in given {
        let table = entry.get_ref();
        let Some(address) = &table.address else {
            findings.missing_at(
                entry.span(),
                "this listener has no address",
                "add address = \"[::]:465\"",
            );
            continue;
        };
        let span = address.span();
        let address = canonical(address.get_ref().0);
        claims.enter(KEY, ClaimedPlace::Listen(address), Some(span.clone()));
        let tls = table
            .tls
            .as_ref()
            .map_or(TlsStart::Implicit, |given| given.get_ref().0);
        warn_port(address.port(), tls, span, findings);
        listeners.push(ListenerSettings {
            address,
            tls,
            proxy_from: networks::balancers(&table.proxy_protocol_from, findings),
        });
    }
    listeners
}

/// Warns where a port and its TLS start differ from what mail programs expect.
fn warn_port(port: u16, tls: TlsStart, span: Range<usize>, findings: &mut Findings) {
    let (message, help) = match (port, tls) {
        (SUBMISSIONS, TlsStart::StartTls) => (
            "mail programs expect TLS from the first octet at port 465",
            "tls = \"implicit\" belongs to port 465, \"starttls\" to port 587",
        ),
        (SUBMISSION, TlsStart::Implicit) => (
            "mail programs expect STARTTLS at port 587",
            "tls = \"starttls\" belongs to port 587, \"implicit\" to port 465",
        ),
        (SMTP, _) => (
            "port 25 is for mail from other servers, and they do not log in",
            "leave port 25 to Postfix, and take port 465 or 587",
        ),
        _ => return,
    };
    findings.warn(Remark::at(span, message).help(help));
}

/// The settings of the upstream.
pub(super) fn upstream(
    given: &raw::RawUpstream,
    hostname: &str,
    mechanisms: &[Mechanism],
    folder: &Path,
    claims: &mut Claims,
    findings: &mut Findings,
) -> upstream::UpstreamSettings {
    let announce = given
        .announce
        .as_ref()
        .map_or(Announce::ProxyV2, |given| given.get_ref().0);
    if let (Announce::Nothing, Some(given)) = (announce, &given.announce) {
        findings.warn(
            Remark::at(given.span(), "to Postfix every client will have Gatepost's own address").help(
                "a Postfix that trusts this address (mynetworks) becomes an open relay: see config/master.cf",
            ),
        );
    }
    upstream::UpstreamSettings {
        addresses: addresses(given, folder, claims, findings),
        announce,
        hostname: hostname.to_owned(),
        mechanisms: mechanisms.to_vec(),
    }
}

fn addresses(
    given: &raw::RawUpstream,
    folder: &Path,
    claims: &mut Claims,
    findings: &mut Findings,
) -> Vec<UpstreamAddress> {
    const HELP: &str = "say where Postfix listens for Gatepost: addresses = [\"127.0.0.1:10465\"]";
    let Some(given) = &given.addresses else {
        findings.refuse(Remark::of_file("upstream.addresses is not set").help(HELP));
        return Vec::new();
    };
    if given.get_ref().is_empty() {
        findings.missing_at(given.span(), "without an upstream every login fails", HELP);
    }
    let mut addresses: Vec<UpstreamAddress> = Vec::new();
    for entry in given.get_ref() {
        let address = entry.get_ref().0.clone();
        if addresses.contains(&address) {
            findings.refuse(
                Remark::at(entry.span(), "this address is named twice").help("once is enough"),
            );
        }
        let place = match &address {
            UpstreamAddress::Unix(path) => {
                let path = folder.join(path);
                sections::check_socket_path(&path, entry, findings);
                ClaimedPlace::Dial(path)
            }
            UpstreamAddress::Tcp(socket) => {
                check_upstream(*socket, entry, findings);
                ClaimedPlace::Connect(*socket)
            }
        };
        claims.enter("upstream.addresses", place, Some(entry.span()));
        addresses.push(address);
    }
    addresses
}

fn check_upstream(
    socket: SocketAddr,
    given: &Spanned<Quoted<UpstreamAddress>>,
    findings: &mut Findings,
) {
    let remark = |message: String| Remark::at(given.span(), message);
    if socket.port() == 0 || socket.ip().is_unspecified() {
        findings.refuse(
            remark(format!("{socket} is not an address to connect to"))
                .help("write the address and the port of the master.cf entry"),
        );
        return;
    }
    if [SUBMISSIONS, SUBMISSION, SMTP].contains(&socket.port()) {
        findings.warn(
            remark(format!("port {} is Postfix's own service for clients", socket.port())).help(
                "Gatepost needs an entry of its own, without TLS and with the client announced: see config/master.cf",
            ),
        );
    }
}

/// Warns of an upstream on another machine, because passwords are sent to Postfix in clear.
pub(super) fn warn_remote(given: &raw::RawUpstream, machine: &Machine, findings: &mut Findings) {
    for entry in given.addresses.iter().flat_map(Spanned::get_ref) {
        if let UpstreamAddress::Tcp(socket) = entry.get_ref().0
            && !machine.is_local(socket.ip().to_canonical())
        {
            findings.warn(
                Remark::at(
                    entry.span(),
                    format!(
                        "{} is not on this machine: passwords are sent there in clear",
                        socket.ip()
                    ),
                )
                .help("put an encrypted tunnel in between, or run Gatepost beside Postfix"),
            );
        }
    }
}
