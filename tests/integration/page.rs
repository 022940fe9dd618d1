//! page - `gatepost dashboard`, its link, and the page in a real Chromium
//!
//! Not here: which requests are refused for want of what (`daemon::web`).

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gatepost_daemon::clock::Clock;
use rustix::process::Signal;
use serde_json::Value;

use crate::kit::browser::Browser;
use crate::kit::client::{auth_plain, loopback};
use crate::kit::impostor::{Conduct, Impostor};
use crate::kit::mail::User;
use crate::kit::nginx::Nginx;
use crate::kit::program::{self, Daemon};
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
        Self::start_with(actions, |setup| setup)
    }

    /// As [`Shown::start`], with what else the test wants in its config.
    fn start_with(actions: bool, change: impl FnOnce(Setup) -> Setup) -> Self {
        let impostor = Impostor::start(Conduct::Honest);
        let door = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let setup = Setup::new(&impostor.address().to_string())
            .with("upstream.announce", "none")
            .with("http.listen", door.to_string())
            .with("http.actions", actions);
        let proxy = change(setup).start();
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
        self.proxy.status()
    }

    fn bans(&self) -> String {
        self.proxy.setup.command(&["bans", "list"]).text
    }
}

fn sum(counts: &Value) -> u64 {
    let counts = counts.as_object().into_iter().flatten();
    counts.map(|(_, count)| count.as_u64().unwrap()).sum()
}

/// The four numbers of the page, as `status --json` has them.
fn numbers(status: &Value) -> [(&'static str, u64); 4] {
    let count = |name: &str| status["counters"][name].as_u64().unwrap();
    [
        ("accepted", count("accepted")),
        (
            "made",
            count("refused") + count("repeated") + count("guesses"),
        ),
        ("guesses", count("guesses")),
        ("closed", sum(&status["turned_away"])),
    ]
}

/// A number on the page, without its commas.
fn number(text: &str) -> u64 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits
        .parse()
        .unwrap_or_else(|_| panic!("no number: {text:?}"))
}

/// What the page says of one number since the start.
fn since_start(browser: &Browser, id: &str) -> u64 {
    let note = browser.text(&format!("#s-{id}"));
    note.rsplit("; ").next().map_or(0, number)
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
    for (id, count) in numbers(&status) {
        browser.until_text(&format!("#n-{id}"), &count.to_string());
        let since_start = format!("; {count} since the start");
        let note = browser.text(&format!("#s-{id}"));
        assert!(note.ends_with(&since_start), "{id}: {note}");
        assert_eq!(browser.text(&format!("#n-{id}")), count.to_string());
    }
    assert_eq!(browser.text("#n-accepted"), "3");
    assert!(browser.text("#s-guesses").contains("at most"));
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
fn numbers_and_charts_of_a_day_outlive_a_restart() {
    let mut shown = Shown::start(false);
    for place in 1..=3 {
        shown.attempt(loopback(40, place), "anna", "right", 235);
    }
    shown.attempt(loopback(41, 5), "anna", "two", 535);
    shown.proxy.restart();
    shown.attempt(loopback(40, 1), "anna", "right", 235);
    let browser = shown.browser();
    browser.click("#range label:nth-of-type(2)");
    browser.until_text("#s-accepted", "in 24 hours");
    browser.until_text("#n-accepted", "4");
    assert_eq!(since_start(&browser, "accepted"), 1);
    browser.until_text("#n-guesses", "1");
    browser.until_text("#users tbody", "anna");
    let of_chart = "const chart = plots.get('reached').plot; return chart.data[0].length";
    let steps = browser.run(of_chart).as_u64().unwrap();
    assert!((24..=25).contains(&steps), "{steps}");
    browser.click("#range label:nth-of-type(3)");
    browser.until_text("#s-accepted", "in 30 days");
    browser.until_text("#n-accepted", "4");
    // What is new is there without asking for it.
    shown.attempt(loopback(40, 2), "anna", "right", 235);
    browser.until_text("#n-accepted", "5");
    // As the report has it, at once.
    let report = shown.proxy.setup.command(&["report", "--json"]).text;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["counters"]["accepted"], 5, "{report}");
    // Each label of the axis of time stands there once.
    for range in 1..=3 {
        browser.click(&format!("#range label:nth-of-type({range})"));
        browser.until_text(
            "#s-accepted",
            ["ten minutes", "24 hours", "30 days"][range - 1],
        );
        let labels = browser.run(
            "const labels = plots.get('kept').plot.axes[0]._values.filter((one) => one);\
             return [labels.length, new Set(labels).size]",
        );
        assert_eq!(labels[0], labels[1], "{range}");
        assert!(labels[0].as_u64().unwrap() >= 2, "{range}: {labels}");
    }
}

#[test]
fn users_are_listed_by_the_names_they_logged_in_by_until_they_are_forgotten() {
    let mut shown = Shown::start(false);
    shown.attempt(loopback(40, 1), "anna", "right", 235);
    shown.attempt(loopback(40, 2), "bea", "right", 235);
    let users = |shown: &Shown| shown.proxy.setup.command(&["users"]).text;
    let told = users(&shown);
    assert!(told.contains("anna") && told.contains("bea"), "{told}");
    shown.proxy.setup.command(&["forget", "anna"]);
    let told = users(&shown);
    assert!(!told.contains("anna") && told.contains("bea"), "{told}");
    // The history has the names of those who were new.
    shown.proxy.restart();
    let told = users(&shown);
    assert!(!told.contains("anna") && told.contains("bea"), "{told}");
}

#[test]
fn where_nothing_is_kept_the_last_minutes_are_shown_and_it_says_why() {
    let impostor = Impostor::start(Conduct::Honest);
    let door = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
    let proxy = Setup::new(&impostor.address().to_string())
        .with("upstream.announce", "none")
        .with("http.listen", door.to_string())
        .with("history.keep", "0")
        .start();
    let shown = Shown {
        impostor,
        proxy,
        door,
    };
    shown.attempt(loopback(40, 1), "anna", "right", 235);
    let browser = shown.browser();
    browser.until_text("#range-note", "keep is 0");
    browser.until_text("#n-accepted", "1");
    assert_eq!(
        browser.run("return document.querySelectorAll('#range input:disabled').length"),
        2
    );
}

#[test]
fn a_refusal_shows_with_its_reason_within_five_seconds() {
    let shown = Shown::start(false);
    shown.attempt(loopback(40, 1), "anna", "right", 235);
    let browser = shown.browser();
    browser.until_text("#attempts tbody", "anna");
    // Other tests run beside this one, so the quickest of five counts; that an event has what came up to then is
    // tested by a clock of its own (`daemon::web`).
    let (clock, mut delays) = (Clock::start(), Vec::new());
    for number in 1..=5 {
        let mut client = shown.proxy.client(loopback(50 + number, 9));
        client.greet();
        client.expect(&auth_plain(User("root", "toor")), 454);
        let answered = clock.now();
        drop(client);
        let rows =
            format!("return document.querySelectorAll('#attempts .refuse').length >= {number}");
        wait::until("the refusal shows", || browser.run(&rows) == true);
        delays.push(clock.now().since(answered));
    }
    browser.until_text("#attempts tbody", "a name that only guessers use");
    let quickest = *delays.iter().min().unwrap();
    assert!(quickest < Duration::from_secs(5), "{delays:?}");
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
fn what_the_search_has_found_is_acted_on_and_the_log_has_by_whom() {
    let shown = Shown::start(true);
    shown.attempt(loopback(40, 7), "anna", "wrong", 535);
    let browser = shown.browser();
    for (target, command, question, done) in [
        (
            "127.40.0.7",
            "Forgive 127.40.0.7",
            "clear its bans",
            "cleared ban",
        ),
        (
            "127.40.0.7",
            "Expel 127.40.0.7",
            "End all sessions",
            "0 sessions ended",
        ),
        (
            "anna",
            "Forget where anna is familiar",
            "next login is a stranger's",
            "nobody knows a user anna",
        ),
    ] {
        browser.run("document.querySelector('#target').select()");
        browser.run("document.querySelector('#target').focus()");
        browser.press(&format!("{target}\u{e007}"));
        wait::until("it is explained", || {
            browser.run("return document.activeElement.id") == "answer"
        });
        browser.click(&format!("#answer [aria-label='{command}']"));
        browser.until_text("#sure", question);
        browser.click("#sure-yes");
        browser.until_text("#told", done);
    }
    let told = shown.proxy.logged(|event| event.message() == "page");
    assert_eq!(told.len(), 3, "{told:?}");
    let is_ours = |did: &str| did.contains("127.40.0.7") || did.contains("anna");
    let done = shown
        .proxy
        .logged(|event| event.message() == "operator" && is_ours(&event.field("did")));
    assert_eq!(done.len(), 3, "{done:?}");
    for event in &done {
        let by = event.field("by");
        assert!(by.ends_with(" at this machine, on the page"), "{by}");
    }
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
fn a_user_is_found_by_the_name_itself_and_as_it_is_shown() {
    let shown = Shown::start(true);
    let name = r"CORP\anna";
    shown.attempt(loopback(40, 1), name, "right", 235);
    let browser = shown.browser();
    browser.click("#show-people");
    browser.until_text("#people tbody", r"CORP\\anna");
    browser.click("#people [aria-label^='Why']");
    browser.until_text("#answer", r"CORP\\anna: known");
    for written in [name, r"CORP\\anna"] {
        for command in ["explain", "forgive", "expel"] {
            let ran = shown.proxy.setup.command(&[command, written]);
            assert!(
                !ran.text.contains("nobody knows"),
                "{command}: {}",
                ran.text
            );
        }
    }
    let ran = shown.proxy.setup.command(&["forget", r"CORP\\anna"]);
    assert!(
        ran.text.contains("not known any more") && ran.code == Some(0),
        "{}",
        ran.text
    );
    let ran = shown.proxy.setup.command(&["explain", "--", name]);
    assert!(!ran.text.contains(": known"), "{}", ran.text);
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
fn who_logs_out_in_one_tab_has_left_in_all_of_them() {
    let shown = Shown::start(false);
    shown.attempt(loopback(40, 1), "anna", "right", 235);
    let browser = shown.browser();
    // A second link takes the place of the first one's cookie, and the first tab goes on.
    let [first, second] = browser.open_beside(&shown.link());
    browser.until_text("#attempts tbody", "anna");
    browser.bring_to_front(&first);
    shown.attempt(loopback(40, 2), "bea", "right", 235);
    browser.until_text("#attempts tbody", "bea");
    browser.bring_to_front(&second);
    browser.click("#leave");
    browser.until_text("#why", "You have logged out");
    browser.bring_to_front(&first);
    browser.until_text("#why", "open the page by a link");
    assert_eq!(
        browser.run("return document.querySelector('#open').hidden"),
        true
    );
}

#[test]
fn a_gatepost_that_falls_silent_is_told_and_so_is_a_click_without_an_answer() {
    let shown = Shown::start(true);
    shown.attempt(loopback(40, 7), "anna", "wrong", 535);
    let browser = shown.browser();
    browser.until_text("#clients tbody", "127.40.0.7");
    shown.proxy.signal(Signal::STOP);
    browser.until_text("#health", "what stands here is old");
    assert_eq!(
        browser.run("return document.querySelector('#health').className"),
        "bad"
    );
    shown.proxy.signal(Signal::CONT);
    browser.until_text("#health", "All is well");
    // Also on a page that stands still.
    browser.click("#pause");
    shown.proxy.signal(Signal::KILL);
    browser.until_text("#health", "does not answer");
    browser.click("[aria-label='Ban 127.40.0.7']");
    browser.click("#sure-yes");
    browser.until_text("#told", "Gatepost did not answer");
}

#[test]
fn a_wrong_clock_of_the_browser_moves_no_attempt_out_of_sight() {
    let shown = Shown::start(false);
    for place in 1..=3 {
        shown.attempt(loopback(40, place), "anna", "right", 235);
    }
    let browser = shown.browser();
    browser.until_text("#n-accepted", "3");
    for seconds in [-7200, 1800] {
        browser.run(&format!(
            "window.real ??= Date.now; Date.now = () => real() + 1000 * {seconds}"
        ));
        // The last seconds are in no step yet.
        wait::until(&format!("all is there, {seconds}"), || {
            let steps = browser.run_until_called(
                "refresh().then(() => arguments[0]([views.minutes.total.accepted, plots.get('reached').plot.data[0].length]))",
            );
            steps == serde_json::json!([3, 60])
        });
    }
}

#[test]
fn names_that_guessers_invent_hide_no_people_and_a_held_table_has_its_bound() {
    let shown = Shown::start(false);
    shown.attempt(loopback(40, 1), "anna", "right", 235);
    let browser = shown.browser();
    browser.until_text("#clients tbody", "127.40.0.1");
    browser.run(
        "const long = String.raw`\\xff`.repeat(64);
         const attempts = [];
         for (let number = 1e6; number < 1e6 + 600; number++) {
           const user = `${long}...(${number} octets)`;
           attempts.push({ number, at: new Date().toISOString(), client: '203.0.113.9', user, verdict: 'refuse', reason: 'strangers', wait_s: 0 });
         }
         take({ ...last, attempts })",
    );
    browser.click("#show-people");
    browser.until_text("#people tbody", "anna");
    // A button that has the focus stays where it is, and so do the rows around it.
    let rows = browser.run(
        "document.querySelector('#clients button').focus();
         for (let round = 0; round < 60; round++) {
           const clients = [...Array(20).keys()].map((one) => ({ name: `198.51.${round}.${one}`, attempts: 1, accepted: 0, rejected: 0, refused: 1 }));
           take({ ...last, clients });
         }
         const body = document.querySelector('#clients').tBodies[0];
         return [body.rows.length, body.contains(document.activeElement)]",
    );
    assert_eq!(rows, serde_json::json!([200, true]));
}

#[test]
fn whose_password_seems_to_be_stolen_stands_on_the_page_until_the_user_is_forgiven() {
    let shown = Shown::start_with(true, |setup| setup.with("stolen.networks", 3));
    let browser = shown.browser();
    let is_hidden = || browser.run("return document.getElementById('stolen').hidden");
    assert_eq!(is_hidden(), true);
    for net in 41..44 {
        shown.attempt(loopback(net, 1), "anna", "right", 235);
    }
    browser.until_text("#suspected tbody", "anna");
    browser.until_text("#suspected tbody", "too many new networks in a day");
    assert_eq!(is_hidden(), false);
    let report = shown.proxy.ask_json(&["report"]);
    assert_eq!(report["suspected"][0]["user"], "anna");
    browser.click("#suspected [aria-label='Forgive anna']");
    browser.click("#sure-yes");
    wait::until("nothing is left to show", || is_hidden() == true);
    let report = shown.proxy.ask_json(&["report"]);
    assert_eq!(report["suspected"], Value::Array(Vec::new()));
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
fn behind_a_web_server_and_a_path_the_page_works_and_is_live() {
    let impostor = Impostor::start(Conduct::Honest);
    let door = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
    let proxy = Setup::new(&impostor.address().to_string())
        .with("upstream.announce", "none")
        .with("http.listen", door.to_string())
        .with("http.hosts", vec![toml::Value::from("status.example")])
        .with("http.actions", true)
        .start();
    let shown = Shown {
        impostor,
        proxy,
        door,
    };
    let front = in_front_of(door);
    shown.attempt(loopback(40, 1), "anna", "right", 235);
    let at = format!("http://status.example:{}/mail/gate", front.port);
    let ran = shown.proxy.setup.command(&["dashboard", "--at", &at]);
    let browser = Browser::start();
    browser.open(ran.text.trim());
    browser.until_text("#attempts tbody", "anna");
    // Through the server in front each second has its event.
    shown.attempt(loopback(40, 7), "anna", "wrong", 535);
    browser.until_text("#attempts tbody", "127.40.0.7");
    browser.until_text("#clients tbody", "127.40.0.7");
    browser.click("#range label:nth-of-type(2)");
    browser.until_text("#s-accepted", "in 24 hours");
    browser.click("[aria-label='Ban 127.40.0.7']");
    browser.click("#sure-yes");
    browser.until_text("#told", "127.40.0.7 is banned until");
    // The browser's own address, as the server in front names it, is spared.
    let own = browser.run_until_called(
        "ask('ask', { do: 'bans-add', subject: '127.0.0.0/24', seconds: 60 }).then((one) => one.json())\
         .then(arguments[0])",
    );
    let own = own["message"].as_str().unwrap();
    assert!(own.contains("where you come from"), "{own}");
    let asked = browser.run(
        "return performance.getEntriesByType('resource').map((one) => one.name)\
         .filter((name) => !name.includes('/mail/gate/') && !name.startsWith('data:'))",
    );
    assert_eq!(asked, Value::Array(Vec::new()));
    // Under another name the server in front is of no help.
    browser.open(&format!("http://evil.example:{}/mail/gate/", front.port));
    browser.until_text("body", "no name of ours");
}

/// nginx, as an administrator puts it in front.
fn in_front_of(door: SocketAddr) -> Nginx {
    Nginx::start(&format!(
        "location /mail/gate/ {{
      proxy_pass http://{door}/;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
    }}"
    ))
}

#[test]
fn in_the_demo_the_page_shows_an_attack_that_fails() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    command.args(["demo", "--seconds", "170"]);
    let (_demo, [printed, _]) = Daemon::spawn_with_output(&command);
    let mut lines = BufReader::new(printed).lines().map(Result::unwrap);
    let link = lines.find(|line| line.contains("/#")).expect("a link");
    let config = lines.find_map(|line| {
        let (_, config) = line.split_once(" status --config ")?;
        Some(config.to_owned())
    });
    // What it prints meanwhile is read, so that it never waits.
    thread::spawn(move || lines.for_each(drop));
    let status = || -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
        command.args(["status", "--json", "--config", config.as_ref().unwrap()]);
        serde_json::from_str(&program::run(&mut command)).unwrap()
    };
    let browser = Browser::start();
    browser.open(link.trim());
    browser.until_text("#health", "All is well");
    browser.until_text("#attempts tbody", "logged in");
    browser.until_text("#attempts tbody", "refused");
    wait::until("logins and guesses are counted", || {
        since_start(&browser, "accepted") >= 5 && since_start(&browser, "made") >= 150
    });
    // Under the attack: the page is at most as far as `status` that is asked after it, and gets where it was before.
    let before = numbers(&status());
    wait::until("the page is as far as status", || {
        before
            .iter()
            .all(|(id, count)| since_start(&browser, id) >= *count)
    });
    let shown = before.map(|(id, _)| (id, since_start(&browser, id)));
    let after = numbers(&status());
    for ((id, shown), (_, after)) in shown.into_iter().zip(after) {
        assert!(shown <= after, "{id}: {shown} {after}");
    }
    let made = number(&browser.text("#n-made"));
    let reached = number(&browser.text("#n-guesses"));
    assert!(reached * 2 < made, "{reached} of {made} reached Dovecot");
    keep(&browser, "demo");
}

#[test]
fn nobody_else_on_this_machine_reads_the_page() {
    let impostor = Impostor::start(Conduct::Honest);
    let mut setup = Setup::new(&impostor.address().to_string()).with("upstream.announce", "none");
    let socket = setup.folder().join("http.sock");
    setup.set("http.listen", format!("unix:{}", socket.display()));
    let _proxy = setup.start();
    let nobody = |arguments: &[&str]| {
        let mut curl = Command::new("setpriv");
        curl.args(["--reuid=65534", "--regid=65534", "--clear-groups", "curl"]);
        curl.args(["--silent", "--show-error", "--max-time", "20"]);
        program::with_input(curl.args(arguments), b"")
    };
    // So that nothing but the socket's own mode keeps them out.
    for folder in socket
        .ancestors()
        .skip(1)
        .filter(|one| one.starts_with("/tmp/"))
    {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = socket.display().to_string();
    let ran = nobody(&["--unix-socket", &path, "http://localhost/"]);
    assert!(!ran.success && ran.text.contains("connect"), "{}", ran.text);
    let shown = Shown::start(true);
    shown.attempt(loopback(40, 1), "anna", "right", 235);
    let _browser = shown.browser();
    for path in ["trend", "events"] {
        let ran = nobody(&[&format!("http://{}/{path}", shown.door)]);
        assert!(
            ran.text.contains("gatepost dashboard") && !ran.text.contains("anna"),
            "{}",
            ran.text
        );
    }
}

#[test]
fn a_hundred_thousand_attempts_make_no_more_rows() {
    let shown = Shown::start(false);
    shown.attempt(loopback(40, 1), "anna", "right", 235);
    let browser = shown.browser();
    browser.until_text("#attempts tbody", "anna");
    let times = browser.run(
        "let number = 1000000;
         const times = [];
         for (let round = 0; round < 167; round++) {
           const began = performance.now();
           const attempts = [];
           for (let one = 0; one < 600; one++) {
             number++;
             attempts.push({ number, at: new Date().toISOString(), client: `203.0.113.${number % 250}`, user: `u${number}`,
               verdict: 'refuse', reason: 'strangers', wait_s: 60 });
           }
           take({ ...last, attempts });
           times.push(performance.now() - began);
         }
         return times",
    );
    // The last events take no longer than the first, of which there were a hundredth: the quickest of each, and with much
    // room, for others work on this machine, too.
    let times: Vec<f64> = times
        .as_array()
        .unwrap()
        .iter()
        .map(|time| time.as_f64().unwrap())
        .collect();
    let quickest = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min);
    let (first, last) = (quickest(&times[1..21]), quickest(&times[147..]));
    assert!(last < 6.0 * first, "{first} ms, then {last} ms");
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
    for (width, height, colours) in [(1280, 900, "light"), (390, 844, "dark")] {
        browser.imitate(width, height, colours);
        for span in ["day", "month", "minutes"] {
            browser.click(&format!("#range [value='{span}']"));
            browser.run("scrollTo(0, 0)");
            let view = format!("{width}-{colours}-{span}");
            assert_accessible(&browser, &view);
            keep(&browser, &view);
        }
    }
    browser.click("[aria-label='Ban 127.40.0.2']");
    browser.until_text("#sure", "Ban 127.40.0.2");
    assert_accessible(&browser, "question");
    keep(&browser, "question");
    browser.press("\u{e00c}");
    browser.click("#leave");
    browser.until_text("#closed", "You have logged out");
    assert_accessible(&browser, "closed");
    keep(&browser, "closed");
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
