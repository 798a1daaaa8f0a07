//! Flux as the one who declares: its own controllers keep the cluster as it stands in a Git that runs there.

mod charts;
mod shop;

pub use charts::*;
pub use shop::*;

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};
use devcluster::flux::NAMESPACE;
use serde_json::{Value, json};

use crate::world::World;

/// What people set up: the source and the Kustomization of the shop.
const SYNC: &str = include_str!("../../../deploy/flux/sync.yaml");

/// The files of a repository, by their paths.
type Files = BTreeMap<String, String>;

/// A repository, and the Kustomization of the same name by which Flux keeps the cluster as it stands there.
struct Flux<'a> {
    world: &'a World,
    name: &'static str,
}

impl<'a> Flux<'a> {
    /// Flux with an empty repository.
    async fn begin(world: &'a World, name: &'static str) -> Result<Self> {
        world.flux().await?;
        let flux = Self { world, name };
        flux.git(&format!("git init -q -b main /srv/git/{name}"))
            .await?;
        Ok(flux)
    }

    async fn git(&self, script: &str) -> Result<String> {
        let words = format!("kubectl exec -i -n {NAMESPACE} deploy/git -- sh -e");
        let words: Vec<&str> = words.split(' ').collect();
        self.world.run(&words, Some(script)).await?.ok("git")
    }

    /// These files, and no others, stand in Git from now on, and Flux is told to look. Returns the revision, as Flux names it.
    async fn commit(&self, files: &Files) -> Result<String> {
        let mut script = format!("cd /srv/git/{}\nrm -rf -- *\n", self.name);
        for (path, text) in files {
            let folder = Path::new(path).parent().context("a file in no folder")?;
            let text = text.trim_end();
            script += &format!(
                "mkdir -p ./{}\ncat > {path} <<'WHOLE'\n{text}\nWHOLE\n",
                folder.display()
            );
        }
        script += "git add -A\ngit -c user.name=Story -c user.email=story@example.dev commit -qm Change\ngit rev-parse HEAD\n";
        let revision = self.git(&script).await?.trim().to_owned();
        let source = format!("gitrepository/{}", self.name);
        if self.world.get(&source, NAMESPACE).await?.is_some() {
            self.ask(&source, &revision).await?;
        }
        Ok(format!("main@sha1:{revision}"))
    }

    async fn ask(&self, what: &str, token: &str) -> Result<()> {
        let words = format!(
            "annotate {what} -n {NAMESPACE} reconcile.fluxcd.io/requestedAt={token} --overwrite"
        );
        self.world.kubectl(&words).await.map(drop)
    }

    /// Flux keeps the cluster as it stands in this folder: the source and the Kustomization of `deploy/flux/sync.yaml`, beside an
    /// operator that is there.
    async fn follow(&self, path: &str) -> Result<()> {
        let [mut source, _, mut kustomization]: [Value; 3] =
            serde_saphyr::from_multiple::<Value>(SYNC)?
                .try_into()
                .map_err(|_| anyhow::anyhow!("the example has changed"))?;
        let url = format!(
            "http://git.{NAMESPACE}.svc.cluster.local./cgi-bin/git/{}/.git",
            self.name
        );
        source["spec"]["url"] = json!(url);
        for object in [&mut source, &mut kustomization] {
            object["metadata"]["name"] = json!(self.name);
        }
        let spec = kustomization["spec"].as_object_mut().context("no spec")?;
        ensure!(spec.remove("dependsOn").is_some(), "it waits for nothing");
        ensure!(spec["wait"] == true && spec["prune"] == true, "{spec:?}");
        spec["sourceRef"]["name"] = json!(self.name);
        spec["path"] = json!(path);
        let both = format!("{source}\n---\n{kustomization}\n");
        self.world.apply(&both).await.map(drop)
    }

    fn what(&self) -> String {
        format!("kustomization/{}", self.name)
    }

    /// Waits until Flux has tried a revision, and returns the reason and the message of its condition Ready. A success is never taken
    /// back; a failure may be, by the next try: Flux sometimes looks before anybody can have seen the change.
    async fn says(&self, ready: &str, revision: &str) -> Result<(String, String)> {
        let what = self.what();
        let until = format!("Flux says Ready={ready} of {revision}");
        let said = self.world.until(&until, || async {
            let status = self.world.at(&what, NAMESPACE, "/status").await?;
            let mut conditions = status["conditions"].as_array().into_iter().flatten();
            let now = conditions.find(|c| c["type"] == "Ready").cloned();
            let tried = status["lastAttemptedRevision"] == revision;
            let over = |now: &Value| now["status"] == "True" || now["status"] == ready;
            Ok(now.filter(|now| tried && over(now)))
        });
        let said = said.await?;
        ensure!(said["status"] == ready, "not Ready={ready}: {said}");
        let word = |field: &str| said[field].as_str().unwrap_or_default().to_owned();
        Ok((word("reason"), word("message")))
    }

    /// Waits until Flux has looked once more, though nothing in Git has changed.
    async fn once_more(&self, token: &str) -> Result<()> {
        let what = self.what();
        let version = self.world.at(&what, NAMESPACE, "/metadata/resourceVersion");
        let token = format!("{token}-{}", version.await?.as_str().unwrap_or_default());
        self.ask(&what, &token).await?;
        self.world
            .until("Flux has looked once more", || async {
                let handled = "/status/lastHandledReconcileAt";
                let handled = self.world.at(&what, NAMESPACE, handled).await?;
                Ok((handled == *token).then_some(()))
            })
            .await
    }

    /// There comes a time when Flux looks three times more and finds nothing to do, and neither do we: all these objects keep their
    /// versions. What is still ending before that is told; two that undo each other's work would never come to it.
    async fn finds_nothing_to_do(&self, kinds: &str) -> Result<()> {
        let looks = || async {
            let before = self.versions(kinds).await?;
            ensure!(before.lines().count() > 8, "{before}");
            for turn in ["first", "second", "third"] {
                self.once_more(turn).await?;
            }
            Ok((before == self.versions(kinds).await?).then_some(()))
        };
        self.world.until("nobody writes any more", looks).await
    }

    async fn versions(&self, kinds: &str) -> Result<String> {
        let columns = "KIND:.kind,NAME:.metadata.name,VERSION:.metadata.resourceVersion";
        let words = format!("get {kinds} --no-headers -o custom-columns={columns}");
        self.world.kubectl(&words).await
    }
}

/// All files below a folder of the checkout.
fn folder(path: &str) -> Result<Files> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Files::new();
    for entry in fs::read_dir(root.join(path)).with_context(|| format!("no {path}"))? {
        let entry = entry?;
        let inside = format!("{path}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            files.extend(folder(&inside)?);
        } else {
            files.insert(inside, fs::read_to_string(entry.path())?);
        }
    }
    Ok(files)
}

/// The same files, one of which says something else.
fn with(files: &Files, path: &str, from: &str, to: &str) -> Result<Files> {
    let mut files = files.clone();
    let text = files.get_mut(path).with_context(|| format!("no {path}"))?;
    ensure!(text.contains(from), "{path} does not say {from}");
    *text = text.replace(from, to);
    Ok(files)
}
