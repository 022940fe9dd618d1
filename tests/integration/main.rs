//! integration - one binary for all tests from outside, a file a subject

mod config;
