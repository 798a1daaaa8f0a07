//! Environments that start as a copy of another.

use anyhow::{Result, ensure};
use kube::api::{Api, DeleteParams};
use roadstead::api::Environment;
use serde_json::json;

use super::{Stage, TOY};
use crate::world::World;

const COPY: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: toy-copy}
spec:
  applicationRef: {name: toy}
  slug: my-env
  copyFrom: {environmentRef: {name: toy-live}}
  variables: [{name: STAGE, value: copy}]
"#;

const CACHE: &str = r#"---
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: toy-cache}
spec: {classRef: {name: redis}, storage: {size: 1Gi}}
---
"#;

/// A copy takes over what its source says at that moment and says the rest itself; it shares no Service and starts without a Release.
/// Then neither knows of the other, and slugs that differ in hardly anything keep what is made for them apart.
///
/// proves: DV-097, DV-117, DV-118, DV-125, DV-131
pub async fn a_copy_stands_by_itself(world: World) -> Result<()> {
    let spec = ", slug: My_Env, branch: develop, services: [{name: toy-cache, prefix: CACHE}], \
        containers: [{name: web, resources: {requests: {memory: 48Mi}}}], \
        variables: [{name: STAGE, value: live}, {name: LEVEL, value: debug}]";
    let stage = Stage::ready(&world, "copies", &format!("{TOY}{CACHE}"), spec).await?;
    let before = stage.environment().await?.metadata.generation;
    world.apply_in(&stage.ns, COPY).await?;
    world.condition("renv/toy-copy", &stage.ns, "Ready").await?;
    told(&stage, "STAGE=copy").await?;
    told(&stage, "LEVEL=debug").await?;
    let after = stage.environment().await?.metadata.generation;
    ensure!(after == before, "the copy changed its source");
    what_was_not_copied(&stage).await?;

    stage
        .patch(json!({"variables": [{"name": "LEVEL", "value": "info"}]}))
        .await?;
    stage.wait("Ready").await?;
    let all: Api<Environment> = Api::namespaced(world.client(), &stage.ns);
    all.delete("toy-live", &DeleteParams::default()).await?;
    world
        .until("the source is gone", || async {
            Ok(all.get_opt("toy-live").await?.is_none().then_some(()))
        })
        .await?;
    world.condition("renv/toy-copy", &stage.ns, "Ready").await?;
    told(&stage, "LEVEL=debug").await?;
    let current = world
        .at("renv/toy-copy", &stage.ns, "/status/currentRelease")
        .await?;
    ensure!(current == 1, "the copy followed its source: {current}");
    stage.end().await
}

/// A copy has the size of its source's containers, but neither its Service nor its Releases.
async fn what_was_not_copied(stage: &Stage) -> Result<()> {
    let (world, ns) = (&stage.world, &stage.ns);
    for name in ["toy-live", "toy-copy"] {
        let deployment = format!("deploy/{name}-web");
        let memory = "/spec/template/spec/containers/0/resources/requests/memory";
        let memory = world.at(&deployment, ns, memory).await?;
        ensure!(memory == "48Mi", "{deployment} asks for {memory}");
    }
    let words = format!("exec -n {ns} deploy/toy-copy-web -- env");
    let all = world.kubectl(&words).await?;
    ensure!(!all.contains("CACHE_"), "the Service is shared: {all}");
    let conditions = world.at("renv/toy-copy", ns, "/status/conditions").await?;
    ensure!(
        conditions.to_string().contains("CACHE (toy-cache)"),
        "{conditions}"
    );
    let words =
        format!("get rel -n {ns} -o name --field-selector spec.environmentRef.name=toy-copy");
    let releases = world.kubectl(&words).await?;
    ensure!(
        releases == "release.roadstead.dev/toy-copy-1\n",
        "{releases}"
    );
    Ok(())
}

/// That a process in the copy's pod has this variable.
async fn told(stage: &Stage, pair: &str) -> Result<()> {
    let words = format!("exec -n {} deploy/toy-copy-web -- env", stage.ns);
    let all = stage.world.kubectl(&words).await?;
    ensure!(all.lines().any(|line| line == pair), "no {pair}: {all}");
    Ok(())
}
