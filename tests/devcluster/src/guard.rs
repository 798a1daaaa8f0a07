//! What outlives a test: the program that removes a cluster when the process that started it is gone, however it went.

use std::{
    fs::File,
    io::Read,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    cleanup,
    place::{Place, checkout},
    process::Identity,
    run,
    state::State,
};

/// The file of the `devcluster` program, of which some parts run as processes of a cluster.
pub fn program() -> Result<PathBuf> {
    if let Some(file) = std::env::var_os("DEVCLUSTER_PROGRAM") {
        return Ok(file.into());
    }
    let own = std::env::current_exe().context("cannot tell which program this is")?;
    if own.file_name().is_some_and(|name| name == "devcluster") {
        return Ok(own);
    }
    // A test stands in target/debug/deps, a program of this workspace in target/debug.
    let folder = own
        .ancestors()
        .skip(1)
        .find(|folder| !folder.ends_with("deps"))
        .context("this program is in no folder")?;
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut command = Command::new(cargo);
        command.current_dir(checkout()).args([
            "build",
            "--quiet",
            "--workspace",
            "--bin",
            "devcluster",
        ]);
        if folder.ends_with("release") {
            command.arg("--release");
        }
        run::output(&mut command).context("cannot build the devcluster program")?;
    }
    let file = folder.join("devcluster");
    if !file.is_file() {
        bail!(
            "{} is not there: run `cargo build --package devcluster`",
            file.display()
        );
    }
    Ok(file)
}

/// Starts a guard, which acts when this process is gone.
pub fn start(place: &Place) -> Result<Child> {
    let mut command = match run::find("setsid") {
        Some(setsid) => {
            let mut command = Command::new(setsid);
            command.arg(program()?);
            command
        }
        None => Command::new(program()?),
    };
    command.args([
        "guard",
        "--name",
        &place.name,
        "--process",
        &std::process::id().to_string(),
    ]);
    let log = File::create(place.logs().join("guard.log"))?;
    command
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log);
    command
        .spawn()
        .context("cannot start the guard of the cluster")
}

/// Waits until the process at the other end of the standard input is gone, then removes its cluster.
pub fn watch(name: &str, process: u32) -> Result<()> {
    let owner = Identity::of(process);
    let place = Place::new(name)?;
    // It never writes: the end is all that is to be read.
    std::io::stdin()
        .read_to_end(&mut Vec::new())
        .context("cannot watch the owner")?;
    let lock = File::create(place.lock())?;
    lock.lock().context("cannot lock the cluster")?;
    match State::load(&place)? {
        // Somebody else may have cleared up, and started the next one, while we waited for the lock.
        Some(state) if state.owner.is_some() && state.owner == owner => cleanup::remove(&place),
        _ => Ok(()),
    }
}
