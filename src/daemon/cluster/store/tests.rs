//! tests - the scripts, played by a real redis-server

use tempfile::TempDir;

use super::connection::ANSWER;
use super::*;
use crate::cluster::own_redis::Redis;
use crate::cluster::stream::{RecordStream, StreamPlace};
use gatepost_core::gate::buckets::division::LentLimit;
use gatepost_core::gate::buckets::lender::LenderModel;
use gatepost_core::gate::buckets::slice::{PARTS, Returned};
use gatepost_core::gate::buckets::spec::Bucket;

const LIMIT: LentLimit = LentLimit {
    burst: 10,
    every: 60_000_000,
    slice: 3,
};

fn request(wanted: u32, claim: LenderPoint) -> SliceRequest {
    SliceRequest {
        bucket: Bucket::Strangers,
        limit: LIMIT,
        unspent: Returned::default(),
        refunded: Returned::default(),
        claim,
        wanted,
    }
}

/// What is claimed when so many tokens have come back since.
fn claim(lend: Lend, tokens: u64) -> LenderPoint {
    LenderPoint {
        back: lend.point.back + tokens * PARTS,
        ..lend.point
    }
}

fn returned(lend: Lend, tokens: u32) -> Returned {
    Returned {
        tokens,
        until: LenderPoint {
            back: lend.until,
            ..lend.point
        },
    }
}

async fn one(lender: &mut Lender, request: SliceRequest) -> Lend {
    let lent = lender.exchange(&[request]).await.unwrap();
    assert_eq!(lent.len(), 1);
    lent[0]
}

#[tokio::test]
async fn a_bucket_begins_empty_and_lends_what_has_come_back() {
    let redis = Redis::start(&[]).await;
    let mut lender = redis.lender().await;
    let none = one(&mut lender, request(3, LenderPoint::default())).await;
    assert_eq!((none.tokens, none.left), (0, 0));
    let first = one(&mut lender, request(3, claim(none, 4))).await;
    assert_eq!((first.tokens, first.left), (3, 1));
    // Another machine's claim is less: the larger one holds.
    let second = one(&mut lender, request(3, claim(none, 2))).await;
    assert_eq!((second.tokens, second.left), (1, 0));
    // Never more than a burst, however long nobody asked.
    let long = one(&mut lender, request(3, claim(none, 1_000))).await;
    assert_eq!((long.tokens, long.left), (3, 7));
    assert_eq!(long.point.epoch, none.point.epoch);
}

#[tokio::test]
async fn what_comes_back_is_lent_again_and_what_has_flowed_back_is_not_given_twice() {
    let redis = Redis::start(&[]).await;
    let mut lender = redis.lender().await;
    let none = one(&mut lender, request(0, LenderPoint::default())).await;
    let full = one(&mut lender, request(3, claim(none, 10))).await;
    assert_eq!((full.tokens, full.left), (3, 7));
    let mut back = request(0, claim(none, 10));
    back.unspent = returned(full, 2);
    back.refunded = returned(full, 1);
    assert_eq!(one(&mut lender, back).await.left, 10);
    // Lent, and full again before it comes back: it is worth nothing then.
    let lent = one(&mut lender, request(3, claim(none, 10))).await;
    let all = one(&mut lender, request(10, claim(none, 13))).await;
    assert_eq!((all.tokens, all.left), (10, 0));
    let mut late = request(0, claim(none, 13));
    late.unspent = returned(lent, 3);
    assert_eq!(one(&mut lender, late).await.left, 0);
}

/// What the script and the model have answered to one request.
#[derive(Clone, Copy, Default)]
struct Both {
    script: Option<Lend>,
    model: Option<Lend>,
}

/// The same request of each, about what each has lent.
fn same(
    wanted: u32,
    on: Both,
    back: u64,
    unspent: (Both, u32),
    refunded: (Both, u32),
) -> [SliceRequest; 2] {
    let of = |pick: fn(Both) -> Option<Lend>| {
        let gives = |(both, tokens)| {
            pick(both).map_or_else(Returned::default, |lend| returned(lend, tokens))
        };
        let point = pick(on).map_or_else(LenderPoint::default, |lend| lend.point);
        SliceRequest {
            unspent: gives(unspent),
            refunded: gives(refunded),
            ..request(
                wanted,
                LenderPoint {
                    back: point.back + back,
                    ..point
                },
            )
        }
    };
    [of(|both| both.script), of(|both| both.model)]
}

#[tokio::test]
async fn the_script_lends_what_its_model_lends_whatever_is_asked() {
    let redis = Redis::start(&[]).await;
    let (mut lender, mut model) = (redis.lender().await, LenderModel::default());
    let mut seed = 1u64;
    let mut below = move |most: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % most
    };
    let mut answered = [Both::default(); 8];
    let mut lent = 0;
    for round in 0..3_000 {
        if below(100) == 0 {
            redis.run(&["FLUSHALL"]).await;
            model.lose_all();
        }
        let mut any = || answered[below(8) as usize];
        let (on, unspent, refunded) = (any(), any(), any());
        let asked = same(
            below(5) as u32,
            on,
            below(3 * PARTS),
            (unspent, below(4) as u32),
            (refunded, below(3) as u32),
        );
        let script = one(&mut lender, asked[0]).await;
        let expected = model.exchange(&asked[1]);
        let seen = |lend: Lend| (lend.tokens, lend.left, lend.point.back, lend.until);
        assert_eq!(seen(script), seen(expected), "{round}: {asked:?}");
        lent += script.tokens;
        answered[round % 8] = Both {
            script: Some(script),
            model: Some(expected),
        };
    }
    assert!(lent > 500, "{lent} tokens: too few were lent to compare");
}

#[tokio::test]
async fn a_bucket_that_was_lost_is_another_one_and_takes_nothing_back() {
    let redis = Redis::start(&[]).await;
    let mut lender = redis.lender().await;
    let none = one(&mut lender, request(0, LenderPoint::default())).await;
    let lent = one(&mut lender, request(3, claim(none, 10))).await;
    redis.run(&["FLUSHALL"]).await;
    let mut again = request(3, claim(none, 10));
    again.unspent = returned(lent, 3);
    let lost = one(&mut lender, again).await;
    assert_eq!((lost.tokens, lost.left, lost.point.back), (0, 0, 0));
    assert_ne!(lost.point.epoch, none.point.epoch);
}

#[tokio::test]
async fn what_an_earlier_run_of_the_server_has_saved_is_old_and_counts_as_lost() {
    let mut redis = Redis::start(&[]).await;
    let mut lender = redis.lender().await;
    let none = one(&mut lender, request(0, LenderPoint::default())).await;
    redis.run(&["SAVE"]).await;
    let lent = one(&mut lender, request(3, claim(none, 10))).await;
    assert_eq!(lent.tokens, 3);
    redis.restart().await;
    let mut lender = redis.lender().await;
    let old = one(&mut lender, request(3, claim(none, 10))).await;
    assert_eq!((old.tokens, old.left), (0, 0));
}

#[tokio::test]
async fn a_name_is_one_process_s_until_it_leaves_and_others_see_it() {
    let redis = Redis::start(&[]).await;
    let mut lender = redis.lender().await;
    let first = lender.announce("mx1", "a", "list").await.unwrap();
    assert!(first.is_ours);
    let twin = lender.announce("mx1", "b", "list").await.unwrap();
    assert!(!twin.is_ours);
    let other = lender.announce("mx2", "c", "other").await.unwrap();
    assert!(other.is_ours);
    let mut seen: Vec<_> = other.machines.iter().collect();
    seen.sort_by_key(|one| &one.name);
    let seen: Vec<_> = seen.iter().map(|one| (&*one.name, &*one.list)).collect();
    assert_eq!(seen, [("mx1", "list"), ("mx2", "other")]);
    assert!(
        other
            .machines
            .iter()
            .all(|one| one.silent < Duration::from_secs(60))
    );
    assert!(
        other
            .machines
            .iter()
            .all(|one| one.version == env!("CARGO_PKG_VERSION"))
    );
    // It cannot send another one away.
    lender.leave("mx1", "b").await.unwrap();
    assert!(!lender.announce("mx1", "b", "list").await.unwrap().is_ours);
    lender.leave("mx1", "a").await.unwrap();
    assert!(lender.announce("mx1", "b", "list").await.unwrap().is_ours);
}

#[tokio::test]
async fn what_is_wrong_with_a_store_is_said() {
    let redis = Redis::start(&[]).await;
    redis.run(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let mut lender = redis.lender().await;
    let full = lender.exchange(&[request(1, LenderPoint::default())]).await;
    assert!(full.unwrap_err().to_string().contains("maxmemory"));
    redis.run(&["CONFIG", "SET", "maxmemory", "0"]).await;
    redis.run(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let mut lender = redis.lender().await;
    let read_only = lender.exchange(&[request(1, LenderPoint::default())]).await;
    assert!(
        read_only
            .unwrap_err()
            .to_string()
            .to_lowercase()
            .contains("read only")
    );
    let missing = LenderSettings {
        address: LenderAddress::Unix(redis.folder.path().join("none")),
        ..redis.settings()
    };
    let missing = Lender::connect(&missing).await.unwrap_err();
    assert!(matches!(missing, LenderFault::Connect(_)), "{missing}");
    let mut wrong = redis.settings();
    wrong.password_file = Some(redis.folder.path().join("password"));
    let no_file = Lender::connect(&wrong).await.unwrap_err();
    assert!(matches!(no_file, LenderFault::File { .. }), "{no_file}");
}

#[tokio::test]
async fn only_the_right_password_of_the_user_lets_us_in() {
    let redis = Redis::start(&[]).await;
    redis
        .run(&[
            "ACL",
            "SETUSER",
            "gatepost",
            "on",
            ">secret",
            "resetkeys",
            "~gatepost:*",
            "-@all",
            "+evalsha",
            "+script|load",
            "+info",
            "+time",
            "+hmget",
            "+hset",
            "+hget",
            "+hdel",
            "+hgetall",
            "+pexpire",
            "+xadd",
            "+xrange",
            "+select",
        ])
        .await;
    redis.run(&["CONFIG", "SET", "requirepass", "other"]).await;
    let password = redis.folder.path().join("password");
    std::fs::write(&password, "secret\n").unwrap();
    let settings = LenderSettings {
        user: Some("gatepost".to_owned()),
        password_file: Some(password.clone()),
        ..redis.settings()
    };
    let mut lender = Lender::connect(&settings).await.unwrap();
    one(&mut lender, request(1, LenderPoint::default())).await;
    assert!(lender.announce("mx1", "a", "list").await.unwrap().is_ours);
    lender.leave("mx1", "a").await.unwrap();
    let mut records = RecordStream::connect(&settings).await.unwrap();
    records.add("mx1", &[vec![1]], 9).await.unwrap();
    let read = records.read(&mut StreamPlace::default(), 64).await.unwrap();
    assert_eq!(read.entries.len(), 1);
    std::fs::write(&password, "wrong").unwrap();
    let refused = Lender::connect(&settings).await.unwrap_err();
    assert!(matches!(refused, LenderFault::Refused(_)), "{refused}");
}

#[tokio::test]
async fn a_store_that_is_frozen_takes_no_longer_than_its_time() {
    let redis = Redis::start(&[]).await;
    let mut lender = redis.lender().await;
    let server = rustix::process::Pid::from_child(&redis.child);
    rustix::process::kill_process(server, rustix::process::Signal::STOP).unwrap();
    let silent = lender.exchange(&[request(1, LenderPoint::default())]).await;
    assert_eq!(silent.unwrap_err(), LenderFault::Silent(ANSWER));
    let silent = Lender::connect(&redis.settings()).await.unwrap_err();
    assert!(matches!(silent, LenderFault::Silent(_)), "{silent}");
}

#[tokio::test]
async fn over_tls_only_a_store_whose_authority_is_trusted_is_asked() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let chain = file("chain.pem", &own.cert.pem());
    let key = file("key.pem", &own.signing_key.serialize_pem());
    let other = file("other.pem", &other.cert.pem());
    // Free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let options = ["--bind", "127.0.0.1", "--tls-auth-clients", "no"];
    let files = ["--tls-cert-file", &chain, "--tls-key-file", &key];
    let tls_port = ["--tls-port", &port.to_string()];
    let redis = Redis::start(&[&options[..], &files, &tls_port].concat()).await;
    let settings = |host: &str, authority: &str| LenderSettings {
        address: LenderAddress::Tcp(
            host.to_owned(),
            port,
            LenderChannel::Tls(Some(authority.into())),
        ),
        ..redis.settings()
    };
    let fault = |told: Result<Lender, LenderFault>| told.unwrap_err().to_string();
    let wrong_name = Lender::connect(&settings("127.0.0.1", &chain)).await;
    assert!(fault(wrong_name).contains("certificate"));
    let right = Lender::connect(&settings("localhost", &chain)).await;
    let mut lender = right.unwrap();
    one(&mut lender, request(1, LenderPoint::default())).await;
    let not_trusted = Lender::connect(&settings("localhost", &other)).await;
    assert!(fault(not_trusted).contains("certificate"));
    let no_chain = Lender::connect(&settings("localhost", &key)).await;
    assert!(matches!(no_chain, Err(LenderFault::File { .. })));
}
