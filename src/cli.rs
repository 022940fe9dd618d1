//! cli - a file a command
