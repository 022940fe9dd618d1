//! sasl/tests - the user names in messages, and ambiguous messages that are refused

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check_user(user: Result<UserName, SaslFault>, expected: Result<&str, SaslFault>) {
    let expected = expected.map(|user| UserName::new(user.as_bytes()));
    assert_eq!(user, expected);
}

fn plain(message: &[u8]) -> Result<UserName, SaslFault> {
    Credentials::from_plain(message).map(|credentials| credentials.user)
}

fn xoauth2(message: &[u8]) -> Result<UserName, SaslFault> {
    Credentials::from_xoauth2(message).map(|credentials| credentials.user)
}

fn oauthbearer(message: &[u8]) -> Result<UserName, SaslFault> {
    Credentials::from_oauthbearer(message).map(|credentials| credentials.user)
}

#[test]
fn a_mechanism_is_read_as_it_is_written_and_in_either_case() {
    for mechanism in Mechanism::ALL {
        assert_eq!(mechanism.to_string().parse(), Ok(mechanism));
        assert_eq!(mechanism.as_str().to_lowercase().parse(), Ok(mechanism));
    }
    for name in ["SCRAM-SHA-1-PLUS", "EXTERNAL", "ANONYMOUS", "GSSAPI", ""] {
        assert_eq!(name.parse::<Mechanism>(), Err(UnknownMechanism), "{name}");
    }
}

#[test]
fn base64_is_padded_or_refused() {
    assert_eq!(decode(b"AGEAYg==").unwrap().expose(), b"\0a\0b");
    assert_eq!(decode(b"").unwrap().expose(), b"");
    assert_eq!(
        decode(b"AGEAYh==").unwrap().expose(),
        b"\0a\0b",
        "spare bits"
    );
    for text in [
        "AGEAYg=",
        "AGEAYg",
        "AGEA Yg==",
        "AGEAYg==\n",
        "=",
        "AGE-",
        "====",
    ] {
        assert_eq!(
            decode(text.as_bytes()).err(),
            Some(SaslFault::Base64),
            "{text:?}"
        );
    }
}

#[test]
fn only_an_initial_response_may_be_an_equals_sign() {
    assert_eq!(InitialResponse(b"=").decode().unwrap().expose(), b"");
    assert_eq!(InitialResponse(b"Yg==").decode().unwrap().expose(), b"b");
    assert_eq!(decode(b"=").err(), Some(SaslFault::Base64));
}

#[test]
fn plain_holds_exactly_two_nuls() {
    check_user(plain(b"\0a\0b"), Ok("a"));
    check_user(plain(b"boss\0a\0b"), Ok("a"));
    check_user(plain(b"\0a\0"), Ok("a"));
    check_user(plain(b"\0\0b"), Err(SaslFault::NoUser));
    check_user(plain(b"a\0b"), Err(SaslFault::Malformed));
    check_user(plain(b"\0a\0b\0"), Err(SaslFault::Malformed));
    check_user(plain(b""), Err(SaslFault::Malformed));
}

#[test]
fn login_takes_any_unambiguous_name() {
    check_user(login_user(b"a b\r\n"), Ok("a b\r\n"));
    check_user(login_user(b""), Err(SaslFault::NoUser));
    check_user(login_user(b"victim\0other"), Err(SaslFault::Malformed));
    let password = Secret::new(b"pass\0word".to_vec());
    let login = Credentials::from_login(UserName::new(*b"a"), password);
    assert_eq!(login.err(), Some(SaslFault::Malformed));
}

#[test]
fn xoauth2_is_a_user_and_a_bearer_token_in_any_order() {
    check_user(xoauth2(b"user=a\x01auth=Bearer t\x01\x01"), Ok("a"));
    check_user(xoauth2(b"user=a\x01auth=bearer t\x01\x01"), Ok("a"));
    for message in [
        &b"auth=Bearer t\x01user=a\x01\x01"[..],
        b"user=a\x01auth=Bearer t\x01",
        b"user=a\x01auth=Bearer t",
        b"user=a\x01auth=Bearer  t\x01\x01\x01",
        b"user=a\x01auth=Bearer t \x01\x01",
        b"host=mx\x01user=a\x01auth=Bearer t\x01\x01",
    ] {
        check_user(xoauth2(message), Ok("a"));
    }
    check_user(
        xoauth2(b"user=\x01auth=Bearer t\x01\x01"),
        Err(SaslFault::NoUser),
    );
    for message in [
        &b"user=a\x01user=b\x01auth=Bearer t\x01\x01"[..],
        b"user=a\x01auth=Bearer t\x01auth=Bearer u\x01\x01",
        b"user=a\x01auth=Bearer \x01\x01",
        b"user=a\x01auth=Bearer t u\x01\x01",
        b"user=a\x01auth=Basic t\x01\x01",
        b"user=a",
        b"",
    ] {
        check_user(xoauth2(message), Err(SaslFault::Malformed));
    }
}

#[test]
fn oauthbearer_names_the_user_in_its_gs2_header() {
    let message = b"n,a=a=2Cb=3D,\x01host=mx\x01port=465\x01auth=Bearer t\x01\x01";
    check_user(oauthbearer(message), Ok("a,b="));
    check_user(oauthbearer(b"y,a=a,\x01auth=Bearer t\x01\x01"), Ok("a"));
    check_user(oauthbearer(b"n,a=a,\x01auth=Bearer t\x01"), Ok("a"));
    check_user(oauthbearer(b"n,a=a,\x01auth=Bearer t\x01port=465"), Ok("a"));
    check_user(
        oauthbearer(b"n,,\x01auth=Bearer t\x01\x01"),
        Err(SaslFault::NoUser),
    );
    check_user(
        oauthbearer(b"p=tls-unique,a=a,\x01auth=Bearer t\x01\x01"),
        Err(SaslFault::ChannelBinding),
    );
    for message in [
        &b"n,a=a,\x01auth=Bearer t\x01auth=Bearer u\x01\x01"[..],
        b"n,a=a\x01b,\x01auth=Bearer t\x01\x01",
        b"n,a=a,auth=Bearer t\x01\x01",
        b"n,a=a,\x01host=mx\x01\x01",
        b"n,a=a=2c,\x01auth=Bearer t\x01\x01",
        b"n,b=a,\x01auth=Bearer t\x01\x01",
        b"f,a=a,\x01auth=Bearer t\x01\x01",
    ] {
        check_user(oauthbearer(message), Err(SaslFault::Malformed));
    }
}

#[test]
fn scram_names_the_user_in_its_first_message() {
    check_user(scram_user(b"n,,n=user,r=fyko+d2l"), Ok("user"));
    check_user(scram_user(b"y,,n=a=2Cb,r=x,ext=1"), Ok("a,b"));
    check_user(scram_user(b"n,a=boss,n=user,r=x"), Ok("user"));
    check_user(scram_user(b"n,,n=,r=x"), Err(SaslFault::NoUser));
    check_user(
        scram_user(b"p=tls-exporter,,n=a,r=x"),
        Err(SaslFault::ChannelBinding),
    );
    for message in [
        &b"n,,m=ext,n=a,r=x"[..],
        b"n,,n=a",
        b"n,,n=a,n=b,r=x",
        b"n,,n=a=,r=x",
        b"n,,n=a,r=x\0",
        b"n,n=a,r=x",
        b"",
    ] {
        check_user(scram_user(message), Err(SaslFault::Malformed));
    }
}

#[test]
fn cram_md5_names_the_user_before_its_last_space() {
    let digest = "0123456789abcdef0123456789ABCDEF";
    check_user(cram_user(format!("a b {digest}").as_bytes()), Ok("a b"));
    check_user(
        cram_user(format!(" {digest}").as_bytes()),
        Err(SaslFault::NoUser),
    );
    for response in [
        digest.to_owned(),
        format!("a {digest}0"),
        format!("a {}", &digest[1..]),
        format!("a {digest} "),
        "a".to_owned(),
    ] {
        check_user(cram_user(response.as_bytes()), Err(SaslFault::Malformed));
    }
}

#[test]
fn no_debug_form_shows_a_password() {
    let credentials = Credentials::from_plain(b"hunter2\0user\0hunter2").unwrap();
    assert_eq!(format!("{credentials:?}"), "Credentials(PLAIN user)");
    let initial = InitialResponse(b"aHVudGVyMg==");
    assert_eq!(format!("{initial:?}"), "InitialResponse(..)");
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(2_u8.., 1..40)
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_back(octets in proptest::collection::vec(any::<u8>(), 0..100)) {
        let encoded = encode(&octets);
        let decoded = decode(encoded.expose()).unwrap();
        prop_assert_eq!(decoded.expose(), &octets);
    }

    #[test]
    fn postfix_gets_what_was_parsed(user in text(), password in text(), token in "[!-~]{1,40}") {
        let user = UserName::new(user);
        let login = Credentials::from_login(user.clone(), Secret::new(password.clone())).unwrap();
        let told = login.client_messages();
        prop_assert_eq!(told.len(), 2);
        prop_assert_eq!(login_user(told[0].expose()), Ok(user.clone()));
        prop_assert_eq!(told[1].expose(), &password);
        for (mechanism, secret) in [
            (Mechanism::Plain, password.as_slice()),
            (Mechanism::XOAuth2, token.as_bytes()),
            (Mechanism::OAuthBearer, token.as_bytes()),
        ] {
            let said = Credentials {
                mechanism,
                authzid: Box::default(),
                user: user.clone(),
                secret: Secret::new(secret.to_vec()),
            };
            let told = said.client_messages();
            prop_assert_eq!(told.len(), 1);
            let parsed = match mechanism {
                Mechanism::Plain => Credentials::from_plain(told[0].expose()),
                Mechanism::XOAuth2 => Credentials::from_xoauth2(told[0].expose()),
                _ => Credentials::from_oauthbearer(told[0].expose()),
            }
            .unwrap();
            prop_assert_eq!(parsed.mechanism, mechanism);
            prop_assert_eq!(&parsed.user, &user);
            prop_assert_eq!(parsed.secret.expose(), secret);
        }
    }

    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = decode(&octets);
        let _ = plain(&octets);
        let _ = xoauth2(&octets);
        let _ = oauthbearer(&octets);
        let _ = scram_user(&octets);
        let _ = cram_user(&octets);
    }
}
