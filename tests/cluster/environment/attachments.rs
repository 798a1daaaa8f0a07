//! Services that an Environment begins to use, calls otherwise and lets go of.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Stage, TOY};
use crate::world::World;

const CACHES: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: cache}
spec: {classRef: {name: redis}}
---
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: other}
spec: {classRef: {name: redis}}
---"#;

/// An attachment counts from the next Release on, under its prefix of then, and ends with one.
///
/// proves: DV-143, DV-229, DV-230, DV-231, DV-237, DV-240
pub async fn an_attachment_begins_and_ends_with_a_release(world: World) -> Result<()> {
    let stage = Stage::begin(
        &world,
        "attaches",
        &format!("{CACHES}{TOY}"),
        ", releasePolicy: Manual",
    )
    .await?;
    stage.release("one", "").await?;
    world.condition("msvc/cache", &stage.ns, "Ready").await?;
    ensure!(
        from_cache(&stage).await?.is_empty(),
        "it has variables of a Service that it does not name"
    );

    stage.patch(named("cache", "MY")).await?;
    attached(&stage, "attach-pending").await?;
    let pending = stage.status("/pendingChanges").await?;
    ensure!(
        pending
            == json!([{
                "path": "services.cache", "change": "Added", "impact": "Restart",
                "to": r#"{"name":"cache","prefix":"MY"}"#,
            }]),
        "{pending}"
    );
    ensure!(
        from_cache(&stage).await?.is_empty(),
        "it came before its Release"
    );
    stage.release("two", "").await?;
    attached(&stage, "attached").await?;
    let names = from_cache(&stage).await?;
    ensure!(
        names.contains(&"MY_CACHE_URL".to_owned()) && names.iter().all(|n| n.starts_with("MY_")),
        "{names:?}"
    );
    let listed = stage.status("/variables").await?;
    let rows = listed.as_array().into_iter().flatten();
    let rows: Vec<&Value> = rows.filter(|row| row["service"] == "cache").collect();
    ensure!(rows.len() == names.len(), "{listed}");
    ensure!(
        rows.iter().all(|row| row["origin"] == "Service"),
        "{listed}"
    );

    called_otherwise(&stage).await?;
    let_go(&stage).await?;
    stage.end().await
}

/// Another prefix is pending, and then all there is.
async fn called_otherwise(stage: &Stage) -> Result<()> {
    let world = &stage.world;
    stage.patch(named("cache", "YOUR")).await?;
    world
        .until("the other prefix is pending", || async {
            let pending = stage.status("/pendingChanges/0").await?;
            Ok((pending["change"] == "Modified").then_some(()))
        })
        .await?;
    stage.release("three", "").await?;
    let names = from_cache(stage).await?;
    ensure!(
        !names.is_empty() && names.iter().all(|n| n.starts_with("YOUR_")),
        "{names:?}"
    );
    Ok(())
}

/// A Service that is let go of is used until the next Release, and runs on.
async fn let_go(stage: &Stage) -> Result<()> {
    let world = &stage.world;
    stage.patch(json!({"services": []})).await?;
    attached(stage, "detach-pending").await?;
    ensure!(
        !from_cache(stage).await?.is_empty(),
        "it went before its Release"
    );
    stage.release("four", "").await?;
    world
        .until("nobody uses the Service", || async {
            let users = world
                .at("msvc/cache", &stage.ns, "/status/attachments")
                .await?;
            Ok(users.as_array().is_none_or(Vec::is_empty).then_some(()))
        })
        .await?;
    ensure!(
        from_cache(stage).await?.is_empty(),
        "it has its variables still"
    );
    world.condition("msvc/cache", &stage.ns, "Ready").await?;
    Ok(())
}

/// Two Services of one type under one prefix are reported, and what runs goes on; a Service is bound to by what others expect of one.
///
/// proves: DV-238
pub async fn one_prefix_is_for_one_service_of_a_type(world: World) -> Result<()> {
    let app = format!("{CACHES}{TOY}");
    let spec = ", services: [{name: cache, prefix: MY}]";
    let stage = Stage::ready(&world, "prefixes", &app, spec).await?;
    let before = stage.pods().await?;
    let both =
        json!({"services": [{"name": "cache", "prefix": "MY"}, {"name": "other", "prefix": "MY"}]});
    stage.patch(both).await?;
    stage.wait("Stalled").await?;
    ensure!(stage.reason("Ready").await? == "PrefixConflict");
    ensure!(stage.pods().await? == before, "the pod was replaced");

    let binding = world
        .at("msvc/cache", &stage.ns, "/status/binding/name")
        .await?;
    let binding = binding.as_str().context("it has no binding")?.to_owned();
    let secret = world
        .at(&format!("secret/{binding}"), &stage.ns, "/data")
        .await?;
    for key in [
        "type", "provider", "host", "port", "username", "password", "uri",
    ] {
        ensure!(secret[key].is_string(), "the binding has no {key}");
    }
    stage.end().await
}

fn named(service: &str, prefix: &str) -> Value {
    json!({"services": [{"name": service, "prefix": prefix}]})
}

/// Waits until the Service says this of its only user.
async fn attached(stage: &Stage, state: &str) -> Result<()> {
    stage
        .world
        .until(&format!("the Service is {state}"), || async {
            let users = stage.world.at("msvc/cache", &stage.ns, "/status");
            let users = users.await?["attachments"].clone();
            let one = &users[0];
            let said = one["environment"] == "toy-live" && one["state"] == state;
            Ok(said.then_some(()))
        })
        .await
}

/// The names of the variables that the pod has of a cache.
async fn from_cache(stage: &Stage) -> Result<Vec<String>> {
    let all = stage.variables().await?.into_iter();
    let names = all.map(|(name, _)| name);
    Ok(names.filter(|name| name.contains("_CACHE_")).collect())
}
