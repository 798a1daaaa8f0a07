//! Programs that Debian links dynamically: each comes with the libraries that its own loader finds.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::layer::Layer;
use crate::run;

/// A folder that packages were unpacked in.
pub struct Root {
    folder: PathBuf,
    loader: PathBuf,
    libraries: String,
}

impl Root {
    /// Looks around in a folder of unpacked packages.
    pub fn open(folder: &Path) -> Result<Self> {
        let places = ["lib64", "lib", "usr/lib64", "usr/lib"];
        let mut folders: Vec<PathBuf> = places.iter().map(|place| folder.join(place)).collect();
        let multiarch = |place: &PathBuf| {
            entries(place)
                .into_iter()
                .filter(|entry| entry.to_string_lossy().ends_with("-linux-gnu"))
        };
        folders.extend(folders.clone().iter().flat_map(multiarch));
        let is_loader = |file: &PathBuf| {
            file.file_name().is_some_and(|name| {
                let name = name.to_string_lossy();
                name.starts_with("ld-linux") && name.contains(".so")
            })
        };
        let loader = folders
            .iter()
            .flat_map(|place| entries(place))
            .find(is_loader);
        let libraries: Vec<String> = folders
            .iter()
            .map(|folder| folder.display().to_string())
            .collect();
        Ok(Self {
            loader: loader
                .with_context(|| format!("no loader among the packages in {}", folder.display()))?,
            libraries: libraries.join(":"),
            folder: folder.to_owned(),
        })
    }

    /// A path in the folder.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path.trim_start_matches('/'))
    }

    /// Adds a program, or a library that is loaded while it runs, and everything that it is linked to.
    pub fn add(&self, layer: &mut Layer, path: &str) -> Result<()> {
        let file = self.path(path);
        layer.file(path, 0o755, &file)?;
        let common = [
            "--inhibit-cache",
            "--library-path",
            &self.libraries,
            "--list",
        ];
        let listed = run::run(
            &self.loader,
            common.iter().map(AsRef::as_ref).chain([file.as_os_str()]),
        )?;
        for (name, found) in linked(&listed) {
            if !found.starts_with(&self.folder) {
                bail!("{path} needs {name}, which none of the packages has");
            }
            let inside = format!("/usr/lib/{}", self.below_lib(&found));
            if !layer.has(&inside) {
                layer.file(&inside, 0o644, found)?;
            }
        }
        let name = self
            .loader
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        for place in ["lib64", "lib"] {
            layer.file(&format!("/{place}/{name}"), 0o755, &self.loader)?;
        }
        Ok(())
    }

    /// `x86_64-linux-gnu/libz.so.1`: the loader looks there by itself, without a cache that somebody has to write.
    fn below_lib(&self, file: &Path) -> String {
        let name = |path: &Path| {
            path.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        let parent = file.parent().map(name).unwrap_or_default();
        if parent.ends_with("-linux-gnu") {
            format!("{parent}/{}", name(file))
        } else {
            name(file)
        }
    }
}

/// The lines of a loader's list that name a file.
fn linked(listed: &str) -> impl Iterator<Item = (&str, PathBuf)> {
    listed.lines().filter_map(|line| {
        let (name, found) = line.trim().split_once(" => ")?;
        Some((name, PathBuf::from(found.split(" (").next()?)))
    })
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_else(|_| Vec::new());
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_list_are_read_and_the_kernels_own_is_not_one() {
        let listed = "\tlinux-vdso.so.1 (0x7ff)\n\tlibz.so.1 => /r/lib/x86_64-linux-gnu/libz.so.1 (0x7f)\n\t/lib64/ld-linux-x86-64.so.2 (0x7f)\n";
        let found: Vec<_> = linked(listed).collect();
        assert_eq!(
            found,
            [(
                "libz.so.1",
                PathBuf::from("/r/lib/x86_64-linux-gnu/libz.so.1")
            )]
        );
    }
}
