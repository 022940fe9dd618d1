//! elsewhere - sessions of processes that were stopped count, and give way

use super::*;

const OLD: u32 = 7;

impl World {
    /// What one process tells: by user and number, how it works.
    fn told(&self, process: u32, sessions: &[(&str, u64, SessionWork)]) -> ToldElsewhere {
        let told = sessions
            .iter()
            .map(|(name, number, work)| SessionElsewhere {
                number: *number,
                user: (!name.is_empty()).then(|| self.user(name)),
                work: *work,
            });
        ToldElsewhere::from([(process, Some(told.collect()))])
    }

    fn have_elsewhere(&self, sessions: &[(&str, SessionWork)]) {
        let numbered = sessions.iter().zip(1..);
        let numbered: Vec<_> = numbered
            .map(|((name, work), n)| (*name, n, *work))
            .collect();
        self.registry.take_over(&self.told(OLD, &numbered));
    }

    /// At work, for so long.
    fn busy(&self, lasts: Duration) -> SessionWork {
        SessionWork {
            since: self.now - lasts,
            moved: self.now,
            seen: self.now,
            lately: 1_000_000,
            clients_turn: true,
        }
    }

    fn silent(&self, still: Duration) -> SessionWork {
        SessionWork {
            moved: self.now - still,
            lately: 0,
            ..self.busy(MINUTE * 10)
        }
    }
}

#[test]
fn a_user_has_no_more_sessions_over_a_restart_than_before_it() {
    let mut world = World::new(3, None);
    let busy = world.busy(MINUTE);
    world.have_elsewhere(&[("anna", busy), ("anna", busy), ("bert", busy)]);
    assert_eq!((world.held("anna"), world.registry.elsewhere()), (2, 3));
    assert_eq!(world.enter("anna"), Ok(()));
    assert_eq!(world.enter("anna"), Err(NoRoom::PerUser));
    assert_eq!(world.enter("bert"), Ok(()));
    assert_eq!(world.registry.logged_in(), 2);
    // One of them ends there.
    world.have_elsewhere(&[("anna", busy)]);
    assert_eq!(world.enter("anna"), Ok(()));
    assert_eq!(world.enter("anna"), Err(NoRoom::PerUser));
    // The process ends.
    world.registry.take_over(&ToldElsewhere::new());
    assert_eq!(world.enter("anna"), Ok(()));
}

#[test]
fn of_a_users_own_sessions_elsewhere_one_that_was_silent_for_a_minute_gives_way() {
    let mut world = World::new(2, None);
    for (still, expected) in [(59, Err(NoRoom::PerUser)), (60, Ok(()))] {
        let (busy, silent) = (world.busy(MINUTE), world.silent(Duration::from_secs(still)));
        world.have_elsewhere(&[("anna", busy), ("anna", silent)]);
        // Only what was seen counts.
        world.now = world.now + Duration::from_secs(4);
        assert_eq!(world.enter("anna"), expected, "{still}");
    }
    let giving = BTreeMap::from([(OLD, vec![2])]);
    assert_eq!(world.registry.giving_way(), giving);
    assert_eq!(world.held("anna"), 2);
    assert_eq!(world.registry.elsewhere(), 2, "it is still at Postfix");
    world.registry.told(OLD, &Ok(1));
    assert_eq!(world.registry.elsewhere(), 1);
}

#[test]
fn postfix_has_no_more_sessions_over_a_restart_than_before_it_and_who_holds_none_is_let_in() {
    let mut world = World::new(20, Some(100));
    let names: Vec<_> = (0..5).map(|account| format!("thief{account}")).collect();
    let sessions: Vec<_> = names
        .iter()
        .cycle()
        .take(77)
        .map(|name| (name.as_str(), world.busy(MINUTE)))
        .collect();
    world.have_elsewhere(&sessions);
    for _ in 0..10 {
        let _ = world.enter("thief0");
    }
    assert_eq!(world.held("thief0"), 16, "the last quarter is for others");
    for user in 0..11 {
        assert_eq!(world.enter(&format!("user{user}")), Ok(()));
    }
    assert!(world.registry.giving_way().is_empty());
    // From now on one of those who hold many gives way to each.
    for user in 11..20 {
        assert_eq!(world.enter(&format!("user{user}")), Ok(()));
    }
    let giving = world.registry.giving_way();
    assert_eq!(giving.get(&OLD).map(Vec::len), Some(9));
    assert_eq!(world.registry.logged_in(), 20);
    world.registry.told(OLD, &Ok(9));
    assert_eq!(world.registry.elsewhere(), 68);
}

#[test]
fn what_has_given_way_is_not_counted_again_before_its_process_was_told_and_is_if_it_cannot_be() {
    let mut world = World::new(1, None);
    let silent = world.silent(MINUTE);
    world.have_elsewhere(&[("anna", silent)]);
    assert_eq!(world.enter("anna"), Ok(()));
    // It was asked before.
    world.have_elsewhere(&[("anna", silent)]);
    assert_eq!(world.held("anna"), 1);
    world
        .registry
        .told(OLD, &Err(io::ErrorKind::TimedOut.into()));
    assert_eq!(world.held("anna"), 2);
    assert!(world.registry.giving_way().is_empty());
}

#[test]
fn sessions_of_a_process_that_does_not_answer_count_and_do_not_give_way() {
    let mut world = World::new(1, None);
    let silent = world.silent(MINUTE);
    world.have_elsewhere(&[("anna", silent)]);
    let nothing = ToldElsewhere::from([(OLD, None), (OLD + 1, None)]);
    world.registry.take_over(&nothing);
    assert_eq!(world.registry.elsewhere(), 1);
    assert_eq!(world.enter("anna"), Err(NoRoom::PerUser));
    world.have_elsewhere(&[("anna", silent)]);
    assert_eq!(world.enter("anna"), Ok(()));
}

#[test]
fn sessions_whose_user_is_not_told_count_at_postfix_alone() {
    let mut world = World::new(2, Some(9));
    let busy = world.busy(MINUTE * 10);
    world.have_elsewhere(&[("", busy); 6]);
    assert_eq!(world.enter("anna"), Ok(()));
    assert_eq!(world.enter("bert"), Err(NoRoom::Processes));
    assert_eq!(world.held("anna"), 1);
}

#[tokio::test]
async fn who_ends_them_is_called_when_one_gives_way() {
    let mut world = World::new(1, None);
    let silent = world.silent(MINUTE);
    world.have_elsewhere(&[("anna", silent)]);
    assert_eq!(world.enter("anna"), Ok(()));
    let called = world.registry.somebody_gives_way();
    tokio::time::timeout(MINUTE, called).await.unwrap();
}
