//! Where the bytes are: one btrfs on a loop file, in which a volume is a subvolume and a snapshot a read-only one.
//!
//! A snapshot is atomic and instant, as on any storage that deserves the name. A copy of a live folder is not: a database that
//! was copied under load does not start.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{place::make_folder, run};

/// How big the file looks. It takes what is written.
const SIZE: u64 = 64 << 30;

/// The volumes and snapshots of a cluster.
pub struct Pool {
    root: PathBuf,
}

/// What is known of a volume or a snapshot beside its bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// How many bytes were asked for.
    pub bytes: i64,
    /// The volume that a snapshot is of.
    pub source: Option<String>,
    /// When a snapshot was taken: seconds and nanoseconds since 1970.
    pub taken: Option<(i64, i32)>,
}

impl Pool {
    /// The pool in this folder, made and mounted where it is not yet.
    pub fn open(folder: &Path) -> Result<Self> {
        let (image, root) = (folder.join("pool.img"), folder.join("pool"));
        make_folder(&root)?;
        if !image.exists() {
            let file = File::create(&image).context("cannot make the file of the pool")?;
            file.set_len(SIZE)?;
            run::run("mkfs.btrfs", ["--quiet".as_ref(), image.as_os_str()])?;
        }
        if !root.join("volumes").exists() {
            let (image, root) = (image.as_os_str(), root.as_os_str());
            let options = "loop,noatime".as_ref();
            run::run("mount", ["-o".as_ref(), options, image, root])?;
        }
        for part in ["volumes", "snapshots", "groups"] {
            make_folder(&root.join(part))?;
        }
        Ok(Self { root })
    }

    /// Where the bytes of a volume are.
    pub fn volume(&self, id: &str) -> PathBuf {
        self.root.join("volumes").join(id)
    }

    /// The file system itself.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the bytes of a snapshot are: each in a folder of its own, for one folder takes one after the other.
    pub fn snapshot(&self, id: &str) -> PathBuf {
        self.root.join("snapshots").join(id).join("data")
    }

    /// What is known of a volume or a snapshot, if it is there.
    pub fn record(&self, path: &Path) -> Option<Record> {
        let text = fs::read_to_string(note(path)).ok()?;
        serde_json::from_str(&text).ok().filter(|_| path.exists())
    }

    /// Makes a volume, empty or with what a snapshot holds.
    pub fn make(&self, id: &str, bytes: i64, from: Option<&str>) -> Result<()> {
        let path = self.volume(id);
        if !path.exists() {
            match from {
                None => subvolume(&["create".as_ref(), path.as_os_str()])?,
                Some(snapshot) => {
                    let from = self.snapshot(snapshot);
                    subvolume(&["snapshot".as_ref(), from.as_os_str(), path.as_os_str()])?;
                }
            }
        }
        let record = Record {
            bytes,
            source: None,
            taken: None,
        };
        self.keep(&path, &record)
    }

    /// Takes a snapshot of a volume.
    pub fn take(&self, id: &str, volume: &str) -> Result<Record> {
        let (path, source) = (self.snapshot(id), self.volume(volume));
        if !path.exists() {
            snapshot(&source, &path)?;
        }
        self.note_taken(&path, volume, SystemTime::now())
    }

    /// Writes down that there is a snapshot of a volume.
    pub(super) fn note_taken(&self, path: &Path, volume: &str, at: SystemTime) -> Result<Record> {
        let source = self.record(&self.volume(volume));
        let at = at.duration_since(std::time::UNIX_EPOCH)?;
        let record = Record {
            bytes: source.context("there is no such volume")?.bytes,
            source: Some(volume.to_owned()),
            taken: Some((at.as_secs().try_into()?, at.subsec_nanos().try_into()?)),
        };
        self.keep(path, &record)?;
        Ok(record)
    }

    /// Removes a snapshot, if it is there.
    pub fn remove_snapshot(&self, id: &str) -> Result<()> {
        let path = self.snapshot(id);
        self.remove(&path)?;
        let folder = path.parent().filter(|folder| folder.exists());
        folder.map_or(Ok(()), |folder| Ok(fs::remove_dir(folder)?))
    }

    /// Removes a volume, if it is there.
    pub fn remove(&self, path: &Path) -> Result<()> {
        if path.exists() {
            subvolume(&["delete".as_ref(), path.as_os_str()])?;
        }
        match fs::remove_file(note(path)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn keep(&self, path: &Path, record: &Record) -> Result<()> {
        fs::write(note(path), serde_json::to_string(record)?).context("cannot write to the pool")
    }
}

fn note(path: &Path) -> PathBuf {
    path.with_extension("json")
}

/// Takes a snapshot that nobody can write to.
pub(super) fn snapshot(source: &Path, path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let [how, read_only] = ["snapshot", "-r"].map(std::ffi::OsStr::new);
    subvolume(&[how, read_only, source.as_os_str(), path.as_os_str()])
}

fn subvolume(words: &[&std::ffi::OsStr]) -> Result<()> {
    let all = std::iter::once("subvolume".as_ref()).chain(words.iter().copied());
    run::run("btrfs", all).map(drop)
}
