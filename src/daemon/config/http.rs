//! http - the section `[http]`: where metrics, health and the page are, and who may ask for them
//!
//! On loopback or a UNIX socket only: there is no TLS and no password here.
//! Not here: what is answered (`web`).

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use toml::Spanned;

use super::claims::{ClaimedPlace, Claims};
use super::finding::{Findings, Remark};
use super::raw;
use super::sections::{check_socket_path, path};
use crate::net::http::HttpAddress;
use crate::web::{PageActions, WebSettings};

/// A name with more letters than this is none (RFC 1035 section 2.3.4).
const LONGEST_NAME: usize = 253;

/// None: nobody has asked for it.
pub(super) fn web(
    given: &raw::RawHttp,
    folder: &Path,
    claims: &mut Claims,
    findings: &mut Findings,
) -> Option<WebSettings> {
    let hosts = hosts(given, findings);
    let listen = given.listen.as_ref()?;
    if listen.get_ref().is_empty() {
        return None;
    }
    let address = match listen.get_ref().strip_prefix("unix:") {
        Some(socket) if !socket.is_empty() => unix(socket, listen, given, folder, findings),
        _ => tcp(listen, findings)?,
    };
    let place = match &address {
        HttpAddress::Tcp(address) => ClaimedPlace::Listen(*address),
        HttpAddress::Unix { path, .. } => ClaimedPlace::Socket(path.clone()),
    };
    claims.enter("http.listen", place, Some(listen.span()));
    let actions = match given.actions {
        true => PageActions::Allowed,
        false => PageActions::Forbidden,
    };
    Some(WebSettings {
        address,
        hosts,
        actions,
    })
}

fn unix(
    socket: &str,
    listen: &Spanned<String>,
    given: &raw::RawHttp,
    folder: &Path,
    findings: &mut Findings,
) -> HttpAddress {
    let path = path(folder, socket);
    check_socket_path(&path, listen, findings);
    let group = given.group.as_ref().map(Spanned::get_ref);
    HttpAddress::Unix {
        path,
        group: group.filter(|name| !name.is_empty()).cloned(),
    }
}

fn tcp(listen: &Spanned<String>, findings: &mut Findings) -> Option<HttpAddress> {
    const HELP: &str = "write an address of this machine alone, like \"127.0.0.1:9465\", or a socket, like \
                        \"unix:/run/gatepost/http.sock\"";
    let Ok(address) = listen.get_ref().parse::<SocketAddr>() else {
        let message = format!("{:?} is no address and port", listen.get_ref());
        findings.refuse(Remark::at(listen.span(), message).help(HELP));
        return None;
    };
    let ip = address.ip().to_canonical();
    if !ip.is_loopback() {
        let message = format!("{} is not loopback: others would read it", shown(ip));
        let help = format!(
            "{HELP}; from elsewhere: by ssh -L, or by a web server with TLS and a password in front"
        );
        findings.refuse(Remark::at(listen.span(), message).help(help));
        return None;
    }
    Some(HttpAddress::Tcp(address))
}

fn shown(ip: IpAddr) -> String {
    match ip.is_unspecified() {
        true => format!("{ip} is every address of this machine, and"),
        false => ip.to_string(),
    }
}

/// The names under which a web server in front may ask.
fn hosts(given: &raw::RawHttp, findings: &mut Findings) -> Vec<String> {
    let mut hosts = Vec::new();
    for host in given.hosts.iter().flat_map(Spanned::get_ref) {
        let name = host.get_ref().to_ascii_lowercase();
        let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-');
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(fits) {
            findings.refuse(
                Remark::at(host.span(), format!("{:?} is no host name", host.get_ref()))
                    .help("write the name alone, without https:// and without a port: \"status.example.org\""),
            );
            continue;
        }
        hosts.push(name);
    }
    hosts
}
