//! What somebody changes by hand.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

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

const BESIDE: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: cache}
spec: {classRef: {name: redis}}
---
apiVersion: roadstead.dev/v1alpha1
kind: Cronjob
metadata: {name: nightly}
spec: {environmentRef: {name: toy-live}, command: [busybox, "true"], frequency: Daily, time: "03:00"}
"#;

/// Something of another kind put where ours stood, which an apply alone cannot take away, is put right too.
pub async fn what_is_put_in_the_place_of_ours_is_put_right(world: World) -> Result<()> {
    let variables = ", variables: [{name: STAGE, value: live}]";
    let stage = Stage::ready(&world, "replaced", TOY, variables).await?;
    world.apply_in(&stage.ns, BESIDE).await?;
    for what in ["msvc/cache", "acj/nightly"] {
        world.condition(what, &stage.ns, "Ready").await?;
    }
    let probed = "/spec/template/spec/containers/0/readinessProbe";
    let probe = |container, before: &str| {
        format!(
            r#"{{"spec":{{"template":{{"spec":{{"containers":[{{"name":"{container}",
            "readinessProbe":{{"{before}":null,"tcpSocket":{{"port":1}}}}}}]}}}}}}}}"#
        )
    };
    let ours = |kind: &'static str| {
        move |probe: &Value| probe.get(kind).is_some() && probe.get("tcpSocket").is_none()
    };
    let deployment = "deploy/toy-live-web";
    replaced(&stage, deployment, &probe("web", "httpGet")).await?;
    until_right(&stage, deployment, probed, ours("httpGet")).await?;
    replaced(&stage, "sts/cache", &probe("engine", "exec")).await?;
    until_right(&stage, "sts/cache", probed, ours("exec")).await?;
    let value = r#"{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"name":"run",
        "env":[{"name":"STAGE","value":"mine","valueFrom":null}]}]}}}}}}"#;
    let cronjob = "cronjobs.batch/nightly";
    replaced(&stage, cronjob, value).await?;
    let variables = "/spec/jobTemplate/spec/template/spec/containers/0/env";
    until_right(&stage, cronjob, variables, |all| {
        let mut all = all.as_array().into_iter().flatten();
        all.any(|v| v["name"] == "STAGE" && v["value"].is_null() && v["valueFrom"].is_object())
    })
    .await?;
    stage.end().await
}

/// A strategic merge patch, which can put one field in the place of another; it is seen to have done so.
async fn replaced(stage: &Stage, what: &str, patch: &str) -> Result<()> {
    let words = ["kubectl", "patch", what, "-n", &stage.ns, "-p", patch];
    let said = stage.world.run(&words, None).await?.ok("patch")?;
    ensure!(!said.contains("no change"), "{said}");
    Ok(())
}

/// A container that is no longer declared goes with all that was made for it, and so do Releases beyond historyLimit, with what they
/// recorded.
///
/// proves: DV-172
pub async fn what_is_no_longer_declared_goes(world: World) -> Result<()> {
    let before = TOY.replace("name: web", "name: site");
    let stage = Stage::ready(&world, "fewer", &before, ", historyLimit: 1").await?;
    let of_site = "get deploy,svc,pdb -o name -l roadstead.dev/container=site";
    let there = || async {
        let said = world.kubectl(&format!("{of_site} -n {}", stage.ns)).await?;
        anyhow::Ok(said.lines().count())
    };
    let before = there().await?;
    ensure!(before >= 2, "{before} objects of the container");
    world.apply_in(&stage.ns, TOY).await?;
    world
        .until("all of the container is gone", || async {
            Ok((there().await? == 0).then_some(()))
        })
        .await?;
    for number in ["three", "four"] {
        let variables = json!([{"name": "NUMBER", "value": number}]);
        stage.patch(json!({"variables": variables})).await?;
        stage.wait("Ready").await?;
    }
    let kept = world.until("the history is short again", || async {
        let all = stage.releases().await?;
        Ok((all.len() == 1).then_some(all))
    });
    let last = kept.await?.pop().and_then(|r| r.metadata.name);
    ensure!(
        last.as_deref() == Some("toy-live-4"),
        "{last:?} is the last"
    );
    ensure!(world.get("secret/toy-live-1", &stage.ns).await?.is_none());
    stage.end().await
}
