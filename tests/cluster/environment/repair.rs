//! What somebody changes by hand.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Stage, TOY};
use crate::world::World;

/// What is changed or deleted by hand is put right with one write each, and nothing else is written; no Release is made of it.
pub async fn what_is_changed_by_hand_is_put_right_with_one_write(world: World) -> Result<()> {
    let spec = ", containers: [{name: web, replicas: 2}]";
    let stage = Stage::ready(&world, "repairs", TOY, spec).await?;
    let others = versions(&stage).await?;
    let name = "toy-live-web";

    let elsewhere = r#"{"spec":{"selector":{"roadstead.dev/container":"nobody"}}}"#;
    let address = format!("svc/{name}");
    by_hand(&stage, &address, elsewhere).await?;
    until_right(&stage, &address, "/spec/selector", |selector| {
        selector["roadstead.dev/container"] == "web"
            && selector["roadstead.dev/environment"] == "toy-live"
    })
    .await?;

    let budget = format!("pdb/{name}");
    let before = world.at(&budget, &stage.ns, "/metadata/uid").await?;
    let words = format!("delete {budget} -n {}", stage.ns);
    world.kubectl(&words).await?;
    until_right(&stage, &budget, "/metadata/uid", |uid| {
        uid.is_string() && *uid != before
    })
    .await?;

    let workload = format!("deploy/{name}");
    let before = generation(&stage, &workload).await?;
    by_hand(
        &stage,
        &workload,
        r#"{"spec":{"progressDeadlineSeconds":77}}"#,
    )
    .await?;
    until_right(
        &stage,
        &workload,
        "/spec/progressDeadlineSeconds",
        |deadline| *deadline != 77,
    )
    .await?;
    stage.settle().await?;
    let writes = generation(&stage, &workload).await? - before;
    ensure!(
        writes == 2,
        "{writes} writes, not one by hand and one of ours"
    );
    ensure!(
        versions(&stage).await? == others,
        "something else was written"
    );
    let releases = stage.releases().await?.len();
    ensure!(releases == 1, "{releases} Releases");
    stage.end().await
}

async fn by_hand(stage: &Stage, what: &str, patch: &str) -> Result<()> {
    let words = ["kubectl", "patch", what, "-n", &stage.ns, "--type=merge"];
    let words = [&words[..], &["-p", patch]].concat();
    stage.world.run(&words, None).await?.ok("patch").map(|_| ())
}

async fn until_right(
    stage: &Stage,
    what: &str,
    pointer: &str,
    right: impl Fn(&Value) -> bool,
) -> Result<()> {
    let sentence = format!("{pointer} of {what} is right again");
    stage
        .world
        .until(&sentence, || async {
            let value = stage.world.at(what, &stage.ns, pointer).await?;
            Ok(right(&value).then_some(()))
        })
        .await
}

async fn generation(stage: &Stage, what: &str) -> Result<i64> {
    let at = stage.world.at(what, &stage.ns, "/metadata/generation");
    at.await?.as_i64().context("it has no generation")
}

/// The versions of all that nobody touched.
async fn versions(stage: &Stage) -> Result<String> {
    let words = format!(
        "get secret/toy-live-1 rapp/toy rel/toy-live-1 -n {} -o jsonpath={{.items[*].metadata.resourceVersion}}",
        stage.ns
    );
    stage.world.kubectl(&words).await
}
