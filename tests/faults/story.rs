//! What people do in a run, the same in each: they make an Instance with one of everything, change it, and end it.

use std::{sync::LazyLock, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use devcluster::manifest;
use futures::TryFutureExt;
use kube::{
    Client, ResourceExt,
    api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    core::ApiResource,
};
use roadstead::kinds::Of;
use serde_json::{Value, json};

use crate::state;

/// How long anything may take, faults and all.
const PATIENCE: Duration = Duration::from_secs(120);

/// The catalogue's entry that Services of the story are of; they keep nothing, for there is nowhere to keep it.
const CLASS: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: ServiceClass
metadata: {name: toy}
spec:
  type: Cache
  displayName: Toy
  image: docker.io/library/busybox:1.36
  user: 1000
  ports: [{name: toy, port: 6379, protocol: tcp, default: true}]
  tiers: {development: {memoryGb: 1, cpu: 50m}, production: {memoryGb: 1}}
  command: [sleep, "86400"]
  env: [{name: PASSWORD, from: Password}]
  readiness: {command: ["true"]}
  variables: [{suffix: HOST, template: $(HOST)}, {suffix: PASSWORD, template: $(PASSWORD)}]
"#;

const MADE: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: cache}
spec: {classRef: {name: toy}}
---
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: spare}
spec: {classRef: {name: toy}, deletionPolicy: StopFirst, dataPolicy: Delete}
---
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  image: docker.io/library/busybox:1.36
  port: 8000
  releaseCommands: [{name: migrate, command: ["true"]}]
  containers: [{name: web, kind: Web, command: [sleep, "86400"]}]
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: shop-live}
spec: {applicationRef: {name: shop}, variables: [{name: STAGE, value: one}], services: [{name: cache, prefix: DEFAULT}]}
---
apiVersion: roadstead.dev/v1alpha1
kind: Cronjob
metadata: {name: nightly}
spec: {environmentRef: {name: shop-live}, command: ["true"], frequency: Daily, time: "NOON"}
"#;

/// When the Cronjob of the story is due: half a day from now, so that it is not, whatever a clock says that is hours ahead or behind.
static NOON: LazyLock<String> = LazyLock::new(|| {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    format!("{:02}:30", (now.hour() + 12) % 24)
});

/// The story of one run.
pub struct Story<'a> {
    /// The administrator's client.
    pub client: &'a Client,
    /// The Instance's name: each run has its own.
    pub name: &'a str,
}

impl Story<'_> {
    fn ns(&self) -> String {
        format!("instance-{}", self.name)
    }

    /// An Instance with one of everything is declared, in one go.
    pub async fn make(&self) -> Result<()> {
        let name = self.name;
        let instance = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: instance-{name}, labels: {{roadstead.dev/instance: {name}}}}}\n---\n\
             apiVersion: roadstead.dev/v1alpha1\nkind: Instance\nmetadata: {{name: {name}}}\n\
             spec: {{name: {name}, description: A run's Instance}}\n---{CLASS}"
        );
        manifest::apply(self.client, &instance, None).await?;
        let made = MADE.replace("NOON", &NOON);
        manifest::apply(self.client, &made, Some(&self.ns())).await
    }

    /// A variable changes, a run is asked for, and a Service goes.
    pub async fn change(&self) -> Result<()> {
        let two = json!({"spec": {"variables": [{"name": "STAGE", "value": "two"}]}});
        self.patch(Of::Environment, "shop-live", &two).await?;
        self.patch(Of::Cronjob, "nightly", &json!({"spec": {"runNow": "1"}}))
            .await?;
        let services = self.of(Of::Service);
        services.delete("spare", &DeleteParams::default()).await?;
        Ok(())
    }

    /// The Instance is deleted, and waited for until nothing of it is left.
    pub async fn end(&self) -> Result<()> {
        let instances = self.of(Of::Instance);
        instances
            .delete(self.name, &DeleteParams::default())
            .await?;
        let left = || async {
            let instance = instances.get_opt(self.name).await?;
            let namespace = self.of(Of::Namespace).get_opt(&self.ns()).await?;
            Ok((instance.is_none() && namespace.is_none()).then_some(()))
        };
        until("nothing of the Instance is left", left).await
    }

    /// The Namespace is deleted by one who may, and waited for until the operator's rights in it are gone and what it holds is left.
    pub async fn lose_namespace(&self, account: &Client) -> Result<()> {
        let namespaces: Api<DynamicObject> =
            Api::all_with(account.clone(), &resource(Of::Namespace));
        let ns = self.ns();
        namespaces.delete(&ns, &DeleteParams::default()).await?;
        let (rights, services) = (self.of(Of::RoleBinding), self.of(Of::Service));
        until("the rights are gone and a Service is held", || async {
            let rights = rights.list(&ListParams::default()).await?.items;
            let spare = services.get_opt("spare").await?;
            let held = spare.is_some_and(|s| s.metadata.deletion_timestamp.is_some());
            Ok((rights.is_empty() && held).then_some(()))
        })
        .await
    }

    /// Waits until the Namespace is there anew, with nothing of before, and the Instance is Ready.
    pub async fn begins_anew(&self, before: &str) -> Result<()> {
        let (namespaces, instances) = (self.of(Of::Namespace), self.of(Of::Instance));
        until("the Namespace is there anew", || async {
            let uid = namespaces.get_opt(&self.ns()).await?.and_then(|n| n.uid());
            let instance = instances.get_opt(self.name).await?;
            let ready = instance.as_ref().is_some_and(is_ready);
            Ok((ready && uid.is_some_and(|uid| uid != before)).then_some(()))
        })
        .await?;
        let left = self.of(Of::Service).list(&ListParams::default()).await?;
        ensure!(left.items.is_empty(), "Services of before are there");
        Ok(())
    }

    /// The UID of the Namespace.
    pub async fn namespace(&self) -> Result<String> {
        let namespace = self.of(Of::Namespace).get(&self.ns()).await?;
        namespace.uid().context("a Namespace without a UID")
    }

    /// Waits until everything is Ready, as it was declared last, and `releases` have been made.
    pub async fn ready(&self, releases: u64) -> Result<()> {
        let wanted = [
            (Of::Instance, self.name),
            (Of::Service, "cache"),
            (Of::Application, "shop"),
            (Of::Environment, "shop-live"),
            (Of::Cronjob, "nightly"),
        ];
        for (of, name) in wanted {
            let api = self.of(of);
            let what = format!("{} {name} is Ready", of.entry().kind);
            let ready = until(&what, || async {
                let object = api.get_opt(name).await?;
                Ok(object.filter(is_ready).map(|_| ()))
            });
            if let Err(error) = ready.await {
                let state = self.state().await?;
                let told: Vec<&str> = state.lines().filter(|l| l.contains(" status ")).collect();
                bail!("{error}:\n{}", told.join("\n"));
            }
        }
        let environments = self.of(Of::Environment);
        until("the newest release serves", || async {
            let live = environments.get("shop-live").await?;
            let current = &live.data["status"]["currentRelease"];
            Ok((*current == releases).then_some(()))
        })
        .await
    }

    /// The state that everything is in, without what differs from run to run.
    pub async fn state(&self) -> Result<String> {
        state::of(self.client, self.name).await
    }

    /// Waits until the state is this.
    pub async fn reaches(&self, wanted: &str) -> Result<()> {
        let mut last = String::new();
        let reached = until("the state is the same as without a fault", || async {
            let now = self.state().await?;
            Ok((now == wanted).then_some(()))
        });
        if let Err(error) = reached.await {
            last.push_str(&self.state().await?);
            bail!("{error}\n{}", state::difference(wanted, &last));
        }
        Ok(())
    }

    /// The objects of a kind, in the Instance where it has a namespace.
    pub fn of(&self, of: Of) -> Api<DynamicObject> {
        let resource = resource(of);
        match of.entry().namespaced {
            true => Api::namespaced_with(self.client.clone(), &self.ns(), &resource),
            false => Api::all_with(self.client.clone(), &resource),
        }
    }

    async fn patch(&self, of: Of, name: &str, patch: &Value) -> Result<()> {
        self.of(of)
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .map_ok(|_| ())
            .await
            .with_context(|| format!("cannot change {name}"))
    }
}

/// How the API server calls a kind.
pub fn resource(of: Of) -> ApiResource {
    let entry = of.entry();
    ApiResource {
        group: entry.group.to_owned(),
        version: entry.version.to_owned(),
        api_version: entry.api_version(),
        kind: entry.kind.to_owned(),
        plural: entry.plural.to_owned(),
    }
}

fn is_ready(object: &DynamicObject) -> bool {
    let status = &object.data["status"];
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    let current = object.metadata.generation;
    conditions.any(|c| {
        c["type"] == "Ready" && c["status"] == "True" && c["observedGeneration"].as_i64() == current
    })
}

/// Waits until a question has an answer.
pub async fn until<T, F: Future<Output = Result<Option<T>>>>(
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
