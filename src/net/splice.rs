//! splice - octets both ways after login
