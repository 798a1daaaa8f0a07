//! A plan as people read it.

use roadstead::{
    api,
    plan::{Fill, Part, Plan, Step},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{case::Case, invariants::pods};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Deed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wake: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    hold: bool,
    status: Value,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Deed {
    #[serde(skip_serializing_if = "Option::is_none")]
    apply: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    create: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handover: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replicas: Option<i32>,
    /// Whether it outlives its owner.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stays: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    fill: Map<String, Value>,
}

/// The plan of a case as YAML. What every child carries (its name, the owner's label and reference) is left out: `invariants.rs`
/// checks it.
pub fn yaml(case: &Case, plan: &Plan) -> String {
    let named = |id: &roadstead::plan::Id| {
        let home = *id.ns == *case.id.ns || id.ns.is_empty();
        let kind = id.of.entry().kind;
        let ours = id.of.entry().plan.is_some() && kind == "Service";
        let kind = if ours { "roadstead.dev Service" } else { kind };
        if home {
            format!("{kind} {}", id.name)
        } else {
            format!("{kind} {}/{}", id.ns, id.name)
        }
    };
    let steps = plan.steps.iter().map(|step| match step {
        Step::Apply(want) => Deed {
            apply: Some(named(&want.id)),
            ..Deed::of(&want.body)
        },
        Step::Create(want, fills) => Deed {
            create: Some(named(&want.id)),
            fill: filled(fills),
            ..Deed::of(&want.body)
        },
        Step::Keep(id) => Deed {
            keep: Some(named(id)),
            ..Deed::default()
        },
        Step::Edit(edit, fills) => Deed {
            edit: Some(named(&edit.id)),
            patch: Some(edit.patch.clone()),
            fill: filled(fills),
            ..Deed::default()
        },
        Step::Delete(gone) => Deed {
            delete: Some(named(&gone.id)),
            ..Deed::default()
        },
        Step::Handover(id, replicas) => Deed {
            handover: Some(named(id)),
            replicas: Some(*replicas),
            ..Deed::default()
        },
    });
    let shown = Shown {
        steps: steps.collect(),
        wake: plan.wake.map(|at| at.to_string()),
        hold: plan.hold,
        status: said(&plan.status),
    };
    serde_saphyr::to_string(&shown).expect("it is YAML")
}

impl Deed {
    fn of(body: &Value) -> Self {
        let mut body = body.clone();
        let stays = body["metadata"].get("ownerReferences").is_none();
        if let Some(body) = body.as_object_mut() {
            body.remove("apiVersion");
            body.remove("kind");
        }
        if let Some(meta) = body["metadata"].as_object_mut() {
            for known in ["name", "namespace", "ownerReferences"] {
                meta.remove(known);
            }
        }
        let owner = body["metadata"]["labels"][api::OWNER].clone();
        usual(&mut body, &owner);
        Self {
            stays,
            body: Some(body),
            ..Self::default()
        }
    }
}

/// Takes out what stands in every child and every pod: `invariants/` checks that it does.
fn usual(value: &mut Value, owner: &Value) {
    if let Value::Array(list) = value {
        list.iter_mut().for_each(|inner| usual(inner, owner));
    }
    let Value::Object(map) = value else { return };
    if let Some(labels) = map.get_mut("labels").and_then(Value::as_object_mut) {
        labels.remove("app.kubernetes.io/managed-by");
        if labels.get(api::OWNER) == Some(owner) {
            labels.remove(api::OWNER);
        }
    }
    for (key, usual) in pods::usual() {
        if map.get(key) == Some(&usual) {
            map.remove(key);
        }
    }
    map.values_mut().for_each(|inner| usual(inner, owner));
    map.retain(|key, inner| key != "securityContext" || *inner != json!({}));
}

/// A status without what is filled in when it is written.
fn said(status: &Value) -> Value {
    let mut status = status.clone();
    for list in ["conditions", "blockers"] {
        let items = status[list].as_array_mut().into_iter().flatten();
        for item in items.filter_map(Value::as_object_mut) {
            item.retain(|_, value| *value != "" && *value != 0);
        }
    }
    if let Some(map) = status.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    status
}

fn filled(fills: &[Fill]) -> Map<String, Value> {
    let part = |part: &Part| match part {
        Part::Text(text) => json!({ "text": text }),
        Part::Secret { name, key } => json!({ "secret": format!("{name}/{key}") }),
        Part::Random(length) => json!({ "random": length }),
    };
    let value = |fill: &Fill| Value::Array(fill.parts.iter().map(part).collect());
    fills
        .iter()
        .map(|fill| (fill.key.clone(), value(fill)))
        .collect()
}
