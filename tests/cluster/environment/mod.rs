//! Environments: what people change, and what then runs.

mod attachments;
mod copies;
mod declared;
mod edits;
mod repair;
mod scale;
mod stop;
mod variables;

pub use attachments::*;
pub use copies::*;
pub use declared::*;
pub use edits::*;
pub use repair::*;
pub use scale::*;
pub use stop::*;
pub use variables::*;

use anyhow::{Context, Result, ensure};
use kube::api::{Api, ListParams, Patch, PatchParams};
use roadstead::api::{Environment, Release};
use serde_json::{Value, json};

use crate::world::World;

/// An Application whose pages come at once, whose pods have a shell, and which ends when it is asked to.
pub const TOY: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: toy}
spec:
  image: docker.io/library/busybox:1.36
  port: 8000
  startupProbe: {path: /passwd, retryTimeoutSeconds: 1}
  containers:
  - {name: web, kind: Web, command: [sh, -c, "trap 'exit 0' TERM; httpd -f -p 8000 -h /etc & wait"]}
"#;

/// The Environment `toy-live` of a story, in an Instance of its own.
pub struct Stage {
    pub world: World,
    pub ns: String,
    instance: String,
}

impl Stage {
    /// The Application and the Environment, whose spec has these lines besides, in flow style.
    pub async fn begin(world: &World, instance: &str, app: &str, spec: &str) -> Result<Self> {
        let ns = world.instance(instance).await?;
        let environment = format!(
            "---\napiVersion: roadstead.dev/v1alpha1\nkind: Environment\nmetadata: {{name: toy-live}}\n\
             spec: {{applicationRef: {{name: toy}}{spec}}}\n"
        );
        world.apply_in(&ns, &format!("{app}{environment}")).await?;
        Ok(Self {
            world: world.clone(),
            ns,
            instance: instance.to_owned(),
        })
    }

    /// The same, once it is Ready.
    pub async fn ready(world: &World, instance: &str, app: &str, spec: &str) -> Result<Self> {
        let stage = Self::begin(world, instance, app, spec).await?;
        stage.wait("Ready").await?;
        Ok(stage)
    }

    /// Ends the story: all of it goes.
    pub async fn end(self) -> Result<()> {
        self.world.remove(&self.instance).await
    }

    /// `kubectl wait` for a condition of the Environment.
    pub async fn wait(&self, condition: &str) -> Result<()> {
        self.world
            .condition("renv/toy-live", &self.ns, condition)
            .await
    }

    fn environments(&self) -> Api<Environment> {
        Api::namespaced(self.world.client(), &self.ns)
    }

    /// Lays a merge patch over the spec of the Environment.
    pub async fn patch(&self, spec: Value) -> Result<Environment> {
        let patch = Patch::Merge(json!({"spec": spec}));
        let (all, how) = (self.environments(), PatchParams::default());
        Ok(all.patch("toy-live", &how, &patch).await?)
    }

    /// The Environment.
    pub async fn environment(&self) -> Result<Environment> {
        Ok(self.environments().get("toy-live").await?)
    }

    /// A value of the Environment's status, or null.
    pub async fn status(&self, pointer: &str) -> Result<Value> {
        let status = serde_json::to_value(self.environment().await?.status)?;
        Ok(status.pointer(pointer).cloned().unwrap_or_default())
    }

    /// The reason of one of its conditions.
    pub async fn reason(&self, type_: &str) -> Result<String> {
        let status = self.environment().await?.status.unwrap_or_default();
        let found = status.conditions.into_iter().find(|c| c.type_ == type_);
        Ok(found.map(|c| c.reason).unwrap_or_default())
    }

    /// Waits until the operator has decided on what is declared now: so that what does not follow is known not to.
    pub async fn settle(&self) -> Result<()> {
        let limit = self.environment().await?.spec.history_limit.unwrap_or(10);
        let edited = self.patch(json!({"historyLimit": limit + 1})).await?;
        let wanted = edited.metadata.generation;
        self.world
            .until("the edit is seen", || async {
                let status = self.environment().await?.status.unwrap_or_default();
                Ok((status.observed_generation >= wanted).then_some(()))
            })
            .await
    }

    /// Its Releases, by number.
    pub async fn releases(&self) -> Result<Vec<Release>> {
        let api: Api<Release> = Api::namespaced(self.world.client(), &self.ns);
        let number = |release: &Release| release.status.as_ref().and_then(|s| s.number);
        let mut all = api.list(&ListParams::default()).await?.items;
        all.sort_by_key(number);
        Ok(all)
    }

    /// Makes a Release by hand, whose spec has these lines besides, and waits until it is over.
    pub async fn release(&self, name: &str, spec: &str) -> Result<()> {
        self.ask(name, spec).await?;
        let rel = format!("rel/{name}");
        self.world.condition(&rel, &self.ns, "Succeeded").await
    }

    /// Makes a Release by hand.
    pub async fn ask(&self, name: &str, spec: &str) -> Result<()> {
        let release = format!(
            "apiVersion: roadstead.dev/v1alpha1\nkind: Release\nmetadata: {{name: {name}}}\n\
             spec: {{environmentRef: {{name: toy-live}}{spec}}}\n"
        );
        self.world.apply_in(&self.ns, &release).await?;
        Ok(())
    }

    /// The pods of its Web container that are not on their way out: name and UID.
    pub async fn pods(&self) -> Result<Vec<(String, String)>> {
        let words = format!(
            "get pods -n {} -l roadstead.dev/container=web -o json",
            self.ns
        );
        let list: Value = serde_json::from_str(&self.world.kubectl(&words).await?)?;
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let stays = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(items
            .iter()
            .filter(stays)
            .map(|pod| {
                (
                    text(&pod["metadata"]["name"]),
                    text(&pod["metadata"]["uid"]),
                )
            })
            .collect())
    }

    /// The variables that the first process of its only Web pod was given, in order.
    pub async fn variables(&self) -> Result<Vec<(String, String)>> {
        let pods = self.pods().await?;
        ensure!(pods.len() == 1, "there is not one pod: {pods:?}");
        let (pod, _) = pods.first().context("no pod")?;
        let words = format!("exec -n {} {pod} -- cat /proc/1/environ", self.ns);
        let all = self.world.kubectl(&words).await?;
        let pairs = all.split('\0').filter_map(|pair| pair.split_once('='));
        Ok(pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).collect())
    }

    /// One of them.
    pub async fn variable(&self, name: &str) -> Result<Option<String>> {
        let all = self.variables().await?;
        let found = all.into_iter().find(|(n, _)| n == name);
        Ok(found.map(|(_, value)| value))
    }
}

/// How far a Release is.
pub fn phase(release: &Release) -> &str {
    let status = release.status.as_ref();
    status.and_then(|s| s.phase.as_deref()).unwrap_or_default()
}
