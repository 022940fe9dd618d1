//! requests - what can be written in a question: understood, or refused, and never said back

use super::*;

#[test]
fn what_ends_by_itself_is_known_by_its_mechanism() {
    for (mechanism, is_token) in [
        ("XOAUTH2", true),
        ("oauthbearer", true),
        ("PLAIN", false),
        ("CRAM-MD5", false),
        ("", false),
    ] {
        let mut ask = question("imap", "s1", "Zwiebel");
        ask["mech"] = json!(mechanism);
        let asked = PolicyQuestion::parse(ask.to_string().as_bytes()).unwrap();
        assert_eq!(asked.shows_token(), is_token, "{mechanism}");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_a_client_can_write_is_judged_or_refused_and_never_said_back() {
    let place = place();
    let hostile = [
        "a\0b".to_owned(),
        "anna\r\n* OK forged".to_owned(),
        "\u{202e}\u{7f}\"\\\u{1}".to_owned(),
        "{\"status\":0}".to_owned(),
    ];
    for name in &hostile {
        for field in [
            "login",
            "orig",
            "session_id",
            "protocol",
            "remote",
            "device_id",
            "mech",
            "pwhash",
        ] {
            let mut ask = question("imap", "s1", "Zwiebel");
            ask[field] = json!(name);
            place.allow(&ask).await;
            place
                .report_with(&ask, false, "fail_type", json!(name))
                .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_understood_is_refused_for_any_other_answer_is_a_yes() {
    let place = place();
    let mut ask = question("imap", "s1", "Zwiebel");
    ask["orig"] = json!("x".repeat(LONGEST_NAME + 1));
    assert_eq!(place.allow(&ask).await, -1);
    let refused = "{\"status\":-1}";
    for body in ["", "[]", "{", "null", "{\"login\":\"\\ud800\"}", "\u{0}"] {
        let (status, text) = place.post("allow", body).await;
        assert_eq!((status.as_u16(), &*text), (200, refused), "{body:?}");
    }
    // Dovecot passes on what a client says in ID as it is.
    let mut ask = question("imap", "s9", "Kartoffel");
    ask["remote"] = json!("203.0.113.77");
    let mut raw = ask.to_string().into_bytes();
    let at = raw.windows(2).position(|two| two == b"\"\"").unwrap();
    raw.insert(at + 1, 0xff);
    let (_, text) = place.post("allow", raw).await;
    assert_ne!(text, refused, "it is judged");
    let (head, ()) = Request::post("/?command=allow")
        .header(SECRET_HEADER, SECRET)
        .body(())
        .unwrap()
        .into_parts();
    let answer = place.door.too_long(&head);
    let octets = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(octets, refused.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn a_master_login_is_the_masters_attempt() {
    let mut ask = question("imap", "s1", "Kartoffel");
    ask["orig"] = json!("anna@example.org*master");
    let ask = PolicyQuestion::parse(ask.to_string().as_bytes()).unwrap();
    assert_eq!(ask.user().to_string(), "anna@example.org*master");
}

/// As recorded from Dovecot 2.3.19, and as 2.4 writes them by its source.
#[test]
fn the_requests_of_both_versions_are_understood() {
    let old = br#"{"device_id":"","login":"user0001@example.test","protocol":"imap","pwhash":"0c8a","remote":"198.51.100.7","session_id":"3lTAliNhtpB/AAAB","success":false,"policy_reject":true,"tls":false}"#;
    let ask = PolicyQuestion::parse(old).unwrap();
    assert_eq!(
        (ask.door, ask.outcome, ask.hash),
        (Door::Imap, PolicyOutcome::Refused, ShownHash::Cut)
    );
    let new = br#"{"login":"anna@example.org","orig":"Anna","protocol":"sieve","remote":"2001:db8::1","session_id":"a","mech":"SCRAM-SHA-256","tls":"TLS","fail_type":"internal","success":false,"policy_reject":false}"#;
    let ask = PolicyQuestion::parse(new).unwrap();
    assert_eq!(
        (ask.door, ask.outcome, ask.tls),
        (Door::Sieve, PolicyOutcome::Fault, true)
    );
    assert_eq!(
        (ask.mechanism, ask.user().to_string()),
        ("SCRAM-SHA-256", "Anna".to_owned())
    );
    assert_eq!(ask.told(), "Dovecot session a: internal");
    let right = PolicyQuestion::parse(br#"{"success":true,"policy_reject":true}"#).unwrap();
    assert_eq!(right.outcome, PolicyOutcome::Accept);
}
