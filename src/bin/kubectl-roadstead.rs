//! `kubectl roadstead`: the platform by hand.
fn main() {}
