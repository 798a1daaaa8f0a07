//! The world of a case: kept as it is in production, and changed by a plan as an API server would.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use k8s_openapi::ByteString;
use roadstead::{
    api,
    kinds::Of,
    plan::{Fill, Id, Kept, Part, Plan, Seen, Step, World},
};
use serde_json::{Map, Value, json};

use super::case;

/// What is decided for an object in a world.
pub fn plan(world: &[Value], id: &Id, now: Timestamp) -> Plan {
    let stores = Stores::of(world);
    let me = stores.get(id).expect("the object is in its world");
    let planner = id.of.entry().plan.expect("the kind is planned");
    planner(&me, &Seen::new(&stores, &me), now)
}

/// One store for all kinds.
struct Stores(BTreeMap<Id, Arc<Kept>>);

impl Stores {
    fn of(world: &[Value]) -> Self {
        let kept = world.iter().map(|object| Arc::new(kept(object)));
        Self(kept.map(|kept| (kept.id.clone(), kept)).collect())
    }

    fn all(&self, which: impl Fn(&Kept) -> bool) -> Vec<Arc<Kept>> {
        self.0
            .values()
            .filter(|kept| which(kept))
            .cloned()
            .collect()
    }
}

impl World for Stores {
    fn get(&self, id: &Id) -> Option<Arc<Kept>> {
        self.0.get(id).cloned()
    }

    fn owned(&self, uid: &str, of: Of) -> Vec<Arc<Kept>> {
        self.all(|kept| kept.id.of == of && kept.owner.as_deref() == Some(uid))
    }

    fn by_key(&self, of: Of, ns: &str, key: &str) -> Vec<Arc<Kept>> {
        let answers = |kept: &Kept| kept.keys.iter().any(|k| **k == *key);
        self.all(|kept| kept.id.of == of && *kept.id.ns == *ns && answers(kept))
    }

    fn list(&self, of: Of, ns: &str) -> Vec<Arc<Kept>> {
        self.all(|kept| kept.id.of == of && *kept.id.ns == *ns)
    }
}

fn kept(object: &Value) -> Kept {
    let entry = case::entry(object).expect("the kind is known");
    let body = (entry.decode)(&object.to_string())
        .unwrap_or_else(|error| panic!("{} {}: {error}", entry.kind, object["metadata"]["name"]));
    let meta = &object["metadata"];
    let text = |key: &str| meta[key].as_str().unwrap_or_default();
    let time = |key: &str| meta[key].as_str().and_then(|t| t.parse().ok());
    let owner: Option<Arc<str>> = meta["labels"][api::OWNER].as_str().map(Into::into);
    let references = meta["ownerReferences"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let owned = |owner: &Arc<str>| references.iter().any(|r| r["uid"] == **owner);
    let finalizers = meta["finalizers"].as_array().cloned().unwrap_or_default();
    Kept {
        id: case::id(object).expect("it has a name"),
        uid: text("uid").into(),
        rv: text("resourceVersion").parse().unwrap_or(0),
        generation: meta["generation"].as_i64().unwrap_or(0),
        created: time("creationTimestamp").unwrap_or_default(),
        deleting: time("deletionTimestamp"),
        held: finalizers.iter().any(|f| f == api::FINALIZER),
        labels: ours(&meta["labels"]),
        annotations: ours(&meta["annotations"]),
        owned: owner.as_ref().is_some_and(owned),
        owner,
        applied: 0,
        ours: None,
        foreign: object["foreign"].as_str().map(Into::into),
        keys: (entry.keys)(&body).into_iter().map(Into::into).collect(),
        body,
    }
}

fn ours(map: &Value) -> BTreeMap<Box<str>, Box<str>> {
    let entries = map.as_object().into_iter().flatten();
    let ours = entries.filter_map(|(k, v)| Some((k.strip_prefix("roadstead.dev/")?, v.as_str()?)));
    ours.map(|(k, v)| (k.into(), v.into())).collect()
}

/// The world after a plan was carried out for an object: children as a server would store them, and what is ours and not named, gone.
pub fn after(world: &[Value], me: &Value, plan: &Plan) -> Vec<Value> {
    let mut world = world.to_vec();
    let mut named = BTreeSet::new();
    for step in &plan.steps {
        named.insert(id_of(step).clone());
        carry_out(&mut world, step);
    }
    let uid = &me["metadata"]["uid"];
    let pruned = |object: &Value| {
        let references = object["metadata"]["ownerReferences"].as_array();
        let mine = object["metadata"]["labels"][api::OWNER] == *uid
            && references.is_some_and(|r| r.iter().any(|r| r["uid"] == *uid));
        mine && case::id(object).is_ok_and(|id| !named.contains(&id))
    };
    world.retain(|object| !pruned(object));
    let me = case::id(me).expect("it has a name");
    if let Some(object) = world.iter_mut().find(|o| is(o, &me)) {
        object["status"] = plan.status.clone();
    }
    world
}

/// Which object a step is about.
pub fn id_of(step: &Step) -> &Id {
    match step {
        Step::Apply(want) | Step::Create(want, _) => &want.id,
        Step::Keep(id) | Step::Handover(id, _) => id,
        Step::Edit(edit, _) => &edit.id,
        Step::Delete(gone) => &gone.id,
    }
}

fn is(object: &Value, id: &Id) -> bool {
    case::id(object).is_ok_and(|other| other == *id)
}

fn carry_out(world: &mut Vec<Value>, step: &Step) {
    let id = id_of(step);
    let at = world.iter().position(|object| is(object, id));
    match (step, at) {
        (Step::Apply(want), Some(at)) => case::merge(&mut world[at], &want.body),
        (Step::Apply(want), None) => world.push(stored(id, &want.body)),
        (Step::Create(want, fills), None) => {
            let mut object = stored(id, &want.body);
            fill(&mut object, fills, world);
            world.push(object);
        }
        (Step::Edit(edit, fills), Some(at)) => {
            let mut object = world[at].clone();
            case::merge(&mut object, &edit.patch);
            fill(&mut object, fills, world);
            world[at] = object;
        }
        (Step::Delete(_), Some(at)) => {
            world.remove(at);
        }
        _ => {}
    }
}

fn stored(id: &Id, body: &Value) -> Value {
    let mut object = body.clone();
    let meta = json!({"uid": case::uid(id), "resourceVersion": "101", "generation": 1});
    case::merge(&mut object, &json!({"metadata": meta}));
    if let Some(Value::Object(texts)) = object.as_object_mut().and_then(|o| o.remove("stringData"))
    {
        let data: Map<String, Value> = texts
            .iter()
            .map(|(k, v)| (k.clone(), base64(v.as_str().unwrap_or_default())))
            .collect();
        case::merge(&mut object, &json!({ "data": data }));
    }
    object
}

fn fill(object: &mut Value, fills: &[Fill], world: &[Value]) {
    for Fill { key, parts } in fills {
        let text: String = parts.iter().map(|part| text(part, object, world)).collect();
        case::merge(object, &json!({"data": {key: base64(&text)}}));
    }
}

fn text(part: &Part, object: &Value, world: &[Value]) -> String {
    match part {
        Part::Text(text) => text.clone(),
        Part::Random(length) => "r".repeat(*length),
        Part::Secret { name, key } => {
            let ns = &object["metadata"]["namespace"];
            let secret = world.iter().find(|o| {
                o["kind"] == "Secret"
                    && o["metadata"]["name"] == **name
                    && o["metadata"]["namespace"] == *ns
            });
            secret.map(|s| value(s, key)).unwrap_or_default()
        }
    }
}

/// The value of a key of a Secret as text.
pub fn value(secret: &Value, key: &str) -> String {
    let plain = secret["stringData"][key].as_str().map(str::to_owned);
    plain.unwrap_or_else(|| {
        let bytes: Option<ByteString> = serde_json::from_value(secret["data"][key].clone()).ok();
        String::from_utf8(bytes.unwrap_or_default().0).unwrap_or_default()
    })
}

fn base64(text: &str) -> Value {
    json!(ByteString(text.as_bytes().to_vec()))
}
