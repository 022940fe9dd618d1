//! capabilities - what Postfix offers in its EHLO reply, and what of it Gatepost offers
//!
//! Postfix's keywords are sent to the client unchanged and in their order, because Postfix implements
//! them. What Gatepost does itself, or must not let through, is removed: STARTTLS, AUTH,
//! XCLIENT, XFORWARD, and the mechanisms that bind to TLS.
//! Not here: asking Postfix, and the age of its answer (`net::upstream`).
//! RFC 5321 section 4.1.1.1, RFC 4954 section 3, Postfix's XCLIENT_README.

use crate::smtp::reply::Reply;
use crate::smtp::sasl::Mechanism;

/// What one EHLO reply of Postfix offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Lines for the client, in Postfix's order.
    passed: Vec<Box<str>>,
    mechanisms: Vec<Mechanism>,
    /// Upper case. `None`: no XCLIENT.
    xclient: Option<Vec<Box<str>>>,
    starttls: bool,
    /// `AUTH=` stands beside `AUTH`: Postfix's broken_sasl_auth_clients.
    old_auth: bool,
}

/// What Gatepost itself adds to an EHLO reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// STARTTLS and no AUTH: the channel is in clear.
    StartTls,
    /// AUTH: the channel is secured.
    Auth,
}

impl Capabilities {
    /// Parses the reply to an EHLO. A line that does not start with a keyword is left out.
    pub fn parse(reply: &Reply) -> Self {
        let mut capabilities = Self::default();
        for line in reply.lines().skip(1) {
            capabilities.add(line);
        }
        capabilities
    }

    /// Whether Postfix offers STARTTLS; a session must not be handed over then.
    pub const fn offers_starttls(&self) -> bool {
        self.starttls
    }

    /// Whether Postfix accepts XCLIENT from us.
    pub const fn offers_xclient(&self) -> bool {
        self.xclient.is_some()
    }

    /// The attributes that Postfix's XCLIENT accepts, in upper case.
    pub fn xclient_attributes(&self) -> &[Box<str>] {
        self.xclient.as_deref().unwrap_or_default()
    }

    /// The mechanisms of Postfix that Gatepost can relay, in Postfix's order.
    pub fn mechanisms(&self) -> &[Mechanism] {
        &self.mechanisms
    }

    /// The mechanisms that both Postfix and the config allow.
    pub fn allowed(&self, configured: &[Mechanism]) -> impl Iterator<Item = Mechanism> {
        let both = |mechanism: &&Mechanism| configured.contains(mechanism);
        self.mechanisms.iter().filter(both).copied()
    }

    /// The reply to a client's EHLO.
    pub fn for_client(&self, hostname: &str, configured: &[Mechanism], offer: Offer) -> Reply {
        let names: Vec<&str> = self.allowed(configured).map(Mechanism::as_str).collect();
        let names = names.join(" ");
        let (ours, old) = match offer {
            Offer::StartTls => (Some("STARTTLS".to_owned()), None),
            Offer::Auth if names.is_empty() => (None, None),
            Offer::Auth => {
                let old = self.old_auth.then(|| format!("AUTH={names}"));
                (Some(format!("AUTH {names}")), old)
            }
        };
        let lines = std::iter::once(hostname)
            .chain(self.passed.iter().map(AsRef::as_ref))
            .chain(ours.as_deref())
            .chain(old.as_deref());
        Reply::multiline(250, None, lines)
    }

    fn add(&mut self, line: &str) {
        let (keyword, arguments) = line.split_once([' ', '=']).unwrap_or((line, ""));
        self.old_auth |= line
            .get(.."AUTH=".len())
            .is_some_and(|start| start.eq_ignore_ascii_case("AUTH="));
        match keyword.to_ascii_uppercase().as_str() {
            "AUTH" => self.add_mechanisms(arguments),
            "XCLIENT" => self.xclient = Some(words(arguments).map(upper).collect()),
            "STARTTLS" => self.starttls = true,
            "XFORWARD" => {}
            _ if is_keyword(keyword) => self.passed.push(line.into()),
            _ => {}
        }
    }

    fn add_mechanisms(&mut self, names: &str) {
        for mechanism in words(names).filter_map(|name| name.parse().ok()) {
            if !self.mechanisms.contains(&mechanism) {
                self.mechanisms.push(mechanism);
            }
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|word| !word.is_empty())
}

fn upper(word: &str) -> Box<str> {
    word.to_ascii_uppercase().into()
}

fn is_keyword(word: &str) -> bool {
    let inner = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
    word.starts_with(|first: char| first.is_ascii_alphanumeric()) && word.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Debian 12's Postfix 3.7 with everything enabled that must not be relayed.
    const POSTFIX: [&str; 14] = [
        "mx.example.org",
        "PIPELINING",
        "SIZE 10240000",
        "VRFY",
        "ETRN",
        "STARTTLS",
        "AUTH PLAIN SCRAM-SHA-256-PLUS LOGIN EXTERNAL SCRAM-SHA-256",
        "AUTH=PLAIN LOGIN",
        "XCLIENT NAME addr PROTO",
        "XFORWARD NAME",
        "ENHANCEDSTATUSCODES",
        "8BITMIME",
        "DSN",
        "CHUNKING",
    ];
    const ALL: [Mechanism; 7] = Mechanism::ALL;

    fn capabilities(lines: &[&str]) -> Capabilities {
        Capabilities::parse(&Reply::multiline(250, None, lines.iter().copied()))
    }

    fn lines(reply: &Reply) -> Vec<&str> {
        reply.lines().collect()
    }

    #[test]
    fn the_client_is_offered_what_postfix_offers_but_for_what_gatepost_does() {
        let reply = capabilities(&POSTFIX).for_client("gate", &ALL, Offer::Auth);
        assert_eq!(
            lines(&reply),
            [
                "gate",
                "PIPELINING",
                "SIZE 10240000",
                "VRFY",
                "ETRN",
                "ENHANCEDSTATUSCODES",
                "8BITMIME",
                "DSN",
                "CHUNKING",
                "AUTH PLAIN LOGIN SCRAM-SHA-256",
                "AUTH=PLAIN LOGIN SCRAM-SHA-256",
            ]
        );
    }

    #[test]
    fn a_channel_in_clear_is_offered_starttls_and_no_auth() {
        let reply = capabilities(&POSTFIX).for_client("gate", &ALL, Offer::StartTls);
        assert_eq!(lines(&reply).last(), Some(&"STARTTLS"));
        assert!(!lines(&reply).iter().any(|line| line.starts_with("AUTH")));
    }

    #[test]
    fn only_configured_mechanisms_are_offered_and_without_any_no_auth() {
        let capabilities = capabilities(&POSTFIX);
        let reply = capabilities.for_client("gate", &[Mechanism::Login], Offer::Auth);
        assert_eq!(lines(&reply).last(), Some(&"AUTH=LOGIN"));
        let reply = capabilities.for_client("gate", &[Mechanism::CramMd5], Offer::Auth);
        assert_eq!(lines(&reply).last(), Some(&"CHUNKING"));
    }

    #[test]
    fn starttls_xclient_and_mechanisms_of_postfix_are_parsed() {
        let capabilities = capabilities(&POSTFIX);
        assert!(capabilities.offers_starttls() && capabilities.offers_xclient());
        assert_eq!(
            capabilities.xclient_attributes(),
            ["NAME".into(), "ADDR".into(), "PROTO".into()]
        );
        assert_eq!(
            capabilities.mechanisms(),
            [Mechanism::Plain, Mechanism::Login, Mechanism::ScramSha256]
        );
        let bare = self::capabilities(&["mx"]);
        assert!(!bare.offers_starttls() && !bare.offers_xclient());
        assert!(bare.xclient_attributes().is_empty() && bare.mechanisms().is_empty());
    }

    #[test]
    fn the_old_form_of_auth_and_keywords_in_either_case_are_parsed() {
        assert_eq!(
            capabilities(&["mx", "auth=plain"]).mechanisms(),
            [Mechanism::Plain]
        );
        assert!(capabilities(&["mx", "StartTls"]).offers_starttls());
        let reply = capabilities(&["mx", "AUTH PLAIN"]).for_client("gate", &ALL, Offer::Auth);
        assert_eq!(
            lines(&reply),
            ["gate", "AUTH PLAIN"],
            "only where Postfix has it"
        );
    }

    #[test]
    fn a_line_without_a_keyword_is_left_out() {
        let reply =
            capabilities(&["mx", "", "-X", "a_b", "?"]).for_client("gate", &ALL, Offer::Auth);
        assert_eq!(lines(&reply), ["gate"]);
    }

    proptest! {
        #[test]
        fn no_reply_of_postfix_makes_us_offer_anything_unsafe(
            said in proptest::collection::vec("(?i)(STARTTLS|XCLIENT|XFORWARD|AUTH|DSN)?[ =-]?[ -~]{0,20}", 0..10),
        ) {
            let said: Vec<&str> = said.iter().map(String::as_str).collect();
            let reply = capabilities(&said).for_client("gate", &ALL, Offer::Auth);
            for line in reply.lines().skip(1) {
                let keyword = line.split([' ', '=']).next().unwrap().to_ascii_uppercase();
                prop_assert!(!["STARTTLS", "XCLIENT", "XFORWARD"].contains(&keyword.as_str()));
                prop_assert!(keyword != "AUTH" || !line.contains("-PLUS"));
            }
        }
    }
}
