//! Container images made from folders, without a registry and without a container engine.

pub mod catalogue;
pub mod layer;
pub mod programs;
pub mod rust;

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::PathBuf,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    place::{cache, hex, make_folder},
    progress::Progress,
    state::write_whole,
};
use layer::Layer;

/// An image: what is in it and how it starts.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Its name with a tag: `docker.io/library/redis:7`.
    pub name: String,
    /// What runs.
    pub entrypoint: Vec<String>,
    /// The arguments when none are given.
    pub command: Vec<String>,
    /// The user and group, as numbers: `999:999`.
    pub user: String,
    /// The variables, as `NAME=value`.
    pub variables: Vec<String>,
    /// The folder that it starts in.
    pub folder: String,
    /// The signal that asks it to end, where that is not SIGTERM.
    pub stop_signal: String,
    /// The files.
    pub layer: Layer,
}

/// An image as a file that a container runtime imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The image's name.
    pub name: String,
    /// The digest of its manifest: the same files give the same digest, on every machine.
    pub digest: String,
    /// The file, in the layout of the Open Container Initiative.
    pub file: PathBuf,
}

impl Archive {
    /// The name by digest, as a pod would ask for it.
    pub fn reference(&self) -> String {
        let name = match self.name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => name,
            _ => &self.name,
        };
        format!("{name}@{}", self.digest)
    }
}

impl Image {
    /// An empty image with this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            folder: "/".into(),
            variables: vec!["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".into()],
            ..Self::default()
        }
    }

    /// An image of one static program that runs as an ordinary user.
    pub fn of_program(name: impl Into<String>, program: PathBuf) -> Result<Self> {
        let file = program
            .file_name()
            .context("a program has a name")?
            .to_string_lossy()
            .into_owned();
        let mut image = Self::named(name);
        let inside = format!("/usr/local/bin/{file}");
        image.layer.file(&inside, 0o755, program)?;
        image.layer.users(65532)?;
        image.entrypoint = vec![inside];
        image.user = "65532:65532".into();
        Ok(image)
    }

    /// Sets what runs.
    pub fn entrypoint(mut self, words: &[&str]) -> Self {
        self.entrypoint = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Sets the arguments when none are given.
    pub fn command(mut self, words: &[&str]) -> Self {
        self.command = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Sets the user, and the group of the same number.
    pub fn user(mut self, user: u32) -> Self {
        self.user = format!("{user}:{user}");
        self
    }

    /// Adds a variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push(format!("{name}={value}"));
        self
    }

    /// Writes the archive into the cache, unless it is there already.
    pub fn archive(&self) -> Result<Archive> {
        let folder = cache()?.join("images");
        make_folder(&folder)?;
        let draft = tempfile::Builder::new()
            .prefix("layer-")
            .tempfile_in(&folder)?;
        let mut hashed = Hashed {
            inner: draft.reopen()?,
            hash: Sha256::new(),
            size: 0,
        };
        self.layer.write(&mut hashed)?;
        let (layer, size) = (
            format!("sha256:{}", hex(&hashed.hash.finalize())),
            hashed.size,
        );
        let blobs = Blobs::of(self, &layer, size)?;
        let archive = Archive {
            name: self.name.clone(),
            digest: blobs.digest.clone(),
            file: folder.join(blobs.file_name(&self.name)),
        };
        if !archive.file.exists() {
            let whole = tempfile::Builder::new()
                .prefix("image-")
                .tempfile_in(&folder)?;
            blobs.write(whole.reopen()?, &layer, size, draft.reopen()?)?;
            whole
                .persist(&archive.file)
                .context("cannot keep an image")?;
        }
        Ok(archive)
    }
}

/// What describes an image in its archive.
struct Blobs {
    config: (String, Vec<u8>),
    manifest: (String, Vec<u8>),
    index: Vec<u8>,
    digest: String,
}

impl Blobs {
    fn of(image: &Image, layer: &str, size: u64) -> Result<Self> {
        let config = blob(&json!({
            "architecture": architecture(),
            "os": "linux",
            "config": {
                "User": image.user,
                "Env": image.variables,
                "Entrypoint": image.entrypoint,
                "Cmd": image.command,
                "WorkingDir": image.folder,
                "StopSignal": image.stop_signal,
            },
            "rootfs": {"type": "layers", "diff_ids": [layer]},
        }))?;
        let manifest = blob(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config.0, "size": config.1.len()},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": size}],
        }))?;
        let index = serde_json::to_vec(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": manifest.0,
                "size": manifest.1.len(),
                "annotations": {"io.containerd.image.name": image.name},
            }],
        }))?;
        Ok(Self {
            digest: manifest.0.clone(),
            config,
            manifest,
            index,
        })
    }

    fn file_name(&self, name: &str) -> String {
        let name: String = name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '.' {
                    c
                } else {
                    '-'
                }
            })
            .collect();
        format!("{name}-{}.tar", &self.digest["sha256:".len()..][..16])
    }

    fn write(&self, into: File, layer: &str, size: u64, from: File) -> Result<()> {
        let mut archive = tar::Builder::new(into);
        layer::entry(
            &mut archive,
            "oci-layout",
            0o644,
            br#"{"imageLayoutVersion":"1.0.0"}"#,
        )?;
        layer::entry(&mut archive, "index.json", 0o644, &self.index)?;
        for (digest, bytes) in [&self.config, &self.manifest] {
            layer::entry(&mut archive, &blob_path(digest), 0o644, bytes)?;
        }
        let mut header = layer::header(tar::EntryType::Regular, 0o644, 0);
        header.set_size(size);
        archive.append_data(&mut header, blob_path(layer), from.take(size))?;
        archive
            .into_inner()?
            .flush()
            .context("cannot write an image")
    }
}

fn blob(value: &Value) -> Result<(String, Vec<u8>)> {
    let bytes = serde_json::to_vec(value)?;
    Ok((format!("sha256:{}", hex(&Sha256::digest(&bytes))), bytes))
}

fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Counts and hashes what is written through it.
struct Hashed<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// Remembers which archive a key stands for, so that an image whose parts are known is not put together again.
pub fn remembered(key: &str, make: impl FnOnce() -> Result<Image>) -> Result<Archive> {
    let folder = cache()?.join("images");
    make_folder(&folder)?;
    let note = folder.join(format!("{key}.json"));
    if let Ok(bytes) = fs::read(&note) {
        let (name, digest, file): (String, String, PathBuf) =
            serde_json::from_slice(&bytes).context("a damaged note in the cache")?;
        if file.exists() {
            return Ok(Archive { name, digest, file });
        }
    }
    let name = key.rsplit_once('-').map_or(key, |(name, _)| name);
    let progress = Progress::begin(format!("Putting together the image {name}"));
    let archive = make()?.archive()?;
    progress.done();
    write_whole(
        &note,
        &serde_json::to_vec(&(&archive.name, &archive.digest, &archive.file))?,
    )?;
    Ok(archive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toy(text: &str) -> Image {
        let mut image = Image::named("docker.io/acme/toy:1")
            .entrypoint(&["/bin/toy"])
            .user(1000);
        image.layer.bytes("/bin/toy", 0o755, text).unwrap();
        image
    }

    fn digest(image: &Image) -> String {
        let mut bytes = Vec::new();
        image.layer.write(&mut bytes).unwrap();
        let layer = format!("sha256:{}", hex(&Sha256::digest(&bytes)));
        Blobs::of(image, &layer, bytes.len() as u64).unwrap().digest
    }

    #[test]
    fn the_same_files_give_the_same_digest_and_others_another() {
        assert_eq!(digest(&toy("one")), digest(&toy("one")));
        assert_ne!(digest(&toy("one")), digest(&toy("two")));
        assert_ne!(digest(&toy("one")), digest(&toy("one").user(1001)));
    }

    #[test]
    fn a_reference_by_digest_has_no_tag() {
        let archive = |name: &str| Archive {
            name: name.into(),
            digest: "sha256:1".into(),
            file: PathBuf::new(),
        };
        assert_eq!(
            archive("docker.io/acme/shop:1.4").reference(),
            "docker.io/acme/shop@sha256:1"
        );
        assert_eq!(
            archive("localhost:5000/shop").reference(),
            "localhost:5000/shop@sha256:1"
        );
    }
}
