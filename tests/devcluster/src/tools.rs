//! The programs that are Go modules: built once a version, kept in the user's cache.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    place::{cache, make_folder, short_hash},
    progress::Progress,
    run,
};

/// A project whose programs we build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// The API server, its controllers, and what runs on a node.
    Kubernetes,
    /// What the API server stores in.
    Etcd,
    /// The container runtime.
    Containerd,
    /// The name server of the pods.
    Coredns,
    /// metrics.k8s.io.
    MetricsServer,
    /// What makes volumes on a CSI driver.
    CsiProvisioner,
    /// What makes snapshots on a CSI driver.
    Snapshotter,
    /// Nodes that exist in the API only.
    Kwok,
    /// The installer of charts.
    Helm,
    /// What keeps a cluster as it stands in Git.
    Flux,
}

impl Upstream {
    /// The folder of its module.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Etcd => "etcd",
            Self::Containerd => "containerd",
            Self::Coredns => "coredns",
            Self::MetricsServer => "metrics-server",
            Self::CsiProvisioner => "csi-provisioner",
            Self::Snapshotter => "snapshotter",
            Self::Kwok => "kwok",
            Self::Helm => "helm",
            Self::Flux => "flux",
        }
    }

    /// The modules that define the kinds that its programs work on, and where in them.
    fn definitions(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Snapshotter => &[(
                "github.com/kubernetes-csi/external-snapshotter/client/v8",
                "config/crd",
            )],
            Self::Flux => &[
                ("github.com/fluxcd/source-controller", "config/crd/bases"),
                ("github.com/fluxcd/kustomize-controller", "config/crd/bases"),
            ],
            _ => &[],
        }
    }

    fn linker_flags(self, module: &str) -> Result<String> {
        let mut flags = "-s -w".to_owned();
        if self == Self::Kubernetes {
            // Without it the API server says that it is v0.0.0.
            let version = module
                .lines()
                .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"));
            let version = version.or_else(|| {
                module
                    .lines()
                    .find_map(|line| line.strip_prefix("require k8s.io/kubernetes v"))
            });
            let version = version.and_then(|version| version.split_whitespace().next());
            let version = version.context("the module does not say which Kubernetes it is")?;
            let mut parts = version.split('.');
            let (major, minor) = (parts.next().unwrap_or("1"), parts.next().unwrap_or("0"));
            for (name, value) in [
                ("Version", format!("v{version}")),
                ("Major", major.into()),
                ("Minor", minor.into()),
            ] {
                flags.push_str(&format!(
                    " -X k8s.io/component-base/version.git{name}={value}"
                ));
            }
        }
        Ok(flags)
    }
}

/// The programs that were built.
#[derive(Clone, Debug)]
pub struct Tools {
    folder: PathBuf,
    folders: Vec<(Upstream, PathBuf)>,
}

impl Tools {
    /// The folder with all programs of one project.
    pub fn folder(&self, upstream: Upstream) -> Result<&Path> {
        let found = self.folders.iter().find(|(built, _)| *built == upstream);
        found
            .map(|(_, folder)| folder.as_path())
            .with_context(|| format!("{} was not built", upstream.folder()))
    }

    /// The file of a program.
    pub fn file(&self, upstream: Upstream, program: &str) -> Result<PathBuf> {
        Ok(self.folder(upstream)?.join(program))
    }

    /// The folder of the cache that they are in.
    pub fn cache(&self) -> &Path {
        &self.folder
    }
}

/// Builds what is not in the cache yet.
pub fn ensure(upstreams: &[Upstream]) -> Result<Tools> {
    let folder = cache()?.join("tools");
    make_folder(&folder)?;
    let mut tools = Tools {
        folder: folder.clone(),
        folders: Vec::new(),
    };
    for upstream in upstreams {
        tools
            .folders
            .push((*upstream, ensure_one(&folder, *upstream)?));
    }
    Ok(tools)
}

fn ensure_one(cache: &Path, upstream: Upstream) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tools")
        .join(upstream.folder());
    let read = |file: &str| {
        fs::read_to_string(source.join(file))
            .with_context(|| format!("cannot read {file} of {}", upstream.folder()))
    };
    let (module, sums) = (read("go.mod")?, read("go.sum")?);
    let flags = upstream.linker_flags(&module)?;
    let hash = short_hash(&[module.as_bytes(), sums.as_bytes(), flags.as_bytes()], 16);
    let built = cache.join(format!("{}-{hash}", upstream.folder()));
    if built.is_dir() {
        return Ok(built);
    }
    let lock = File::create(cache.join(format!("{}.lock", upstream.folder())))?;
    if lock.try_lock().is_err() {
        let waiting = Progress::begin(format!(
            "Waiting for another build of {}",
            upstream.folder()
        ));
        lock.lock().context("cannot lock the cache")?;
        waiting.done();
    }
    if !built.is_dir() {
        build(&source, upstream, &flags, &built)?;
    }
    Ok(built)
}

fn build(source: &Path, upstream: Upstream, flags: &str, built: &Path) -> Result<()> {
    if run::find("go").is_none() {
        bail!(
            "Go is needed to build {}: install it (1.26 or newer) and try again",
            upstream.folder()
        );
    }
    let draft = built.with_extension("draft");
    if draft.exists() {
        fs::remove_dir_all(&draft).context("cannot remove what an interrupted build has left")?;
    }
    make_folder(&draft)?;
    let progress = Progress::begin(format!(
        "Building {} (once; minutes when nothing is cached)",
        upstream.folder()
    ));
    compile(source, upstream, flags, &draft, &progress)?;
    if upstream == Upstream::Etcd {
        // Go names a program after the last part of its path that is no version.
        let odd = ["v3", "server"]
            .map(|name| draft.join(name))
            .into_iter()
            .find(|file| file.exists());
        fs::rename(
            odd.context("etcd has an unexpected name")?,
            draft.join("etcd"),
        )?;
    }
    let definitions: Result<Vec<String>> = upstream
        .definitions()
        .iter()
        .map(|(module, folder)| definitions(source, module, folder))
        .collect();
    let definitions = definitions?.join("\n---\n");
    if !definitions.is_empty() {
        fs::write(draft.join("crds.yaml"), definitions)?;
    }
    fs::rename(&draft, built).with_context(|| format!("cannot keep {}", built.display()))?;
    progress.done();
    Ok(())
}

/// The definitions that a module brings in a folder of its own.
fn definitions(source: &Path, module: &str, folder: &str) -> Result<String> {
    let mut list = Command::new("go");
    list.args(["list", "-m", "-f", "{{.Dir}}", module]);
    let home = run::output(list.current_dir(source).env("GOWORK", "off"))?;
    let folder = Path::new(home.trim()).join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            // They are called GROUP_KINDS.yaml.
            name.contains(".io_")
        })
        .collect();
    files.sort();
    let texts: std::io::Result<Vec<String>> = files.iter().map(fs::read_to_string).collect();
    Ok(texts?.join("\n---\n"))
}

fn compile(
    source: &Path,
    upstream: Upstream,
    flags: &str,
    draft: &Path,
    progress: &Progress,
) -> Result<()> {
    let mut command = Command::new("go");
    command
        .args([
            "build",
            "-v",
            "-trimpath",
            "-buildvcs=false",
            "-ldflags",
            flags,
            "-o",
        ])
        .arg(draft)
        .arg("tool");
    command.current_dir(source).envs([
        ("CGO_ENABLED", "0"),
        ("GOWORK", "off"),
        ("GOFLAGS", "-mod=readonly"),
    ]);
    let mut child = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run go")?;
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        for (count, line) in BufReader::new(stderr)
            .lines()
            .map_while(Result::ok)
            .enumerate()
        {
            progress.at(format!("{count} packages, {line}"));
            said.push(line);
        }
    }
    if !child.wait()?.success() {
        let last = said[said.len().saturating_sub(30)..].join("\n");
        bail!("{} cannot be built:\n{last}", upstream.folder());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_the_api_server_reports_is_that_of_its_module() {
        let flags = Upstream::Kubernetes
            .linker_flags("require (\n\tk8s.io/kubernetes v1.36.3\n)\n")
            .unwrap();
        assert!(flags.contains("version.gitVersion=v1.36.3 "), "{flags}");
        assert!(flags.ends_with("gitMinor=36"), "{flags}");
        assert_eq!(Upstream::Helm.linker_flags("").unwrap(), "-s -w");
    }

    #[test]
    fn every_module_is_pinned() {
        use Upstream::*;
        for upstream in [
            Kubernetes,
            Etcd,
            Containerd,
            Coredns,
            MetricsServer,
            CsiProvisioner,
            Snapshotter,
            Kwok,
            Helm,
            Flux,
        ] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tools")
                .join(upstream.folder());
            for file in ["go.mod", "go.sum"] {
                assert!(
                    folder.join(file).is_file(),
                    "{} has no {file}",
                    upstream.folder()
                );
            }
        }
    }
}
