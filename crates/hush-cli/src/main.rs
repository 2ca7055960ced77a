//! The `hush` command line.
fn main() {}
