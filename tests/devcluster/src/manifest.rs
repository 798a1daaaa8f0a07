//! Manifests, applied without a kubectl.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kube::{
    Client,
    api::{Api, DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
    discovery::{self, Scope},
};

/// How long a kind that was just defined may take to be served, or a right to be known.
const PATIENCE: Duration = Duration::from_secs(60);

/// The objects of a text with one or more documents.
pub fn objects(yaml: &str) -> Result<Vec<DynamicObject>> {
    serde_saphyr::from_multiple(yaml).context("this is no manifest")
}

/// Server-side apply of all objects of a text, each in its own namespace or in this one.
pub async fn apply(client: &Client, yaml: &str, ns: Option<&str>) -> Result<()> {
    for object in objects(yaml)? {
        apply_object(client, &object, ns).await?;
    }
    Ok(())
}

/// Server-side apply of an object. What is refused is tried again for a while: its kind may be new.
pub async fn apply_object(client: &Client, object: &DynamicObject, ns: Option<&str>) -> Result<()> {
    let name = object.metadata.name.as_deref().context("no name")?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match try_apply(client, object, name, ns).await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => {
                return Err(error.context(format!("cannot apply {name}")));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn try_apply(
    client: &Client,
    object: &DynamicObject,
    name: &str,
    ns: Option<&str>,
) -> Result<()> {
    let types = object.types.as_ref().context("an object without a kind")?;
    let kind = GroupVersionKind::try_from(types)?;
    let (resource, abilities) = discovery::pinned_kind(client, &kind).await?;
    let ns = object.metadata.namespace.as_deref().or(ns);
    let api: Api<DynamicObject> = match (abilities.scope, ns) {
        (Scope::Namespaced, Some(ns)) => Api::namespaced_with(client.clone(), ns, &resource),
        _ => Api::all_with(client.clone(), &resource),
    };
    let params = PatchParams::apply("devcluster").force();
    api.patch(name, &params, &Patch::Apply(object)).await?;
    Ok(())
}
