//! random - octets that nobody can foresee, for keys and temporary names
//!
//! Not here: what they are for (`key`, `directory`).

/// Sixteen octets from the system's generator.
///
/// # Panics
///
/// Never on Linux since 3.17: the generator cannot fail once the machine has started.
#[expect(clippy::expect_used, reason = "without it nothing is safe")]
pub fn random() -> [u8; 16] {
    let mut key = [0; 16];
    getrandom::fill(&mut key).expect("the system's random generator answers");
    key
}
