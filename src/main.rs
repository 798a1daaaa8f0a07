//! The operator: what runs in the cluster.
fn main() {}
