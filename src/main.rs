//! main - the runtime and the exit code

fn main() {}
