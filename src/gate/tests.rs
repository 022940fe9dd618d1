//! tests - the gate's rules, on a clock that the tests move

mod kit;
mod rules;
