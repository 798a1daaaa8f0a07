//! A Restore whose operator is killed at each of its steps.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::{into_service, redis, taken, uid};
use crate::{service::Engine, world::World};

const OPERATOR: &str = "-n roadstead-system -l app.kubernetes.io/name=roadstead";

/// Each time the Restore says that it waits for something else, both replicas of the operator are killed. It ends as if nothing had
/// happened, with one safety Backup and one new volume.
pub async fn a_restore_outlives_its_operator(world: World) -> Result<()> {
    let ns = world.instance("outlives").await?;
    let more = "  deletionPolicy: StopFirst\n";
    let cache = Engine::ready(&world, &ns, "cache", "redis", more).await?;
    redis(&cache, "SET word before").await?;
    redis(&cache, "WAITAOF 1 0 5000").await?;
    taken(&world, &ns, "monday", "cache").await?;
    redis(&cache, "SET word after").await?;
    let restore = into_service("back", "monday", "cache", "cache", &uid(&cache).await?);
    world.apply_in(&ns, &restore).await?;

    let mut seen = BTreeSet::new();
    loop {
        let step = world
            .until("it waits for something else, or is done", || {
                step(&world, &ns, &seen)
            })
            .await?;
        let Some(step) = step else { break };
        seen.insert(step);
        let kill = format!("delete pods {OPERATOR} --grace-period=0 --force");
        world.kubectl(&kill).await?;
    }
    ensure!(seen.len() >= 2, "it was never killed in between: {seen:?}");
    world.condition("drs/back", &ns, "Ready").await?;
    ensure!(redis(&cache, "GET word").await? == "before");
    let count = async |what: &str| -> Result<usize> {
        let list = world
            .kubectl(&format!("get {what} -n {ns} -o name"))
            .await?;
        Ok(list.lines().count())
    };
    ensure!(count("dbk").await? == 2, "not one safety Backup");
    ensure!(count("volumesnapshots").await? == 2, "not a snapshot each");
    ensure!(count("pvc").await? == 2, "not one new volume");
    world.remove("outlives").await
}

/// What it waits for, if that was not seen yet: nothing inside once it is done.
async fn step(world: &World, ns: &str, seen: &BTreeSet<String>) -> Result<Option<Option<String>>> {
    let status = world.at("drs/back", ns, "/status").await?;
    if status["finished"] == true {
        return Ok(Some(None));
    }
    let what = status["blockers"][0]["what"].as_str().map(str::to_owned);
    Ok(what.filter(|what| !seen.contains(what)).map(Some))
}
