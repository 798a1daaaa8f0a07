//! The files of an image, written in an order and with times that never change.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// The files of an image by their path, which begins with a slash.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    Folder { mode: u32, owner: u64 },
    Bytes { mode: u32, bytes: Vec<u8> },
    File { mode: u32, from: PathBuf },
    Link { target: String },
}

impl Layer {
    /// Adds a folder that belongs to this user.
    pub fn folder(&mut self, path: &str, mode: u32, owner: u64) -> Result<()> {
        self.add(path, Entry::Folder { mode, owner })
    }

    /// Adds a file with this content.
    pub fn bytes(&mut self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> Result<()> {
        self.add(
            path,
            Entry::Bytes {
                mode,
                bytes: bytes.into(),
            },
        )
    }

    /// Adds a file of this machine.
    pub fn file(&mut self, path: &str, mode: u32, from: impl Into<PathBuf>) -> Result<()> {
        let from = from.into();
        if !from.is_file() {
            bail!("{} is not there", from.display());
        }
        self.add(path, Entry::File { mode, from })
    }

    /// Adds a link.
    pub fn link(&mut self, path: &str, target: impl Into<String>) -> Result<()> {
        self.add(
            path,
            Entry::Link {
                target: target.into(),
            },
        )
    }

    /// Adds what is in a folder of this machine, but for paths that are unwanted. What a link leads to stands in its place.
    pub fn tree(&mut self, path: &str, from: &Path, unwanted: &[&str]) -> Result<()> {
        let entries =
            fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
        for entry in entries {
            let entry = entry?.path();
            let name = entry
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            let inside = format!("{path}/{name}");
            // A link to something that was left out is left out too.
            let Ok(metadata) = fs::metadata(&entry) else {
                continue;
            };
            if unwanted.iter().any(|part| inside.contains(part)) {
                continue;
            }
            if metadata.is_dir() {
                self.tree(&inside, &entry, unwanted)?;
            } else {
                self.file(&inside, metadata.permissions().mode() & 0o755, entry)?;
            }
        }
        Ok(())
    }

    /// Adds the files that give names to root and to one ordinary user, and a folder for scratch files.
    pub fn users(&mut self, user: u32) -> Result<()> {
        let passwd =
            format!("root:x:0:0:root:/root:/bin/sh\nuser:x:{user}:{user}:user:/tmp:/bin/sh\n");
        self.bytes("/etc/passwd", 0o644, passwd)?;
        self.bytes("/etc/group", 0o644, format!("root:x:0:\nuser:x:{user}:\n"))?;
        self.bytes("/etc/nsswitch.conf", 0o644, "hosts: files dns\n")?;
        self.folder("/tmp", 0o1777, 0)
    }

    /// Whether there is something at this path.
    pub fn has(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// Writes the layer.
    pub fn write(&self, into: impl Write) -> Result<()> {
        let mut archive = tar::Builder::new(into);
        for (path, entry) in &self.entries {
            let path = path.trim_start_matches('/');
            match entry {
                Entry::Folder { mode, owner } => {
                    let mut header = header(tar::EntryType::Directory, *mode, *owner);
                    archive.append_data(&mut header, format!("{path}/"), std::io::empty())?;
                }
                Entry::Bytes { mode, bytes } => self::entry(&mut archive, path, *mode, bytes)?,
                Entry::File { mode, from } => {
                    let bytes = fs::read(from)
                        .with_context(|| format!("cannot read {}", from.display()))?;
                    self::entry(&mut archive, path, *mode, &bytes)?;
                }
                Entry::Link { target } => {
                    archive.append_link(
                        &mut header(tar::EntryType::Symlink, 0o777, 0),
                        path,
                        target,
                    )?;
                }
            }
        }
        archive
            .into_inner()?
            .flush()
            .context("cannot write a layer")
    }

    fn add(&mut self, path: &str, entry: Entry) -> Result<()> {
        if !path.starts_with('/') || path.ends_with('/') {
            bail!("the path {path:?} in an image does not begin with a slash, or ends with one");
        }
        for (end, _) in path.match_indices('/').skip(1) {
            self.entries
                .entry(path[..end].to_owned())
                .or_insert(Entry::Folder {
                    mode: 0o755,
                    owner: 0,
                });
        }
        self.entries.insert(path.to_owned(), entry);
        Ok(())
    }
}

/// Adds a file to an archive.
pub fn entry(
    archive: &mut tar::Builder<impl Write>,
    path: &str,
    mode: u32,
    bytes: &[u8],
) -> Result<()> {
    let mut header = header(tar::EntryType::Regular, mode, 0);
    header.set_size(bytes.len() as u64);
    archive
        .append_data(&mut header, path, bytes)
        .with_context(|| format!("cannot add {path} to an archive"))
}

/// A header without a time: an archive of the same files is the same archive.
pub fn header(kind: tar::EntryType, mode: u32, owner: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mtime(0);
    header.set_size(0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_adding_changes_nothing_and_parents_come_first() {
        let write = |paths: &[&str]| {
            let mut layer = Layer::default();
            for path in paths {
                layer.bytes(path, 0o644, path.as_bytes()).unwrap();
            }
            let mut bytes = Vec::new();
            layer.write(&mut bytes).unwrap();
            bytes
        };
        let bytes = write(&["/b/c", "/a"]);
        assert_eq!(bytes, write(&["/a", "/b/c"]));
        let mut archive = tar::Archive::new(bytes.as_slice());
        let names = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string());
        assert_eq!(names.collect::<Vec<_>>(), ["a", "b/", "b/c"]);
    }

    #[test]
    fn a_path_that_is_no_path_in_an_image_is_refused() {
        assert!(Layer::default().bytes("bin/sh", 0o755, "").is_err());
        assert!(Layer::default().folder("/tmp/", 0o755, 0).is_err());
    }
}
