//! http_url - an URL of a server that Gatepost asks or tells something over HTTP
//!
//! Not here: how it is spoken to (`server::notify`, `crowdsec`). RFC 3986, without what nobody needs here.

use std::fmt;

/// A server that speaks HTTP, and a path there. A part of it may be a secret: `Debug` shows the host only.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl {
    /// In clear, or in TLS.
    pub scheme: Scheme,
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// With its query.
    pub path: String,
}

/// How it is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In clear.
    Http,
    /// In TLS, verified by the roots of this machine.
    Https,
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpUrl({})", self.host)
    }
}

impl HttpUrl {
    /// Reads `http://` or `https://`, a host, a port if wanted, and a path.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = match url.split_once("://") {
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            _ => return Err("it begins with neither https:// nor http://"),
        };
        if !url.bytes().all(|octet| octet.is_ascii_graphic()) || url.contains('#') {
            return Err("a URL has neither blanks, nor letters beyond ASCII, nor a fragment here");
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err("a user and password in a URL are not sent");
        }
        let (host, port) = split_port(authority).ok_or("its port is no number")?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.is_empty() {
            return Err("it names no host");
        }
        let usual = match scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        };
        Ok(Self {
            scheme,
            host: bare.to_owned(),
            port: port.unwrap_or(usual),
            path: match path.starts_with('/') {
                true => path.to_owned(),
                false => format!("/{path}"),
            },
        })
    }
}

/// The host, and the port if there is one.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    // In brackets the colons are the address's.
    let behind = authority.rfind(']').unwrap_or(0);
    let colon = authority.get(behind..)?.find(':').map(|at| at + behind);
    match colon {
        None => Some((authority, None)),
        Some(at) => {
            let port = authority.get(at + 1..)?.parse().ok()?;
            Some((authority.get(..at)?, Some(port)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_or_refused_with_what_is_wrong() {
        let read = |url| HttpUrl::read(url).map(|hook| (hook.host, hook.port, hook.path));
        let fine = |host: &str, port, path: &str| Ok((host.to_owned(), port, path.to_owned()));
        assert_eq!(
            read("https://ntfy.sh/topic?a=b"),
            fine("ntfy.sh", 443, "/topic?a=b")
        );
        assert_eq!(read("http://[::1]:8080"), fine("::1", 8080, "/"));
        assert_eq!(read("http://127.0.0.1?x"), fine("127.0.0.1", 80, "/?x"));
        for url in [
            "ntfy.sh/topic",
            "ftp://x/",
            "https://",
            "https://:1/",
            "https://a:b/",
            "https://u:p@h/",
            "https://h/a b",
            "https://h/\r\nX: y",
            "https://h/#a",
            "https://h:70000/",
        ] {
            assert!(HttpUrl::read(url).is_err(), "{url}");
        }
        let shown = format!("{:?}", HttpUrl::read("https://h/secret"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
