//! Waits until all of the example is ready, and says what it waits for.

use std::time::Duration;

use anyhow::{Result, bail};
use devcluster::{Cluster, progress::Progress};
use futures::{StreamExt, stream};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::watcher,
};
use serde_json::Value;

/// How long the example may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(600);

/// What must be ready.
const WHAT: [(&str, &str, &str); 7] = [
    ("Instance", "instances", "acme"),
    ("Service", "managedservices", "shop-test-db"),
    ("Service", "managedservices", "shop-live-db"),
    ("Application", "applications", "shop"),
    ("Environment", "environments", "shop-test"),
    ("Environment", "environments", "shop-live"),
    ("Cronjob", "appcronjobs", "nightly"),
];

/// Waits until all of the example is ready.
pub async fn until_ready(cluster: &Cluster) -> Result<()> {
    let progress = Progress::begin("Waiting until the shop is open");
    let mut changes = stream::select_all(WHAT.iter().enumerate().map(|(i, what)| {
        watcher::watch_object(api(cluster, what), what.2)
            .map(move |seen| (i, seen))
            .boxed()
    }));
    let mut said: Vec<String> = vec!["not seen yet".to_owned(); WHAT.len()];
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let Ok(Some((i, seen))) = tokio::time::timeout_at(deadline, changes.next()).await else {
            bail!(
                "the shop is not open after {PATIENCE:?}:\n{}",
                waiting(&said).join("\n")
            );
        };
        // A watch that failed is begun anew: what was said last still holds.
        let Ok(object) = seen else { continue };
        said[i] = object.map_or_else(|| "not seen yet".to_owned(), |o| state(&o));
        match waiting(&said).first() {
            Some(line) => progress.at(line.clone()),
            None => {
                progress.done();
                return Ok(());
            }
        }
    }
}

/// Waits until the Instance of an earlier run, where that is being deleted, is gone; applied before, the example would go with it.
pub async fn until_gone(cluster: &Cluster) -> Result<()> {
    let (api, name) = (api(cluster, &WHAT[0]), WHAT[0].2);
    let goes = |object: &DynamicObject| object.metadata.deletion_timestamp.is_some();
    let Some(object) = api.get_opt(name).await?.filter(goes) else {
        return Ok(());
    };
    let progress = Progress::begin(format!(
        "Waiting until the Instance {name} of before is gone"
    ));
    let mut said = String::new();
    let mut seen = Some(object);
    let mut changes = std::pin::pin!(watcher::watch_object(api, name));
    while let Some(object) = seen {
        let fix = object.data.pointer("/status/blockers/0/fix");
        let fix = fix.and_then(Value::as_str).unwrap_or_default();
        if !fix.is_empty() && fix != said {
            fix.clone_into(&mut said);
            eprintln!("  it waits for you. {said}");
        }
        // A watch that failed is begun anew: what was said last still holds.
        seen = match changes.next().await {
            Some(Ok(now)) => now,
            Some(Err(_)) => Some(object),
            None => None,
        };
    }
    progress.done();
    Ok(())
}

fn api(cluster: &Cluster, (kind, plural, _): &(&str, &str, &str)) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("roadstead.dev", "v1alpha1", kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, plural);
    if *plural == "instances" {
        return Api::all_with(cluster.client(), &resource);
    }
    Api::namespaced_with(cluster.client(), "instance-acme", &resource)
}

fn waiting(said: &[String]) -> Vec<String> {
    let all = WHAT.iter().zip(said).filter(|(_, s)| *s != READY);
    all.map(|((kind, _, name), s)| format!("{kind} {name}: {s}"))
        .collect()
}

const READY: &str = "Ready";

/// What an object says of itself: `Ready`, or why it is not, of this generation.
fn state(object: &DynamicObject) -> String {
    let conditions = object
        .data
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let Some(ready) = conditions
        .into_iter()
        .flatten()
        .find(|c| c["type"] == READY)
    else {
        return "not seen yet".to_owned();
    };
    if ready["observedGeneration"].as_i64() != object.metadata.generation {
        return "has changed".to_owned();
    }
    match ready["status"].as_str() {
        Some("True") => READY.to_owned(),
        _ => ready["message"].as_str().unwrap_or_default().to_owned(),
    }
}
