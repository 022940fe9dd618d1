//! request - what is asked of the gate, and what it answers
//!
//! The words of an attempt: who tries (`client`), what is tried (`attempt`), from which device (`device`), as which keyed hashes it is
//! known (`keys`), where it is tried (`doors`), which names are one user (`names`), in which networks (`networks`), which lists of them may be
//! published (`lists`), where in the world (`place`), the answer (`verdict`), what changed with it (`change`), and what the owner has set
//! (`settings`), for single users too (`user_rule`), and when a password seems to be stolen (`suspicion`).
//! Not here: how the answer is found (`gate::judge`).

pub mod attempt;
pub mod change;
pub mod client;
pub mod decided;
pub mod device;
pub mod doors;
pub mod keys;
pub mod lists;
pub mod names;
pub mod networks;
pub mod place;
pub mod settings;
pub mod suspicion;
pub mod user_rule;
pub mod verdict;
