//! net - the doors: everything that touches a socket
//!
//! Left may be imported by right: proxy_header tls queue upstream splice filter admission listener.

pub mod admission;
pub mod filter;
pub mod listener;
pub mod proxy_header;
pub mod splice;
pub mod tls;
pub mod upstream;
