//! The decisions and the engine once more, alone with the tests that judge them.
//!
//! `cargo mutants` changes `src/plan` and `src/run` in thousands of places, one at a time, and asks whether a test fails. Here each
//! is one crate to compile and one program to link: without the command line, the charts and the cluster that cannot judge it.
#![cfg(test)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "that is how a test fails"
)]

extern crate self as roadstead;

#[path = "../../src/api/mod.rs"]
pub mod api;
#[path = "../../src/kinds.rs"]
pub mod kinds;
#[path = "../../src/plan/mod.rs"]
pub mod plan;
#[path = "../../src/run/mod.rs"]
pub mod run;

#[path = "../plan/engine/mod.rs"]
mod engine;
#[path = "../plan/goldens/mod.rs"]
mod goldens;
