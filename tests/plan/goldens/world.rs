//! The world of a case: kept as it is in production, and changed by a plan as an API server would.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use roadstead::{
    api,
    kinds::{Entry, KINDS, Of, Watch},
    plan::{Fill, Id, Part, Plan, Seen, Step},
    run::{
        cache::Cache,
        view::View,
        wire::{Fresh, Unreadable, Wire},
    },
};
use serde_json::{Map, Value, json};

use super::case;

/// What is decided for an object in a world.
pub fn plan(world: &[Value], id: &Id, now: Timestamp) -> Plan {
    let cache = cache(world);
    let me = cache.record(id).expect("the object is in its world").kept;
    let planner = id.of.entry().plan.expect("the kind is planned");
    planner(&me, &Seen::new(&View::new(&cache, id), &me), now)
}

/// The cache that the operator would have, once its watches are whole.
fn cache(world: &[Value]) -> Cache {
    let cache = Cache::new(("roadstead-system".into(), "roadstead".into()))
        .with_image(Some("example.org/roadstead:1".into()));
    let hosts = |entry: &&Entry| entry.watch == Watch::Hosts;
    // Namespaces first: an Instance's opens the watches in it.
    let first = KINDS.iter().filter(hosts);
    for entry in first.chain(KINDS.iter().filter(|entry| !hosts(entry))) {
        for place in cache.places(entry.of) {
            cache.begin(entry.of, &place);
            for object in world
                .iter()
                .filter(|object| is_watched(entry, &place.ns, object))
            {
                cache.buffer(entry.of, &place, fresh(entry, object));
            }
            cache.swap(entry.of, &place).expect("it is in no doubt");
        }
    }
    cache
}

/// Whether a watch of a kind, in one namespace or everywhere, tells of an object.
fn is_watched(entry: &Entry, scope: &str, object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    let selected = match entry.watch {
        Watch::Owned => labels.get(api::OWNER).is_some(),
        Watch::Hosts => labels.get(api::INSTANCE).is_some(),
        Watch::All | Watch::Offered | Watch::InInstances => true,
    };
    let id = case::id(object).expect("it has a name");
    selected && id.of == entry.of && (scope.is_empty() || *id.ns == *scope)
}

fn fresh(entry: &Entry, object: &Value) -> Fresh {
    let wire: Wire = serde_json::from_value(object.clone()).expect("it is an object");
    let name = &object["metadata"]["name"];
    let fresh = wire
        .keep(entry)
        .unwrap_or_else(|error| panic!("{} {name}: {error}", entry.kind));
    let unread = fresh.kept.body.downcast_ref::<Unreadable>();
    assert!(unread.is_none(), "{} {name}: {unread:?}", entry.kind);
    fresh
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
    if matches!(
        id.of,
        Of::VolumeSnapshot | Of::VolumeGroupSnapshot | Of::Service
    ) {
        // Their age decides something: they are as young as can be.
        object["metadata"]["creationTimestamp"] = json!("2100-01-01T00:00:00Z");
    }
    encode(&mut object);
    object
}

/// What a Secret holds as text becomes data.
pub fn encode(object: &mut Value) {
    let texts = object.as_object_mut().and_then(|o| o.remove("stringData"));
    if let Some(Value::Object(texts)) = texts {
        let text = |value: &Value| base64(value.as_str().unwrap_or_default());
        let data: Map<String, Value> = texts.iter().map(|(k, v)| (k.clone(), text(v))).collect();
        case::merge(object, &json!({ "data": data }));
    }
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
    let bytes: Option<ByteString> = serde_json::from_value(secret["data"][key].clone()).ok();
    String::from_utf8(bytes.unwrap_or_default().0).unwrap_or_default()
}

fn base64(text: &str) -> Value {
    json!(ByteString(text.as_bytes().to_vec()))
}
