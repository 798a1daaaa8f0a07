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
  copyFrom: {environmentRef: {name: toy-live}}
  variables: [{name: STAGE, value: copy}]
"#;

/// A copy takes over what its source says at that moment and says the rest itself; then neither knows of the other.
///
/// proves: DV-118, DV-125, DV-131
pub async fn a_copy_stands_by_itself(world: World) -> Result<()> {
    let spec = ", variables: [{name: STAGE, value: live}, {name: LEVEL, value: debug}]";
    let stage = Stage::ready(&world, "copies", TOY, spec).await?;
    let before = stage.environment().await?.metadata.generation;
    world.apply_in(&stage.ns, COPY).await?;
    world.condition("renv/toy-copy", &stage.ns, "Ready").await?;
    told(&stage, "STAGE=copy").await?;
    told(&stage, "LEVEL=debug").await?;
    let after = stage.environment().await?.metadata.generation;
    ensure!(after == before, "the copy changed its source");

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

/// That a process in the copy's pod has this variable.
async fn told(stage: &Stage, pair: &str) -> Result<()> {
    let words = format!("exec -n {} deploy/toy-copy-web -- env", stage.ns);
    let all = stage.world.kubectl(&words).await?;
    ensure!(all.lines().any(|line| line == pair), "no {pair}: {all}");
    Ok(())
}
