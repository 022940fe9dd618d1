//! own_fault - messages that Postfix or Dovecot cannot take, from any client
//!
//! What cannot be checked is the fault of its client alone. It does not say that nobody can log in, for then a balancer that asks
//! whether logins work would take the machine out for one stranger's message.

use crate::kit::client::{base64, loopback};
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::proxy::Setup;

/// In base64 and with CRLF this is not more than 12,288.
const MOST: usize = 9_213;

#[test]
fn a_message_that_is_too_long_is_its_clients_fault_alone() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail)
        .with("timeouts.failure-delay", "0s")
        .start();
    assert_eq!(proxy.log_in(loopback(10, 1), BERT), Some(235));
    // The longest that is read, what is a little shorter, and what is around Dovecot's own limits.
    for (net, octets) in (20..).zip([
        9_216, 9_215, 9_213, 9_210, 8_193, 8_190, 6_144, 6_000, 4_096,
    ]) {
        let User(name, _) = ANNA;
        let start = format!("\0{name}\0");
        let message = base64(format!("{start}{}", "z".repeat(octets - start.len())));
        let mut client = proxy.client(loopback(net, 1));
        client.greet();
        client.expect("AUTH PLAIN", 334);
        let reply = client.say(&message);
        let expected = if octets > MOST { 500 } else { 535 };
        assert_eq!(reply.code, expected, "{octets}: {reply:?}");
    }
    let broken = proxy
        .log()
        .events(|event| event.message().starts_with("upstream"));
    assert!(broken.is_empty(), "{broken:?}");
    assert_eq!(proxy.status()["logins_work"], true);
    assert_eq!(proxy.log_in(loopback(10, 1), BERT), Some(235));
}
