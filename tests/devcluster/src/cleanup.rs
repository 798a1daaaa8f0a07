//! The end of a cluster: every process, mount, link and file of it, and nothing else.
//!
//! It works from what the state file remembers and from what carries the cluster's id, so that it also clears up after a run
//! that was killed before it could write anything down.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};

use crate::{
    addresses::Addresses,
    cgroup, network,
    place::{Place, is_root},
    process::{self, Identity},
    run,
    state::State,
};

/// More nodes than anybody asked for: their traces are looked for without a state file.
const MOST_NODES: u8 = 9;

/// Ends and removes a cluster. The logs stay until the next one starts.
pub fn remove(place: &Place) -> Result<()> {
    // A damaged file must not keep anybody from starting afresh: what carries our id is found without it.
    let state = State::load(place).unwrap_or_default().unwrap_or_default();
    end_programs(place, &state)?;
    if is_root() {
        unmount(place)?;
        for node in 1..=MOST_NODES {
            cgroup::remove(&cgroup::of_node(&place.id, node))?;
        }
        network::remove(
            &Addresses::at(state.slot.unwrap_or(0), &place.id),
            MOST_NODES,
        )?;
        let left = network::left(&place.id);
        if !left.is_empty() {
            bail!("still there: {}", left.join(", "));
        }
    }
    remove_files(place)
}

fn end_programs(place: &Place, state: &State) -> Result<()> {
    let mut programs: Vec<Identity> = state
        .programs
        .iter()
        .map(|program| program.process.clone())
        .collect();
    programs.extend(process::mentioning(&[&place.run, &place.state]));
    // All at once: what they hold is thrown away, so none needs to outlive another.
    process::end(&programs, Duration::from_secs(1))?;
    if !is_root() {
        return Ok(());
    }
    let containers =
        (1..=MOST_NODES).flat_map(|node| cgroup::processes(&cgroup::of_node(&place.id, node)));
    let mut containers: Vec<Identity> = containers.collect();
    // A shim that was starting a container when containerd ended.
    containers.extend(process::mentioning(&[&place.run, &place.state]));
    process::end(&containers, Duration::ZERO)
}

/// Undoes every mount in the cluster's folders, the last one first.
fn unmount(place: &Place) -> Result<()> {
    let table = fs::read_to_string("/proc/self/mountinfo").context("cannot read the mounts")?;
    for target in mounts_below(&table, place).into_iter().rev() {
        // Lazily, where something still looks at it from another namespace.
        run::run("umount", ["-l".as_ref(), target.as_os_str()])?;
    }
    Ok(())
}

fn mounts_below(table: &str, place: &Place) -> Vec<PathBuf> {
    let targets = table.lines().filter_map(|line| line.split(' ').nth(4));
    let targets = targets.map(|target| PathBuf::from(target.replace("\\040", " ")));
    targets
        .filter(|target| target.starts_with(&place.state) || target.starts_with(&place.run))
        .collect()
}

fn remove_files(place: &Place) -> Result<()> {
    if let Ok(entries) = fs::read_dir(&place.state) {
        for entry in entries
            .flatten()
            .filter(|entry| entry.file_name() != "logs" && entry.file_name() != "state.json")
        {
            let path = entry.path();
            let gone = if path.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            gone.with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    if place.run.exists() {
        fs::remove_dir_all(&place.run)
            .with_context(|| format!("cannot remove {}", place.run.display()))?;
    }
    // Last, so that a removal that is interrupted is taken up again.
    State::forget(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_mounts_in_the_folders_of_the_cluster_are_found() {
        let place = Place {
            state: "/s/test-1".into(),
            run: "/run/roadstead/test-1".into(),
            ..Place::new("test").unwrap()
        };
        let table = "1 0 8:1 / / rw - ext4 a rw\n2 1 0:2 / /s/test-1/a\\040b rw - tmpfs t rw\n\
                     3 1 0:3 / /s/test-12 rw - tmpfs t rw\n4 1 0:4 / /run/roadstead/test-1/n rw - nsfs n rw\n";
        let found = mounts_below(table, &place);
        assert_eq!(
            found,
            [
                PathBuf::from("/s/test-1/a b"),
                PathBuf::from("/run/roadstead/test-1/n")
            ]
        );
    }
}
