//! The ledger: every requirement has one row in `requirements.md`, and the tests say which ones they prove.
//!
//! The last column is never written by hand. It is what the comments of the tests claim, so a proof that is
//! renamed or removed shows up in review as a changed row.

mod proofs;
mod rows;

use std::path::Path;
use std::{env, fs};

use proofs::Proofs;
use rows::Ledger;

const HOW: &str = "run `UPDATE_LEDGER=1 cargo test --test plan ledger` and commit requirements.md";

#[test]
fn the_committed_ledger_says_what_the_tests_prove() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("requirements.md");
    let committed = fs::read_to_string(&path).expect("requirements.md can be read");
    let ledger =
        Ledger::parse(&committed).unwrap_or_else(|error| panic!("requirements.md: {error}"));
    let proofs = Proofs::of(root).unwrap_or_else(|error| panic!("{error}"));
    let current = ledger
        .with(&proofs)
        .unwrap_or_else(|error| panic!("{error}"))
        .to_string();

    if env::var("UPDATE_LEDGER").is_ok_and(|value| value == "1") {
        fs::write(&path, current).expect("requirements.md can be written");
    } else if current != committed {
        panic!(
            "requirements.md is stale:\n{}\n{HOW}",
            difference(&committed, &current)
        );
    }
}

/// The lines that differ; rows never move, so line by line is enough.
fn difference(committed: &str, current: &str) -> String {
    let changed = committed
        .lines()
        .zip(current.lines())
        .filter(|(old, new)| old != new);
    let lines: Vec<String> = changed
        .map(|(old, new)| format!("- {old}\n+ {new}"))
        .collect();
    lines.join("\n")
}

#[test]
fn a_stale_row_is_shown_as_it_is_and_as_it_should_be() {
    let shown = difference("same\n| A | — not started |", "same\n| A | tests/a.rs |");
    assert_eq!(shown, "- | A | — not started |\n+ | A | tests/a.rs |");
}
