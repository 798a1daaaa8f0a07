//! Where a cluster keeps its things.
//!
//! Every name on the machine carries the id of the place, so that two checkouts, or two clusters of one checkout, never meet.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// The folders and names of one cluster.
#[derive(Clone, Debug)]
pub struct Place {
    /// The cluster's name, as people say it.
    pub name: String,
    /// Six hexadecimal digits that stand for the checkout and the name.
    pub id: String,
    /// What is kept while the cluster lives: data, certificates, logs.
    pub state: PathBuf,
    /// Sockets and mounts. Apart from the state, because a socket's path is at most 108 bytes.
    pub run: PathBuf,
}

/// The cluster of `cargo demo`.
pub const DEMO: &str = "demo";

/// The cluster that KUBECONFIG leads to. That of the demo itself, which `cargo demo -- --env` puts there, counts as none.
pub fn foreign() -> Result<Option<PathBuf>> {
    let own = Place::new(DEMO)?.kubeconfig("admin");
    Ok(other_than(&own, std::env::var_os("KUBECONFIG")))
}

fn other_than(own: &Path, kubeconfig: Option<OsString>) -> Option<PathBuf> {
    let file = PathBuf::from(kubeconfig.filter(|value| !value.is_empty())?);
    let real = |file: &Path| fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    (real(&file) != real(own)).then_some(file)
}

impl Place {
    /// The place of the cluster with this name that belongs to this checkout.
    pub fn new(name: &str) -> Result<Self> {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 20 || !name.chars().all(valid) {
            bail!("the cluster name {name:?} is not 1 to 20 lower-case letters, digits and dashes");
        }
        let checkout = checkout();
        let id = short_hash(
            &[checkout.as_os_str().as_encoded_bytes(), name.as_bytes()],
            6,
        );
        let folder = format!("{name}-{id}");
        let run = if is_root() {
            PathBuf::from("/run")
        } else {
            runtime_home()
        };
        Ok(Self {
            name: name.to_owned(),
            state: state_home()?.join("roadstead").join(&folder),
            run: run.join("roadstead").join(&folder),
            id,
        })
    }

    /// The folder of the log files.
    pub fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    /// The folder of certificates and keys.
    pub fn pki(&self) -> PathBuf {
        self.state.join("pki")
    }

    /// The kubeconfig of this user of the cluster.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.state.join("kubeconfig").join(format!("{user}.yaml"))
    }

    /// The file that one starter at a time locks.
    pub fn lock(&self) -> PathBuf {
        self.state.with_extension("lock")
    }

    /// Makes the folders. Only the owner may read them: they hold keys.
    pub fn make(&self) -> Result<()> {
        for folder in [
            &self.state,
            &self.run,
            &self.logs(),
            &self.pki(),
            &self.state.join("kubeconfig"),
        ] {
            make_folder(folder)?;
        }
        private(&self.state)?;
        private(&self.run)
    }
}

/// Makes a folder and its parents.
pub fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))
}

/// The first hexadecimal digits of a hash over the parts.
pub fn short_hash(parts: &[&[u8]], digits: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let mut hex = hex(&hash.finalize());
    hex.truncate(digits);
    hex
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The folder of what is built once and used by every cluster of this user.
pub fn cache() -> Result<PathBuf> {
    Ok(home_folder("XDG_CACHE_HOME", ".cache")?.join("roadstead/devcluster"))
}

/// The checkout whose cluster this is.
pub fn checkout() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_owned()
}

/// Whether this process may make nodes.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether real nodes can run here at all.
pub fn can_have_nodes() -> bool {
    cfg!(target_os = "linux") && is_root()
}

fn private(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    // Others may pass through (a pod's user reaches its volume below) but not list.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o711))
        .with_context(|| format!("cannot restrict the folder {}", folder.display()))
}

fn state_home() -> Result<PathBuf> {
    home_folder("XDG_STATE_HOME", ".local/state")
}

fn runtime_home() -> PathBuf {
    std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from)
}

fn home_folder(variable: &str, below: &str) -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(variable).filter(|v| !v.is_empty()) {
        return Ok(PathBuf::from(folder));
    }
    let home =
        std::env::var_os("HOME").with_context(|| format!("neither {variable} nor HOME is set"))?;
    Ok(Path::new(&home).join(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clusters_of_one_checkout_have_different_places() {
        let (test, demo) = (Place::new("test").unwrap(), Place::new("demo").unwrap());
        assert_ne!(test.id, demo.id);
        assert_ne!(test.state, demo.state);
        assert_eq!(test.id, Place::new("test").unwrap().id);
    }

    #[test]
    fn a_name_that_would_leave_its_folder_is_refused() {
        for name in ["", "..", "a/b", "Demo", "a-name-that-is-far-too-long"] {
            assert!(Place::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_demos_own_kubeconfig_counts_as_none() {
        let own = Path::new("/state/demo/kubeconfig/admin.yaml");
        let leads = |to: &str| other_than(own, Some(to.into()));
        assert_eq!(leads("/state/demo/kubeconfig/admin.yaml"), None);
        assert_eq!(leads(""), None);
        assert_eq!(other_than(own, None), None);
        let other = "/home/me/.kube/config";
        assert_eq!(leads(other), Some(PathBuf::from(other)));
    }
}
