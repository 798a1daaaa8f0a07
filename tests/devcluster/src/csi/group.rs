//! Snapshots of several volumes at one instant.
//!
//! The instant of a btrfs snapshot is the commit of the transaction that it is made in: while that runs, nobody writes anywhere on the
//! file system. So snapshots that share a transaction are of one instant, however many volumes they are of. btrfs has no command
//! for that, but it tells which transaction a snapshot was made in. They are asked for side by side, right behind a commit that
//! they all wait for and go on from together; where they did not meet in one transaction they are thrown away and taken again.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    thread,
    time::SystemTime,
};

use anyhow::{Context, Result, anyhow, bail};

use super::pool::{Pool, snapshot};
use crate::run;

/// How often they may miss each other: about every second time under load.
const TRIES: usize = 40;

impl Pool {
    /// The snapshots of a group, if it is there.
    pub fn group(&self, id: &str) -> Option<Vec<String>> {
        let text = fs::read_to_string(self.list(id)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Takes snapshots of volumes at one instant. That they are there is written down last: what a try that was cut short has left is
    /// thrown away by the next one.
    pub fn take_together(&self, id: &str, volumes: &[String]) -> Result<()> {
        let members: Vec<String> = (0..volumes.len()).map(|i| format!("{id}-{i}")).collect();
        for _ in 0..TRIES {
            self.throw_away(&members)?;
            self.attempt(&members, volumes)?;
            let at = SystemTime::now();
            let made = members.iter().map(|m| made_in(&self.snapshot(m)));
            let mut made = made.collect::<Result<Vec<_>>>()?;
            made.dedup();
            if made.len() > 1 {
                continue;
            }
            for (member, volume) in members.iter().zip(volumes) {
                self.note_taken(&self.snapshot(member), volume, at)?;
            }
            let list = serde_json::to_string(&members)?;
            return fs::write(self.list(id), list).context("cannot write to the pool");
        }
        self.throw_away(&members)?;
        bail!("the snapshots of group {id} could not be taken in one transaction")
    }

    /// Removes a group with its snapshots, if it is there.
    pub fn remove_group(&self, id: &str) -> Result<()> {
        self.throw_away(&self.group(id).unwrap_or_default())?;
        match fs::remove_file(self.list(id)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn list(&self, id: &str) -> PathBuf {
        self.root().join("groups").join(id).with_extension("json")
    }

    fn throw_away(&self, members: &[String]) -> Result<()> {
        for member in members {
            self.remove_snapshot(member)?;
        }
        Ok(())
    }

    /// Takes them side by side.
    fn attempt(&self, members: &[String], volumes: &[String]) -> Result<()> {
        thread::scope(|scope| {
            let commit = [OsStr::new("filesystem"), "sync".as_ref()];
            let commit = commit.into_iter().chain([self.root().as_os_str()]);
            let mut all = vec![scope.spawn(|| run::run("btrfs", commit).map(drop))];
            for (member, volume) in members.iter().zip(volumes) {
                let (source, path) = (self.volume(volume), self.snapshot(member));
                all.push(scope.spawn(move || snapshot(&source, &path)));
            }
            let broken = |_| anyhow!("a snapshot was broken off");
            let mut ended = all.into_iter().map(|one| one.join().map_err(broken)?);
            ended.try_for_each(|end| end)
        })
    }
}

/// The transaction that a snapshot was made in.
fn made_in(snapshot: &Path) -> Result<u64> {
    let words: [&OsStr; 3] = ["subvolume".as_ref(), "show".as_ref(), snapshot.as_os_str()];
    let said = run::run("btrfs", words)?;
    let mut lines = said.lines();
    let number = lines.find_map(|line| line.trim().strip_prefix("Gen at creation:"));
    let number = number.context("btrfs does not say when a snapshot was made")?;
    number.trim().parse().context("not a number")
}
