//! The world of a story: a cluster with the product installed, and short words for what people do.
#![allow(
    dead_code,
    reason = "the vocabulary is larger than what the stories of one day use"
)]

use std::{future::Future, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use devcluster::{
    Cluster, Options, flux,
    place::foreign,
    product::{self, Images},
};
use kube::Client;
use serde_json::Value;
use tokio::process::Command;

use crate::{dump, rights::Rights, witness::Witness};

/// How long a story waits for something before it gives up. On an idle machine hardly anything takes a tenth of it.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A cluster with the product installed.
#[derive(Clone)]
pub struct World(Arc<Stage>);

struct Stage {
    cluster: tokio::sync::Mutex<Option<Cluster>>,
    client: Client,
    kubeconfig: PathBuf,
    path: std::ffi::OsString,
    shared: tokio::sync::OnceCell<String>,
    flux: tokio::sync::OnceCell<()>,
    witness: Witness,
    rights: Option<Rights>,
}

impl World {
    /// Starts the cluster and installs the product.
    pub async fn begin() -> Result<Self> {
        let options = Options::named("test").nodes(2).snapshots();
        let (rights, options) = if foreign()?.is_some() {
            (None, options)
        } else {
            let (rights, options) = Rights::recorded(options)?;
            (Some(rights), options)
        };
        let cluster = Cluster::from_env_or_start(options).await?;
        if std::env::var_os("INSTALLED").is_none() {
            let images = match std::env::var("IMAGE_PREFIX") {
                Ok(prefix) => Images::below(&prefix),
                Err(_) => Images::load(&cluster)?,
            };
            product::install(&cluster, &images)?;
        }
        let plugin = product::plugin()?;
        let folder = plugin
            .parent()
            .context("a file without a folder")?
            .to_owned();
        let path = std::env::join_paths(
            std::iter::once(folder).chain(std::env::split_paths(&cluster.path()?)),
        )?;
        let stage = Stage {
            client: cluster.client(),
            witness: Witness::begin(&cluster.client()),
            rights,
            kubeconfig: cluster.kubeconfig().to_owned(),
            path,
            shared: tokio::sync::OnceCell::new(),
            flux: tokio::sync::OnceCell::new(),
            cluster: tokio::sync::Mutex::new(Some(cluster)),
        };
        Ok(Self(Arc::new(stage)))
    }

    /// Ends the cluster, unless it was there before.
    pub async fn end(&self) -> Result<()> {
        match self.0.cluster.lock().await.take() {
            Some(cluster) => cluster.stop(),
            None => Ok(()),
        }
    }

    /// Who looks on at all stories.
    pub fn witness(&self) -> &Witness {
        &self.0.witness
    }

    /// What the operator asked for, where the cluster is ours.
    pub fn rights(&self) -> Option<&Rights> {
        self.0.rights.as_ref()
    }

    /// The administrator's client.
    pub fn client(&self) -> Client {
        self.0.client.clone()
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &std::path::Path {
        &self.0.kubeconfig
    }

    /// Kills a program of the cluster as a crash would, and starts it again.
    pub async fn crash(&self, program: &str) -> Result<()> {
        let mut cluster = self.0.cluster.lock().await;
        let cluster = cluster.as_mut().context("the cluster has ended")?;
        let (before, now) = cluster.crash(program)?;
        if before.alive() || before == now {
            bail!("{program} did not crash");
        }
        Ok(())
    }

    /// Runs a program with the cluster's KUBECONFIG and tools, and tells what it said.
    pub async fn run(&self, words: &[&str], input: Option<&str>) -> Result<Said> {
        let (program, arguments) = words.split_first().context("an empty command")?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("KUBECONFIG", &self.0.kubeconfig)
            .env("PATH", &self.0.path)
            .env("COLUMNS", "80");
        command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let mut child = command
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {program}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            use tokio::io::AsyncWriteExt;
            stdin
                .write_all(input.unwrap_or_default().as_bytes())
                .await?;
        }
        let output = tokio::time::timeout(PATIENCE * 2, child.wait_with_output())
            .await
            .context("the command does not end")??;
        Ok(Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs kubectl, which must succeed, and returns what it printed. The words are split at spaces.
    pub async fn kubectl(&self, words: &str) -> Result<String> {
        let said = self.try_kubectl(words).await?;
        said.ok(words)
    }

    /// Runs another program, which must succeed, and returns what it printed. The words are split at spaces.
    pub async fn program(&self, program: &str, words: &str) -> Result<String> {
        let mut all = vec![program];
        all.extend(words.split_whitespace());
        self.run(&all, None).await?.ok(words)
    }

    /// Runs kubectl and tells what it said, well or not.
    pub async fn try_kubectl(&self, words: &str) -> Result<Said> {
        let mut all = vec!["kubectl"];
        all.extend(words.split_whitespace());
        self.run(&all, None).await
    }

    /// `kubectl apply` of this text, which must succeed.
    pub async fn apply(&self, yaml: &str) -> Result<String> {
        let said = self.try_apply(yaml).await?;
        said.ok("apply")
    }

    /// `kubectl apply` of this text, well or not.
    pub async fn try_apply(&self, yaml: &str) -> Result<Said> {
        self.run(&["kubectl", "apply", "-f", "-"], Some(yaml)).await
    }

    /// The object as JSON, or nothing.
    pub async fn get(&self, what: &str, ns: &str) -> Result<Option<Value>> {
        let said = self
            .try_kubectl(&format!("get {what} -n {ns} -o json --ignore-not-found"))
            .await?;
        let out = said.ok(what)?;
        if out.trim().is_empty() {
            Ok(None)
        } else {
            Ok(Some(serde_json::from_str(&out)?))
        }
    }

    /// Waits until `kubectl wait` sees a condition of an object.
    pub async fn condition(&self, what: &str, ns: &str, condition: &str) -> Result<()> {
        let words = format!(
            "wait {what} -n {ns} --for=condition={condition} --timeout={}s",
            PATIENCE.as_secs()
        );
        let mut said = self.try_kubectl(&words).await?;
        // What the operator is about to make may not be there yet, and kubectl does not wait for that.
        if said.err.contains("(NotFound)") {
            let patience = PATIENCE.as_secs();
            let create = format!("wait {what} -n {ns} --for=create --timeout={patience}s");
            self.kubectl(&create).await?;
            said = self.try_kubectl(&words).await?;
        }
        if said.code != 0 {
            bail!(
                "{what} is not {condition}: {}\n{}",
                said.err,
                dump::namespace(self, ns).await
            );
        }
        Ok(())
    }

    /// Waits until a question has an answer.
    pub async fn until<T, F: Future<Output = Result<Option<T>>>>(
        &self,
        what: &str,
        mut ask: impl FnMut() -> F,
    ) -> Result<T> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut beat = tokio::time::interval(Duration::from_millis(200));
        loop {
            beat.tick().await;
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            if tokio::time::Instant::now() > deadline {
                bail!("waited in vain until {what}");
            }
        }
    }

    /// An Instance of this name with its Namespace, Ready; returns the namespace. It goes when the story is over, unless it is kept.
    pub async fn instance(&self, name: &str) -> Result<String> {
        self.apply(&instance_yaml(name)).await?;
        let ns = format!("instance-{name}");
        self.condition(&format!("rinst/{name}"), &ns, "Ready")
            .await?;
        Ok(ns)
    }

    /// Deletes an Instance with everything in it, and waits until it is gone.
    pub async fn remove(&self, name: &str) -> Result<()> {
        if std::env::var_os("KEEP").is_some() {
            return Ok(());
        }
        self.kubectl(&format!(
            "annotate rinst {name} roadstead.dev/confirm-delete={name} --overwrite"
        ))
        .await?;
        self.kubectl(&format!(
            "delete rinst {name} --timeout={}s",
            PATIENCE.as_secs()
        ))
        .await?;
        Ok(())
    }

    /// The Instance that stories share which only ask the API server; returns its namespace.
    pub async fn shared_instance(&self) -> Result<String> {
        self.0
            .shared
            .get_or_try_init(|| self.instance("shared"))
            .await
            .cloned()
    }

    /// Flux runs in the cluster from now on.
    pub async fn flux(&self) -> Result<()> {
        let install = || async {
            let cluster = self.0.cluster.lock().await;
            let cluster = cluster.as_ref().context("the cluster has ended")?;
            tokio::task::block_in_place(|| flux::install(cluster))
        };
        self.0.flux.get_or_try_init(install).await.copied()
    }

    /// `kubectl apply` of this text in a namespace, which must succeed.
    pub async fn apply_in(&self, ns: &str, yaml: &str) -> Result<String> {
        self.run(&["kubectl", "apply", "-n", ns, "-f", "-"], Some(yaml))
            .await?
            .ok("apply")
    }

    /// A value at a JSON pointer of an object, or null.
    pub async fn at(&self, what: &str, ns: &str, pointer: &str) -> Result<Value> {
        let object = self.get(what, ns).await?.unwrap_or_default();
        Ok(object.pointer(pointer).cloned().unwrap_or_default())
    }
}

/// An Instance with its Namespace, as Git would hold them.
pub fn instance_yaml(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: instance-{name}, labels: {{roadstead.dev/instance: {name}}}}}\n---\n\
         apiVersion: roadstead.dev/v1alpha1\nkind: Instance\nmetadata: {{name: {name}}}\n\
         spec: {{name: {name}, description: A story's Instance}}\n"
    )
}

/// What a program said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it complained about.
    pub err: String,
}

impl Said {
    /// What it printed, if it succeeded.
    pub fn ok(self, what: &str) -> Result<String> {
        if self.code != 0 {
            bail!("{what}: exit code {}\n{}{}", self.code, self.out, self.err);
        }
        Ok(self.out)
    }

    /// That it failed and said this.
    pub fn refused(&self, part: &str) -> Result<()> {
        if self.code == 0 {
            bail!("accepted, but should be refused with: {part}\n{}", self.out);
        }
        if !self.err.contains(part) {
            bail!("refused, but not with: {part}\n{}", self.err);
        }
        Ok(())
    }
}
