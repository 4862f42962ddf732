//! The command `tidings-loadgen`: arguments in, exit code out.

fn main() {}
