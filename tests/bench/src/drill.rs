//! What an operator at rest is asked for: to start again, to repair, to follow an edit.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, WatchEvent, WatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::json;

use crate::mix;

/// How long a single repair may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// Deletes Deployments one by one; how long each is away.
pub async fn repair(client: &Client, sets: usize, times: usize) -> Result<Vec<Duration>> {
    let deployments = resource("apps", "v1", "Deployment", "deployments");
    let mut took = Vec::new();
    for n in (0..sets).cycle().take(times) {
        let ns = format!("instance-{}", mix::instance(n));
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &ns, &deployments);
        let name = format!("{}-env-web", mix::set(n));
        let old = api.get(&name).await?.uid();
        let params = WatchParams::default().fields(&format!("metadata.name={name}"));
        let mut events = api.watch(&params, "0").await?.boxed();
        api.delete(&name, &DeleteParams::background()).await?;
        let begun = Instant::now();
        let back = |event: &WatchEvent<DynamicObject>| matches!(event, WatchEvent::Added(o) if o.uid() != old);
        seen(&mut events, back)
            .await
            .with_context(|| name.clone())?;
        took.push(begun.elapsed());
    }
    Ok(took)
}

/// Edits the quota of Instances one by one; how long it takes until the ResourceQuota says so.
pub async fn edit(client: &Client, sets: usize, times: usize) -> Result<Vec<Duration>> {
    let quotas = resource("", "v1", "ResourceQuota", "resourcequotas");
    let instances = resource("roadstead.dev", "v1alpha1", "Instance", "instances");
    let instances: Api<DynamicObject> = Api::all_with(client.clone(), &instances);
    let mut took = Vec::new();
    for n in 0..times {
        let name = mix::instance((n * mix::SHARE) % sets);
        let ns = format!("instance-{name}");
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &ns, &quotas);
        let mut events = api.watch(&WatchParams::default(), "0").await?.boxed();
        let pods = (200 + n).to_string();
        let patch = json!({"spec": {"quota": {"pods": pods}}});
        let begun = Instant::now();
        instances
            .patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
            .await?;
        let follows = |event: &WatchEvent<DynamicObject>| match event {
            WatchEvent::Added(o) | WatchEvent::Modified(o) => {
                o.data["spec"]["hard"]["pods"] == pods
            }
            _ => false,
        };
        seen(&mut events, follows).await.context(ns)?;
        took.push(begun.elapsed());
    }
    Ok(took)
}

async fn seen(
    events: &mut (impl futures::Stream<Item = kube::Result<WatchEvent<DynamicObject>>> + Unpin),
    is: impl Fn(&WatchEvent<DynamicObject>) -> bool,
) -> Result<()> {
    let waited = tokio::time::timeout(PATIENCE, async {
        while let Some(event) = events.next().await {
            if is(&event?) {
                return Ok(());
            }
        }
        bail!("the watch ended")
    });
    waited.await.context("it never came")?
}
