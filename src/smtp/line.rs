//! line - octets to lines, however the segments fall
