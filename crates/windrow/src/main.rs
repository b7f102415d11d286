//! The `windrow` command line.

fn main() {}
