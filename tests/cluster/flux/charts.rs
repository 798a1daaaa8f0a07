//! The operator and its catalogue as rendered charts: Flux takes them over from Helm, and gives them back.

use anyhow::{Context, Result, ensure};
use devcluster::{flux::NAMESPACE, product};
use serde_json::Value;

use super::{Files, Flux};
use crate::world::World;

/// What of the charts would be written if anybody had something to write.
const ALL: &str = "crd,serviceclasses.roadstead.dev,validatingadmissionpolicies,clusterroles";

/// What Helm has installed stands in Git as both charts render it, and from then on Flux keeps it. Nothing of it is different for that:
/// the same operators go on. Given up again, all stays, and Helm is the one who declares it.
pub async fn flux_takes_over_what_helm_installed_and_gives_it_back(world: World) -> Result<()> {
    let flux = Flux::begin(&world, "charts").await?;
    let mut files = Files::new();
    for chart in ["roadstead", "roadstead-catalogue"] {
        files.insert(
            format!("rendered/{chart}.yaml"),
            rendered(&world, chart).await?,
        );
    }
    let before = operators(&world).await?;
    let revision = flux.commit(&files).await?;
    flux.follow("./rendered").await?;
    flux.says("True", &revision).await?;
    flux.finds_nothing_to_do(ALL).await?;
    let classes =
        "get serviceclasses.roadstead.dev -o name -l kustomize.toolkit.fluxcd.io/name=charts";
    let classes = world.kubectl(classes).await?;
    ensure!(classes.contains("/postgres"), "Flux keeps {classes}");
    let after = operators(&world).await?;
    ensure!(after == before, "was {before}\nis {after}");

    let what = flux.what();
    let orphan = format!("kubectl patch {what} -n {NAMESPACE} --type=merge -p");
    let mut orphan: Vec<&str> = orphan.split(' ').collect();
    orphan.push(r#"{"spec":{"deletionPolicy":"Orphan"}}"#);
    world.run(&orphan, None).await?.ok("orphan")?;
    let delete = format!("delete {what} -n {NAMESPACE} --timeout=60s");
    world.kubectl(&delete).await?;
    given_back(&world, &files).await?;
    let after = operators(&world).await?;
    ensure!(after == before, "was {before}\nis {after}");
    Ok(())
}

/// A chart as a pipeline renders it for Git, with the values of the release that is there.
async fn rendered(world: &World, chart: &str) -> Result<String> {
    let root = env!("CARGO_MANIFEST_DIR");
    let ns = product::NAMESPACE;
    let values = format!("get values {chart} -n {ns} -o yaml");
    let values = world.program("helm", &values).await?;
    let version = world.kubectl("version -o json").await?;
    let version: Value = serde_json::from_str(&version)?;
    let version = version["serverVersion"]["gitVersion"].as_str();
    let version = version.context("a server without a version")?;
    let words = format!(
        "helm template {chart} {root}/charts/{chart} -n {ns} --kube-version {version} --skip-tests --values -"
    );
    let words: Vec<&str> = words.split(' ').collect();
    world.run(&words, Some(&values)).await?.ok("template")
}

/// The operators that run, and how often what they are has changed.
async fn operators(world: &World) -> Result<String> {
    let labels = "-l app.kubernetes.io/name=roadstead";
    let columns = "UID:.metadata.uid,GENERATION:.metadata.generation";
    let words = format!(
        "get deployments,pods -n {} {labels} --no-headers -o custom-columns={columns}",
        product::NAMESPACE
    );
    world.kubectl(&words).await
}

/// Flux no longer counts as one who declares any of it, so that whoever upgrades next meets no conflict.
async fn given_back(world: &World, files: &Files) -> Result<()> {
    let all: Vec<&str> = files.values().map(String::as_str).collect();
    let words = "kubectl get -f - -o json --show-managed-fields";
    let words: Vec<&str> = words.split(' ').collect();
    let list = world.run(&words, Some(&all.join("\n---\n"))).await?;
    let mut list: Value = serde_json::from_str(&list.ok("get")?)?;
    for object in list["items"].as_array_mut().context("no list")? {
        let meta = object["metadata"].as_object_mut().context("no metadata")?;
        if let Some(entries) = meta["managedFields"].as_array_mut() {
            entries.retain(|entry| entry["manager"] != "kustomize-controller");
        }
        if let Some(labels) = meta["labels"].as_object_mut() {
            labels.retain(|label, _| !label.starts_with("kustomize.toolkit.fluxcd.io/"));
        }
    }
    let words = ["kubectl", "replace", "-f", "-"];
    let list = list.to_string();
    world.run(&words, Some(&list)).await?.ok("give back")?;
    Ok(())
}
