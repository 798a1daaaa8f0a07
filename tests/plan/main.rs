//! What can be shown without a cluster: decisions, and what this project says about itself.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "that is how a test fails"
)]

mod chart;
mod crds;
mod engine;
mod goldens;
mod house;
mod ledger;
