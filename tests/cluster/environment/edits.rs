//! Edits, one after the other and faster than anything can follow.

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    ResourceExt,
    api::{Api, Patch, PatchParams},
};
use roadstead::api::Application;
use serde_json::json;

use super::{Stage, TOY, phase};
use crate::world::World;

/// `kubectl wait` for Ready right after an edit comes back only when that edit runs.
///
/// proves: DV-141
pub async fn ready_after_an_edit_means_that_edit(world: World) -> Result<()> {
    let stage = Stage::ready(&world, "early", TOY, "").await?;
    for turn in 1..=3 {
        let value = format!("turn-{turn}");
        stage
            .patch(json!({"variables": [{"name": "TURN", "value": value}]}))
            .await?;
        stage.wait("Ready").await?;
        let said = stage.variable("TURN").await?;
        ensure!(said.as_deref() == Some(&*value), "{said:?} after {value}");
        let replicas = 1 + turn % 2;
        stage
            .patch(json!({"containers": [{"name": "web", "replicas": replicas}]}))
            .await?;
        stage.wait("Ready").await?;
        let words = format!("get deploy toy-live-web -n {}", stage.ns);
        let words = format!("{words} -o jsonpath={{.status.readyReplicas}}/{{.status.replicas}}");
        let ready = world.kubectl(&words).await?;
        ensure!(ready == format!("{replicas}/{replicas}"), "{ready}");
        stage
            .patch(json!({"containers": [{"name": "web", "replicas": 1}]}))
            .await?;
        stage.wait("Ready").await?;
    }
    stage.end().await
}

/// After an edit of the Application its Environment is Reconciling within a second, and then Ready with that edit.
///
/// proves: DV-141
pub async fn an_edit_of_the_application_shows_at_once(world: World) -> Result<()> {
    let stage = Stage::ready(&world, "follows", TOY, "").await?;
    let applications: Api<Application> = Api::namespaced(world.client(), &stage.ns);
    let patch = json!({"spec": {"variables": [{"name": "LEVEL", "value": "debug"}]}});
    let patch = Patch::Merge(patch);
    let how = PatchParams::default();
    let edited = applications.patch("toy", &how, &patch).await?;
    let moved = world
        .until("the Environment moves", || async {
            let status = stage.environment().await?.status.unwrap_or_default();
            let conditions = status.conditions.into_iter();
            let moves = |c: &roadstead::api::status::Condition| {
                c.type_ == "Reconciling" && c.status == "True"
            };
            Ok(conditions
                .filter(moves)
                .map(|c| c.last_transition_time)
                .next())
        })
        .await?;
    let moved: Timestamp = moved.parse()?;
    let entries = edited.managed_fields().iter();
    let edited = entries.filter_map(|entry| entry.time.as_ref()).next_back();
    let edited = edited.context("the edit has no time")?.0;
    let lag = moved.as_second() - edited.as_second();
    let second = a_second_here(&stage).await?;
    ensure!(
        lag <= second,
        "it took {lag} s until it said so, not {second} s"
    );
    stage.wait("Ready").await?;
    ensure!(stage.variable("LEVEL").await?.as_deref() == Some("debug"));
    stage.end().await
}

/// A second; on a machine that is busy with other things, as long as a dozen bare writes take here, one after the other.
async fn a_second_here(stage: &Stage) -> Result<i64> {
    let notes: Api<ConfigMap> = Api::namespaced(stage.world.client(), &stage.ns);
    let how = PatchParams::apply("story");
    let begun = tokio::time::Instant::now();
    for turn in 0..12 {
        let note = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "turns"}, "data": {"turn": turn.to_string()},
        });
        notes.patch("turns", &how, &Patch::Apply(note)).await?;
    }
    Ok(begun.elapsed().as_secs().try_into().unwrap_or(1).max(1))
}

/// A hundred edits in a row end in one running Release of the last state, and the history tells which ran.
///
/// proves: DV-166, DV-141
pub async fn a_hundred_edits_end_in_the_last(world: World) -> Result<()> {
    let stage = Stage::ready(&world, "hundred", TOY, "").await?;
    let edit = |value: i32| {
        stage.patch(json!({"variables": [{"name": "EDIT", "value": value.to_string()}]}))
    };
    futures::stream::iter(1..100)
        .map(edit)
        .buffer_unordered(16)
        .try_collect::<Vec<_>>()
        .await?;
    edit(100).await?;
    stage.wait("Ready").await?;
    ensure!(stage.variable("EDIT").await?.as_deref() == Some("100"));
    ensure!(stage.reason("Released").await? == "Released");
    let releases = stage.releases().await?;
    // The first edit begins at once; while it is under way the others wait as one.
    ensure!(releases.len() <= 5, "{} Releases were made", releases.len());
    let over = |r: &roadstead::api::Release| matches!(phase(r), "Succeeded" | "Superseded");
    ensure!(releases.iter().all(over), "a Release is not over");
    let newest = releases
        .last()
        .and_then(|r| r.status.as_ref())
        .and_then(|s| s.number);
    let current = stage.status("/currentRelease").await?;
    ensure!(
        current.as_i64() == newest,
        "{current} serves, not {newest:?}"
    );
    let pods = stage.pods().await?;
    ensure!(pods.len() == 1, "{pods:?}");
    stage.end().await
}
