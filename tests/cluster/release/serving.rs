//! What those who ask for a page notice of all this: nothing.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::SHOP;
use crate::{environment::Stage, world::World};

/// Eighty requests a second, each over a connection of its own.
const LOAD: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: load}
spec:
  restartPolicy: Never
  securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: load
    image: docker.io/acme/shop:1.4
    command: [shop, load, "toy-live-web:80"]
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"#;

/// Under load, a release, a release that fails, a rollback and a scale-down lose no request.
///
/// proves: DV-169, DV-168, DV-152
pub async fn no_request_is_lost_while_pods_are_replaced(world: World) -> Result<()> {
    let stage = Stage::ready(&world, "serving", SHOP, "").await?;
    world.apply_in(&stage.ns, LOAD).await?;
    until_asked(&stage, 100).await?;

    stage
        .patch(json!({"variables": [{"name": "GREETING", "value": "hello"}]}))
        .await?;
    stage.wait("Ready").await?;
    told(&stage, "a release").await?;

    stage
        .patch(json!({"image": "docker.io/acme/shop:broken"}))
        .await?;
    stage.wait("Stalled").await?;
    told(&stage, "a release that failed").await?;

    stage
        .release("back", ", copyFrom: {releaseRef: {name: toy-live-1}}")
        .await?;
    stage.wait("Ready").await?;
    told(&stage, "a rollback").await?;

    let less = json!({"containers": [{"name": "web", "replicas": 1}]});
    stage.patch(less).await?;
    world
        .until("one pod is left", || async {
            let words = format!(
                "get pods -n {} -l roadstead.dev/container=web -o name",
                stage.ns
            );
            let pods = world.kubectl(&words).await?;
            Ok((pods.lines().count() == 1).then_some(()))
        })
        .await?;
    let count = told(&stage, "a scale-down").await?;
    let pace = count.answered * 1000 / count.milliseconds.max(1);
    ensure!(pace >= 50, "only {pace} requests a second: {count:?}");
    stage.end().await
}

#[derive(Debug)]
struct Count {
    milliseconds: u64,
    answered: u64,
    lost: u64,
}

/// How it went so far: nothing may be lost.
async fn told(stage: &Stage, after: &str) -> Result<Count> {
    let (count, log) = count(stage).await?.context("nothing was asked")?;
    ensure!(count.lost == 0, "{after} lost requests: {log}");
    Ok(count)
}

async fn until_asked(stage: &Stage, often: u64) -> Result<()> {
    stage
        .world
        .until("it is asked for pages", || async {
            let count = count(stage).await?;
            Ok(count.filter(|(c, _)| c.answered >= often).map(|_| ()))
        })
        .await
}

/// The newest word of the load, and everything that it said of what was lost.
async fn count(stage: &Stage) -> Result<Option<(Count, String)>> {
    let words = format!("logs -n {} load", stage.ns);
    let log = stage.world.try_kubectl(&words).await?.out;
    let newest = log.lines().rev().find_map(|line| {
        let numbers: Vec<u64> = line.split(' ').filter_map(|w| w.parse().ok()).collect();
        let [milliseconds, answered, lost] = numbers[..] else {
            return None;
        };
        Some(Count {
            milliseconds,
            answered,
            lost,
        })
    });
    let lost: Vec<&str> = log.lines().filter(|l| l.starts_with("lost")).collect();
    Ok(newest.map(|count| (count, lost.join("\n"))))
}
