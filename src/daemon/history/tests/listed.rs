//! listed - whose passwords are on the owner's list, and since when

use super::*;

#[test]
fn an_account_is_listed_until_its_password_is_none_of_the_list_or_it_is_forgotten() {
    let mut kept = Kept::new();
    for (name, listed) in [
        ("ann", Some(true)),
        ("bob", Some(true)),
        ("eve", None),
        ("dan", Some(false)),
    ] {
        kept.login_with(name, listed);
    }
    kept.write();
    assert_eq!(kept.listed(), ["bob", "ann"]);
    kept.login_with("ann", Some(false));
    // Nothing was looked up: a list that is away does not change what is known.
    kept.login_with("bob", None);
    kept.write();
    assert_eq!(kept.listed(), ["bob"]);
    let mut kept = Kept::in_folder(kept.folder, Some(30 * DAY));
    kept.login_with("bob", Some(false));
    kept.login_with("ann", Some(true));
    kept.write();
    assert_eq!(kept.listed(), ["ann"], "known from the file");
    let user = kept.gate.user_id(&UserName::new(b"ann".to_vec()));
    let forgotten = Forgotten {
        user,
        network: None,
    };
    let (told, _answer) = tokio::sync::oneshot::channel();
    kept.tell(RecordedEvent::Forget(forgotten, told));
    assert_eq!(kept.listed(), Vec::<String>::new());
    kept.login_with("ann", Some(true));
    kept.write();
    assert_eq!(kept.listed(), ["ann"], "and is found anew");
}

#[test]
fn a_file_of_an_earlier_version_has_no_listed_accounts_until_one_is_found() {
    let mut kept = Kept::new();
    kept.attempt(
        "198.51.100.7",
        kept.user("ann", None),
        AttemptVerdict::Reject,
    );
    kept.write();
    let file = rusqlite::Connection::open(kept.path("history.db")).unwrap();
    file.execute_batch("DROP TABLE listed").unwrap();
    drop(file);
    assert_eq!(kept.listed(), Vec::<String>::new());
    let mut kept = Kept::in_folder(kept.folder, Some(30 * DAY));
    kept.login_with("ann", Some(true));
    kept.write();
    assert_eq!(kept.listed(), ["ann"]);
}
