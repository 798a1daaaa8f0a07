//! How an object stands: settled, on its way, or in need of a person. The rules are those of `kubectl wait` and GitOps tools.

use kube::api::DynamicObject;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::status::{Blocker, Condition, READY, RECONCILING, STALLED};

/// How an object stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The operator has not looked at what is declared now.
    Unseen,
    /// It moves towards what is declared.
    Moving(Condition),
    /// It is as declared.
    Ready(Condition),
    /// It waits for a person.
    Stalled(Condition),
}

impl Standing {
    /// How this object stands.
    pub fn of(object: &DynamicObject) -> Self {
        let generation = object.metadata.generation.unwrap_or_default();
        let conditions = conditions(object);
        let Some(ready) = find(&conditions, READY) else {
            return Self::Unseen;
        };
        let observed = object.data.pointer("/status/observedGeneration");
        let observed = observed
            .and_then(Value::as_i64)
            .unwrap_or(ready.observed_generation);
        if observed < generation {
            return Self::Unseen;
        }
        let is_true = |type_| find(&conditions, type_).filter(|c| c.status == "True");
        if let Some(stalled) = is_true(STALLED) {
            return Self::Stalled(stalled);
        }
        match is_true(RECONCILING) {
            Some(moving) => Self::Moving(moving),
            None if ready.status == "True" => Self::Ready(ready),
            None => Self::Moving(ready),
        }
    }

    /// Whether it is as declared.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }

    /// The word for a table.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unseen => "unseen",
            Self::Moving(_) => "not yet",
            Self::Ready(_) => "yes",
            Self::Stalled(_) => "no",
        }
    }

    /// The condition behind it.
    pub fn condition(&self) -> Option<&Condition> {
        match self {
            Self::Unseen => None,
            Self::Moving(c) | Self::Ready(c) | Self::Stalled(c) => Some(c),
        }
    }
}

/// The conditions of an object.
pub fn conditions(object: &DynamicObject) -> Vec<Condition> {
    list(object, "conditions")
}

/// What an object waits for.
pub fn blockers(object: &DynamicObject) -> Vec<Blocker> {
    list(object, "blockers")
}

/// What is odd about an object though nothing keeps it from running, as its status says it.
pub fn oddities(object: &DynamicObject) -> Vec<Condition> {
    const ODD: [&str; 4] = [
        "UnresolvedPlaceholder",
        "CommandsRunSince",
        "ServicesNotCopied",
        "MissedRuns",
    ];
    let mut all = conditions(object);
    all.retain(|c| c.status == "True" && ODD.contains(&c.type_.as_str()));
    all
}

/// The word in the print column.
pub fn state(object: &DynamicObject) -> Option<&str> {
    let status = object.data.get("status")?;
    status.get("state").or(status.get("phase"))?.as_str()
}

fn find(conditions: &[Condition], type_: &str) -> Option<Condition> {
    conditions.iter().find(|c| c.type_ == type_).cloned()
}

/// A list of the status; what another version wrote there and we cannot read is left out.
fn list<T: DeserializeOwned>(object: &DynamicObject, field: &str) -> Vec<T> {
    let listed = object.data.get("status").and_then(|s| s.get(field));
    let listed = listed.and_then(Value::as_array);
    let items = listed.into_iter().flatten().cloned();
    items
        .filter_map(|item| serde_json::from_value(item).ok())
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// An object of ours with a status.
    pub fn object(
        kind: &str,
        name: &str,
        generation: i64,
        spec: Value,
        status: Value,
    ) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "roadstead.dev/v1alpha1", "kind": kind,
            "metadata": {"name": name, "namespace": "instance-acme", "generation": generation},
            "spec": spec, "status": status,
        }))
        .unwrap()
    }

    /// A condition.
    pub fn condition(type_: &str, status: &str, reason: &str) -> Value {
        json!({"type": type_, "status": status, "reason": reason, "message": format!("It is {reason}."), "observedGeneration": 1})
    }

    fn standing(generation: i64, conditions: Value) -> Standing {
        let status = json!({"observedGeneration": 1, "conditions": conditions});
        Standing::of(&object("Environment", "x", generation, json!({}), status))
    }

    #[test]
    fn an_answer_to_an_older_question_is_no_answer() {
        let ready = json!([condition("Ready", "True", "Running")]);
        assert!(standing(1, ready.clone()).is_ready());
        assert_eq!(standing(2, ready), Standing::Unseen);
    }

    #[test]
    fn an_object_without_a_status_is_unseen() {
        let fresh = object("Environment", "x", 1, json!({}), Value::Null);
        assert_eq!(Standing::of(&fresh), Standing::Unseen);
    }

    #[test]
    fn moving_and_stalled_are_told_apart() {
        let moving = json!([
            condition("Ready", "Unknown", "Starting"),
            condition("Reconciling", "True", "Starting")
        ]);
        assert!(matches!(standing(1, moving), Standing::Moving(_)));
        let stalled = json!([
            condition("Ready", "False", "ClassNotFound"),
            condition("Stalled", "True", "ClassNotFound")
        ]);
        assert!(matches!(standing(1, stalled), Standing::Stalled(_)));
    }

    #[test]
    fn what_is_odd_is_found_beside_how_it_stands() {
        let conditions = json!([
            condition("Ready", "True", "Running"),
            condition("UnresolvedPlaceholder", "True", "UnresolvedPlaceholder"),
            condition("MissedRuns", "False", "None"),
        ]);
        let object = object(
            "Environment",
            "x",
            1,
            json!({}),
            json!({"conditions": conditions}),
        );
        let odd = oddities(&object);
        assert_eq!(odd.len(), 1);
        assert_eq!(odd[0].reason, "UnresolvedPlaceholder");
    }

    #[test]
    fn not_ready_alone_is_on_its_way() {
        let waiting = json!([condition("Ready", "False", "Waiting")]);
        assert!(matches!(standing(1, waiting), Standing::Moving(_)));
    }
}
