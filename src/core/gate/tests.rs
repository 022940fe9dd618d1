//! tests - the gate's rules, on a clock that the tests move

mod accept;
mod bans;
mod bound;
mod credit;
mod doors;
mod explain;
mod held;
mod kit;
mod modes;
mod names;
mod newcomers;
mod operator;
mod outage;
mod parallel;
mod paying;
mod repeats;
mod retries;
mod secrecy;
mod sequence;
mod settling;
mod several;
mod stolen;
mod turns;
