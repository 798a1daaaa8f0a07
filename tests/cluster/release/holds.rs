//! What a rollback brings back, and how long it holds.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{
    environment::{Stage, TOY, phase},
    world::World,
};

const WITH_A_CACHE: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: cache}
spec: {classRef: {name: redis}}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {key: of-old}
---"#;

const SPEC: &str = ", services: [{name: cache, prefix: MY}], variables: [\
     {name: GREETING, value: one}, \
     {name: KEY, sensitive: true, valueFrom: {secretKeyRef: {name: keys, key: key}}}]";

/// A rollback brings back image and variables of then, with the password of today, until somebody changes something.
///
/// proves: DV-152, DV-109, DV-141, DV-160, CH-088
pub async fn a_rollback_holds_and_has_the_password_of_today(world: World) -> Result<()> {
    let stage = Stage::ready(&world, "holds", &format!("{WITH_A_CACHE}{TOY}"), SPEC).await?;
    stage
        .patch(json!({"variables": [{"name": "GREETING", "value": "two"}]}))
        .await?;
    stage.wait("Ready").await?;
    ensure!(stage.variable("GREETING").await?.as_deref() == Some("two"));

    stage
        .release("back", ", copyFrom: {releaseRef: {name: toy-live-1}}")
        .await?;
    stage.wait("Ready").await?;
    ensure!(stage.variable("GREETING").await?.as_deref() == Some("one"));
    ensure!(stage.variable("KEY").await?.as_deref() == Some("of-old"));
    ensure!(stage.reason("Released").await? == "RolledBack");

    world
        .apply_in(
            &stage.ns,
            "{apiVersion: v1, kind: Secret, metadata: {name: keys}, stringData: {key: of-new}}",
        )
        .await?;
    holds(&stage, "a changed Secret").await?;
    let pending = stage.status("/pendingChanges").await?.to_string();
    ensure!(pending.contains("variables.GREETING"), "{pending}");
    ensure!(
        !pending.contains("two") && !pending.contains("of-"),
        "{pending}"
    );

    rotate(&stage).await?;
    let words = format!(
        "get secret cache-credentials -n {} -o go-template={{{{.data.password|base64decode}}}}",
        stage.ns
    );
    let password = world.kubectl(&words).await?;
    ensure!(stage.variable("MY_CACHE_PASSWORD").await? == Some(password));
    ensure!(stage.variable("GREETING").await?.as_deref() == Some("one"));
    holds(&stage, "a rotated password").await?;

    stage
        .patch(json!({"variables": [
            {"name": "GREETING", "value": "three"},
            {"name": "KEY", "sensitive": true, "valueFrom": {"secretKeyRef": {"name": "keys", "key": "key"}}},
        ]}))
        .await?;
    stage.wait("Ready").await?;
    ensure!(stage.variable("GREETING").await?.as_deref() == Some("three"));
    ensure!(stage.variable("KEY").await?.as_deref() == Some("of-new"));
    let releases = stage.releases().await?;
    ensure!(releases.len() == 4, "there are {} Releases", releases.len());
    ensure!(releases.iter().all(|r| phase(r) == "Succeeded"));
    stage.end().await
}

/// Asks for another password of the cache, and waits until the pod was replaced for it.
async fn rotate(stage: &Stage) -> Result<()> {
    let world = &stage.world;
    let before = stage.pods().await?;
    let turn = r#"{"spec":{"credentials":{"rotate":"now"}}}"#;
    let object = ["kubectl", "patch", "msvc/cache", "-n", &stage.ns];
    let words = [&object[..], &["--type=merge", "-p", turn]].concat();
    world.run(&words, None).await?.ok("rotate")?;
    world
        .until("the password is another", || async {
            let rotated = world.at("msvc/cache", &stage.ns, "/status/rotated").await?;
            let pods = stage.pods().await?;
            Ok((rotated == "now" && pods.len() == 1 && pods != before).then_some(()))
        })
        .await?;
    stage.wait("Ready").await
}

/// That the third Release goes on serving, and none follows it.
async fn holds(stage: &Stage, after: &str) -> Result<()> {
    stage.settle().await?;
    let count = stage.releases().await?.len();
    ensure!(count == 3, "after {after} there are {count} Releases");
    let current = stage.status("/currentRelease").await?;
    ensure!(
        current == 3,
        "after {after} the current Release is {current}"
    );
    ensure!(stage.reason("Released").await? == "RolledBack");
    Ok(())
}
