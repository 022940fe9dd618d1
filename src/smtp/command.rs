//! command - one command line, parsed
