//! botnet - x
