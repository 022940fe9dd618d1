//! page - `gatepost dashboard`, its link, and the page in a real Chromium
//!
//! Not here: which requests are refused for want of what (`daemon::web`).

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::kit::browser::Browser;
use crate::kit::client::{auth_plain, loopback};
use crate::kit::impostor::{Conduct, Impostor};
use crate::kit::mail::User;
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::{http, ports, wait};

/// A name that would run a script if it were ever markup.
const SCRIPT: &str = "<img/src=x/onerror=window.ran=1>";

/// A Gatepost with the page, and a backend whose answers can be chosen.
struct Shown {
    impostor: Impostor,
    proxy: Proxy,
    door: SocketAddr,
}

impl Shown {
    fn start(actions: bool) -> Self {
        let impostor = Impostor::start(Conduct::Honest);
        let door = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let proxy = Setup::new(&impostor.address().to_string())
            .with("upstream.announce", "none")
            .with("http.listen", door.to_string())
            .with("http.actions", actions)
            .start();
        Self {
            impostor,
            proxy,
            door,
        }
    }

    /// An attempt which must be answered with `code`.
    #[track_caller]
    fn attempt(&self, source: IpAddr, user: &str, password: &str, code: u16) {
        let conduct = match code {
            235 => Conduct::Honest,
            _ => Conduct::Rejecting,
        };
        self.impostor.conduct(conduct);
        let mut client = self.proxy.client(source);
        client.greet();
        client.expect(&auth_plain(User(user, password)), code);
    }

    fn link(&self) -> String {
        let ran = self.proxy.setup.command(&["dashboard"]);
        assert_eq!(ran.code, Some(0), "{}", ran.text);
        let link = ran.text.trim().to_owned();
        assert!(
            link.starts_with(&format!("http://{}/#", self.door)),
            "{link}"
        );
        link
    }

    /// A browser that has opened a link, and shows data.
    fn browser(&self) -> Browser {
        let browser = Browser::start();
        browser.open(&self.link());
        browser.until_text("#health", "All is well");
        browser
    }

    fn status(&self) -> Value {
        let ran = self.proxy.setup.command(&["status", "--json"]);
        serde_json::from_str(&ran.text).unwrap_or_else(|error| panic!("{error}: {}", ran.text))
    }

    fn bans(&self) -> String {
        self.proxy.setup.command(&["bans", "list"]).text
    }
}

fn sum(counts: &Value) -> u64 {
    let counts = counts.as_object().into_iter().flatten();
    counts.map(|(_, count)| count.as_u64().unwrap()).sum()
}

#[test]
fn the_numbers_are_those_of_status_and_a_name_stays_text() {
    let shown = Shown::start(false);
    for place in 1..=3 {
        shown.attempt(loopback(40, place), "anna", "right", 235);
    }
    shown.attempt(loopback(40, 4), SCRIPT, "one", 535);
    shown.attempt(loopback(40, 5), "bea", "two", 535);
    let browser = shown.browser();
    browser.until_text("#attempts tbody", SCRIPT);
    browser.until_text("#users tbody", SCRIPT);
    let status = shown.status();
    for (id, verdicts) in [
        ("accepted", &["accept"][..]),
        ("rejected", &["reject"]),
        ("refused", &["refuse", "repeat"]),
    ] {
        let counts = verdicts
            .iter()
            .map(|verdict| sum(&status["attempts"][verdict]));
        let expected = counts.sum::<u64>().to_string();
        assert_eq!(browser.text(&format!("#n-{id}")), expected, "{id}");
    }
    assert_eq!(browser.text("#n-accepted"), "3");
    assert!(browser.text("#s-rejected").contains("at most"));
    assert_eq!(browser.run("return document.images.length"), 0);
    assert_eq!(browser.run("return window.ran ?? null"), Value::Null);
    assert!(browser.text("#clients tbody").contains("127.40.0.5"));
    // Nothing but this server was asked for anything.
    let asked = browser.run(
        "return performance.getEntriesByType('resource').map((one) => one.name)\
         .filter((name) => !name.startsWith(location.origin + '/') && !name.startsWith('data:'))",
    );
    assert_eq!(asked, Value::Array(Vec::new()));
    // It only shows.
    assert_eq!(
        browser.run("return document.querySelectorAll('#clients button').length > 0"),
        true
    );
    assert!(!browser.text("#clients tbody").contains("Ban"));
}

#[test]
fn a_refusal_shows_with_its_reason_and_a_click_bans_and_lifts_the_ban() {
    let shown = Shown::start(true);
    shown.attempt(loopback(40, 7), "anna", "wrong", 535);
    let browser = shown.browser();
    shown.attempt(loopback(40, 9), "root", "toor", 454);
    browser.until_text("#attempts tbody", "a name that only guessers use");
    browser.until_text("#bans tbody", "127.40.0.9");
    browser.until_text("#clients tbody", "127.40.0.7");
    // Asked back: No, and Escape.
    browser.click("[aria-label='Ban 127.40.0.7']");
    browser.until_text("#sure", "Ban 127.40.0.7 for a day");
    browser.click("#sure-no");
    browser.until_text("#told", "Nothing was done");
    browser.click("[aria-label='Ban 127.40.0.7']");
    browser.press("\u{e00c}");
    browser.until_text("#told", "Nothing was done");
    assert!(!shown.bans().contains("127.40.0.7"));
    browser.click("[aria-label='Ban 127.40.0.7']");
    browser.click("#sure-yes");
    browser.until_text("#told", "127.40.0.7 is banned until");
    assert!(shown.bans().contains("127.40.0.7"), "{}", shown.bans());
    browser.until_text("#bans tbody", "127.40.0.7");
    browser.click("[aria-label='Lift the ban of 127.40.0.7']");
    browser.click("#sure-yes");
    browser.until_text("#told", "127.40.0.7 is no longer banned");
    assert!(!shown.bans().contains("127.40.0.7"), "{}", shown.bans());
    let told = shown.proxy.logged(|event| event.message() == "page");
    assert_eq!(told.len(), 2, "{told:?}");
    // Its own address the machine does not ban.
    let own = browser.run_until_called(
        "ask('ask', { do: 'bans-add', subject: '127.0.0.1', seconds: 60 }).then((one) => one.json())\
         .then(arguments[0])",
    );
    assert!(
        own["message"].as_str().unwrap().contains("own address"),
        "{own}"
    );
}

#[test]
fn the_search_explains_a_user_and_an_address_by_keyboard() {
    let shown = Shown::start(false);
    shown.attempt(loopback(40, 1), "anna", "right", 235);
    let browser = shown.browser();
    browser.run("document.querySelector('#target').focus()");
    browser.press("anna\u{e007}");
    browser.until_text("#answer", "anna: known");
    browser.until_text("#answer", "127.40.0.0/24");
    assert_eq!(browser.run("return document.activeElement.id"), "answer");
    browser.run("document.querySelector('#target').select()");
    browser.press("127.40.0.1\u{e007}");
    browser.until_text("#answer", "127.40.0.1 in 127.40.0.0/24");
    browser.run("document.querySelector('#target').select()");
    browser.press("nobody\u{e007}");
    browser.until_text("#answer", "nobody knows a user nobody");
    browser.click("#show-people");
    browser.until_text("#people tbody", "anna");
    // From the beginning of the page the Tab key reaches everything.
    browser.run("scrollTo(0, 0); document.activeElement.blur()");
    let mut reached = Vec::new();
    for _ in 0..40 {
        browser.press("\u{e004}");
        let id =
            browser.run("return document.activeElement.id || document.activeElement.className");
        reached.push(id.as_str().unwrap_or_default().to_owned());
    }
    for id in ["skip", "pause", "leave", "target", "filter", "show-people"] {
        assert!(reached.iter().any(|one| one == id), "{id}: {reached:?}");
    }
}

#[test]
fn a_link_opens_once_and_without_cookie_or_token_there_is_no_data() {
    let shown = Shown::start(false);
    shown.attempt(loopback(40, 1), "anna", "right", 235);
    let link = shown.link();
    let browser = Browser::start();
    browser.open(&link);
    browser.until_text("#attempts tbody", "anna");
    assert!(
        !browser
            .run("return location.href")
            .as_str()
            .unwrap()
            .contains('#')
    );
    // No script reads the cookie.
    assert_eq!(browser.run("return document.cookie"), "");
    browser.reload();
    browser.until_text("#attempts tbody", "anna");
    browser.forget_cookies();
    browser.reload();
    browser.until_text("#closed", "gatepost dashboard");
    assert!(!browser.text("body").contains("anna"));
    let other = Browser::start();
    other.open(&link);
    other.until_text("#closed", "was opened before");
    assert!(!other.text("body").contains("anna"));
    let plain = http::get(shown.door, "/events", &[]);
    assert_eq!(plain.status, 401);
    assert!(!plain.body.contains("anna"), "{}", plain.body);
}

#[test]
fn a_foreign_name_and_a_form_of_another_page_get_nothing_done() {
    let shown = Shown::start(true);
    shown.attempt(loopback(40, 1), "anna", "right", 235);
    let browser = shown.browser();
    let port = shown.door.port();
    browser.open(&format!("http://evil.example:{port}/"));
    browser.until_text("body", "no name of ours");
    // The page of an attacker on this machine: a form that sends what reads as JSON, and scripts.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let evil = listener.local_addr().unwrap();
    let attack = format!(
        "<form method=post enctype=text/plain action=http://127.0.0.1:{port}/ask>\
         <input name='{{\"do\":\"bans-add\",\"subject\":\"203.0.113.7\",\"seconds\":60,\"own\":false}}' value=''></form>\
         <script>const body = JSON.stringify({{do: 'bans-add', subject: '203.0.113.8', seconds: 60}});\
         const to = 'http://127.0.0.1:{port}/ask'; const options = {{method: 'POST', body, credentials: 'include'}};\
         Promise.allSettled([fetch(to, {{...options, mode: 'no-cors'}}), fetch(to, options), fetch(to, {{...options, headers: {{'Content-Type': 'application/json'}}}}),\
         fetch('http://127.0.0.1:{port}/trend', {{credentials: 'include'}}).then((one) => one.text())])\
         .then((all) => {{ window.all = all.map((one) => one.status); document.forms[0].submit(); }})</script>"
    );
    let asked = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&asked);
    // It ends with the test's process.
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 8192];
            let length = stream.read(&mut request).unwrap_or(0);
            *seen.lock().unwrap() += &String::from_utf8_lossy(&request[..length]);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                attack.len()
            );
            let _ = stream.write_all((head + &attack).as_bytes());
        }
    });
    browser.open(&format!("http://{evil}/"));
    // The form leads to our refusal.
    browser.until_text("body", "did not come from the page");
    assert!(shown.bans().contains("no bans"), "{}", shown.bans());
    // The browser gives the cookie to every port of a host name. So it alone must open nothing.
    let asked = asked.lock().unwrap().clone();
    let cookie = asked.lines().find_map(|line| line.strip_prefix("Cookie: "));
    let cookie = cookie.unwrap_or_else(|| panic!("no cookie any more: {asked}"));
    let stolen = http::get(shown.door, "/trend", &[&format!("Cookie: {cookie}")]);
    assert_eq!(stolen.status, 401, "{}", stolen.body);
}

#[test]
fn a_hundred_thousand_attempts_make_no_more_rows() {
    let shown = Shown::start(false);
    shown.attempt(loopback(40, 1), "anna", "right", 235);
    let browser = shown.browser();
    browser.until_text("#attempts tbody", "anna");
    browser.run(
        "let number = 1000000;
         for (let round = 0; round < 167; round++) {
           const attempts = [];
           for (let one = 0; one < 600; one++) {
             number++;
             attempts.push({ number, at: new Date().toISOString(), client: `203.0.113.${number % 250}`, user: `u${number}`,
               verdict: 'refuse', reason: 'strangers', wait_s: 60 });
           }
           take({ ...last, attempts });
         }",
    );
    assert_eq!(
        browser.run("return document.querySelector('#attempts').tBodies[0].rows.length"),
        200
    );
    assert!(browser.run("return names.size").as_u64().unwrap() <= 500);
    assert!(
        browser
            .run("return document.querySelectorAll('*').length")
            .as_u64()
            .unwrap()
            < 4_000
    );
}

/// What axe-core finds in the page as it is shown now.
#[track_caller]
fn assert_accessible(browser: &Browser, view: &str) {
    let axe = include_str!("kit/axe/axe.min.js");
    browser.run(&format!("{axe}; window.axe = axe;"));
    let found = browser.run_until_called(
        "const done = arguments[0]; axe.run().then((found) => done(found.violations.map((one) => \
         `${one.id}: ${one.help}: ${one.nodes.map((node) => node.html).slice(0, 3).join(' | ')}`)))",
    );
    assert_eq!(found, Value::Array(Vec::new()), "{view}: {found:#}");
}

#[test]
fn every_view_can_be_used_by_everybody_on_every_screen() {
    let shown = Shown::start(true);
    shown.attempt(loopback(40, 1), "anna", "right", 235);
    shown.attempt(loopback(40, 2), SCRIPT, "wrong", 535);
    shown.attempt(loopback(41, 3), "root", "toor", 454);
    let browser = shown.browser();
    browser.until_text("#bans tbody", "127.41.0.3");
    browser.click("#show-people");
    browser.until_text("#people tbody", "anna");
    browser.click("[aria-label='Why anna']");
    browser.until_text("#answer", "anna: known");
    for (width, height) in [(1280, 900), (390, 844), (320, 640)] {
        for colours in ["light", "dark"] {
            browser.imitate(width, height, colours);
            let view = format!("{width}-{colours}");
            wait::until("nothing is wider than the screen", || {
                browser.run("return document.documentElement.scrollWidth <= innerWidth") == true
            });
            assert_accessible(&browser, &view);
            keep(&browser, &view);
        }
    }
    browser.click("[aria-label='Ban 127.40.0.2']");
    browser.until_text("#sure", "Ban 127.40.0.2");
    assert_accessible(&browser, "question");
    browser.press("\u{e00c}");
    browser.click("#leave");
    browser.until_text("#closed", "You have logged out");
    assert_accessible(&browser, "closed");
}

/// Keeps a picture, for who wants to look at it: `GATEPOST_PICTURES` names a folder.
fn keep(browser: &Browser, view: &str) {
    if let Ok(folder) = std::env::var("GATEPOST_PICTURES") {
        let picture = BASE64_STANDARD.decode(browser.picture()).unwrap();
        fs::write(Path::new(&folder).join(format!("{view}.png")), picture).unwrap();
    }
}

#[test]
fn without_a_page_the_command_says_what_makes_one() {
    let proxy = Setup::new("127.0.0.1:1").start();
    let ran = proxy.setup.command(&["dashboard"]);
    assert_eq!(ran.code, Some(2), "{}", ran.text);
    assert!(ran.text.contains("[http] listen"), "{}", ran.text);
}
