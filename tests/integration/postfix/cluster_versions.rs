//! cluster_versions - two builds of Gatepost in one cluster, and what a later version may write
//!
//! `GATEPOST_OTHER_PROGRAM=/path/to/gatepost cargo test --test integration cluster_versions` lets the second machine be another build until
//! it is upgraded; without that it is the same. What a later version may write is made of what this one has written, with more in
//! it, and sealed under the secret of the cluster.
//! Not here: what somebody writes who has no secret (`cluster_shares`), each record by itself (`gate::tell`, `cluster::message`).

use gatepost_core::gate::tell;
use gatepost_daemon::cluster::message::{
    ClusterLetter, ClusterTold, NumberedLetter, NumberedRecords,
};
use gatepost_daemon::cluster::secret::ClusterSecret;
use serde_json::Value;

use crate::kit::client::loopback;
use crate::kit::machines::{BURST, FreshGuesses, GuessTarget, SECRET};
use crate::kit::mail::{ANNA, BERT, CARLA, Mail, User};
use crate::kit::ports;
use crate::kit::proxy::{Event, Proxy, Setup};
use crate::kit::records::{RECORDS, told_by, write};
use crate::kit::redis::Redis;
use crate::kit::wait;

const PRESENCE: &str = "gatepost:1:machines";
const NAMES: [&str; 2] = ["mx1", "mx2"];
/// Of one user's tokens for guesses from far, those that are not kept for retries.
const OF_ONE: usize = 10 - 10 / 6;

/// Two machines before one Postfix.
struct Pair {
    first: Proxy,
    second: Proxy,
    guesses: FreshGuesses,
    mail: Mail,
}

/// The setups of both, without the way on which they tell one another what they know.
fn setups(mail: &Mail) -> [Setup; 2] {
    NAMES.map(|name| {
        let setup = Setup::before(mail).with_few_unknown();
        setup.of_machine(name, &NAMES).with_secret(SECRET)
    })
}

fn with_store(setups: [Setup; 2], redis: &Redis) -> [Setup; 2] {
    setups.map(|setup| setup.with("cluster.store", redis.address()))
}

fn with_links(setups: [Setup; 2]) -> [Setup; 2] {
    let places = NAMES.map(|_| format!("127.0.0.1:{}", ports::free()));
    let peers: Vec<toml::Value> = places.iter().map(|place| place.clone().into()).collect();
    let mut places = places.into_iter();
    setups.map(|setup| {
        let place = places.next().expect("one each");
        let setup = setup.with("cluster.listen", place);
        setup.with("cluster.peers", peers.clone())
    })
}

fn sharing(proxy: &Proxy) -> Value {
    proxy.status()["cluster"]["sharing"].take()
}

#[track_caller]
fn log_in(proxy: &Proxy, net: u8, user: User<'_>) {
    assert_eq!(proxy.log_in(loopback(net, 1), user), Some(235));
}

/// Tokens that guesses from far at a user have left here.
#[track_caller]
fn left_for(proxy: &Proxy, User(user, _): User<'_>) -> u64 {
    let explained = proxy.ask_json(&["explain", "127.200.1.1", user]);
    let buckets = explained["buckets"].as_array().expect("buckets");
    let far = buckets.iter().find(|one| one["name"] == "user-far");
    let tokens = far.expect("the user's")["tokens"].as_u64();
    tokens.expect("a number")
}

impl Pair {
    #[track_caller]
    fn start(mail: Mail, [first, second]: [Setup; 2]) -> Self {
        let pair = Self {
            first: first.start(),
            second: second.start(),
            guesses: FreshGuesses::default(),
            mail,
        };
        pair.both("shares", |proxy| sharing(proxy)["state"] == "shares");
        pair
    }

    #[track_caller]
    fn both(&self, what: &str, holds: impl Fn(&Proxy) -> bool) {
        wait::until(what, || holds(&self.first) && holds(&self.second));
    }

    /// Guesses at both in turn until nothing gets through any more; how many have reached Dovecot in all.
    #[track_caller]
    fn attack(&mut self, target: GuessTarget<'_>) -> usize {
        let proxies = [&self.first, &self.second];
        let log_in = |machine: usize, source, user: User<'_>| {
            proxies[machine].log_in(source, user);
        };
        self.guesses.attack(target, &[0, 1], &self.mail, log_in)
    }

    /// What happens at one is known at the other, in both directions.
    #[track_caller]
    fn share(&mut self) {
        log_in(&self.first, 97, ANNA);
        log_in(&self.second, 98, BERT);
        self.first.ask(&["introduce", CARLA.0, "127.96.0.0/24"]);
        self.both("familiar", |proxy| {
            let at_home = proxy.is_familiar(97, ANNA) && proxy.is_familiar(98, BERT);
            at_home && proxy.is_familiar(96, CARLA)
        });
        self.second.ask(&["forget", CARLA.0]);
        self.both("forgotten", |proxy| !proxy.is_known(CARLA));

        self.first.ask(&["bans", "add", "127.99.0.0/24"]);
        self.second.ask(&["bans", "add", "127.95.0.0/24"]);
        let is_banned = |proxy: &Proxy, net: u8| proxy.is_banned(&format!("127.{net}.0.0/24"));
        self.both("banned", |proxy| {
            is_banned(proxy, 99) && is_banned(proxy, 95)
        });
        self.first.ask(&["bans", "remove", "127.95.0.0/24"]);
        self.both("lifted", |proxy| !is_banned(proxy, 95));
        let mut session = self.second.client(loopback(97, 1));
        assert_eq!(session.try_log_in(ANNA).expect("an answer").code, 235);
        self.first.ask(&["expel", ANNA.0]);
        drop(session.rest().expect("the session's end"));
        self.both("expelled", |proxy| !proxy.is_familiar(97, ANNA));
    }

    /// One build in the other's place, with its state; meanwhile something happens at the first machine.
    #[track_caller]
    fn upgrade_the_second(&mut self) {
        self.second.terminate();
        self.second.ends_well();
        log_in(&self.first, 94, ANNA);
        self.first.ask(&["bans", "add", "127.93.0.0/24"]);
        self.second.setup.upgrade();
        self.second.start_again();
        self.both("whole", |proxy| {
            let sharing = sharing(proxy);
            sharing["whole"] == true && sharing["state"] == "shares"
        });
    }

    /// Nothing of what [`Pair::share`] and [`Pair::upgrade_the_second`] did is lost, at either.
    #[track_caller]
    fn assert_all_is_known(&self) {
        self.both("told", |proxy| {
            proxy.is_familiar(94, ANNA) && proxy.is_banned("127.93.0.0/24")
        });
        for proxy in [&self.first, &self.second] {
            assert!(proxy.is_familiar(98, BERT), "{}", proxy.explained(BERT));
            assert!(proxy.is_known(ANNA) && !proxy.is_familiar(97, ANNA));
            assert!(!proxy.is_known(CARLA), "{}", proxy.explained(CARLA));
            assert!(proxy.is_banned("127.99.0.0/24") && !proxy.is_banned("127.95.0.0/24"));
            assert!(left_for(proxy, BERT) <= 1);
            assert_eq!(sharing(proxy)["dropped"], 0);
        }
    }

    /// All of it, with a store or with links between them.
    #[track_caller]
    fn share_and_upgrade(&mut self) {
        self.share();
        let unknown = self.attack(GuessTarget::Unknown);
        let least = BURST / 2 - BURST / 6;
        assert!((least..=BURST).contains(&unknown), "{unknown}");
        let at_bert = self.attack_bert();
        // What came at the same time at both, before one knew of the other.
        assert!((OF_ONE..=OF_ONE + 2).contains(&at_bert), "{at_bert}");

        self.upgrade_the_second();
        self.assert_all_is_known();
        let unknown_in_all = self.attack(GuessTarget::Unknown);
        assert!(unknown_in_all <= BURST, "{unknown_in_all}");
        // What one machine owns would be more than what is borrowed anew.
        let again = unknown_in_all - unknown;
        assert!(again < BURST / 6, "{again} after {unknown}");
        assert_eq!(self.attack_bert(), at_bert);
        self.first.ask(&["introduce", CARLA.0, "127.92.0.0/24"]);
        log_in(&self.second, 91, ANNA);
        self.both("familiar", |proxy| {
            proxy.is_familiar(92, CARLA) && proxy.is_familiar(91, ANNA)
        });
    }

    fn attack_bert(&mut self) -> usize {
        let guesses = |pair: &Self| {
            let checks = pair.mail.password_checks();
            let wrong = checks.iter().filter(|check| !check.right);
            wrong.filter(|check| check.user == BERT.0).count()
        };
        self.attack(GuessTarget::User(BERT.0));
        guesses(self)
    }
}

#[test]
fn two_builds_with_a_store_share_and_an_upgrade_of_one_loses_nothing() {
    let (mail, redis) = (Mail::start(), Redis::start());
    redis.fill("unknown");
    let [first, second] = with_store(setups(&mail), &redis);
    let mut pair = Pair::start(mail, [first, second.of_other_build()]);
    pair.share_and_upgrade();
}

#[test]
fn two_builds_with_links_share_and_an_upgrade_of_one_loses_nothing() {
    let mail = Mail::start();
    let [first, second] = with_links(setups(&mail));
    let mut pair = Pair::start(mail, [first, second.of_other_build()]);
    pair.share_and_upgrade();
}

/// What a later version of a machine has told, and how much of that only a later version knows.
#[derive(Default)]
struct LaterTold {
    letters: Vec<Vec<u8>>,
    news: u64,
}

/// A fact of a kind that is not known here: its number, its length, and its octets.
const LATER_FACT: [u8; 9] = [200, 7, 1, 2, 3, 4, 5, 6, 7];
/// A record of a bucket that is not known here.
const LATER_BUCKET: [u8; 17] = [250; 17];
/// What a later version may add behind what is known.
const MORE: [u8; 5] = [9, 8, 7, 6, 5];

impl LaterTold {
    /// What was told, with more of a later version before, between and behind it.
    fn of(told: Vec<NumberedLetter>) -> Self {
        let mut later = Self::default();
        let mut number: u64 = 0;
        for NumberedLetter { letter, .. } in told {
            number += 1;
            let head = number.to_le_bytes();
            number += u64::from(letter.told.is_numbered());
            let process = letter.process;
            later.news += 1;
            later
                .letters
                .push([&head[..], &[99], &process, &MORE].concat());
            let told = match letter.told {
                ClusterTold::Facts(facts) => ClusterTold::Facts(later.facts(&facts)),
                ClusterTold::Spent(records) => ClusterTold::Spent(Self::records(records)),
                ClusterTold::Owed(records) => ClusterTold::Owed(Self::records(records)),
                other => {
                    let octets = ClusterLetter {
                        process,
                        told: other,
                    };
                    later
                        .letters
                        .push([&head[..], &octets.octets(), &MORE].concat());
                    continue;
                }
            };
            let letter = ClusterLetter { process, told };
            later
                .letters
                .push(NumberedLetter { number, letter }.octets());
        }
        later
    }

    /// Writes all of it as `machine` does, and each letter once more, sealed in another way.
    fn write(&self, redis: &Redis, secret: &ClusterSecret, machine: &str) {
        for letter in &self.letters {
            let sealed = secret.seal(machine, letter).expect("a seal");
            write(redis, machine, &[&[3][..], &sealed[1..]].concat());
            write(redis, machine, &sealed);
        }
    }

    /// Each fact with more behind it, and others between.
    fn facts(&mut self, mut facts: &[u8]) -> Vec<u8> {
        let mut later = LATER_FACT.to_vec();
        self.news += 1;
        while let [number, length, rest @ ..] = facts {
            let (record, rest) = rest.split_at(usize::from(*length));
            facts = rest;
            let (read, _) = tell::read(&[&[*number, *length], record].concat(), 0).expect("a fact");
            let mut record = record.to_vec();
            if read[0].noted == read[0].at {
                // It is left out where it is the same, and must stand before what is added.
                record.extend_from_slice(&read[0].noted.as_nanos().to_le_bytes());
            }
            record.extend_from_slice(&MORE);
            let length = u8::try_from(record.len()).expect("a short record");
            later.extend_from_slice(&[*number, length]);
            later.extend_from_slice(&record);
            later.extend_from_slice(&LATER_FACT);
            self.news += 1;
        }
        later
    }

    fn records(mut records: NumberedRecords) -> NumberedRecords {
        records.octets = [&LATER_BUCKET[..], &records.octets, &LATER_BUCKET, &MORE].concat();
        records
    }
}

impl Pair {
    /// What is new at the second machine while the first one is away, in the store when it is done.
    #[track_caller]
    fn live_without_the_first(&mut self) {
        let told = |proxy: &Proxy| sharing(proxy)["told"].as_u64().expect("a number");
        let before = told(&self.second);
        log_in(&self.second, 97, ANNA);
        self.second.ask(&["bans", "add", "127.99.0.0/24"]);
        self.second.ask(&["bans", "remove", "127.95.0.0/24"]);
        self.second.ask(&["forget", CARLA.0]);
        let log_in = |_: usize, source, user: User<'_>| {
            self.second.log_in(source, user);
        };
        let bert = GuessTarget::User(BERT.0);
        self.guesses.attack(bert, &[0], &self.mail, log_in);
        wait::until("told", || told(&self.second) >= before + 4);
        // It tells the rest as it ends.
        self.second.terminate();
        self.second.ends_well();
    }
}

#[test]
fn what_a_later_version_writes_is_passed_over_and_what_is_known_of_it_is_taken() {
    let (mail, redis) = (Mail::start(), Redis::start());
    let setups = with_store(setups(&mail), &redis);
    let mut pair = Pair::start(mail, setups);
    pair.first.ask(&["introduce", CARLA.0, "127.96.0.0/24"]);
    pair.first.ask(&["introduce", BERT.0, "127.98.0.0/24"]);
    pair.first.ask(&["bans", "add", "127.95.0.0/24"]);
    pair.both("told", |proxy| {
        let known = proxy.is_known(CARLA) && proxy.is_known(BERT);
        known && proxy.is_banned("127.95.0.0/24")
    });
    pair.first.terminate();
    pair.first.ends_well();
    redis.command(&["DEL", RECORDS]);
    pair.live_without_the_first();

    let file = pair.second.setup.folder().join("cluster.secret");
    let secret = ClusterSecret::read(&file).expect("a secret");
    let later = LaterTold::of(told_by(&redis, &secret, "mx2"));
    redis.command(&["DEL", RECORDS]);
    later.write(&redis, &secret, "mx2");
    let sealed_later = later.letters.len() as u64;
    redis.command(&["HSET", "gatepost:1:lent:unknown", "later", "1"]);
    redis.command(&["HSET", "gatepost:1:later", "something", "1"]);
    pair.first.start_again();

    let first = &pair.first;
    wait::until("familiar", || first.is_familiar(97, ANNA));
    wait::until("all of it was read", || {
        sharing(first)["dropped"] == later.news + sealed_later
    });
    assert!(first.is_banned("127.99.0.0/24") && !first.is_banned("127.95.0.0/24"));
    assert!(!first.is_known(CARLA), "{}", first.explained(CARLA));
    assert!(left_for(first, BERT) <= 2, "{}", left_for(first, BERT));
    assert_eq!(sharing(first)["state"], "shares");
    assert_eq!(sharing(first)["other_secret"], Value::Array(Vec::new()));
    // Once, however many there are, and nothing else is the matter.
    let of_later = |event: &Event| event.message().contains("of another version");
    assert_eq!(first.logged(of_later).len(), 1);
    let of_damage = |event: &Event| event.message().contains("damaged") || event.level() == "ERROR";
    assert!(first.logged(of_damage).is_empty());

    assert_a_later_machine_is_seen(first, &redis);
    // And it goes on telling the others.
    let facts = || {
        let told = told_by(&redis, &secret, "mx1").into_iter();
        let is_facts = |told: &NumberedLetter| matches!(told.letter.told, ClusterTold::Facts(_));
        told.filter(is_facts).count()
    };
    let before = facts();
    log_in(first, 94, ANNA);
    wait::until("told", || facts() > before);
    // Nothing was missing.
    let lacks = |told: &NumberedLetter| matches!(told.letter.told, ClusterTold::Lacks(_));
    assert!(!told_by(&redis, &secret, "mx1").iter().any(lacks));
}

/// A machine of a later version that is there is shown with its version.
#[track_caller]
fn assert_a_later_machine_is_seen(proxy: &Proxy, redis: &Redis) {
    let time = redis.command(&["TIME"]);
    let second = time.lines().next().expect("a second");
    let row = format!("another {second}000 99.0.0 list");
    redis.command(&["HSET", PRESENCE, "mx2", &row]);
    wait::until("it is seen", || {
        let cluster = proxy.status()["cluster"].take();
        let mut seen = cluster["seen"].as_array().into_iter().flatten();
        seen.any(|one| one["name"] == "mx2" && one["version"] == "99.0.0")
    });
}
