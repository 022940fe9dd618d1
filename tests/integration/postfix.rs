//! postfix - Gatepost in front of the real Postfix and Dovecot
//!
//! Each test has a Postfix and a Dovecot of its own; what counts is what those two have seen.

mod announcement;
mod behind_us;
mod beside;
mod cluster;
mod cluster_balanced;
mod cluster_cut;
mod cluster_flood;
mod cluster_mesh;
mod cluster_network;
mod cluster_shares;
mod cluster_versions;
mod delivery;
mod devices;
mod doctor;
mod doors;
mod guesses;
mod handed_over;
mod handover;
mod honest;
mod logs;
mod mechanisms;
mod names;
mod operator;
mod passwords;
mod past;
mod places;
mod programs;
mod restart;
mod setup;
mod shown;
mod stolen;
mod swarm;
mod tokens;
mod told;
mod usable;
mod user_rules;
