//! A case: a world, the time, and the object that is planned in it.

use std::{fs, path::Path};

use jiff::Timestamp;
use k8s_openapi::ByteString;
use roadstead::{
    kinds::{Entry, KINDS},
    plan::{Id, Plan},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_128;

use super::world;

/// The group's label that says whom an object was made for.
const OWNER: &str = "roadstead.dev/owner";

/// What a `.seen.yaml` says.
pub struct Case {
    /// The time.
    pub now: Timestamp,
    /// The object that is planned.
    pub id: Id,
    /// How many passes it takes until nothing changes.
    pub passes: usize,
    /// Everything that is there.
    pub world: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    story: String,
    now: Timestamp,
    object: String,
    #[serde(default = "once")]
    passes: usize,
    #[serde(default)]
    given: Option<String>,
    #[serde(default)]
    world: Vec<Value>,
}

fn once() -> usize {
    1
}

impl Case {
    /// Reads a case and fills in what the server would.
    pub fn parse(text: &str, path: &Path) -> Result<Self, String> {
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(text).map_err(|error| error.to_string())?;
        let mut documents = documents.into_iter();
        let head = documents.next().ok_or("it is empty")?;
        let head: Head = serde_json::from_value(head).map_err(|error| error.to_string())?;
        if head.story.split_whitespace().count() < 4 || !head.story.trim_end().ends_with('.') {
            return Err("its story is no sentence".into());
        }
        let own: Vec<Value> = head.world.into_iter().chain(documents).collect();
        let mut world = match &head.given {
            Some(name) => given(&path.with_file_name(name))?,
            None => Vec::new(),
        };
        for object in &own {
            let id = id(object)?;
            world.retain(|other| self::id(other).is_ok_and(|other| other != id));
        }
        world.extend(own);
        let world = filled(world, head.now)?;
        let id = named(&world, &head.object)?;
        Ok(Self {
            now: head.now,
            id,
            passes: head.passes,
            world,
        })
    }

    /// What is decided in it.
    pub fn plan(&self) -> Plan {
        world::plan(&self.world, &self.id, self.now)
    }
}

/// The objects that several cases share.
fn given(path: &Path) -> Result<Vec<Value>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_saphyr::from_multiple(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The kind of an object.
pub fn entry(object: &Value) -> Result<&'static Entry, String> {
    let (version, kind) = (&object["apiVersion"], &object["kind"]);
    let mut kinds = KINDS.iter();
    kinds
        .find(|entry| *kind == entry.kind && *version == entry.api_version())
        .ok_or_else(|| format!("nothing is known of {version} {kind}"))
}

/// Which object it is.
pub fn id(object: &Value) -> Result<Id, String> {
    let entry = entry(object)?;
    let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
    if entry.namespaced == text("namespace").is_empty() {
        return Err(format!("{} {}: namespace", entry.kind, text("name")));
    }
    Ok(Id::new(entry.of, text("namespace"), text("name")))
}

/// The UID that an object is given: the same in every run.
pub fn uid(id: &Id) -> String {
    let hash = format!("{:032x}", xxh3_128(id.to_string().as_bytes()));
    let part = |from: usize, to: usize| hash.get(from..to).unwrap_or_default();
    let (a, b, c, d, e) = (
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    );
    format!("{a}-{b}-{c}-{d}-{e}")
}

fn named(world: &[Value], name: &str) -> Result<Id, String> {
    let (kind, name) = name.split_once('/').ok_or("object: is Kind/name")?;
    let matches = |object: &&Value| {
        let ours = object["apiVersion"] == "roadstead.dev/v1alpha1" && object["kind"] == kind;
        let theirs = object["kind"] == kind;
        let planned = entry(object).is_ok_and(|entry| entry.plan.is_some());
        (ours || theirs) && planned && object["metadata"]["name"] == name
    };
    let mut found = world.iter().filter(matches);
    match (found.next(), found.next()) {
        (Some(object), None) => id(object),
        (None, _) => Err(format!("{kind}/{name} is not in the world")),
        _ => Err(format!("{kind}/{name} is there twice")),
    }
}

fn filled(mut world: Vec<Value>, now: Timestamp) -> Result<Vec<Value>, String> {
    for object in &mut world {
        world::encode(object);
        let uid = uid(&id(object)?);
        encode(object);
        let meta = object["metadata"].as_object_mut().ok_or("no metadata")?;
        let mut fill = |key: &str, value: Value| {
            meta.entry(key).or_insert(value);
        };
        fill("uid", uid.into());
        fill("resourceVersion", "100".into());
        fill("generation", 1.into());
        fill(
            "creationTimestamp",
            (now - jiff::SignedDuration::from_hours(24))
                .to_string()
                .into(),
        );
    }
    let known = world.clone();
    for object in &mut world {
        adopt(object, &known)?;
    }
    Ok(world)
}

/// A Secret's `stringData` becomes `data`, as on the server.
fn encode(object: &mut Value) {
    let Some(Value::Object(texts)) = object.as_object_mut().and_then(|o| o.remove("stringData"))
    else {
        return;
    };
    let bytes = |text: &Value| ByteString(text.as_str().unwrap_or_default().as_bytes().to_vec());
    let data: Map<String, Value> = texts
        .iter()
        .map(|(key, text)| (key.clone(), json!(bytes(text))))
        .collect();
    merge(object, &json!({ "data": data }));
}

/// `roadstead.dev/owner: Kind/name` becomes that object's UID, with an owner reference to it unless the object is data, a pod, or
/// says otherwise.
fn adopt(object: &mut Value, world: &[Value]) -> Result<(), String> {
    let Some(name) = object["metadata"]["labels"][OWNER]
        .as_str()
        .map(str::to_owned)
    else {
        return Ok(());
    };
    if !name.contains('/') {
        return Ok(());
    }
    let owner = named(world, &name)?;
    let entry = owner.of.entry();
    let stored = world.iter().find(|o| id(o).is_ok_and(|id| id == owner));
    let uid = stored
        .map(|o| o["metadata"]["uid"].clone())
        .unwrap_or_default();
    let alone = matches!(
        object["kind"].as_str(),
        Some("Pod" | "PersistentVolumeClaim")
    );
    let meta = object["metadata"].as_object_mut().ok_or("no metadata")?;
    if let Some(labels) = meta.get_mut("labels").and_then(Value::as_object_mut) {
        labels.insert(OWNER.into(), uid.clone());
    }
    if !alone && !meta.contains_key("ownerReferences") {
        let reference = json!([{"apiVersion": entry.api_version(), "kind": entry.kind, "name": &*owner.name, "uid": uid, "controller": true}]);
        meta.insert("ownerReferences".into(), reference);
    }
    Ok(())
}

/// Lays a JSON merge patch over a value.
pub fn merge(base: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *base = patch.clone();
        return;
    };
    if !base.is_object() {
        *base = Value::Object(Map::new());
    }
    let Value::Object(base) = base else { return };
    for (key, value) in patch {
        if value.is_null() {
            base.remove(key);
        } else {
            merge(base.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
