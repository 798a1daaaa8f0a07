//! How many run, and who says so.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use futures::TryStreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;

use super::{Stage, TOY};
use crate::world::World;

/// Replicas go from a number to an autoscaler and back without a dip, and while it has them we do not touch them.
///
/// proves: DV-330
pub async fn replicas_go_to_an_autoscaler_and_back_without_a_dip(world: World) -> Result<()> {
    let spec = ", containers: [{name: web, replicas: 3, resources: {requests: {cpu: 20m, memory: 16Mi}, limits: {memory: 64Mi}}}]";
    let stage = Stage::ready(&world, "scales", TOY, spec).await?;
    let least = Least::watch(&stage);
    let sizes = json!({"requests": {"cpu": "20m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}});
    sized(&stage, &sizes).await?;
    let by_number = managers_of_replicas(&stage).await?;
    ensure!(by_number == ["roadstead"], "{by_number:?}");

    let auto = json!({"minReplicas": 3, "maxReplicas": 6, "targetCPUUtilization": 90, "targetMemoryUtilization": 95});
    let web =
        |more: serde_json::Value| json!({"containers": [merged("web", sizes.clone(), &more)]});
    stage.patch(web(json!({"autoscaling": auto}))).await?;
    world
        .until("the autoscaler has them", || async {
            let managers = managers_of_replicas(&stage).await?;
            let hpa = world.get("hpa/toy-live-web", &stage.ns).await?;
            Ok((hpa.is_some() && !managers.contains(&"roadstead".to_owned())).then_some(()))
        })
        .await?;
    stage.wait("Ready").await?;
    let metrics = format!(
        "get hpa toy-live-web -n {} -o jsonpath={{.spec.metrics[*].resource.name}}",
        stage.ns
    );
    let metrics = world.kubectl(&metrics).await?;
    ensure!(metrics == "cpu memory", "{metrics}");

    // What an autoscaler does, done by hand.
    world
        .kubectl(&format!(
            "scale deploy/toy-live-web -n {} --replicas=4",
            stage.ns
        ))
        .await?;
    stage.settle().await?;
    let stands = deployment(&stage).await?.spec.and_then(|s| s.replicas);
    ensure!(
        stands == Some(4),
        "{stands:?} though the autoscaler wants 4"
    );

    stage.patch(web(json!({"replicas": 3}))).await?;
    world
        .until("the number counts again", || async {
            let managers = managers_of_replicas(&stage).await?;
            let hpa = world.get("hpa/toy-live-web", &stage.ns).await?;
            Ok((hpa.is_none() && managers.contains(&"roadstead".to_owned())).then_some(()))
        })
        .await?;
    stage.wait("Ready").await?;
    let stands = deployment(&stage).await?.spec.and_then(|s| s.replicas);
    ensure!(stands == Some(3), "{stands:?}");
    let budget = world.at("pdb/toy-live-web", &stage.ns, "/spec").await?;
    ensure!(budget["maxUnavailable"] == 1, "{budget}");
    let least = least.end()?;
    ensure!(least == 3, "replicas fell to {least} on the way");
    let releases = stage.releases().await?.len();
    ensure!(releases == 1, "{releases} Releases were made");
    stage.end().await
}

/// That the container has what was declared.
async fn sized(stage: &Stage, sizes: &serde_json::Value) -> Result<()> {
    let given = stage.world.at(
        "deploy/toy-live-web",
        &stage.ns,
        "/spec/template/spec/containers/0/resources",
    );
    let given = given.await?;
    ensure!(given == *sizes, "{given}");
    Ok(())
}

fn merged(name: &str, resources: serde_json::Value, more: &serde_json::Value) -> serde_json::Value {
    let mut out = json!({"name": name, "resources": resources});
    for (key, value) in more.as_object().into_iter().flatten() {
        out[key] = value.clone();
    }
    out
}

async fn deployment(stage: &Stage) -> Result<Deployment> {
    let api: Api<Deployment> = Api::namespaced(stage.world.client(), &stage.ns);
    Ok(api.get("toy-live-web").await?)
}

/// Who owns `replicas` by apply, in managedFields.
async fn managers_of_replicas(stage: &Stage) -> Result<Vec<String>> {
    let deployment = deployment(stage).await?;
    let entries = deployment.managed_fields().iter();
    let theirs = entries.filter(|entry| {
        let fields = entry.fields_v1.as_ref();
        let spec = fields.and_then(|f| f.0.get("f:spec"));
        spec.is_some_and(|spec| spec.get("f:replicas").is_some())
    });
    Ok(theirs.filter_map(|entry| entry.manager.clone()).collect())
}

/// The least number of replicas that the Deployment was ever given.
struct Least {
    seen: Arc<Mutex<Option<i32>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Least {
    fn watch(stage: &Stage) -> Self {
        let seen = Arc::new(Mutex::new(None));
        let api: Api<Deployment> = Api::namespaced(stage.world.client(), &stage.ns);
        let note = seen.clone();
        let task = tokio::spawn(async move {
            let stream = watcher(api, watcher::Config::default()).applied_objects();
            let _ = stream
                .try_for_each(|deployment| {
                    let now = deployment.spec.and_then(|s| s.replicas).unwrap_or(1);
                    if let Ok(mut least) = note.lock() {
                        *least = Some(least.map_or(now, |before: i32| before.min(now)));
                    }
                    futures::future::ready(Ok(()))
                })
                .await;
        });
        Self { seen, task }
    }

    fn end(self) -> Result<i32> {
        self.task.abort();
        let least = self.seen.lock().ok().and_then(|seen| *seen);
        least.context("nothing was seen")
    }
}
