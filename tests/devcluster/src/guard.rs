//! What outlives a test: the program that removes a cluster when the process that started it is gone, however it went.

use std::{
    fs::File,
    io::{Read, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, bail};

use crate::{cleanup, place::Place, process::Identity, progress::Progress, run, state::State};

/// The log of the guard, the first one of a cluster.
pub const LOG: &str = "guard.log";

/// The file of the `devcluster` program, of which some parts run as processes of a cluster. Built when it may be out of date.
pub fn program() -> Result<PathBuf> {
    static FOUND: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    // Once a process: while a cluster starts is no time to find that the source has changed.
    match &*found {
        Some(file) => Ok(file.clone()),
        None => Ok(found.insert(find_program()?).clone()),
    }
}

fn find_program() -> Result<PathBuf> {
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
    if std::env::var_os("CARGO").is_some() {
        let mut command = run::cargo();
        command.args(["build", "--quiet", "--bin", "devcluster"]);
        // Cargo calls the folder of every profile but its first after the profile.
        if let Some(profile) = folder.file_name().filter(|name| *name != "debug") {
            command.arg("--profile").arg(profile);
        }
        let progress = Progress::begin("Building the devcluster program");
        run::output(&mut command).context("cannot build the devcluster program")?;
        progress.done();
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

/// A guard that runs, and the lock of the cluster that it guards.
pub struct Hold {
    guard: Child,
    lock: File,
}

impl Hold {
    /// Starts a guard of this process's cluster: before anything else of it, or a kill at the wrong time would leave the rest.
    pub fn begin(place: &Place, lock: File) -> Result<Self> {
        let own = Identity::own().context("cannot tell when this process started")?;
        let mut command = match run::find("setsid") {
            Some(setsid) => {
                let mut command = Command::new(setsid);
                command.arg(program()?);
                command
            }
            None => Command::new(program()?),
        };
        command.args(["guard", "--name", &place.name, "--owner", &own.word()]);
        let log = File::create(place.logs().join(LOG))?;
        command
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log);
        let guard = command
            .spawn()
            .context("cannot start the guard of the cluster")?;
        Ok(Self { guard, lock })
    }

    /// Lets go of a cluster. Told that it was removed, the guard ends; if it had to look, it would wait for whoever comes next.
    pub fn end(mut self, removed: bool) -> Result<()> {
        if let Some(mut word) = self.guard.stdin.take()
            && removed
        {
            word.write_all(REMOVED).context("the guard is gone")?;
        }
        drop(self.lock);
        self.guard
            .wait()
            .map(drop)
            .context("the guard does not end")
    }
}

/// What the owner says when it has removed its cluster itself.
const REMOVED: &[u8] = b"removed";

/// Waits until the process at the other end of the standard input is gone, then removes its cluster.
pub fn watch(name: &str, owner: &Identity) -> Result<()> {
    let place = Place::new(name)?;
    let mut said = Vec::new();
    std::io::stdin()
        .read_to_end(&mut said)
        .context("cannot watch the owner")?;
    if said == REMOVED {
        return Ok(());
    }
    let lock = File::create(place.lock())?;
    lock.lock().context("cannot lock the cluster")?;
    match State::load(&place)? {
        // Somebody else may have cleared up, and started the next one, while we waited for the lock.
        Some(state) if state.owner.as_ref() == Some(owner) => cleanup::remove(&place),
        _ => Ok(()),
    }
}
