//! tests - the gate's rules, on a clock that the tests move

mod bans;
mod bound;
mod judging;
mod kit;
mod modes;
mod newcomers;
mod operator;
mod parallel;
mod paying;
mod repeats;
mod turns;
