//! `kubectl roadstead`: the platform by hand.

use std::process::ExitCode;

fn main() -> ExitCode {
    roadstead::cli::main()
}
