//! Stopping, starting, looking and deleting.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{Stage, TOY};
use crate::world::World;

const WORKER: &str = "  - {name: worker, kind: Worker, command: [sh, -c, \"trap 'exit 0' TERM; sleep 1d & wait\"]}\n";

/// A stopped Environment keeps everything but its pods; a Release waits until it is started again.
///
/// proves: DV-103, DV-119, DV-120, DV-121, DV-123
pub async fn a_stopped_environment_keeps_all_but_its_pods(world: World) -> Result<()> {
    let stage = Stage::ready(&world, "stops", &format!("{TOY}{WORKER}"), "").await?;
    let url = stage.status("/url").await?;
    ensure!(url == format!("http://toy-live-web.{}.svc", stage.ns));
    let pods = || async {
        let words = format!("get pods -n {} -o name", stage.ns);
        anyhow::Ok(world.kubectl(&words).await?.lines().count())
    };
    ensure!(pods().await? == 2, "it has {} pods", pods().await?);
    stage.patch(json!({"state": "Stopped"})).await?;
    world
        .until("no pod is left", || async {
            Ok((pods().await? == 0).then_some(()))
        })
        .await?;
    stage.wait("Ready").await?;
    ensure!(stage.status("/state").await? == "stopped");
    let kept = format!(
        "get deploy/toy-live-web deploy/toy-live-worker svc/toy-live-web secret/toy-live-1 -n {} -o name",
        stage.ns
    );
    world.kubectl(&kept).await?;

    stage.ask("later", "").await?;
    world
        .until("the Release waits", || async {
            let blockers = world.at("rel/later", &stage.ns, "/status/blockers").await?;
            let why = blockers.to_string();
            Ok(why.contains("EnvironmentStopped/toy-live").then_some(()))
        })
        .await?;
    ensure!(pods().await? == 0, "a Release started it");
    stage.patch(json!({"state": "Running"})).await?;
    world.condition("rel/later", &stage.ns, "Succeeded").await?;
    stage.wait("Ready").await?;
    ensure!(stage.status("/currentRelease").await? == 2);

    world
        .kubectl(&format!("delete renv toy-live -n {}", stage.ns))
        .await?;
    world
        .until("nothing is left of it", || async {
            let words = format!(
                "get deploy,rs,pods,svc,hpa,pdb,jobs,secrets -n {} -l roadstead.dev/environment=toy-live -o name",
                stage.ns
            );
            Ok(world.kubectl(&words).await?.is_empty().then_some(()))
        })
        .await?;
    stage.end().await
}

/// Environments and Releases are listed by what they are of and how they are, and a listed replica can be entered.
///
/// proves: DV-113, DV-114, DV-171
pub async fn they_are_listed_by_what_they_are_of(world: World) -> Result<()> {
    let other = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: toy-test}
spec: {applicationRef: {name: toy}, slug: test, state: Stopped}
---"#;
    let stage = Stage::ready(&world, "lists", &format!("{other}{TOY}"), "").await?;
    let listed = |what: &'static str| {
        let words = format!("get {what} -n {} -o name", stage.ns);
        let world = world.clone();
        async move { world.kubectl(&words).await }
    };
    let environment = "environment.roadstead.dev/toy-live\n";
    let both = "environment.roadstead.dev/toy-live\nenvironment.roadstead.dev/toy-test\n";
    let release = "release.roadstead.dev/toy-live-1\n";
    for (what, wanted) in [
        ("renv --field-selector=spec.applicationRef.name=toy", both),
        ("renv --field-selector=status.state=running", environment),
        ("renv --field-selector=spec.applicationRef.name=none", ""),
        (
            "rel --field-selector=spec.environmentRef.name=toy-live,status.phase=Succeeded",
            release,
        ),
        ("rel --field-selector=status.phase=Failed", ""),
        ("rel -l roadstead.dev/application=toy", release),
    ] {
        let said = listed(what).await?;
        ensure!(said == wanted, "{what}: {said}");
    }
    let slug = listed("renv --field-selector=spec.slug=test").await?;
    ensure!(slug == "environment.roadstead.dev/toy-test\n", "{slug}");

    let replica = stage.status("/replicas/0").await?;
    ensure!(
        replica["state"] == "running" && replica["health"] == "healthy",
        "{replica}"
    );
    ensure!(replica["release"] == 1, "{replica}");
    let pod = replica["name"].as_str().context("it has no name")?;
    let words = format!("exec -n {} {pod} -- env", stage.ns);
    let said = world.kubectl(&words).await?;
    let known = said.lines().any(|l| l == "ROADSTEAD_APPLICATION=toy");
    ensure!(known, "{said}");
    stage.end().await
}
