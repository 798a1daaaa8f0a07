//! Redis: into another Service, and several Services at once of which one cannot be snapshot.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{into_service, uid, until_reason};
use crate::{service::Engine, world::World};

/// What Redis says to a command, with the password of today.
pub async fn redis(cache: &Engine<'_>, command: &str) -> Result<String> {
    let password = cache.credential("password").await?;
    let said = cache
        .exec(&format!(
            "echo '{command}' | REDISCLI_AUTH={password} redis-cli"
        ))
        .await?;
    Ok(said.ok(command)?.trim().to_owned())
}

/// Has a cache count for as long as it lives, and returns once it does: nothing of it holds the streams of the command.
pub(super) async fn counting(cache: &Engine<'_>) -> Result<()> {
    let password = cache.credential("password").await?;
    let count = "yes 'INCR count' | head -n 2000000 | redis-cli";
    let writer = format!("(export REDISCLI_AUTH={password}; {count}) >/dev/null 2>&1 </dev/null &");
    cache.exec(&writer).await?.ok("writer")?;
    cache
        .world
        .until("it counts", || async {
            let count = redis(cache, "GET count").await?;
            Ok(count.parse::<i64>().is_ok().then_some(()))
        })
        .await
}

/// A class like redis, on storage that takes no snapshots.
async fn on_plain_storage(world: &World, name: &str) -> Result<()> {
    let class = world.kubectl("get serviceclass redis -o yaml").await?;
    let mut class: serde_json::Value = serde_saphyr::from_str(&class)?;
    class["spec"]["data"]["storageClass"] = json!("local");
    let copy = json!({
        "apiVersion": class["apiVersion"], "kind": class["kind"],
        "metadata": {"name": name}, "spec": class["spec"],
    });
    world.apply(&copy.to_string()).await.map(drop)
}

/// Two stages of an Application, each with a Service of its own; one of them runs.
const STAGES: &str = "\
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  image: docker.io/library/busybox:1.36
  containers: [{name: worker, kind: Worker, command: [sh, -c, 'trap exit TERM; sleep 86400 & wait']}]
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: shop-test}
spec: {applicationRef: {name: shop}, state: Stopped, services: [{name: source, prefix: DEFAULT}]}
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: shop-live}
spec: {applicationRef: {name: shop}, services: [{name: target, prefix: DEFAULT}]}
";

/// Two Services are backed up together while one is written to. One of them cannot be: that is told, and the other one's data can be
/// put into the Service of another Environment, whose pods wait until it is there.
///
/// proves: DV-246, DV-265, DV-267, DV-269
pub async fn data_moves_to_another_service_though_a_part_has_failed(world: World) -> Result<()> {
    let ns = world.instance("caches").await?;
    on_plain_storage(&world, "plain").await?;
    let more = "  deletionPolicy: StopFirst\n";
    let (source, target, plain) = tokio::try_join!(
        Engine::ready(&world, &ns, "source", "redis", more),
        Engine::ready(&world, &ns, "target", "redis", more),
        Engine::ready(&world, &ns, "plain", "plain", more),
    )?;
    world.apply_in(&ns, STAGES).await?;
    redis(&source, "MSET word before number 41").await?;
    redis(&target, "SET word mine").await?;
    redis(&plain, "SET word plain").await?;
    counting(&source).await?;
    // Redis writes to its disk once a second: what is to be there must have had that second.
    source
        .world
        .until("it is on disk", || async {
            let info = redis(&source, "INFO persistence").await?;
            Ok(info.contains("aof_last_write_status:ok").then_some(()))
        })
        .await?;
    redis(&source, "WAITAOF 1 0 5000").await?;
    let both = "apiVersion: roadstead.dev/v1alpha1\nkind: Backup\nmetadata: {name: both}\nspec: {services: [source, plain]}\n";
    world.apply_in(&ns, both).await?;
    until_reason(&world, "dbk/both", &ns, "PartFailed").await?;
    redis(&source, "MSET word after number 42").await?;
    let status = world.at("dbk/both", &ns, "/status").await?;
    ensure!(
        status["success"] == "Partial" && status["state"] == "done",
        "{status}"
    );
    let error = status["parts"].to_string();
    ensure!(error.contains("No VolumeSnapshotClass"), "{error}");

    moved(&world, &ns, &uid(&target).await?).await?;
    let list =
        |stage: &str| format!("get drs -n {ns} -o name -l roadstead.dev/environment-{stage}");
    let live = world.kubectl(&list("shop-live")).await?;
    ensure!(live.trim() == "restore.roadstead.dev/move", "{live}");
    let test = world.kubectl(&list("shop-test")).await?;
    ensure!(test.trim().is_empty(), "{test}");
    ensure!(redis(&target, "GET word").await? == "before");
    ensure!(redis(&target, "GET number").await? == "41");
    ensure!(
        redis(&source, "GET word").await? == "after",
        "the source was touched"
    );
    undone(&world, &ns).await?;
    ensure!(redis(&target, "GET word").await? == "mine");
    let unusable = into_service("none", "both", "target", "plain", &uid(&target).await?);
    world.apply_in(&ns, &unusable).await?;
    until_reason(&world, "drs/none", &ns, "BackupNotUsable").await?;
    world.remove("caches").await?;
    world.kubectl("delete serviceclass plain").await.map(drop)
}

/// The pods of the stage that runs.
async fn pods(world: &World, ns: &str) -> Result<String> {
    let list = format!("get pods -n {ns} -o name -l roadstead.dev/environment=shop-live");
    world.kubectl(&list).await
}

/// The data is put into the Service of the stage that runs, whose pods go first and come back in the end.
async fn moved(world: &World, ns: &str, target: &str) -> Result<()> {
    let restore = into_service("move", "both", "target", "source", target);
    world.condition("renv/shop-live", ns, "Ready").await?;
    let before = pods(world, ns).await?;
    ensure!(!before.trim().is_empty(), "nothing runs");
    world.apply_in(ns, &restore).await?;
    until_reason(world, "renv/shop-live", ns, "Restoring").await?;
    world
        .until("no pod of it is there", || async {
            Ok(pods(world, ns).await?.trim().is_empty().then_some(()))
        })
        .await?;
    let held = world.at("drs/move", ns, "/status/finished").await?;
    ensure!(held != true, "its pods went when all was over");
    until_reason(world, "drs/move", ns, "Done").await?;
    world.condition("renv/shop-live", ns, "Ready").await?;
    let after = pods(world, ns).await?;
    ensure!(!after.trim().is_empty(), "its pods did not come back");
    Ok(())
}

/// What was there before is put back, for which the pods make way once more.
async fn undone(world: &World, ns: &str) -> Result<()> {
    let before = pods(world, ns).await?;
    let undo = format!("patch drs move -n {ns} --type=merge -p {{\"spec\":{{\"undo\":true}}}}");
    world.kubectl(&undo).await?;
    until_reason(world, "drs/move", ns, "Undone").await?;
    world.condition("renv/shop-live", ns, "Ready").await?;
    let after = pods(world, ns).await?;
    let stayed = before
        .lines()
        .any(|pod| after.lines().any(|other| other == pod));
    ensure!(!stayed && !after.trim().is_empty(), "{before}, {after}");
    Ok(())
}
