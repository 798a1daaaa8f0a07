//! What an operator at rest is asked for: to start again, to repair, to follow an edit.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, WatchEvent, WatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::mix;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

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

/// Stops so many Services, as fast as the API server takes it; how long it takes until no StatefulSet wants a pod any more.
pub async fn burst(client: &Client, times: usize) -> Result<Burst> {
    let sets = resource("apps", "v1", "StatefulSet", "statefulsets");
    let all: Api<DynamicObject> = Api::all_with(client.clone(), &sets);
    let begun = Instant::now();
    let change = async {
        stream::iter(0..times)
            .map(Ok)
            .try_for_each_concurrent(mix::AT_ONCE, |n| stop(client, n))
            .await?;
        anyhow::Ok(begun.elapsed())
    };
    let mut missing: HashSet<String> = (0..times).map(service).collect();
    let follow = async {
        let followed = |event: &WatchEvent<DynamicObject>| {
            if let WatchEvent::Modified(o) | WatchEvent::Added(o) = event
                && o.data["spec"]["replicas"] == 0
            {
                missing.remove(&o.name_any());
            }
            missing.is_empty()
        };
        follow(&all, followed)
            .await
            .context("not every Service was stopped")?;
        anyhow::Ok(begun.elapsed())
    };
    let (changed, followed) = tokio::try_join!(change, follow)?;
    Ok(Burst {
        changed: times,
        seconds: followed.as_secs_f64(),
        behind: followed.saturating_sub(changed).as_secs_f64(),
    })
}

/// Many who change something at once.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Burst {
    /// How many objects were changed.
    pub changed: usize,
    /// Seconds from the first change until the children of all follow.
    pub seconds: f64,
    /// Seconds from the last change until then.
    pub behind: f64,
}

fn service(set: usize) -> String {
    format!("{}-svc", mix::set(set))
}

async fn stop(client: &Client, set: usize) -> Result<()> {
    let services = resource("roadstead.dev", "v1alpha1", "Service", "managedservices");
    let ns = format!("instance-{}", mix::instance(set));
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &ns, &services);
    let patch = json!({"spec": {"state": "Stopped"}});
    api.patch(
        &service(set),
        &PatchParams::default(),
        &Patch::Merge(&patch),
    )
    .await?;
    Ok(())
}

/// Watches until it is so; where so much happens that the API server drops who is slow, anew from what stands.
async fn follow(
    api: &Api<DynamicObject>,
    mut is: impl FnMut(&WatchEvent<DynamicObject>) -> bool,
) -> Result<()> {
    let watched = async {
        loop {
            let mut events = api.watch(&WatchParams::default(), "0").await?.boxed();
            while let Some(Ok(event)) = events.next().await {
                if is(&event) {
                    return Ok(());
                }
            }
        }
    };
    let watched = tokio::time::timeout(PATIENCE, watched);
    watched.await.context("it never came")?
}

async fn seen(
    events: &mut (impl futures::Stream<Item = kube::Result<WatchEvent<DynamicObject>>> + Unpin),
    mut is: impl FnMut(&WatchEvent<DynamicObject>) -> bool,
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
