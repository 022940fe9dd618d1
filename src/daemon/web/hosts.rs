//! hosts - the names under which we may be asked
//!
//! Loopback's own, and those of the config. RFC 9110 section 7.2: the name is that of the target, if it holds
//! one, else of the field Host. What has neither is not for us.

use std::net::IpAddr;

use hyper::Request;
use hyper::header::HOST;
use hyper::http::uri::Authority;

/// The names that we answer to.
#[derive(Debug)]
pub(super) struct HostNames(Vec<String>);

impl HostNames {
    /// Those of the config, in lower case, beside loopback's own.
    pub(super) fn new(hosts: &[String]) -> Self {
        Self(hosts.to_vec())
    }

    /// Whether a request is for one of them, in every place where it names one.
    pub(super) fn admit<B>(&self, request: &Request<B>) -> bool {
        let mut given = request.headers().get_all(HOST).iter();
        let field = match (given.next(), given.next()) {
            (Some(host), None) => host.to_str().ok(),
            _ => return false,
        };
        let field = field.and_then(|host| host.parse::<Authority>().ok());
        let is_ours = |authority: &Authority| self.has(authority);
        field.as_ref().is_some_and(is_ours) && request.uri().authority().is_none_or(is_ours)
    }

    fn has(&self, authority: &Authority) -> bool {
        // A name and a password before the host are for nobody here.
        if authority.as_str().contains('@') {
            return false;
        }
        let host = authority.host();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => {
                host.eq_ignore_ascii_case("localhost")
                    || self.0.iter().any(|name| host.eq_ignore_ascii_case(name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(uri: &str, hosts: &[&str]) -> bool {
        let mut request = Request::get(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let names = HostNames::new(&["status.example.org".to_owned()]);
        names.admit(&request.body(()).unwrap())
    }

    #[test]
    fn only_our_own_names_are_admitted_with_any_port() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:9465",
            "[::1]",
            "[::1]:9465",
            "localhost",
            "LOCALHOST:8025",
            "status.example.org",
            "Status.Example.Org:443",
        ] {
            assert!(admitted("/metrics", &[host]), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:9465",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "localhost@evil.example",
            "127.0.0.1@evil.example:9465",
            "x@localhost",
            "192.0.2.1",
            "0.0.0.0",
            "[::]",
            "example.org",
            "x.status.example.org",
            "localhost/",
            "localhost evil.example",
        ] {
            assert!(!admitted("/metrics", &[host]), "{host}");
        }
    }

    #[test]
    fn a_request_without_a_host_or_with_two_is_refused_and_so_is_a_foreign_target() {
        assert!(!admitted("/metrics", &[]));
        assert!(!admitted("/metrics", &["localhost", "localhost"]));
        assert!(!admitted("http://evil.example/metrics", &["localhost"]));
        assert!(!admitted("http://localhost/metrics", &["evil.example"]));
        assert!(admitted("http://localhost/metrics", &["localhost"]));
    }
}
