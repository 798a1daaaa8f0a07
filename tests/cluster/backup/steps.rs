//! What can be seen of a Backup or a Restore on its way.

use std::collections::BTreeSet;

use anyhow::Result;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde_json::Value;

/// In what a Backup or a Restore leaves its traces: group, version, kind, plural.
const TRACES: [(&str, &str, &str, &str); 8] = [
    ("", "v1", "Secret", "secrets"),
    ("", "v1", "Pod", "pods"),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("apps", "v1", "StatefulSet", "statefulsets"),
    ("batch", "v1", "Job", "jobs"),
    (
        "snapshot.storage.k8s.io",
        "v1",
        "VolumeSnapshot",
        "volumesnapshots",
    ),
    (
        "groupsnapshot.storage.k8s.io",
        "v1",
        "VolumeGroupSnapshot",
        "volumegroupsnapshots",
    ),
    ("roadstead.dev", "v1alpha1", "Backup", "databackups"),
];

/// The annotations that tell of progress.
const NOTES: [&str; 5] = ["ended", "held", "apart", "safe", "finished-at"];

/// What stands in a namespace now, as short sentences of which each is a step.
pub async fn steps(client: &Client, ns: &str) -> Result<BTreeSet<String>> {
    let mut steps = BTreeSet::new();
    for (group, version, kind, plural) in TRACES {
        let resource = ApiResource {
            group: group.into(),
            version: version.into(),
            api_version: match group {
                "" => version.into(),
                group => format!("{group}/{version}"),
            },
            kind: kind.into(),
            plural: plural.into(),
        };
        let all = Api::<DynamicObject>::namespaced_with(client.clone(), ns, &resource);
        for object in all.list(&ListParams::default()).await? {
            let name = format!("{kind} {}", object.name_any());
            steps.extend(
                facts(&object)
                    .into_iter()
                    .map(|fact| format!("{name} {fact}")),
            );
            // Pods have names of their own each time: what they come to is what counts.
            if kind != "Pod" {
                steps.insert(name);
            }
        }
    }
    Ok(steps)
}

/// What is to be told of an object.
fn facts(object: &DynamicObject) -> Vec<String> {
    let mut facts: Vec<String> = NOTES
        .iter()
        .filter_map(|note| {
            let said = object.annotations().get(&format!("roadstead.dev/{note}"))?;
            let empty = matches!(said.as_str(), "" | "{}");
            (!empty).then(|| format!("says {note}"))
        })
        .collect();
    let mut marks = object.labels().keys();
    if marks.any(|key| key.starts_with("roadstead.dev/group-")) {
        facts.push("is marked".to_owned());
    }
    let at = |pointer: &str| object.data.pointer(pointer).filter(|v| !v.is_null());
    let conditions = at("/status/conditions").and_then(Value::as_array);
    let mut conditions = conditions.into_iter().flatten();
    if conditions.any(|c| c["type"] == "Ready" && c["status"] == "True") {
        facts.push("is ready".to_owned());
    }
    if at("/status/creationTime").is_some() {
        facts.push("is taken".to_owned());
    }
    if at("/status/readyToUse") == Some(&Value::Bool(true)) {
        facts.push("can be used".to_owned());
    }
    if let Some(replicas) = at("/spec/replicas") {
        facts.push(format!("wants {replicas}"));
    }
    facts
}
