//! wrong_clock - a machine whose clock is wrong has a submission service all the same
//!
//! Without a battery it starts in 1970; a NTP server that somebody else controls puts it into 2040. Seen from such a
//! clock every certificate has a wrong date, so here the certificates have: one that has expired, and one that is not
//! valid yet. The promise: Gatepost starts and reloads with both, says loudly what clients will think of them,
//! and takes the next certificate whatever its own clock says.
//! Not here: the two clocks themselves (the daemon's `clock`), time away (`gate::state`).

use crate::kit::authority::Signed;
use crate::kit::client::loopback;
use crate::kit::impostor::{Conduct, Impostor};
use crate::kit::proxy::{NAME, Proxy, Setup};

fn put(setup: &Setup, signed: &Signed) {
    setup.write("chain.pem", &signed.chain);
    setup.write("key.pem", &signed.key);
}

/// What a client with a right clock says of the certificate that it is shown.
#[track_caller]
fn clients_verdict(proxy: &Proxy) -> String {
    match proxy.try_client(loopback(41, 1)) {
        Ok(_) => "good".to_owned(),
        Err(fault) => fault.to_string(),
    }
}

#[track_caller]
fn warned(proxy: &Proxy, of: &str) {
    let event = proxy.log().find(of, |event| {
        event.message() == "config" && event.field("remark").contains(of)
    });
    assert_eq!(event.level(), "WARN");
}

#[test]
fn a_certificate_with_a_wrong_date_is_served_and_told_and_the_next_one_is_taken() {
    let impostor = Impostor::start(Conduct::Honest);
    let setup = Setup::new(&impostor.address().to_string());
    let future = setup.authority().sign_future(&[NAME]);
    let expired = setup.authority().sign_expired(&[NAME]);
    put(&setup, &future);
    let ran = setup.command(&["check"]);
    assert_eq!(ran.code, Some(0), "{}", ran.text);
    assert!(
        ran.text.contains("is not valid yet, for another"),
        "{}",
        ran.text
    );
    let proxy = setup.start();
    warned(&proxy, "is not valid yet");
    let verdict = clients_verdict(&proxy);
    assert!(verdict.contains("not valid yet"), "{verdict}");
    put(&proxy.setup, &expired);
    proxy.reload();
    warned(&proxy, "expired");
    let verdict = clients_verdict(&proxy);
    assert!(verdict.contains("expired"), "{verdict}");
    let ran = proxy.setup.command(&["check", "--json"]);
    assert!(ran.text.contains("\"ok\":true"), "{}", ran.text);
    // The one that the clients want, whatever our clock thinks of it.
    proxy.setup.new_certificate();
    proxy.reload();
    crate::kit::wait::until("the new certificate is served", || {
        clients_verdict(&proxy) == "good"
    });
}
