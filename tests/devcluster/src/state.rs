//! What a cluster remembers about itself, so that a later run can end what this one started.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    place::Place,
    process::{self, Identity, Program},
};

/// A program that was started for the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// What it is called.
    pub name: String,
    /// What was started.
    #[serde(default)]
    pub program: Program,
    /// Which process it is.
    pub process: Identity,
    /// Where it writes.
    pub log: PathBuf,
}

/// The memory of one cluster: a file in its folder, written after each start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The slot of the plan of addresses, where there are real nodes.
    pub slot: Option<u8>,
    /// How many real nodes there are.
    pub nodes: u8,
    /// How many nodes exist in the API only.
    pub fake_nodes: u32,
    /// The ports on the host, by what listens there.
    pub ports: BTreeMap<String, u16>,
    /// What was started, in order.
    pub programs: Vec<Started>,
    /// The process whose end is the cluster's end.
    pub owner: Option<Identity>,
    /// Whether everything had come up.
    pub ready: bool,
}

impl State {
    /// What is remembered, if there is anything.
    pub fn load(place: &Place) -> Result<Option<Self>> {
        let file = file(place);
        match fs::read(&file) {
            Ok(bytes) => {
                let state = serde_json::from_slice(&bytes)
                    .with_context(|| format!("{} is damaged", file.display()))?;
                Ok(Some(state))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    /// Remembers. A reader sees the old file or the new one, never a half.
    pub fn save(&self, place: &Place) -> Result<()> {
        write_whole(&file(place), &serde_json::to_vec_pretty(self)?)
    }

    /// Forgets.
    pub fn forget(place: &Place) -> Result<()> {
        match fs::remove_file(file(place)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("cannot forget the state")
            }
            _ => Ok(()),
        }
    }

    /// Starts a program and remembers it.
    pub fn start(&mut self, place: &Place, program: &Program) -> Result<()> {
        let (process, log) = program.start(&place.logs())?;
        self.programs.push(Started {
            name: program.name.clone(),
            program: program.clone(),
            process,
            log,
        });
        self.save(place)
    }

    /// Kills a program as a crash would, and starts it again. Returns which process it was, and which it is now.
    pub fn crash(&mut self, place: &Place, name: &str) -> Result<(Identity, Identity)> {
        let started = self.programs.iter_mut().find(|p| p.name == name);
        let started = started.with_context(|| format!("no program {name} was started"))?;
        process::kill(&started.process)?;
        let (now, _) = started.program.start(&place.logs())?;
        let before = std::mem::replace(&mut started.process, now.clone());
        self.save(place)?;
        Ok((before, now))
    }

    /// The first program that has ended, though nobody asked it to.
    pub fn dead(&self) -> Option<&Started> {
        self.programs
            .iter()
            .find(|program| !program.process.alive())
    }

    /// The port of what listens under this name.
    pub fn port(&self, name: &str) -> Result<u16> {
        self.ports
            .get(name)
            .copied()
            .with_context(|| format!("no port was chosen for {name}"))
    }
}

/// Writes a file so that it is there whole or not at all.
pub fn write_whole(file: &Path, bytes: &[u8]) -> Result<()> {
    let draft = file.with_extension("draft");
    fs::write(&draft, bytes).with_context(|| format!("cannot write {}", draft.display()))?;
    fs::rename(&draft, file).with_context(|| format!("cannot write {}", file.display()))
}

fn file(place: &Place) -> PathBuf {
    place.state.join("state.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &Path) -> Place {
        Place {
            state: folder.join("state"),
            run: folder.join("run"),
            ..Place::new("test").unwrap()
        }
    }

    #[test]
    fn what_was_started_is_remembered_and_missed_when_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        place.make().unwrap();
        assert_eq!(State::load(&place).unwrap(), None);
        let mut state = State {
            slot: Some(3),
            ports: BTreeMap::from([("etcd".into(), 2379)]),
            ..State::default()
        };
        state
            .start(&place, &Program::new("sleeper", "/bin/sleep").arg("60"))
            .unwrap();
        let again = State::load(&place).unwrap().unwrap();
        assert_eq!(again, state);
        assert_eq!(again.dead(), None);
        let (before, now) = state.crash(&place, "sleeper").unwrap();
        assert!(!before.alive() && now.alive());
        assert_eq!(State::load(&place).unwrap().unwrap(), state);
        let again = state.clone();
        crate::process::end(
            &[state.programs[0].process.clone()],
            std::time::Duration::from_secs(5),
        )
        .unwrap();
        assert_eq!(
            again.dead().map(|program| program.name.as_str()),
            Some("sleeper")
        );
        State::forget(&place).unwrap();
        State::forget(&place).unwrap();
        assert_eq!(State::load(&place).unwrap(), None);
    }
}
