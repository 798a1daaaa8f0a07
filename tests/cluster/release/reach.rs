//! Release commands and the Services that they use.

use anyhow::{Result, ensure};
use serde_json::json;

use super::commands::newest;
use crate::{
    environment::{Stage, TOY, phase},
    world::World,
};

const CACHE: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: cache}
spec: {classRef: {name: redis}}
---"#;

/// A command that connects in its first line, and only once, finds its Service: it begins when the network lets its pod through.
///
/// proves: DV-042, DV-154
pub async fn a_command_that_connects_at_once_finds_its_service(world: World) -> Result<()> {
    let once = "echo PING | nc -w 1 $MY_CACHE_HOST $MY_CACHE_PORT";
    let app = format!(
        "{CACHE}{TOY}  releaseCommands: [{{name: greet, command: [sh, -c, \"{once}\"]}}]\n"
    );
    let spec = ", services: [{name: cache, prefix: MY}]";
    let stage = Stage::ready(&world, "reaches", &app, spec).await?;
    for turn in 2..=4 {
        stage
            .patch(json!({"variables": [{"name": "TURN", "value": turn.to_string()}]}))
            .await?;
        stage.wait("Ready").await?;
        let last = newest(&stage).await?;
        ensure!(phase(&last) == "Succeeded", "{:?}", last.status);
    }
    let words = format!(
        "get pods -n {} -l roadstead.dev/command=0 -o jsonpath={{.items[*].status.initContainerStatuses[*].state.terminated.exitCode}}",
        stage.ns
    );
    let waited = world.kubectl(&words).await?;
    ensure!(
        waited == "0 0 0 0",
        "not every command was waited for: {waited}"
    );
    stage.end().await
}
