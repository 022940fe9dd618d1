//! http_url - an URL of a server that Gatepost asks or tells something over HTTP
//!
//! Not here: how it is spoken to (`net::http_client`). RFC 3986, without users, passwords and fragments.

use std::fmt;

use hyper::Uri;

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
        let (scheme, usual) = match url.split_once("://") {
            Some(("https", _)) => (Scheme::Https, 443),
            Some(("http", _)) => (Scheme::Http, 80),
            _ => return Err("it begins with neither https:// nor http://"),
        };
        if !url.bytes().all(|octet| octet.is_ascii_graphic()) || url.contains('#') {
            return Err("a URL has neither blanks, nor letters beyond ASCII, nor a fragment here");
        }
        let uri: Uri = url.parse().map_err(|_| "it is no URL")?;
        let authority = uri.authority().ok_or("it names no host")?;
        if authority.as_str().contains('@') {
            return Err("a user and password in a URL are not sent");
        }
        let host = authority.host();
        let port = match authority.port_u16() {
            None if authority.as_str() != host => return Err("its port is no number up to 65535"),
            port => port.unwrap_or(usual),
        };
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        if host.is_empty() {
            return Err("it names no host");
        }
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port,
            path: uri
                .path_and_query()
                .map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }

    /// Host and port, for the header `Host` (RFC 9110, 7.2).
    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
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
        assert_eq!(read("https://[::1]/x"), fine("::1", 443, "/x"));
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
            "https://h:/",
            "https://h:x/",
            "https://[[::1/",
            "https://[::1/",
        ] {
            assert!(HttpUrl::read(url).is_err(), "{url}");
        }
        let authority = |url| HttpUrl::read(url).map(|url| url.authority());
        assert_eq!(authority("http://[::1]/"), Ok("[::1]:80".to_owned()));
        assert_eq!(authority("https://h"), Ok("h:443".to_owned()));
        let shown = format!("{:?}", HttpUrl::read("https://h/secret"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
