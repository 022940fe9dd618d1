//! core - what decides: the language of SMTP, the gate, the readers of old logs
//!
//! Pure: no runtime, no log, no file, no clock; time comes in as a [`moment::Moment`].
//!
//! The words of this project, each for one thing everywhere:
//!
//! - **client**: one IPv4 address or one IPv6 /64, the unit in which connections and attempts are counted.
//! - **network**: the client's /24, or its /48 in IPv6.
//! - **user**: the name given in AUTH, in lower case, kept as a keyed hash; known once it has logged in, was
//!   learnt from a log or was introduced by the operator.
//! - **attempt**: one AUTH exchange for which Postfix would check a password.
//! - **familiar**: this user logged in from this network within the last 90 days; a **stranger** is a client
//!   whose attempt is not familiar.
//! - **near**, **far**: not familiar, but the user logged in within 90 days from the same /16 (/32 in IPv6) or,
//!   with a database of places, from the same autonomous system; or neither.
//! - **newcomer**: a client that has lately tried nothing else, or only one other password of the same user; a part
//!   of each bucket of strangers is kept for newcomers.
//! - **word**: a password that many would guess: empty or on the list of common ones when folded, refused or
//!   rejected for two users from two networks, or hidden by its mechanism.
//! - **bucket**: a token bucket of one key; an attempt takes a token from each bucket that applies to it.
//! - **shared bucket**: one bucket for all clients together (`near`, `words`, `unknown`, `strangers`, and `settling`
//!   while settling in), which bounds a botnet of any size.
//! - **verdict**: the gate's answer to an attempt: allow, wait for a turn, repeat the known answer, or refuse.
//! - **permit**: the proof that an attempt was allowed, without which no password reaches Postfix.
//! - **settle**: to give a permit back with Postfix's answer; a success returns the tokens.
//! - **turn**: the right of an attempt that is not familiar to be at Postfix; few exist at a time, one a network while others wait.
//! - **repeat**: a password that was tried and rejected for this user before, and so is no new guess. If the same
//!   client was told so less than a minute ago it is answered 535 without asking Postfix; otherwise Postfix is asked again.
//! - **trap**: a user name or HELO name that no honest client uses, from the list in the config.
//! - **strike**: a mark against a client that was refused by its own bucket; sixty of them ban it, by default.
//! - **ban**: until it ends, a client or network is refused. An automatic ban spares networks where somebody is familiar,
//!   users who are near, and familiar devices; a ban by hand spares nobody.
//! - **slot**: the right to hold a connection; dropped, it is free again.
//! - **hand-over**: after a successful login, the octets read too far go to Postfix first.
//! - **splice**: then octets pass both ways unread until the session ends.
//! - **drain**: the shutdown: stop accepting, end dialogues, let spliced sessions finish within a limit.
//! - **change**: a fact that the gate's decision made true, such as a ban that began.
//! - **journal**, **snapshot**: changes as they come, and all state once a minute; together they survive a crash.

pub mod capacity;
pub mod gate;
pub mod logs;
pub mod moment;
pub mod smtp;
