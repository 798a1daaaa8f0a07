//! The control groups that the pods of a node live in.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::process::Identity;

const ROOT: &str = "/sys/fs/cgroup";

/// The group of a node, as the kubelet is told it.
pub fn of_node(id: &str, node: u8) -> String {
    format!("/roadstead-{id}-node{node}")
}

/// Makes a group in every hierarchy, as the kubelet expects to find it.
pub fn make(group: &str) -> Result<()> {
    for hierarchy in hierarchies() {
        let folder = hierarchy.join(group.trim_start_matches('/'));
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the control group {}", folder.display()))?;
        // A cpuset without processors takes no process, and an old kernel does not inherit them.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let (Ok(value), true) = (
                fs::read_to_string(hierarchy.join(file)),
                folder.join(file).exists(),
            ) {
                fs::write(folder.join(file), value)
                    .with_context(|| format!("cannot set {file} of {group}"))?;
            }
        }
        // In the unified hierarchy a group's children have the controllers that it hands down.
        for folder in [&hierarchy, &folder] {
            let control = folder.join("cgroup.subtree_control");
            for controller in ["cpuset", "cpu", "memory", "pids", "io"] {
                if control.exists() {
                    // One that the kernel lacks is refused: the kubelet says whether it matters.
                    let _ = fs::write(&control, format!("+{controller}"));
                }
            }
        }
    }
    Ok(())
}

/// The processes in a group and below it.
pub fn processes(group: &str) -> Vec<Identity> {
    let mut found = Vec::new();
    for folder in hierarchies()
        .iter()
        .flat_map(|root| below(&root.join(group.trim_start_matches('/'))))
    {
        let pids = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        found.extend(
            pids.lines()
                .filter_map(|pid| Identity::of(pid.parse().ok()?)),
        );
    }
    found.sort_by_key(Identity::pid);
    found.dedup();
    found
}

/// Removes a group and what is below it. No process may be left in it.
pub fn remove(group: &str) -> Result<()> {
    for folder in hierarchies()
        .iter()
        .flat_map(|root| below(&root.join(group.trim_start_matches('/'))))
    {
        fs::remove_dir(&folder)
            .with_context(|| format!("cannot remove the control group {}", folder.display()))?;
    }
    Ok(())
}

/// The mounted hierarchies: one for each controller, or one for all.
fn hierarchies() -> Vec<PathBuf> {
    if Path::new(ROOT).join("cgroup.controllers").exists() {
        return vec![PathBuf::from(ROOT)];
    }
    let Ok(entries) = fs::read_dir(ROOT) else {
        return Vec::new();
    };
    let folders = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders
        .map(|entry| entry.path())
        .filter(|folder| folder.join("cgroup.procs").exists())
        .collect()
}

/// A folder and those below it, the deepest first.
fn below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let folders = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut found: Vec<PathBuf> = folders.flat_map(|entry| below(&entry.path())).collect();
    found.push(folder.to_owned());
    found
}
