//! The shop of the examples, kept by Flux: from its first day to its last.

use anyhow::{Context, Result, ensure};
use devcluster::flux::NAMESPACE;
use serde_json::Value;

use super::{Files, Flux, folder, with};
use crate::world::World;

const NS: &str = "instance-acme";
const APPLICATION: &str = "deploy/examples/shop/10-application.yaml";
const LIST: &str = "deploy/examples/shop/kustomization.yaml";
/// What is ours, and what we make of it.
const ALL: &str = "rapp,renv,rel,msvc,acj,deployments,statefulsets,jobs,cronjobs.batch,services,secrets,networkpolicies";

/// Flux says that the shop is ready when it is, and not before: a release that fails holds it up, and what Git then says runs when it is
/// said. What was changed by hand is put right; where nothing changes, nobody writes. What Git drops goes as far as our rules let it,
/// and Flux says what holds the rest.
///
/// proves: CH-071, CH-072, CH-075, DV-235
pub async fn flux_is_ready_when_the_shop_is(world: World) -> Result<()> {
    let flux = Flux::begin(&world, "shop").await?;
    let files = folder("deploy/examples")?;
    let fails = "value: info\n    - name: FAIL_MIGRATION\n      value: \"1\"";
    let revision = flux
        .commit(&with(&files, APPLICATION, "value: info", fails)?)
        .await?;
    flux.follow("./deploy/examples/shop").await?;
    let (reason, message) = flux.says("False", &revision).await?;
    ensure!(reason == "HealthCheckFailed", "{reason}: {message}");
    ensure!(message.contains("/instance-acme/shop"), "{message}");

    synced(&flux, &files).await?;
    let debug = with(&files, APPLICATION, "value: info", "value: debug")?;
    let before = releases(&world).await?;
    synced(&flux, &debug).await?;
    let after = releases(&world).await?;
    let next: Vec<i64> = before.iter().map(|number| number + 1).collect();
    ensure!(after == next, "{before:?}, then {after:?}");

    what_is_changed_by_hand_is_put_right(&flux).await?;
    flux.finds_nothing_to_do(&format!("{ALL} -n {NS}")).await?;
    what_git_drops_goes(&flux, &debug).await?;
    the_rest_goes_with_its_kustomization(&flux).await
}

/// Flux says that it is ready, and at this moment everything is.
async fn synced(flux: &Flux<'_>, files: &Files) -> Result<()> {
    let revision = flux.commit(files).await?;
    flux.says("True", &revision).await?;
    let words = format!("get rapp,renv,msvc,acj -n {NS} -o json --show-managed-fields");
    let list: Value = serde_json::from_str(&flux.world.kubectl(&words).await?)?;
    for object in list["items"].as_array().context("no list")? {
        let name = &object["metadata"]["name"];
        let conditions = object["status"]["conditions"].as_array();
        let ready = conditions.into_iter().flatten();
        let ready = ready.clone().find(|c| c["type"] == "Ready");
        let ready = ready.with_context(|| format!("{name} says nothing"))?;
        ensure!(ready["status"] == "True", "{name}: {ready}");
        let generation = &object["metadata"]["generation"];
        ensure!(&ready["observedGeneration"] == generation, "{name}");
        let managers = of_the_spec(object);
        ensure!(managers == ["kustomize-controller"], "{name}: {managers:?}");
    }
    Ok(())
}

/// Who manages anything that Git can say.
fn of_the_spec(object: &Value) -> Vec<&str> {
    let entries = object["metadata"]["managedFields"].as_array();
    let entries = entries.into_iter().flatten();
    let specs = entries.filter(|e| !e["fieldsV1"]["f:spec"].is_null());
    specs.filter_map(|e| e["manager"].as_str()).collect()
}

/// The number of the release that each Environment serves with.
async fn releases(world: &World) -> Result<Vec<i64>> {
    let words = format!("get renv -n {NS} -o jsonpath={{.items[*].status.currentRelease}}");
    let numbers = world.kubectl(&words).await?;
    let numbers = numbers.split_whitespace().map(str::parse);
    numbers
        .collect::<Result<_, _>>()
        .context("an Environment serves with no release")
}

async fn what_is_changed_by_hand_is_put_right(flux: &Flux<'_>) -> Result<()> {
    let world = flux.world;
    let words = format!("kubectl patch renv shop-live -n {NS} --type=merge -p");
    let mut words: Vec<&str> = words.split(' ').collect();
    words.push(r#"{"spec":{"containers":[{"name":"web","replicas":3}]}}"#);
    world.run(&words, None).await?.ok("patch")?;
    flux.once_more("by-hand").await?;
    let replicas = "/spec/containers/0/replicas";
    let replicas = world.at("renv/shop-live", NS, replicas).await?;
    ensure!(replicas == 2, "{replicas} replicas");
    let words = format!("get renv/shop-live -n {NS} -o json --show-managed-fields");
    let object: Value = serde_json::from_str(&world.kubectl(&words).await?)?;
    let managers = of_the_spec(&object);
    ensure!(managers == ["kustomize-controller"], "{managers:?}");
    Ok(())
}

/// An Environment that is no longer in Git goes at once. Its database runs, and a Service that runs is not deleted: Flux says so, and
/// takes it once it is stopped. Its data stays.
async fn what_git_drops_goes(flux: &Flux<'_>, files: &Files) -> Result<()> {
    let world = flux.world;
    let mut files = with(files, LIST, "  - 20-test.yaml\n", "")?;
    files.retain(|path, _| !path.ends_with("20-test.yaml"));
    let revision = flux.commit(&files).await?;
    let (reason, message) = flux.says("False", &revision).await?;
    ensure!(reason == "PruneFailed", "{reason}: {message}");
    ensure!(message.contains("Service shop-test-db"), "{message}");
    let state = world.at("msvc/shop-test-db", NS, "/status/state").await?;
    ensure!(state == "running", "it is {state}");
    let gone = format!("wait renv/shop-test -n {NS} --for=delete --timeout=60s");
    world.kubectl(&gone).await?;

    let patch = r#"{"spec":{"state":"Stopped"}}"#;
    let words = format!("kubectl -n {NS} patch msvc shop-test-db --type=merge -p {patch}");
    let words: Vec<&str> = words.split(' ').collect();
    world.run(&words, None).await?.ok("stop")?;
    world
        .until("the database is stopped", || async {
            let state = world.at("msvc/shop-test-db", NS, "/status/state").await?;
            Ok((state == "stopped").then_some(()))
        })
        .await?;
    flux.once_more("stopped").await?;
    flux.says("True", &revision).await?;
    let gone = format!("wait msvc/shop-test-db -n {NS} --for=delete --timeout=60s");
    world.kubectl(&gone).await?;
    let kept = world.kubectl(&format!("get pvc -n {NS} -o name")).await?;
    ensure!(kept.contains("shop-test-db"), "its data went: {kept}");
    Ok(())
}

/// A Kustomization that is deleted takes all that it brought. Data goes only once somebody says so; then nothing is left.
async fn the_rest_goes_with_its_kustomization(flux: &Flux<'_>) -> Result<()> {
    let (world, what) = (flux.world, flux.what());
    let delete = format!("delete {what} -n {NAMESPACE} --wait=false");
    world.kubectl(&delete).await?;
    world
        .until("the Instance asks for a word", || async {
            let blockers = world.at("rinst/acme", NS, "/status/blockers").await?;
            Ok(blockers
                .to_string()
                .contains("roadstead.dev/confirm-delete=acme")
                .then_some(()))
        })
        .await?;
    ensure!(world.get(&what, NAMESPACE).await?.is_some(), "it is gone");
    let live = world.at("msvc/shop-live-db", NS, "/metadata").await?;
    ensure!(live["deletionTimestamp"].is_null(), "{live}");
    world
        .kubectl("annotate rinst acme roadstead.dev/confirm-delete=acme")
        .await?;
    let gone = format!("wait {what} -n {NAMESPACE} --for=delete --timeout=180s");
    world.kubectl(&gone).await?;
    let gone = format!("wait ns/{NS} --for=delete --timeout=180s");
    world.kubectl(&gone).await.map(drop)
}
