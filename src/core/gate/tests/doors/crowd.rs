//! crowd - many logins at once behind one address, at doors that know no "later"

use super::*;

/// First logins of as many users at IMAP from one new address, under way until they are settled.
fn crowd(world: &mut World, users: std::ops::Range<u32>) -> (Vec<Permit>, Option<Verdict>) {
    let mut under_way = Vec::new();
    for n in users {
        match judge(
            world,
            Door::Imap,
            client(AWAY),
            &format!("user{n}"),
            Some("right"),
        ) {
            Verdict::Allow(permit) => under_way.push(permit),
            refused => return (under_way, Some(refused)),
        }
    }
    (under_way, None)
}

fn world_of_users() -> World {
    let world = world();
    for n in 0..100 {
        world.befriend(&format!("user{n}"), &format!("10.{n}.0.1"));
    }
    world
}

#[test]
fn a_crowds_next_login_waits_for_the_tokens_of_the_others_and_is_struck_for_nothing() {
    let mut world = world_of_users();
    let (mut under_way, refused) = crowd(&mut world, 0..100);
    let Some(Verdict::Crowded(refusal)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(refusal.reason, Reason::Bucket(Bucket::Client));
    assert_eq!(under_way.len(), 10, "what the bucket has");
    for n in 20..90 {
        let (more, refused) = crowd(&mut world, n..n + 1);
        assert!(
            more.is_empty(),
            "each is let through with a token of its own"
        );
        assert!(matches!(refused, Some(Verdict::Crowded(_))), "{refused:?}");
    }
    assert!(world.gate.bans(world.now).is_empty());
    assert_eq!(left(&world, Bucket::Client), 0);
    let one = under_way.pop().unwrap();
    world.settle(one, AuthOutcome::Accept);
    let (more, _) = crowd(&mut world, 20..100);
    assert!(!more.is_empty(), "its token is there again");
}

#[test]
fn a_guesser_gets_what_its_bucket_has_and_is_struck_once_all_is_settled() {
    let mut world = world_of_users();
    let (under_way, _) = crowd(&mut world, 0..100);
    let checked = under_way.len();
    for permit in under_way {
        world.settle(permit, AuthOutcome::Reject);
    }
    let mut after = 0;
    for n in 0..100 {
        let password = format!("Zwiebel-{n}");
        let name = format!("user{n}");
        match judge(&mut world, Door::Imap, client(AWAY), &name, Some(&password)) {
            Verdict::Refuse(_) => {}
            other => {
                after += 1;
                drop(other);
            }
        }
    }
    assert_eq!((checked, after), (10, 0));
    assert!(
        !world.gate.bans(world.now).is_empty(),
        "refused sixty times"
    );
}

/// At our own door it is told to come later.
#[test]
fn at_our_own_door_nobody_waits_in_a_crowd() {
    let mut world = world_of_users();
    let (under_way, _) = crowd(&mut world, 0..100);
    let verdict = judge(&mut world, Door::Own, client(AWAY), "user50", Some("right"));
    assert!(matches!(verdict, Verdict::Refuse(_)), "{verdict:?}");
    drop(under_way);
    let verdict = judge(
        &mut world,
        Door::Imap,
        client(AWAY),
        "user51",
        Some("right"),
    );
    assert!(
        matches!(verdict, Verdict::Refuse(_)),
        "nothing can come back: {verdict:?}"
    );
}
