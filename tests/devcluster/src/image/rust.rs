//! Our own programs, built so that they run in an image that holds nothing else.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::{place::checkout, progress::Progress, run};

/// Builds a program of this workspace as one static file.
pub fn static_program(package: &str, program: &str) -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    // A folder of its own: other flags in the usual one would build everything anew, back and forth.
    let folder = checkout().join("target/image");
    let progress = Progress::begin(format!("Building {program} for an image"));
    let mut command = run::cargo();
    command.args([
        "build",
        "--quiet",
        "--profile",
        "image",
        "--package",
        package,
        "--bin",
        program,
    ]);
    command
        .args(["--target", &target])
        .arg("--target-dir")
        .arg(&folder);
    command
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", "-C target-feature=+crt-static");
    run::output(&mut command)?;
    progress.done();
    let file = folder.join(target).join("image").join(program);
    if !file.is_file() {
        bail!("cargo built no {}", file.display());
    }
    Ok(file)
}
