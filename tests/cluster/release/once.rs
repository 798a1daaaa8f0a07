//! That a Release runs once, and one at a time.

use anyhow::{Result, ensure};

use crate::{
    environment::{Stage, TOY, phase},
    world::World,
};

/// A Release that Git makes again after it was deleted is remembered: neither its command nor its rollout runs a second time.
///
/// proves: DV-165, DV-172
pub async fn a_release_that_is_made_again_does_not_run_again(world: World) -> Result<()> {
    let app = format!("{TOY}  releaseCommands: [{{name: migrate, command: [sh, -c, \"true\"]}}]\n");
    let stage = Stage::begin(&world, "once", &app, ", releasePolicy: Manual").await?;
    stage.release("first", "").await?;
    let uid = |what: &'static str| {
        let stage = &stage;
        async move { stage.world.at(what, &stage.ns, "/metadata/uid").await }
    };
    let (snapshot, pods) = (uid("secret/first").await?, stage.pods().await?);
    ensure!(uid("job/first-c0").await?.is_string(), "it ran no command");
    world
        .kubectl(&format!("delete rel first -n {}", stage.ns))
        .await?;
    world
        .until("its Job is gone", || async {
            Ok(uid("job/first-c0").await?.is_null().then_some(()))
        })
        .await?;

    stage.release("first", "").await?;
    stage.settle().await?;
    ensure!(
        uid("secret/first").await? == snapshot,
        "its snapshot is another"
    );
    ensure!(
        uid("job/first-c0").await?.is_null(),
        "its command ran again"
    );
    ensure!(stage.pods().await? == pods, "its pods were replaced");
    let number = world.at("rel/first", &stage.ns, "/status/number").await?;
    ensure!(number == 1, "its number is {number}");
    stage.end().await
}

/// Of the Releases that wait for one that is under way only the newest runs.
///
/// proves: DV-106, DV-165, DV-166, DV-156
pub async fn of_those_that_wait_the_newest_runs(world: World) -> Result<()> {
    let slow = "[sh, -c, \"trap 'exit 1' TERM; sleep 6 & wait $!\"]";
    let app = format!("{TOY}  releaseCommands: [{{name: slow, command: {slow}}}]\n");
    let stage = Stage::begin(&world, "queue", &app, ", releasePolicy: Manual").await?;
    stage.ask("one", "").await?;
    world
        .until("the first is under way", || async {
            let running = stage.status("/runningRelease").await?;
            Ok((running == 1).then_some(()))
        })
        .await?;
    ensure!(stage.status("/state").await? == "deploying");
    stage.ask("two", "").await?;
    world
        .until("the second waits", || async {
            let blockers = world.at("rel/two", &stage.ns, "/status/blockers").await?;
            Ok(blockers
                .to_string()
                .contains("ReleaseUnderWay/1")
                .then_some(()))
        })
        .await?;
    let succeeded = world
        .at("rel/two", &stage.ns, "/status/conditions")
        .await?
        .to_string();
    ensure!(succeeded.contains("\"Unknown\""), "{succeeded}");
    stage.release("three", "").await?;
    world
        .until("nothing is under way", || async {
            let running = stage.status("/runningRelease").await?;
            Ok(running.is_null().then_some(()))
        })
        .await?;
    let releases = stage.releases().await?;
    let phases: Vec<&str> = releases.iter().map(phase).collect();
    ensure!(
        phases == ["Succeeded", "Superseded", "Succeeded"],
        "{phases:?}"
    );
    let [one, two, three] = &releases[..] else {
        anyhow::bail!("there are not three");
    };
    let ended = |r: &roadstead::api::Release| r.status.clone().unwrap_or_default().ended_at;
    let started = |r: &roadstead::api::Release| r.status.clone().unwrap_or_default().started_at;
    ensure!(
        started(three) >= ended(one),
        "the third began before the first ended"
    );
    ensure!(started(two).is_none(), "the second began");
    let jobs = world
        .kubectl(&format!("get jobs -n {} -o name", stage.ns))
        .await?;
    ensure!(!jobs.contains("two"), "the second ran a command: {jobs}");
    stage.end().await
}
