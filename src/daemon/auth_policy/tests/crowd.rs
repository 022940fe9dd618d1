//! crowd - first logins of many users from one address, and a guesser who does the same

use super::*;

/// A question about one of many users.
fn question_of(number: u32) -> Value {
    let name = format!("user{number}@example.org");
    let mut ask = question("imap", &format!("s{number}"), &format!("Zwiebel{number}"));
    ask["login"] = json!(name);
    ask["orig"] = json!(name);
    ask
}

impl Place {
    fn introduce(&self, users: u32) {
        let (gate, now) = (self.door.judging.gate(), self.door.judging.clock.now());
        for number in 0..users {
            let name = UserName::new(format!("user{number}@example.org").into_bytes());
            gate.introduce(&name, None, now, &mut Vec::new());
        }
    }
}

/// First logins from one address that hold all of its tokens, and one more.
async fn full_address() -> (Arc<Place>, tokio::task::JoinHandle<i64>) {
    let place = Arc::new(place());
    place.introduce(20);
    for number in 0..9 {
        assert_ne!(place.allow(&question_of(number)).await, -1, "{number}");
    }
    let next = Arc::clone(&place);
    let next = tokio::spawn(async move { next.allow(&question_of(9)).await });
    sleep(Duration::from_millis(300)).await;
    assert!(!next.is_finished(), "it waits for one of the others");
    (place, next)
}

#[tokio::test(start_paused = true)]
async fn whose_address_is_full_of_logins_waits_until_one_of_them_was_right() {
    let (place, next) = full_address().await;
    place.report(&question_of(0), true).await;
    assert_ne!(next.await.unwrap(), -1);
}

#[tokio::test(start_paused = true)]
async fn whose_address_is_full_of_guesses_is_refused_in_time() {
    let (place, next) = full_address().await;
    place.report(&question_of(0), false).await;
    assert_eq!(next.await.unwrap(), -1);
    let judging = &place.door.judging;
    assert_eq!(judging.counters.of_door(Door::Imap).refused.get(), 1);
}

/// A login of one of many users, and a Dovecot that checks it when a processor is free.
async fn log_in(place: Arc<Place>, number: u32, check: Arc<Semaphore>, crowd: Crowd) -> i64 {
    let ask = question_of(number);
    let answer = timeout(Duration::from_secs(2), place.allow(&ask)).await;
    let answer = answer.expect("Dovecot allows a login whose question waits for longer");
    if let Ok(delay) = u64::try_from(answer) {
        sleep(Duration::from_secs(delay)).await;
        let processor = check.acquire().await.unwrap();
        sleep(crowd.check).await;
        drop(processor);
        place.report(&ask, crowd.is_right).await;
    }
    answer
}

/// Who comes within two seconds, all from one new address.
#[derive(Clone, Copy)]
struct Crowd {
    users: u32,
    /// How long one check takes of one of two processors.
    check: Duration,
    is_right: bool,
}

impl Crowd {
    /// How many passwords Dovecot has checked.
    async fn come(self, place: &Arc<Place>) -> u32 {
        place.introduce(self.users);
        let check = processors();
        let mut all = Vec::new();
        for number in 0..self.users {
            let one = log_in(Arc::clone(place), number, Arc::clone(&check), self);
            all.push(tokio::spawn(one));
            sleep(Duration::from_secs(2) / self.users).await;
        }
        let mut checked = 0;
        for one in all {
            checked += u32::from(one.await.unwrap() >= 0);
        }
        checked
    }
}

#[tokio::test(start_paused = true)]
async fn an_office_that_comes_from_a_new_address_is_told_of_no_wrong_password() {
    let place = Arc::new(place());
    let crowd = Crowd {
        users: 300,
        check: Duration::from_millis(20),
        is_right: true,
    };
    assert_eq!(crowd.come(&place).await, crowd.users);
    assert_eq!(place.door.judging.counters.accepted.get(), 300);
}

/// More come than two processors can check before Dovecot waits for no answer.
#[tokio::test(start_paused = true)]
async fn where_a_check_takes_long_most_of_an_office_gets_in_and_nobody_is_banned() {
    let place = Arc::new(place());
    let crowd = Crowd {
        users: 300,
        check: Duration::from_millis(45),
        is_right: true,
    };
    let checked = crowd.come(&place).await;
    assert!(checked >= 240, "{checked}");
    let judging = &place.door.judging;
    assert!(judging.gate().bans(judging.clock.now()).is_empty());
}

/// Each is checked with a token that it holds.
#[tokio::test(start_paused = true)]
async fn a_guesser_who_opens_a_hundred_connections_gets_what_its_bucket_has() {
    let place = Arc::new(place());
    let crowd = Crowd {
        users: 300,
        check: Duration::from_millis(10),
        is_right: false,
    };
    assert_eq!(crowd.come(&place).await, 9);
    assert_eq!(place.tokens(Bucket::Client), 1, "for retries");
}
