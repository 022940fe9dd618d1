//! cluster_shares - what several Gateposts tell one another over a real Redis: who is familiar, banned, forgotten, expelled
//!
//! By the operator's commands and by logins, at one machine and then at the other. The store dies, freezes, forgets, and has
//! in it what others wrote.
//! Not here: the bound that they have together (`cluster`), who tells what when (`server::sharing::sync`).

use std::time::Duration;

use gatepost_core::gate::request::change::Fact;
use gatepost_core::gate::tell;
use gatepost_daemon::cluster::message::{ClusterLetter, ClusterTold, NumberedLetter};
use gatepost_daemon::cluster::secret::ClusterSecret;
use gatepost_daemon::cluster::stream::CUT;
use rustix::process::Signal;
use serde_json::Value;

use super::cluster_cut::AT_ONCE;
use crate::kit::client::loopback;
use crate::kit::machines::{FreshGuesses, GuessTarget, SECRET, time_of};
use crate::kit::mail::{ANNA, BERT, CARLA, Mail, User};
use crate::kit::proxy::{Event, Proxy, Setup};
use crate::kit::records::{RECORDS, told_by, write};
use crate::kit::redis::Redis;
use crate::kit::wait;

/// A Gatepost that is the machine `name` of `mx1` and `mx2`, not started.
fn machine(mail: &Mail, redis: &Redis, name: &str, secret: &str) -> Setup {
    Setup::before(mail)
        .of_machine(name, &["mx1", "mx2"])
        .with_secret(secret)
        .with("cluster.store", redis.address())
}

/// Two that share.
fn pair(mail: &Mail, redis: &Redis) -> [Proxy; 2] {
    let proxies = ["mx1", "mx2"].map(|name| machine(mail, redis, name, SECRET).start());
    proxies.iter().for_each(|proxy| wait_for(proxy, "shares"));
    proxies
}

fn sharing(proxy: &Proxy) -> Value {
    proxy.status()["cluster"]["sharing"].take()
}

#[track_caller]
fn wait_for(proxy: &Proxy, state: &str) {
    wait::until(state, || sharing(proxy)["state"] == state);
}

#[track_caller]
fn log_in(proxy: &Proxy, net: u8, user: User<'_>) -> Option<u16> {
    proxy.log_in(loopback(net, 1), user)
}

#[track_caller]
fn until_familiar(proxy: &Proxy, net: u8, user: User<'_>) {
    wait::until("familiar", || proxy.is_familiar(net, user));
}

fn says(text: &'static str) -> impl Fn(&Event) -> bool {
    move |event| event.message().contains(text)
}

#[test]
fn familiar_at_one_machine_is_familiar_at_the_other_and_forgotten_is_forgotten() {
    let (mail, redis) = (Mail::start(), Redis::start());
    let [mut first, second] = pair(&mail, &redis);
    assert_eq!(log_in(&first, 97, ANNA), Some(235));
    until_familiar(&second, 97, ANNA);
    second.ask(&["introduce", CARLA.0, "127.96.0.0/24"]);
    until_familiar(&first, 96, CARLA);

    second.ask(&["forget", ANNA.0]);
    wait::until("forgotten", || !first.is_known(ANNA));
    // It tells and is told all that the two know: that is no more than before.
    first.kill_and_start();
    wait::until("whole", || sharing(&first)["whole"] == true);
    assert!(!first.is_known(ANNA) && !second.is_known(ANNA));
    assert!(first.is_familiar(96, CARLA) && second.is_familiar(96, CARLA));

    assert_eq!(log_in(&second, 97, ANNA), Some(235));
    until_familiar(&first, 97, ANNA);
}

#[test]
fn an_operator_s_order_at_one_machine_is_carried_out_at_the_other_at_once() {
    let (mail, redis) = (Mail::start(), Redis::start());
    let [first, second] = pair(&mail, &redis);
    // On a busy machine one of some must be in time.
    let ends = |net: u8, user: User<'_>, words: &[&str]| {
        let mut client = second.client(loopback(net, 1));
        assert_eq!(client.try_log_in(user).expect("an answer").code, 235);
        until_familiar(&first, net, user);
        first.ask(words);
        let end = || drop(client.rest().expect("the session's end"));
        time_of(end) < AT_ONCE
    };
    let in_time = [98, 99, 100, 101, 102].map(|net| {
        let network = format!("127.{net}.0.0/24");
        let in_time = ends(net, BERT, &["bans", "add", &network]);
        assert!(second.is_banned(&network));
        assert_eq!(log_in(&second, net, BERT), None);
        in_time
    });
    assert!(in_time.contains(&true), "{in_time:?}");
    let by_whom = says("bans by hand; 1 sessions ended");
    let told = |event: &Event| by_whom(event) || event.text().contains("the operator of mx1");
    second.log().find("whose order it was", told);

    // At whichever machine it is lifted.
    second.ask(&["bans", "remove", "127.98.0.0/24"]);
    wait::until("lifted", || !first.is_banned("127.98.0.0/24"));
    assert_eq!(log_in(&first, 98, BERT), Some(235));
    assert_eq!(log_in(&second, 98, BERT), Some(235));

    let in_time = [ANNA, BERT, CARLA].map(|user| {
        let in_time = ends(98, user, &["expel", user.0]);
        let explained = second.explained(user);
        assert!(!second.is_familiar(98, user), "{explained}");
        in_time
    });
    assert!(in_time.contains(&true), "{in_time:?}");
}

/// Tokens that guesses from far at a user have left here.
fn left_for(proxy: &Proxy, User(user, _): User<'_>) -> u64 {
    let explained = proxy.ask_json(&["explain", "127.200.1.1", user]);
    let buckets = explained["buckets"].as_array().expect("buckets");
    let far = buckets.iter().find(|one| one["name"] == "user-far");
    far.expect("the user's")["tokens"]
        .as_u64()
        .expect("a number")
}

#[test]
fn at_one_account_two_machines_let_through_what_one_would_and_cut_off_each_its_own() {
    let (mail, mut redis) = (Mail::start(), Redis::start());
    let [first, mut second] = pair(&mail, &redis);
    for user in [ANNA, BERT] {
        first.ask(&["introduce", user.0, "127.40.1.0/24"]);
        wait::until("known", || second.is_known(user));
    }
    let (mut guesses, of_one) = (FreshGuesses::default(), 10 - 10 / 6);
    let mut guess_at = |proxy: &Proxy, User(user, _): User<'_>| {
        let log_in = |_, source, user: User<'_>| {
            proxy.log_in(source, user);
        };
        guesses.attack(GuessTarget::User(user), &[0], &mail, log_in)
    };
    assert_eq!(guess_at(&first, ANNA), of_one);
    wait::until("told", || left_for(&second, ANNA) <= 1);
    assert_eq!(guess_at(&second, ANNA), of_one);

    redis.kill();
    wait_for(&first, "cut-off");
    wait_for(&second, "cut-off");
    assert_eq!(guess_at(&first, BERT), of_one);
    assert_eq!(guess_at(&second, BERT), 2 * of_one);
    // Only a login gives tokens back, and nobody has logged in.
    redis.restart_empty();
    wait_for(&first, "shares");
    wait_for(&second, "shares");
    assert_eq!(guess_at(&first, BERT), 2 * of_one);
    // What was told is in no snapshot yet; the other one tells what is owed.
    second.kill_and_start();
    wait::until("whole", || sharing(&second)["whole"] == true);
    assert!(left_for(&second, ANNA) <= 1 && left_for(&second, BERT) == 0);
}

#[test]
fn a_machine_that_was_away_is_told_what_it_has_missed() {
    let (mail, redis) = (Mail::start(), Redis::start());
    let [first, mut second] = pair(&mail, &redis);
    assert_eq!(log_in(&second, 97, ANNA), Some(235));
    until_familiar(&first, 97, ANNA);
    second.terminate();
    second.ends_well();
    assert_eq!(log_in(&first, 98, BERT), Some(235));
    first.ask(&["bans", "add", "127.99.0.0/24"]);
    first.ask(&["forget", ANNA.0]);
    wait::until("told", || sharing(&first)["told"].as_u64() >= Some(4));
    // More was told since than the stream keeps.
    redis.command(&["XTRIM", RECORDS, "MAXLEN", "0"]);
    second.start_again();
    wait::until("whole", || sharing(&second)["whole"] == true);
    assert!(second.is_familiar(98, BERT));
    assert!(second.is_banned("127.99.0.0/24"));
    assert!(!second.is_known(ANNA));
}

#[test]
fn a_store_that_dies_and_comes_back_empty_loses_nothing_that_a_machine_knows() {
    let (mail, mut redis) = (Mail::start(), Redis::start());
    let [first, second] = pair(&mail, &redis);
    redis.kill();
    wait_for(&first, "cut-off");
    wait_for(&second, "cut-off");
    let told = says("is cut off from the others");
    assert_eq!(first.logged(&told).len(), 1);
    assert_eq!(log_in(&first, 97, ANNA), Some(235));
    assert_eq!(log_in(&second, 98, BERT), Some(235));
    second.ask(&["bans", "add", "127.99.0.0/24"]);
    assert!(!second.is_known(ANNA) && !first.is_known(BERT));
    redis.restart_empty();
    until_familiar(&second, 97, ANNA);
    until_familiar(&first, 98, BERT);
    wait::until("banned", || first.is_banned("127.99.0.0/24"));
    assert_eq!(first.logged(told).len(), 1, "it was told once");
}

#[track_caller]
fn until_explained(proxy: &Proxy, whom: &str, words: &str) {
    wait::until(&format!("{whom}: {words}"), || {
        let ran = proxy.setup.command(&["explain", whom]);
        ran.text.contains(&format!("decided     at {words}"))
    });
}

#[test]
fn explain_names_the_machine_at_which_it_was_decided() {
    const LOGIN: &str = "mx2: the login in 127.61.0.0/24";
    let (mail, redis) = (Mail::start(), Redis::start());
    let [mut first, second] = pair(&mail, &redis);
    assert_eq!(log_in(&second, 61, ANNA), Some(235));
    until_explained(&first, ANNA.0, LOGIN);
    until_explained(&second, ANNA.0, LOGIN);
    first.ask(&["introduce", BERT.0]);
    until_explained(&second, BERT.0, "mx1: the login or introduction");
    let banned = "198.51.100.7";
    second.ask(&["bans", "add", banned]);
    until_explained(&first, banned, "mx2: the ban of 198.51.100.7");
    second.ask(&["bans", "remove", banned]);
    until_explained(&first, banned, "mx2: the ban of 198.51.100.7 was lifted");
    first.ask(&["forget", BERT.0]);
    until_explained(&second, BERT.0, "mx1: the user was forgotten");
    // A restart loses it, and the other one tells it again: who has decided, not who tells.
    first.kill_and_start();
    until_explained(&first, BERT.0, "mx1: the user was forgotten");
    until_explained(&first, ANNA.0, LOGIN);
}

#[test]
fn a_frozen_store_holds_no_login_up() {
    let (mail, redis) = (Mail::start(), Redis::start());
    let [first, second] = pair(&mail, &redis);
    assert_eq!(log_in(&first, 97, ANNA), Some(235));
    let median = || {
        let mut times =
            [(); 21].map(|()| time_of(|| assert_eq!(log_in(&first, 97, ANNA), Some(235))));
        times.sort();
        times[10]
    };
    let before = median();
    redis.signal(Signal::STOP);
    let frozen = median();
    wait_for(&first, "cut-off");
    assert_eq!(log_in(&first, 98, BERT), Some(235));
    // Half of what a question to the store may take.
    assert!(
        frozen < before + Duration::from_millis(500),
        "{before:?}, {frozen:?}"
    );
    redis.signal(Signal::CONT);
    until_familiar(&second, 98, BERT);
}

#[test]
fn records_that_the_store_has_lost_before_a_machine_read_them_are_told_again() {
    let (mail, redis) = (Mail::start(), Redis::start());
    let [mut first, second] = pair(&mail, &redis);
    assert_eq!(log_in(&first, 97, ANNA), Some(235));
    until_familiar(&second, 97, ANNA);
    // Or an answer to what they have asked at their start tells it all.
    first.kill_and_start();
    for proxy in [&first, &second] {
        wait::until("whole", || sharing(proxy)["whole"] == true);
    }
    let read_up_to = || {
        let last = redis.command(&["XREVRANGE", RECORDS, "+", "-", "COUNT", "1"]);
        last.lines().next().expect("a record's number").to_owned()
    };
    let tell = |told: u64| {
        let so_far = || sharing(&first)["told"].as_u64();
        wait::until("told", || so_far() >= Some(told));
        // And what was spent.
        wait::pass(1);
    };
    second.signal(Signal::STOP);
    let last = read_up_to();
    let told = sharing(&first)["told"].as_u64().expect("a number");
    assert_eq!(
        log_in(&first, 98, BERT),
        Some(235),
        "{}",
        first.log().text()
    );
    first.ask(&["bans", "add", "127.99.0.0/24"]);
    tell(told + 2);
    let lost = redis.command(&["XRANGE", RECORDS, &format!("({last}"), "+"]);
    assert_eq!(
        log_in(&first, 96, CARLA),
        Some(235),
        "{}",
        first.log().text()
    );
    tell(told + 3);
    let lost: Vec<&str> = lost.lines().filter(|line| is_number(line)).collect();
    assert!(!lost.is_empty());
    redis.command(&[&["XDEL", RECORDS], &lost[..]].concat());
    second.signal(Signal::CONT);
    until_familiar(&second, 96, CARLA);
    until_familiar(&second, 98, BERT);
    wait::until("banned", || second.is_banned("127.99.0.0/24"));
    wait::until("whole", || sharing(&second)["whole"] == true);
}

#[test]
fn an_order_that_a_machine_could_not_read_is_told_to_it_again() {
    let (mail, redis) = (Mail::start(), Redis::start());
    let [first, second] = pair(&mail, &redis);
    first.ask(&["introduce", BERT.0, "127.98.0.0/24"]);
    wait::until("known", || second.is_known(BERT));
    assert_eq!(log_in(&second, 90, User(BERT.0, "Wrong-1")), Some(535));
    let full = left_for(&second, BERT) + 1;
    wait::until("told", || left_for(&first, BERT) < full);
    second.signal(Signal::STOP);
    let told = || sharing(&first)["told"].as_u64();
    let before = told();
    first.ask(&["forgive", BERT.0]);
    wait::until("told", || told() > before);
    redis.command(&["DEL", RECORDS]);
    // After a longer cut what each machine tells next is a beginning, and no number is missing.
    let cut = u32::try_from(CUT.as_secs()).expect("a minute");
    wait::pass(cut + 1);
    second.signal(Signal::CONT);
    wait::until("forgiven", || left_for(&second, BERT) == full);
}

#[test]
fn what_was_told_by_a_clock_that_was_ahead_is_not_done_once_more_by_a_machine_that_starts() {
    let (mail, redis) = (Mail::start(), Redis::start());
    let [mut first, mut second] = pair(&mail, &redis);
    first.ask(&["introduce", CARLA.0, "127.96.0.0/24"]);
    first.ask(&["forget", CARLA.0]);
    let file = first.setup.folder().join("cluster.secret");
    let secret = ClusterSecret::read(&file).expect("a secret");
    let is_forgetting = |fact: &Fact| matches!(fact, Fact::UserForgotten(_));
    let forgetting = || {
        let told = told_by(&redis, &secret, "mx1").into_iter();
        let facts = told.filter_map(|told| match told.letter.told {
            ClusterTold::Facts(facts) => tell::read(&facts, 0),
            _ => None,
        });
        let mut facts = facts.flat_map(|(facts, _)| facts);
        facts.find(|told| is_forgetting(&told.fact))
    };
    let forgetting = wait::find("the order", forgetting);
    let mut facts = Vec::new();
    tell::write(&mut facts, &forgetting.by_clock(3600), 0);
    let told = ClusterTold::Facts(facts);
    let process = [7; 16];
    let letter = ClusterLetter { process, told };
    let letter = NumberedLetter { number: 1, letter };
    first.ask(&["introduce", CARLA.0, "127.96.0.0/24"]);
    for proxy in [&mut second, &mut first] {
        proxy.terminate();
        proxy.ends_well();
    }
    let sealed = secret.seal("mx2", &letter.octets()).expect("a seal");
    write(&redis, "mx2", &sealed);
    let dropped = "a record that is none";
    write(&redis, "mx2", dropped.as_bytes());
    first.start_again();
    // The records that stand before it were read then.
    wait::until("read", || sharing(&first)["dropped"].as_u64() >= Some(1));
    assert!(first.is_known(CARLA), "{}", first.explained(CARLA));
}

#[test]
fn a_machine_that_was_copied_with_its_memory_is_told() {
    let (mail, redis) = (Mail::start(), Redis::start());
    let [first, _second] = pair(&mail, &redis);
    let file = first.setup.folder().join("cluster.secret");
    let secret = ClusterSecret::read(&file).expect("a secret");
    let own = || told_by(&redis, &secret, "mx1").into_iter().next();
    let own = wait::find("its own", own);
    let told_on = NumberedLetter {
        number: own.number + 100,
        ..own
    };
    let write_on = |letter: &NumberedLetter| {
        let sealed = secret.seal("mx1", &letter.octets()).expect("a seal");
        write(&redis, "mx1", &sealed);
    };
    write_on(&told_on);
    write_on(&told_on);
    first.log().find("the copy", |event| {
        event.message().contains("has this one's number")
    });
    assert_eq!(sharing(&first)["state"], "shares");
    assert_eq!(first.logged(says("has this one's number")).len(), 1);
}

/// Whether a line is a record's number in the stream: milliseconds, and a count.
fn is_number(line: &str) -> bool {
    let parts = line.split_once('-');
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|one| one.is_ascii_digit());
    parts.is_some_and(|(millis, count)| digits(millis) && digits(count))
}

#[test]
fn what_is_taken_back_before_it_is_known_here_is_taken_back_where_it_is_known() {
    let (mail, redis) = (Mail::start(), Redis::start());
    let [first, second] = pair(&mail, &redis);
    let network = "127.99.0.0/24";
    redis.signal(Signal::STOP);
    assert_eq!(log_in(&first, 97, ANNA), Some(235));
    first.ask(&["bans", "add", network]);
    for words in [&["forget", ANNA.0][..], &["bans", "remove", network]] {
        let ran = second.setup.command(words);
        assert_eq!(ran.code, Some(1), "{}", ran.text);
        let told = ran.text.contains("here; the other machines are told");
        assert!(told, "{}", ran.text);
    }
    redis.signal(Signal::CONT);
    let is_gone = |proxy: &Proxy| !proxy.is_known(ANNA) && !proxy.is_banned(network);
    wait::until("taken back", || is_gone(&first));
    first.ask(&["introduce", CARLA.0, "127.96.0.0/24"]);
    until_familiar(&second, 96, CARLA);
    assert!(is_gone(&second));
}

#[test]
fn a_full_store_is_one_cut_which_is_told_once_and_what_happens_meanwhile_is_told_later() {
    let (mail, redis) = (Mail::start(), Redis::start());
    let [first, second] = pair(&mail, &redis);
    let connections = || {
        let stats = redis.command(&["INFO", "stats"]);
        let mut lines = stats.lines();
        let count = lines.find_map(|line| line.strip_prefix("total_connections_received:"));
        count.and_then(|count| count.trim().parse::<u32>().ok())
    };
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(log_in(&first, 97, ANNA), Some(235));
    wait_for(&first, "cut-off");
    let since = || sharing(&first)["since"].take();
    let (cut, begun) = (since(), connections().expect("a number"));
    // Who has nothing to tell says at least that it is there.
    redis.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    wait_for(&second, "cut-off");
    // Each look makes one, and each machine some a second: it can be read all the time.
    wait::until("more tries", || connections() > Some(begun + 60));
    assert_eq!(since(), cut);
    for proxy in [&first, &second] {
        assert_eq!(sharing(proxy)["state"], "cut-off");
        for words in ["cut off from the others", "tell one another"] {
            assert_eq!(proxy.logged(says(words)).len(), 1, "{words}");
        }
    }
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    wait_for(&first, "shares");
    until_familiar(&second, 97, ANNA);
}

#[test]
fn machines_settle_in_together_and_one_that_is_added_to_others_does_not() {
    let (mail, redis) = (Mail::start(), Redis::start());
    let new = |name| machine(&mail, &redis, name, SECRET).with("settling", "7d");
    let settles = |proxy: &Proxy| proxy.status()["settling_until"].is_string();
    let first = new("mx1").start();
    wait_for(&first, "shares");
    first.log().find("that it waits", says("settling in waits"));
    assert!(!settles(&first));
    let second = new("mx2").start();
    wait::until("both settle in", || settles(&first) && settles(&second));
    drop(second);
    // It comes back with no state, beside one that has settled in.
    let over = machine(&mail, &redis, "mx2", SECRET).start();
    wait_for(&over, "shares");
    wait::until("settled in", || !settles(&first));
    first.log().find("which it is", says("settling in is over"));
}

#[test]
fn a_machine_with_another_secret_is_told_once_and_nothing_is_taken_from_it() {
    let (mail, redis) = (Mail::start(), Redis::start());
    let other = SECRET.replace('0', "1");
    let first = machine(&mail, &redis, "mx1", SECRET).start();
    let second = machine(&mail, &redis, "mx2", &other).start();
    assert_eq!(log_in(&first, 97, ANNA), Some(235));
    for (proxy, name) in [(&first, "mx2"), (&second, "mx1")] {
        let told = says("another secret of [cluster] there");
        let event = proxy.log().find("the other secret", &told);
        assert_eq!((&*event.field("machine"), &*event.level()), (name, "ERROR"));
        wait::until("the name", || sharing(proxy)["other_secret"][0] == name);
        assert!(
            proxy
                .ask(&["status"])
                .contains(&format!("ANOTHER ONE at {name}"))
        );
    }
    wait::until("told", || sharing(&second)["dropped"].as_u64() >= Some(3));
    assert_eq!(second.logged(says("another secret")).len(), 1);
    assert!(!second.is_known(ANNA));
    assert_eq!(sharing(&second)["taken"], 0);
    assert_eq!(log_in(&second, 97, ANNA), Some(235));
}

#[test]
fn what_others_write_into_the_store_is_dropped_and_counted_and_old_records_do_nothing() {
    let (mail, redis) = (Mail::start(), Redis::start());
    // Of 1970: it says nothing about the machine as it is now.
    redis.command(&["XADD", RECORDS, "1000-1", "m", "mx2", "r", "old"]);
    let [first, second] = pair(&mail, &redis);
    assert_eq!(sharing(&first)["dropped"], 1);
    assert!(first.logged(says("that are damaged")).is_empty());
    assert_eq!(log_in(&first, 96, CARLA), Some(235));
    until_familiar(&second, 96, CARLA);
    first.ask(&["expel", CARLA.0]);
    wait::until("expelled", || !second.is_familiar(96, CARLA));
    let mut session = second.client(loopback(96, 1));
    assert_eq!(session.try_log_in(CARLA).expect("an answer").code, 235);
    first.ask(&["bans", "add", "127.99.0.0/24"]);
    wait::until("banned", || second.is_banned("127.99.0.0/24"));
    first.ask(&["bans", "remove", "127.99.0.0/24"]);
    wait::until("lifted", || !second.is_banned("127.99.0.0/24"));
    assert_eq!(log_in(&first, 97, ANNA), Some(235));
    until_familiar(&second, 97, ANNA);
    first.ask(&["forget", ANNA.0]);
    wait::until("forgotten", || !second.is_known(ANNA));

    let before = sharing(&second)["dropped"].as_u64().expect("a number");
    // As they are; with an octet changed; and as another machine's.
    let every = "for _, e in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do local m, r = e[2][2], e[2][4]; ";
    let put = |m: &str, r: &str| {
        let script = format!("{every} redis.call('XADD', KEYS[1], '*', 'm', {m}, 'r', {r}) end");
        redis.command(&["EVAL", &script, "1", RECORDS]);
    };
    put("m", "r");
    put(
        "m",
        "string.sub(r, 1, -2) .. string.char((string.byte(r, -1) + 1) % 256)",
    );
    put("m == 'mx1' and 'mx2' or 'mx1'", "r");
    redis.command(&["XADD", RECORDS, "*", "some", "thing"]);
    let long = "x".repeat(70_000);
    for record in ["", "no record", &long] {
        redis.command(&["XADD", RECORDS, "*", "m", "mx1", "r", record]);
        redis.command(&["XADD", RECORDS, "*", "m", "another", "r", record]);
    }
    assert_eq!(log_in(&first, 98, BERT), Some(235));
    until_familiar(&second, 98, BERT);
    let dropped = sharing(&second)["dropped"].as_u64().expect("a number");
    assert!(dropped >= before + 10, "{dropped}");
    assert!(!second.is_banned("127.99.0.0/24") && !second.is_known(ANNA));
    session.expect("NOOP", 250);
    assert_eq!(sharing(&second)["other_secret"], Value::Array(Vec::new()));
    // Of each machine on the list once, and of all others once.
    let told = second.logged(says("that are damaged"));
    assert!((1..=3).contains(&told.len()), "{told:?}");
}

#[test]
fn what_happens_at_a_machine_whose_clock_is_an_hour_off_has_its_place_all_the_same() {
    let (mail, redis) = (Mail::start(), Redis::start());
    let first = machine(&mail, &redis, "mx1", SECRET).start();
    let second = machine(&mail, &redis, "mx2", SECRET);
    let second = second.with_other_clock(3600).0.start();
    wait_for(&first, "shares");
    wait_for(&second, "shares");
    assert_eq!(sharing(&first)["clock_ahead_s"], 0);
    let ahead = sharing(&second)["clock_ahead_s"].as_i64();
    assert!(
        (-3601..=-3599).contains(&ahead.expect("a number")),
        "{ahead:?}"
    );

    // Of a login and what was taken back the later one holds, whichever clock shows it.
    assert_eq!(log_in(&second, 97, ANNA), Some(235));
    until_familiar(&first, 97, ANNA);
    first.ask(&["forget", ANNA.0]);
    wait::until("forgotten", || !second.is_known(ANNA));
    assert_eq!(log_in(&first, 98, BERT), Some(235));
    until_familiar(&second, 98, BERT);
    second.ask(&["forget", BERT.0]);
    wait::until("forgotten", || !first.is_known(BERT));
    first.ask(&["bans", "add", "127.99.0.0/24", "--for", "30m"]);
    wait::until("banned", || second.is_banned("127.99.0.0/24"));
    assert_eq!(log_in(&second, 99, CARLA), None);
    second.ask(&["bans", "remove", "127.99.0.0/24"]);
    wait::until("lifted", || !first.is_banned("127.99.0.0/24"));
    let later = |proxy: &Proxy, user: User<'_>| {
        // A login in the same second as the order is older than it.
        wait::until("a later second", || {
            log_in(proxy, 97, user) == Some(235) && proxy.is_familiar(97, user)
        });
    };
    later(&first, ANNA);
    until_familiar(&second, 97, ANNA);
    later(&second, BERT);
    until_familiar(&first, 97, BERT);
}

#[test]
fn who_was_known_before_there_was_a_secret_stays_known_and_is_told() {
    let (mail, redis) = (Mail::start(), Redis::start());
    let mut first = Setup::before(&mail).start();
    assert_eq!(log_in(&first, 97, ANNA), Some(235));
    first.ask(&["introduce", BERT.0, "127.98.0.0/24"]);
    let machines: Vec<toml::Value> = vec!["mx1".into(), "mx2".into()];
    let file = first.setup.write("cluster.secret", SECRET);
    for (key, value) in [
        ("name", "mx1".to_owned()),
        ("store", redis.address()),
        ("secret-file", file.display().to_string()),
    ] {
        first.setup.set(&format!("cluster.{key}"), value);
    }
    first.setup.set("cluster.machines", machines);
    first.restart();
    first
        .log()
        .find("the new key", says("names have the key of the machines"));
    // Twice: who was not seen by then is still kept.
    assert!(first.is_familiar(97, ANNA));
    first.kill_and_start();
    assert!(first.is_familiar(97, ANNA) && first.is_familiar(98, BERT));
    let second = machine(&mail, &redis, "mx2", SECRET).start();
    wait::until("whole", || sharing(&second)["whole"] == true);
    until_familiar(&second, 97, ANNA);
    until_familiar(&second, 98, BERT);
    second.ask(&["forget", BERT.0]);
    wait::until("forgotten", || !first.is_known(BERT));
    first.restart();
    assert!(!first.is_known(BERT) && first.is_familiar(97, ANNA));
}

#[test]
fn a_key_of_another_program_is_told_and_left_alone() {
    let (mail, redis) = (Mail::start(), Redis::start());
    redis.command(&["SET", RECORDS, "theirs"]);
    let first = machine(&mail, &redis, "mx1", SECRET).start();
    wait_for(&first, "cut-off");
    let why = sharing(&first)["reason"].to_string();
    assert!(why.contains("wrong kind of value"), "{why}");
    assert_eq!(log_in(&first, 97, ANNA), Some(235));
    assert_eq!(redis.command(&["GET", RECORDS]).trim(), "theirs");
    redis.command(&["DEL", RECORDS]);
    wait_for(&first, "shares");
}
