//! That nobody who waits for Ready after an edit is answered with the Ready of before.

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, Patch, PatchParams, WatchEvent, WatchParams},
    core::ApiResource,
};
use roadstead::kinds::Of;
use serde_json::{Value, json};

use crate::{
    environment::TOY,
    world::{PATIENCE, World},
};

const ALL: &str = r#"---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: toy-live}
spec: {applicationRef: {name: toy}}
---
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: toy-cache}
spec: {classRef: {name: redis}, storage: {size: 1Gi}}
---
apiVersion: roadstead.dev/v1alpha1
kind: Cronjob
metadata: {name: nightly}
spec: {environmentRef: {name: toy-live}, command: [x], schedule: "30 2 * * *"}
"#;

const EVERYWHERE: &str = r#"---
apiVersion: roadstead.dev/v1alpha1
kind: ServiceClass
metadata: {name: races}
spec:
  type: Cache
  displayName: A story's class
  image: docker.io/library/redis:7
  ports: [{name: redis, port: 6379, protocol: redis}]
  user: 999
  tiers: {development: {memoryGb: 1, cpu: 50m}, production: {}}
  readiness: {command: [redis-cli, ping]}
---
apiVersion: roadstead.dev/v1alpha1
kind: ApplicationTemplate
metadata: {name: races}
spec: {displayName: A story's template}
"#;

/// An object that is edited, and the namespace of the story.
struct Racer<'a> {
    world: &'a World,
    ns: &'a str,
    of: Of,
    name: &'a str,
}

impl Racer<'_> {
    fn api(&self) -> Api<DynamicObject> {
        let entry = self.of.entry();
        let resource = ApiResource {
            group: entry.group.to_owned(),
            version: entry.version.to_owned(),
            api_version: entry.api_version(),
            kind: entry.kind.to_owned(),
            plural: entry.plural.to_owned(),
        };
        if entry.namespaced {
            Api::namespaced_with(self.world.client(), self.ns, &resource)
        } else {
            Api::all_with(self.world.client(), &resource)
        }
    }

    /// Edits it and looks at every state that it then has, up to the first that has been decided for this edit and, where that is
    /// wanted, is Ready; until then none may let `kubectl wait` go.
    async fn edit(&self, spec: Value, ready: bool) -> Result<DynamicObject> {
        let api = self.api();
        let patch = Patch::Merge(json!({ "spec": spec }));
        let edited = api
            .patch(self.name, &PatchParams::default(), &patch)
            .await?;
        let generation = edited.metadata.generation.context("no generation")?;
        ensure!(!lets_go(&edited), "the edit itself was Ready already");
        let version = edited.resource_version().context("no version")?;
        let only = WatchParams::default().fields(&format!("metadata.name={}", self.name));
        let mut states = api.watch(&only, &version).await?.boxed();
        let first = async {
            while let Some(event) = states.try_next().await? {
                let WatchEvent::Modified(state) = event else {
                    continue;
                };
                let decided = state.data.pointer("/status/observedGeneration");
                if lets_go(&state) || !ready && decided == Some(&json!(generation)) {
                    return Ok(state);
                }
            }
            bail!("the watch ended")
        };
        tokio::time::timeout(PATIENCE, first)
            .await
            .with_context(|| format!("{} {} is not Ready", self.of.entry().kind, self.name))?
    }

    /// The same, and what came of it had been written before that state: the API server counts all its writes in one row.
    async fn makes(&self, spec: Value, child: &str, pointer: &str, value: Value) -> Result<()> {
        let state = self.edit(spec, true).await?;
        let child = self.world.get(child, self.ns).await?.unwrap_or_default();
        let found = child.pointer(pointer);
        ensure!(found == Some(&value), "Ready, and {pointer} is {found:?}");
        let row = |version: Option<&str>| version.and_then(|v| v.parse::<u64>().ok());
        let made = row(child["metadata"]["resourceVersion"].as_str());
        let said = row(state.metadata.resource_version.as_deref());
        ensure!(
            made.is_some() && made < said,
            "Ready was said at {said:?}, {value} was made at {made:?}"
        );
        Ok(())
    }
}

/// Whether `kubectl wait --for=condition=Ready` ends with this state.
fn lets_go(object: &DynamicObject) -> bool {
    let conditions = object.data.pointer("/status/conditions");
    let mut all = conditions.and_then(Value::as_array).into_iter().flatten();
    all.any(|c| {
        c["type"] == "Ready"
            && c["status"] == "True"
            && c["observedGeneration"].as_i64() >= object.metadata.generation
    })
}

/// After an edit no state of an object says Ready for it before what was edited is done, whatever the kind. No clock decides: each state
/// is looked at, and what was made must have been written before it. A Release is not among them, for it cannot be edited.
pub async fn ready_is_never_said_early_of_what_was_edited(world: World) -> Result<()> {
    let ns = world.instance("races").await?;
    world.apply(EVERYWHERE).await?;
    world.apply_in(&ns, &format!("{TOY}{ALL}")).await?;
    for what in ["renv/toy-live", "msvc/toy-cache", "acj/nightly"] {
        world.condition(what, &ns, "Ready").await?;
    }
    let racer = |of, name| Racer {
        world: &world,
        ns: &ns,
        of,
        name,
    };
    let instance = racer(Of::Instance, "races");
    let application = racer(Of::Application, "toy");
    let cronjob = racer(Of::Cronjob, "nightly");
    let service = racer(Of::Service, "toy-cache");
    for turn in 1..=2 {
        let cidr = format!("10.0.{turn}.0/24");
        let spec = json!({"network": {"allowFrom": [{"cidr": cidr}]}});
        let policy = "networkpolicy/roadstead-allow-from";
        let pointer = "/spec/ingress/0/from/0/ipBlock/cidr";
        instance.makes(spec, policy, pointer, json!(cidr)).await?;
        service_is_as_declared(&service, turn % 2 == 0).await?;
        let branch = format!("turn-{turn}");
        let state = application
            .edit(json!({"defaultBranch": branch}), true)
            .await?;
        let said = state.data.pointer("/status/defaultBranch");
        ensure!(said == Some(&json!(branch)), "Ready, and it says {said:?}");
        let schedule = format!("{turn} 2 * * *");
        let spec = json!({"schedule": schedule});
        cronjob
            .makes(spec, "cronjob/nightly", "/spec/schedule", json!(schedule))
            .await?;
        release_is_done(&racer(Of::Environment, "toy-live"), turn).await?;
    }
    for turn in 0..2 {
        faults_are_seen(&world, &ns, turn).await?;
    }
    world.kubectl("delete msc,rtpl races").await?;
    world.remove("races").await
}

/// A Service that is Ready after it was told to run, or to stop, does.
async fn service_is_as_declared(service: &Racer<'_>, runs: bool) -> Result<()> {
    let (state, word, pods) = if runs {
        ("Running", "running", "True")
    } else {
        ("Stopped", "stopped", "")
    };
    let ready = service.edit(json!({"state": state}), true).await?;
    let said = ready.data.pointer("/status/state");
    ensure!(said == Some(&json!(word)), "Ready, and it is {said:?}");
    let list = format!(
        "get pods -n {} -l roadstead.dev/service=toy-cache",
        service.ns
    );
    let path = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}";
    let there = service.world.kubectl(&format!("{list} -o {path}")).await?;
    ensure!(
        there == pods,
        "Ready and {word}, and its pods are Ready: {there:?}"
    );
    Ok(())
}

/// An Environment that is Ready after an edit runs it: the Release that serves has it, and had succeeded.
async fn release_is_done(environment: &Racer<'_>, turn: i64) -> Result<()> {
    let number = turn + 1;
    let spec = json!({"variables": [{"name": "TURN", "value": turn.to_string()}]});
    let secret = format!("secret/toy-live-{number}");
    let phase = "/metadata/annotations/roadstead.dev~1phase";
    environment
        .makes(spec, &secret, phase, json!("Succeeded"))
        .await?;
    let pods = format!(
        "get pods -n {} -l roadstead.dev/release={number} -o jsonpath={{.items[*].status.phase}}",
        environment.ns
    );
    let pods = environment.world.kubectl(&pods).await?;
    ensure!(pods == "Running", "Ready, and its pods are {pods}");
    Ok(())
}

/// What is made wrong is not Ready for that edit, and what is put right is Ready for that one.
async fn faults_are_seen(world: &World, ns: &str, turn: i32) -> Result<()> {
    let racer = |of| Racer {
        world,
        ns,
        of,
        name: "races",
    };
    let class = racer(Of::ServiceClass);
    let wrong = json!({"variables": [{"suffix": "URL", "template": "$(NOBODY)"}]});
    let template = racer(Of::ApplicationTemplate);
    let lacking = json!({"services": [{"name": "x", "prefix": "X", "classRef": {"name": format!("none-{turn}")}}]});
    for (racer, wrong, right) in [
        (class, wrong, json!({"variables": null})),
        (template, lacking, json!({"services": null})),
    ] {
        let state = racer.edit(wrong, false).await?;
        ensure!(!lets_go(&state), "{:?} is Ready with a fault", racer.of);
        racer.edit(right, true).await?;
    }
    Ok(())
}
