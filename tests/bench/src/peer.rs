//! The peer: a typical operator on controller-runtime, in Go, that does about the same.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use devcluster::{place::checkout, progress::Progress, run};

/// Builds it; Go keeps what did not change.
pub fn program() -> Result<PathBuf> {
    run::find("go").context("Go is needed to build the peer: install it (1.26 or newer)")?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peer");
    let file = checkout().join("target/bench-peer");
    let progress = Progress::begin("Building the peer".to_owned());
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w"]);
    go.arg("-o").arg(&file).arg(".").current_dir(source);
    go.envs([
        ("CGO_ENABLED", "0"),
        ("GOWORK", "off"),
        ("GOFLAGS", "-mod=readonly"),
    ]);
    run::output(&mut go)?;
    progress.done();
    Ok(file)
}
