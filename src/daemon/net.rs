//! net - everything that touches a socket of a client or of Postfix
//!
//! Each module may import those to its left: unread proxy_header tls http_client upstream splice filter admission listener
//! unix_socket http.

pub mod admission;
pub mod filter;
pub mod http;
pub mod http_client;
pub mod listener;
pub mod proxy_header;
pub mod splice;
pub mod tls;
pub mod unix_socket;
pub mod upstream;

mod unread;
