//! checker - the one process that checks passwords, and the queue before it
//!
//! Dovecot checks in one process: while it is busy with a guess, all others wait. Here a check
//! is a time to wait, not work to do; first come, first served.
//! Not here: a delay for failures, which Dovecot and Gatepost each have of their own.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::BackendSettings;

/// Knows the passwords, and takes a fixed time for each check.
#[derive(Debug)]
pub struct PasswordChecker {
    users: HashMap<String, String>,
    takes: Duration,
    free: Semaphore,
}

impl PasswordChecker {
    pub(super) fn new(settings: &BackendSettings) -> Self {
        let lower = |(name, password): (&String, &String)| (name.to_lowercase(), password.clone());
        Self {
            users: settings.users.iter().map(lower).collect(),
            takes: settings.check,
            free: Semaphore::new(1),
        }
    }

    /// Whether this is the user's password, once those before have been answered.
    pub(super) async fn check(&self, user: &str, password: &[u8]) -> bool {
        // It is never closed; a permit that failed would only mean no queue.
        let turn = self.free.acquire().await;
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        drop(turn);
        let right = self.users.get(&user.to_lowercase());
        right.is_some_and(|right| right.as_bytes() == password)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ten_checks_at_once_take_as_long_as_ten_in_a_row() {
        let settings = BackendSettings {
            users: HashMap::from([("Ann".to_owned(), "right".to_owned())]),
            ..BackendSettings::default()
        };
        let checker = PasswordChecker::new(&settings);
        let one = || checker.check("aNN", b"right");
        let ten = async {
            tokio::join!(
                one(),
                one(),
                one(),
                one(),
                one(),
                one(),
                one(),
                one(),
                one(),
                one()
            )
        };
        let just_under = settings.check * 10 - Duration::from_millis(2);
        let finished = tokio::time::timeout(just_under, ten).await;
        assert!(finished.is_err());
        assert!(one().await);
        assert!(!checker.check("ann", b"Right").await);
        assert!(!checker.check("nobody", b"right").await);
    }
}
