//! A version that never says that it is well.

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::SHOP;
use crate::{
    environment::{Stage, phase},
    world::World,
};

/// A startup probe that fails to the end ends the rollout in the time that it says; the version before serves on, and nothing is tried again.
///
/// proves: DV-168, DV-105, DV-158
pub async fn a_probe_that_fails_ends_the_rollout_in_its_time(world: World) -> Result<()> {
    let app = SHOP.replace("replicas: 3", "replicas: 1");
    let stage = Stage::ready(&world, "probe", &app, "").await?;
    let before = stage.pods().await?;
    stage
        .patch(json!({"image": "docker.io/acme/shop:broken"}))
        .await?;
    let begun = world
        .until("the broken version runs", || async {
            first_start(&stage).await
        })
        .await?;
    stage.wait("Stalled").await?;

    let releases = stage.releases().await?;
    let [_, broken] = &releases[..] else {
        anyhow::bail!("there are not two Releases");
    };
    let status = broken.status.clone().unwrap_or_default();
    ensure!(phase(broken) == "Failed", "it is {}", phase(broken));
    let ended: Timestamp = status.ended_at.context("it has no end")?.parse()?;
    let took = ended.as_second() - begun.as_second();
    // Four tries, one second apart; the rest is the kubelet's and the machine's.
    ensure!((3..=12).contains(&took), "it took {took} s");
    let rollout = status.steps.last().context("it has no steps")?;
    ensure!(rollout.state == "Failed", "{rollout:?}");
    ensure!(stage.reason("Released").await? == "ReleaseFailed");
    for (pointer, number) in [("/currentRelease", 1), ("/lastFinishedRelease", 2)] {
        let told = stage.status(pointer).await?;
        ensure!(told == number, "{pointer} is {told}");
    }
    world
        .until("only the version before runs", || async {
            Ok((stage.pods().await? == before).then_some(()))
        })
        .await?;

    stage.settle().await?;
    let after = stage.releases().await?.len();
    ensure!(after == 2, "there are {after} Releases");
    ensure!(stage.pods().await? == before, "the pod was replaced");
    stage.end().await
}

/// When the first container of the broken version began.
async fn first_start(stage: &Stage) -> Result<Option<Timestamp>> {
    let words = format!(
        "get pods -n {} -l roadstead.dev/release=2 -o json",
        stage.ns
    );
    let list: Value = serde_json::from_str(&stage.world.kubectl(&words).await?)?;
    let status = &list["items"][0]["status"]["containerStatuses"][0];
    let now = status["state"]["running"]["startedAt"].as_str();
    let before = status["lastState"]["terminated"]["startedAt"].as_str();
    let begun = before.or(now).map(str::parse);
    Ok(begun.transpose()?)
}
