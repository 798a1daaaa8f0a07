//! The programs that come from Debian: installed for nodes, unpacked for images.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    place::{cache, is_root, make_folder, short_hash},
    progress::Progress,
    run,
};

/// What a node needs on the host: the package, and a file that shows that it is there.
const NODE: [(&str, &str); 6] = [
    ("runc", "runc"),
    ("containernetworking-plugins", "/usr/lib/cni/ptp"),
    ("nftables", "nft"),
    ("conntrack", "conntrack"),
    ("iptables", "iptables"),
    ("iproute2", "ip"),
];

/// What storage that can take snapshots needs besides.
const SNAPSHOTS: (&str, &str) = ("btrfs-progs", "mkfs.btrfs");

/// Sees to it that a node's programs are on this machine.
pub fn ensure_node_programs(snapshots: bool) -> Result<()> {
    let missing = missing(snapshots);
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!(
        "apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 {}",
        missing.join(" ")
    );
    if !is_root() || run::find("apt-get").is_none() {
        bail!(
            "a node needs programs that are not here; run this, or ask for no nodes:\n  sudo {line}"
        );
    }
    let lock = lock()?;
    let progress = Progress::begin(format!("Installing {}", missing.join(", ")));
    update()?;
    let words = line.split(' ').skip(1);
    run::output(
        Command::new("apt-get")
            .args(words)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )?;
    progress.done();
    drop(lock);
    match self::missing(snapshots).as_slice() {
        [] => Ok(()),
        still => bail!("installed, and still not to be found: {}", still.join(", ")),
    }
}

/// The folder that these packages, and the libraries that they need, are unpacked in. The host is not changed.
pub fn unpacked(packages: &[&str]) -> Result<PathBuf> {
    let folder = cache()?.join("debian");
    make_folder(&folder)?;
    let names: Vec<&[u8]> = packages.iter().map(|name| name.as_bytes()).collect();
    let root = folder.join(format!(
        "{}-{}",
        packages.first().unwrap_or(&"none"),
        short_hash(&names, 8)
    ));
    if root.is_dir() {
        return Ok(root);
    }
    let _lock = lock()?;
    if !root.is_dir() {
        let progress = Progress::begin(format!("Fetching {}", packages.join(", ")));
        let draft = root.with_extension("draft");
        unpack(packages, &draft)?;
        fs::rename(&draft, &root).context("cannot keep the packages")?;
        progress.done();
    }
    Ok(root)
}

fn unpack(packages: &[&str], draft: &Path) -> Result<()> {
    if run::find("apt-get").is_none() {
        bail!("images are made from Debian's packages, and there is no apt-get here");
    }
    if draft.exists() {
        fs::remove_dir_all(draft)?;
    }
    let archives = draft.join("archives");
    make_folder(&archives)?;
    let download = || {
        let wanted = with_libraries(packages)?;
        run::output(
            Command::new("apt-get")
                .arg("download")
                .args(wanted)
                .current_dir(&archives),
        )
    };
    if download().is_err() {
        // Most likely the lists are missing or older than the packages.
        update()?;
        download()?;
    }
    for entry in fs::read_dir(&archives)? {
        run::run(
            "dpkg-deb",
            ["-x".as_ref(), entry?.path().as_os_str(), draft.as_os_str()],
        )?;
    }
    fs::remove_dir_all(&archives).context("cannot remove the archives")
}

/// The packages and the libraries below them. What else they depend on is there to set up a host.
fn with_libraries(packages: &[&str]) -> Result<Vec<String>> {
    let mut command = Command::new("apt-cache");
    command
        .args(["depends", "--recurse", "--important"])
        .args(packages);
    let listed = run::output(&mut command)?;
    Ok(libraries(&listed)
        .chain(packages.iter().copied())
        .map(str::to_owned)
        .collect())
}

fn libraries(listed: &str) -> impl Iterator<Item = &str> {
    let wanted = |name: &&str| {
        ["lib", "lua", "zlib", "tzdata"]
            .iter()
            .any(|start| name.starts_with(start))
    };
    // Heavy or in each other's way, and no engine that we run loads them.
    let idle = |name: &&str| {
        ["perl", "llvm", "elogind", "debian-installer"]
            .iter()
            .any(|part| name.contains(part))
    };
    listed
        .lines()
        .filter(|line| !line.starts_with([' ', '<', '|']))
        .filter(wanted)
        .filter(move |name| !idle(name))
}

fn update() -> Result<()> {
    if !is_root() {
        bail!("the package lists are missing or old; run:\n  sudo apt-get update");
    }
    run::words("apt-get update -o DPkg::Lock::Timeout=300").map(drop)
}

fn missing(snapshots: bool) -> Vec<&'static str> {
    let here = |file: &str| {
        if file.starts_with('/') {
            Path::new(file).exists()
        } else {
            run::find(file).is_some()
        }
    };
    NODE.iter()
        .chain(snapshots.then_some(&SNAPSHOTS))
        .filter(|(_, file)| !here(file))
        .map(|(package, _)| *package)
        .collect()
}

/// One at a time: apt gives up at once when another runs.
fn lock() -> Result<File> {
    let folder = cache()?;
    make_folder(&folder)?;
    let lock = File::create(folder.join("debian.lock"))?;
    lock.lock().context("cannot lock the cache")?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_brings_its_libraries_and_not_the_rest() {
        let listed = "postgresql-15\n  Depends: libc6\nlibc6\nlibllvm14\n<libc-dev>\n  PreDepends: zlib1g\nzlib1g\nperl\nlibperl5.36\ntzdata\n";
        assert_eq!(
            libraries(listed).collect::<Vec<_>>(),
            ["libc6", "zlib1g", "tzdata"]
        );
    }
}
