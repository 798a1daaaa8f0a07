//! What a release does before traffic moves.

use anyhow::{Context, Result, ensure};
use roadstead::api::{Release, release::Step};
use serde_json::json;

use crate::{
    environment::{Stage, TOY, phase},
    world::World,
};

const COMMANDS: &str = r#"  releaseCommands:
  - {name: first, command: [sh, -c, "sleep 1; echo first of $ROADSTEAD_RELEASE"]}
  - {name: second, command: [sh, -c, "echo the key is $KEY; test $FAIL = no"]}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {key: kept-to-itself}
"#;

const SPEC: &str = ", variables: [{name: FAIL, value: \"no\"}, \
     {name: KEY, sensitive: true, valueFrom: {secretKeyRef: {name: keys, key: key}}}]";

/// Release commands run once each, one after the other, before any pod is replaced; one that fails says its last words, but no secret.
///
/// proves: DV-042, DV-043, DV-157, DV-158, DV-162
pub async fn commands_run_in_order_before_traffic_moves(world: World) -> Result<()> {
    let stage = Stage::ready(&world, "commands", &format!("{TOY}{COMMANDS}"), SPEC).await?;
    let first = newest(&stage).await?;
    let steps = steps(&first);
    ensure!(
        words(&steps) == "first Succeeded, second Succeeded, rollout Succeeded",
        "{steps:?}"
    );
    for pair in steps.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        ensure!(before.ended_at <= after.started_at, "{steps:?}");
    }
    let percent = first.status.as_ref().and_then(|s| s.percent);
    ensure!(percent == Some(100), "{percent:?}");
    let said = world
        .kubectl(&format!("logs -n {} job/toy-live-1-c0", stage.ns))
        .await?;
    ensure!(said.trim() == "first of 1", "{said}");

    let before = stage.pods().await?;
    stage
        .patch(json!({"variables": [
            {"name": "FAIL", "value": "yes"},
            {"name": "KEY", "sensitive": true, "valueFrom": {"secretKeyRef": {"name": "keys", "key": "key"}}},
        ]}))
        .await?;
    stage.wait("Stalled").await?;
    let failed = newest(&stage).await?;
    let steps = super::commands::steps(&failed);
    ensure!(
        words(&steps) == "first Succeeded, second Failed, rollout Skipped",
        "{steps:?}"
    );
    ensure!(steps[1].exit_code == Some(1), "{steps:?}");
    let last = steps[1].log_tail.clone().context("it has no last words")?;
    ensure!(last.contains("the key is …"), "{last}");
    ensure!(
        stage.pods().await? == before,
        "pods were replaced all the same"
    );
    ensure!(stage.status("/currentRelease").await? == 1);
    // In its log, and in the pod that the kubelet copies its end into, a program may say what it likes.
    let open = format!("get rel,renv,events,jobs,deploy -n {} -o yaml", stage.ns);
    let open = world.kubectl(&open).await?;
    ensure!(!open.contains("kept-to-itself"), "the key is in the open");
    let log = world
        .kubectl("logs -n roadstead-system deploy/roadstead --all-pods --tail=2000")
        .await?;
    ensure!(!log.contains("kept-to-itself"), "the key is in the log");
    stage.end().await
}

/// A command that cannot run, or not in time, fails its Release, and nothing of it goes on.
///
/// proves: DV-042, DV-043
pub async fn a_command_that_cannot_run_leaves_nothing_behind(world: World) -> Result<()> {
    let slow = "{name: slow, command: [sh, -c, \"trap 'exit 1' TERM; test $SLOW = no || sleep 60 & wait $!\"], timeoutSeconds: 15}";
    let app = format!("{TOY}  releaseCommands: [{slow}]\n");
    let spec = ", variables: [{name: SLOW, value: \"no\"}]";
    let stage = Stage::ready(&world, "commands-end", &app, spec).await?;
    let before = stage.pods().await?;

    stage
        .patch(json!({"variables": [{"name": "SLOW", "value": "yes"}]}))
        .await?;
    stage.wait("Stalled").await?;
    let late = newest(&stage).await?;
    let status = late.status.clone().unwrap_or_default();
    let told = status.conditions.first().map(|c| c.message.clone());
    let told = told.unwrap_or_default();
    ensure!(told.contains("timeoutSeconds"), "{told}");

    // No node takes an image of such a name, so the pod of the command never begins.
    let impossible = json!({"image": "docker.io/library/Busybox:1.36", "variables": [{"name": "SLOW", "value": "no"}]});
    stage.patch(impossible).await?;
    let refused = world
        .until("the third Release is over", || async {
            let newest = newest(&stage).await?;
            let third = newest.status.as_ref().and_then(|s| s.number) == Some(3);
            Ok((third && phase(&newest) == "Failed").then_some(newest))
        })
        .await?;
    let reason = refused.status.clone().unwrap_or_default().conditions;
    ensure!(
        reason.iter().any(|c| c.reason == "ImagePullFailed"),
        "{reason:?}"
    );
    world
        .until("nothing of the command is left", || async {
            let words = format!("get jobs,pods -n {} -o name", stage.ns);
            let left = world.kubectl(&words).await?;
            Ok((!left.contains("toy-live-3-c0")).then_some(()))
        })
        .await?;
    ensure!(stage.pods().await? == before, "pods were replaced");
    stage.end().await
}

/// The Release of the highest number.
pub(super) async fn newest(stage: &Stage) -> Result<Release> {
    let all = stage.releases().await?;
    all.into_iter().next_back().context("there is no Release")
}

fn steps(release: &Release) -> Vec<Step> {
    release.status.clone().unwrap_or_default().steps
}

fn words(steps: &[Step]) -> String {
    let one = |step: &Step| format!("{} {}", step.name, step.state);
    steps.iter().map(one).collect::<Vec<_>>().join(", ")
}
