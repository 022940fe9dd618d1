//! programs - the mail programs of attempts

use super::*;

const ONE: &str = "t13d1516h2_8daaf6152771_e5627efa2ab1";

const OTHER: &str = "t13i181000_85036bcba153_d41ae481755e";

impl Kept {
    fn programs(&self, of: DecisionsOf) -> Vec<String> {
        let all = self.reader().programs(of, 10).unwrap().into_iter();
        let mut labels: Vec<String> = all.map(|one| one.label).collect();
        // The latest comes first, and these come within one second or two.
        labels.sort();
        labels
    }
}

#[test]
fn a_program_is_found_by_its_user_its_client_and_its_network_and_goes_with_them() {
    let mut kept = Kept::new();
    let (here, there) = ("198.51.100.7", "203.0.113.9");
    let id = |kept: &Kept, name| kept.user(name, None).id;
    let (ann, bob) = (id(&kept, "ann"), id(&kept, "bob"));
    for (label, client, name) in [
        (Some(ONE), here, "ann"),
        (Some(ONE), there, "ann"),
        (Some(OTHER), there, "bob"),
        (None, here, "bob"),
    ] {
        let user = kept.user(name, None);
        kept.attempt_of(label, client, user, AttemptVerdict::Reject);
    }
    kept.write();
    assert_eq!(kept.programs(DecisionsOf::User(ann)), [ONE]);
    assert_eq!(kept.programs(DecisionsOf::User(bob)), [OTHER]);
    let client: ClientKey = there.parse().unwrap();
    assert_eq!(kept.programs(DecisionsOf::Client(client)), [ONE, OTHER]);
    let network = DecisionsOf::Network(client.network());
    assert_eq!(kept.programs(network), [ONE, OTHER]);
    let both = |user| DecisionsOf::UserAt(user, client);
    assert_eq!(kept.programs(both(bob)), [OTHER]);
    let (told, _answer) = tokio::sync::oneshot::channel();
    let forgotten = Forgotten {
        user: bob,
        network: None,
    };
    kept.tell(RecordedEvent::Forget(forgotten, told));
    assert_eq!(kept.programs(DecisionsOf::Client(client)), [ONE]);
}

#[test]
fn of_attempts_that_are_alike_the_program_of_the_last_is_known() {
    let mut kept = Kept::new();
    for label in [ONE, OTHER] {
        let ann = kept.user("ann", None);
        kept.attempt_of(Some(label), "198.51.100.7", ann, AttemptVerdict::Reject);
        kept.write();
    }
    let ann = kept.user("ann", None).id;
    assert_eq!(kept.programs(DecisionsOf::User(ann)), [OTHER]);
}

#[test]
fn a_file_of_an_earlier_version_has_no_programs_until_one_comes_and_keeps_its_decisions() {
    let mut kept = Kept::new();
    let ann = kept.user("ann", None);
    let of_ann = DecisionsOf::User(ann.id);
    kept.attempt("198.51.100.7", ann, AttemptVerdict::Reject);
    kept.write();
    let file = rusqlite::Connection::open(kept.path("history.db")).unwrap();
    file.execute_batch("ALTER TABLE decisions DROP COLUMN ja4")
        .unwrap();
    drop(file);
    assert_eq!(kept.programs(of_ann), Vec::<String>::new());
    let mut kept = Kept::in_folder(kept.folder, Some(30 * DAY));
    let ann = kept.user("ann", None);
    kept.attempt_of(Some(ONE), "203.0.113.9", ann, AttemptVerdict::Reject);
    kept.write();
    assert_eq!(kept.programs(of_ann), [ONE]);
    let decisions = kept.reader().decisions(of_ann, Moment::EPOCH, 10).unwrap();
    assert_eq!(decisions.len(), 2);
}
