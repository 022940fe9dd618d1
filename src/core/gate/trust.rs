//! trust - who is trusted, who is banned, and when a rejection means that the backend fails
//!
//! `familiar` knows the users and the networks they log in from, `ban` and `strikes` the clients that may
//! not try, `passwords` when a user's networks must earn trust anew, `outage` tells a failing backend from an
//! attack, and `doubts` keeps what was rejected meanwhile, `lists` what others publish, `feed` what a program
//! beside us decides. `first_days` tells when settling in is over, `typing_errors` keeps what a wrong password has paid until
//! the right one follows. `taken_back` is what an operator took back.
//! `devices` knows the mail programs that bring their TLS tickets back, `systems` asks whether one autonomous system announces two
//! networks, `new_places` knows whose password seems to be stolen.
//! Not here: tokens (`gate::buckets`).

pub(in crate::gate) mod ban;
pub(in crate::gate) mod devices;
pub(in crate::gate) mod doubts;
pub(in crate::gate) mod familiar;
pub(in crate::gate) mod feed;
pub(in crate::gate) mod first_days;
pub(in crate::gate) mod lists;
pub(in crate::gate) mod new_places;
pub(in crate::gate) mod outage;
pub(in crate::gate) mod passwords;
pub(in crate::gate) mod strikes;
pub(in crate::gate) mod systems;
pub(in crate::gate) mod taken_back;
pub(in crate::gate) mod typing_errors;
