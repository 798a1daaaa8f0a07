//! The state of an Instance and of all in it, a line for each value, without what differs from run to run: UIDs, times, secrets and the like.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::Timestamp;
use kube::{
    Client, ResourceExt,
    api::{Api, DynamicObject, ListParams},
};
use roadstead::{
    api::APPLIED,
    kinds::{KINDS, Of},
};
use serde_json::{Map, Value, json};

use crate::story::resource;

/// Values that are made from UIDs, random secrets or addresses.
const VARYING: [&str; 8] = [
    APPLIED,
    "roadstead.dev/services",
    "clusterIP",
    "clusterIPs",
    "controller-revision-hash",
    "pod-template-hash",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
];

/// The owner of what has lost its owner.
pub const ORPHAN: &str = "nobody at all";

/// UIDs and names that Kubernetes makes up, and what they are called.
type Called = BTreeMap<String, String>;

/// The state of the Instance of this name.
pub async fn of(client: &Client, name: &str) -> Result<String> {
    let ns = format!("instance-{name}");
    let mut objects = Vec::new();
    for entry in KINDS {
        let api: Api<DynamicObject> = match entry.namespaced {
            true => Api::namespaced_with(client.clone(), &ns, &resource(entry.of)),
            false => Api::all_with(client.clone(), &resource(entry.of)),
        };
        let list = match api.list(&ListParams::default()).await {
            // This cluster takes no snapshots of volumes.
            Err(kube::Error::Api(said)) if said.code == 404 => continue,
            list => list?.items,
        };
        let mine = |object: &DynamicObject| {
            entry.namespaced || [name, ns.as_str()].contains(&object.name_any().as_str())
        };
        objects.extend(list.into_iter().filter(mine).map(|o| (entry.of, o)));
    }
    let uids = objects
        .iter()
        .filter_map(|(of, o)| Some((o.uid()?, format!("{}/{}", of.entry().kind, o.name_any()))));
    let pods = objects.iter().filter(|(of, _)| *of == Of::Pod);
    let pods = pods.map(|(of, pod)| (pod.name_any(), word(*of, pod)));
    let called: Called = uids.chain(pods).collect();
    let mut lines = Vec::new();
    for (of, object) in &objects {
        let path = format!("{} {}", of.entry().kind, plain(&word(*of, object), &called));
        leaves(&path, &body(*of, object, &called), &called, &mut lines);
    }
    lines.sort();
    Ok(lines.join("\n").replace(name, "NAME"))
}

/// The lines that one text has and the other has not.
pub fn difference(wanted: &str, got: &str) -> String {
    let only = |a: &str, b: &str, mark: &str| -> Vec<String> {
        let other: Vec<&str> = b.lines().collect();
        let lines = a.lines().filter(|line| !other.contains(line));
        lines.map(|line| format!("{mark} {line}")).collect()
    };
    [only(wanted, got, "-"), only(got, wanted, "+")]
        .concat()
        .join("\n")
}

/// What an object is called. The names of pods are partly made up by Kubernetes.
fn word(of: Of, object: &DynamicObject) -> String {
    let name = object.name_any();
    match (of, object.metadata.generate_name.as_deref()) {
        (Of::Pod, Some(prefix)) => {
            let hash = object.labels().get("pod-template-hash");
            let hash = hash.map(|hash| format!("{hash}-")).unwrap_or_default();
            prefix.trim_end_matches(&hash).to_owned()
        }
        _ => name,
    }
}

/// What of an object is the same in every run.
fn body(of: Of, object: &DynamicObject, called: &Called) -> Value {
    let meta = &object.metadata;
    let mut annotations = meta.annotations.clone().unwrap_or_default();
    annotations.retain(|key, _| key.starts_with("roadstead.dev/"));
    let owners = meta.owner_references.iter().flatten();
    let owners: Vec<&str> = owners
        .map(|owner| called.get(&owner.uid).map_or(ORPHAN, String::as_str))
        .collect();
    let mut body = json!({
        "labels": meta.labels, "annotations": annotations, "finalizers": meta.finalizers,
        "deleted": meta.deletion_timestamp.is_some(),
    });
    // A ReplicaSet is none of what is looked at.
    if of != Of::Pod {
        body["owners"] = json!(owners);
    }
    for (key, value) in object.data.as_object().into_iter().flatten() {
        body[key] = match (of, key.as_str()) {
            (Of::Secret, "data") => lengths(value),
            (Of::Pod, "status") => value["phase"].clone(),
            (Of::Pod, _) => continue,
            (_, "status") if of.entry().plan.is_none() => continue,
            _ => value.clone(),
        };
    }
    body
}

/// Of secrets, how long they are.
fn lengths(data: &Value) -> Value {
    let data = data.as_object().into_iter().flatten();
    let lengths = data.map(|(k, v)| (k.clone(), json!(v.as_str().unwrap_or_default().len())));
    Value::Object(lengths.collect::<Map<_, _>>())
}

/// A line for each value, with names for UIDs and a word for times.
fn leaves(path: &str, value: &Value, called: &Called, lines: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(k, _)| !VARYING.contains(&k.as_str()));
            for (key, value) in kept {
                leaves(&format!("{path} {key}"), value, called, lines);
            }
        }
        Value::Array(list) => {
            for (n, value) in list.iter().enumerate() {
                leaves(&format!("{path} {n}"), value, called, lines);
            }
        }
        Value::String(text) => lines.push(format!("{path} = {}", plain(text, called))),
        Value::Null => {}
        other => lines.push(format!("{path} = {other}")),
    }
}

fn plain(text: &str, called: &Called) -> String {
    let mut text = text.to_owned();
    for (uid, name) in called {
        text = text.replace(uid, name);
    }
    timeless(&hashless(&text))
}

/// The text with a word for each part of a name that is a hash, of a UID as it may be.
fn hashless(text: &str) -> String {
    let is_hash = |part: &&str| part.len() == 8 && part.bytes().all(|b| b.is_ascii_hexdigit());
    let parts = text.split('-');
    let parts = parts.map(|part| if is_hash(&part) { "HASH" } else { part });
    parts.collect::<Vec<_>>().join("-")
}

/// The text with a word for each time in it.
fn timeless(text: &str) -> String {
    let whole = text.parse::<Timestamp>().is_ok();
    if whole {
        return "TIME".to_owned();
    }
    let mut rest = text;
    let mut plain = String::new();
    while let Some(first) = rest.chars().next() {
        match rest.get(..20).filter(|t| t.parse::<Timestamp>().is_ok()) {
            Some(time) => {
                plain.push_str("TIME");
                rest = rest.strip_prefix(time).unwrap_or_default();
            }
            None => {
                plain.push(first);
                rest = rest.strip_prefix(first).unwrap_or_default();
            }
        }
    }
    plain
}
