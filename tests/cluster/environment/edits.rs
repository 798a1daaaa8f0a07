//! Edits, one after the other and faster than anything can follow.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt};
use kube::{
    ResourceExt,
    api::{Api, Patch, PatchParams, WatchEvent, WatchParams},
};
use roadstead::api::{Application, Environment};
use serde_json::json;

use super::{Stage, TOY, phase};
use crate::world::{PATIENCE, World};

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

/// After an edit of the Application its Environment says Reconciling within a second, and is then Ready with that edit.
///
/// The second is a second, by the clock, from the answer to the edit until a watch has brought the word. On a small machine that plays
/// many stories at once everything is late now and then; so of up to five edits one must keep to it. A delay of our own, such as a poll,
/// a pause or a back-off, would be in each of them. That the word comes at all, and then Ready with the edit, is asked of every one.
///
/// proves: DV-141
pub async fn an_edit_of_the_application_shows_at_once(world: World) -> Result<()> {
    let stage = Stage::ready(&world, "follows", TOY, "").await?;
    let mut took = Vec::new();
    for turn in 1..=5 {
        let level = format!("level-{turn}");
        took.push(until_it_moves(&stage, &level).await?);
        stage.wait("Ready").await?;
        ensure!(stage.variable("LEVEL").await?.as_deref() == Some(&*level));
        if took.last() <= Some(&Duration::from_secs(1)) {
            return stage.end().await;
        }
    }
    bail!("it never said so within a second: {took:?}")
}

/// Edits the Application, and waits until its Environment says Reconciling: how long that took.
async fn until_it_moves(stage: &Stage, level: &str) -> Result<Duration> {
    let before = stage.environment().await?;
    let version = before.resource_version().context("no version")?;
    let environments: Api<Environment> = Api::namespaced(stage.world.client(), &stage.ns);
    let only = WatchParams::default().fields("metadata.name=toy-live");
    let mut states = environments.watch(&only, &version).await?.boxed();
    let applications: Api<Application> = Api::namespaced(stage.world.client(), &stage.ns);
    let patch = json!({"spec": {"variables": [{"name": "LEVEL", "value": level}]}});
    let how = PatchParams::default();
    applications
        .patch("toy", &how, &Patch::Merge(patch))
        .await?;
    let edited = tokio::time::Instant::now();
    let moves = async {
        while let Some(event) = states.try_next().await? {
            let WatchEvent::Modified(state) = event else {
                continue;
            };
            let mut conditions = state.status.into_iter().flat_map(|s| s.conditions);
            if conditions.any(|c| c.type_ == "Reconciling" && c.status == "True") {
                return Ok(edited.elapsed());
            }
        }
        bail!("the watch ended")
    };
    tokio::time::timeout(PATIENCE, moves)
        .await
        .context("it never moves")?
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
