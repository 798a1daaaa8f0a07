//! What stands there that an operator has made.

use anyhow::Result;
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams},
    core::{ApiResource, GroupVersionKind},
};

/// Every kind of child that the mix leads to, with its plural.
const KINDS: [(&str, &str, &str, &str); 9] = [
    ("", "v1", "Secret", "secrets"),
    ("", "v1", "Service", "services"),
    ("", "v1", "ResourceQuota", "resourcequotas"),
    ("apps", "v1", "Deployment", "deployments"),
    ("apps", "v1", "StatefulSet", "statefulsets"),
    ("batch", "v1", "CronJob", "cronjobs"),
    (
        "networking.k8s.io",
        "v1",
        "NetworkPolicy",
        "networkpolicies",
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "RoleBinding",
        "rolebindings",
    ),
    ("roadstead.dev", "v1alpha1", "Release", "releases"),
];

/// How many objects an object of ours controls.
pub async fn count(client: &Client) -> Result<usize> {
    let mut count = 0;
    for (group, version, kind, plural) in KINDS {
        let kind = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        let all: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let all = all.list(&ListParams::default()).await?;
        count += all.iter().filter(|object| is_child(object)).count();
    }
    Ok(count)
}

fn is_child(object: &DynamicObject) -> bool {
    let owners = object.metadata.owner_references.iter().flatten();
    owners
        .filter(|owner| owner.controller == Some(true))
        .any(|owner| owner.api_version.starts_with("roadstead.dev/"))
}
