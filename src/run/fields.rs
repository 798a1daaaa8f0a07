//! Who owns which field: how we know, without a request, that something of ours was changed.
//!
//! Whoever changes a field that we applied takes it from our entry in `managedFields`. So a child is as we want it exactly
//! if it carries the hash of what we want and our entry is exactly the set of fields that we want. The entry describes
//! itself (`k:{…}` carries the merge keys), so no schema and no parser of quantities is needed.

use serde_json::{Map, Value};
use xxhash_rust::xxh3::Xxh3;

/// The hash of what is wanted, the same for the same fields in whatever order.
pub fn hash(want: &Value) -> u64 {
    let mut state = Xxh3::new();
    feed(want, &mut state);
    state.digest()
}

fn feed(value: &Value, state: &mut Xxh3) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            state.update(b"{");
            for key in keys {
                state.update(key.as_bytes());
                state.update(b"\0");
                if let Some(inner) = map.get(key) {
                    feed(inner, state);
                }
            }
            state.update(b"}");
        }
        Value::Array(list) => {
            state.update(b"[");
            list.iter().for_each(|inner| feed(inner, state));
            state.update(b"]");
        }
        Value::String(text) => {
            state.update(b"\"");
            state.update(text.as_bytes());
            state.update(b"\0");
        }
        other => state.update(other.to_string().as_bytes()),
    }
}

/// Whether the fields of an entry (`fieldsV1` as text) are exactly those of what is wanted.
pub fn owns_exactly(want: &Value, entry: &str) -> bool {
    serde_json::from_str::<Value>(entry).is_ok_and(|entry| same(want, &entry, Place::Root))
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    Metadata,
    Within,
}

impl Place {
    /// Fields that identify an object are never recorded.
    fn unrecorded(self, key: &str) -> bool {
        match self {
            Self::Root => matches!(key, "apiVersion" | "kind"),
            Self::Metadata => matches!(key, "name" | "namespace" | "uid" | "resourceVersion"),
            Self::Within => false,
        }
    }

    /// Metadata that does nothing but identify is not recorded either.
    fn records(self, key: &str, value: &Value) -> bool {
        let names = |meta: &Map<String, Value>| meta.keys().all(|k| Self::Metadata.unrecorded(k));
        let empty = self.below(key) == Self::Metadata && value.as_object().is_some_and(names);
        !empty && !self.unrecorded(key)
    }

    fn below(self, key: &str) -> Self {
        if self == Self::Root && key == "metadata" {
            Self::Metadata
        } else {
            Self::Within
        }
    }
}

fn same(want: &Value, entry: &Value, place: Place) -> bool {
    let Some(entry) = entry.as_object() else {
        return false;
    };
    if entry.is_empty() {
        return true; // a leaf, or something that is owned as a whole
    }
    match want {
        Value::Object(map) => same_map(map, entry, place),
        Value::Array(list) => same_list(list, entry),
        _ => false,
    }
}

fn members(entry: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    entry.iter().filter(|(key, _)| *key != ".")
}

fn same_map(map: &Map<String, Value>, entry: &Map<String, Value>, place: Place) -> bool {
    let wanted = map.iter().filter(|(key, value)| place.records(key, value));
    let mut found = 0;
    for (key, value) in wanted {
        match entry.get(&format!("f:{key}")) {
            Some(inner) if same(value, inner, place.below(key)) => found += 1,
            _ => return false,
        }
    }
    members(entry).count() == found
}

fn same_list(list: &[Value], entry: &Map<String, Value>) -> bool {
    let mut left: Vec<&Value> = list.iter().collect();
    for (key, inner) in members(entry) {
        let Some(at) = position(&left, key) else {
            return false;
        };
        if !same(left.swap_remove(at), inner, Place::Within) {
            return false;
        }
    }
    left.is_empty()
}

/// Which item of a list an entry such as `k:{"name":"web"}` or `v:"text"` speaks of. A merge key that the item leaves to its default
/// fits any value, but an item that says it goes first.
fn position(left: &[&Value], key: &str) -> Option<usize> {
    let (sort, text) = key.split_at_checked(2)?;
    match sort {
        "v:" => {
            let value: Value = serde_json::from_str(text).ok()?;
            left.iter().position(|item| **item == value)
        }
        "k:" => {
            let keys: Map<String, Value> = serde_json::from_str(text).ok()?;
            let says = |item: &Value| keys.iter().all(|(k, v)| item.get(k) == Some(v));
            let fits = |item: &Value| {
                let same = keys.iter().filter(|(k, v)| item.get(k) == Some(v)).count();
                same > 0 && keys.iter().all(|(k, v)| item.get(k).is_none_or(|x| x == v))
            };
            let exact = left.iter().position(|item| says(item));
            exact.or_else(|| left.iter().position(|item| fits(item)))
        }
        _ => None,
    }
}

/// Whether `spec.replicas` is among the fields of an entry.
pub fn owns_replicas(entry: &str) -> bool {
    entry.contains("\"f:replicas\"")
        && serde_json::from_str::<Value>(entry)
            .is_ok_and(|e| e.pointer("/f:spec/f:replicas").is_some())
}

/// Whether an entry of another manager holds something of the spec that we would have to explain. Not so a scale, or a restart by
/// `kubectl rollout restart`.
pub fn holds_spec(entry: &str) -> bool {
    if !entry.contains("\"f:spec\"") {
        return false;
    }
    let Ok(entry) = serde_json::from_str::<Value>(entry) else {
        return false;
    };
    entry
        .get("f:spec")
        .is_some_and(|spec| strange(spec, "f:spec"))
}

fn strange(entry: &Value, path: &str) -> bool {
    let Some(entry) = entry.as_object() else {
        return false;
    };
    if entry.is_empty() {
        return path != "f:spec/f:replicas"
            && path
                != "f:spec/f:template/f:metadata/f:annotations/f:kubectl.kubernetes.io/restartedAt";
    }
    members(entry).any(|(key, inner)| strange(inner, &format!("{path}/{key}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn owns(want: Value, entry: Value) -> bool {
        owns_exactly(&want, &entry.to_string())
    }

    fn pod(containers: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"}, "spec": {"containers": containers}})
    }

    #[test]
    fn exactly_the_wanted_fields_are_ours() {
        let want = json!({"metadata": {"name": "a", "uid": "u", "labels": {"x": "1"}}, "data": {"k": "v"}});
        assert!(owns(
            want.clone(),
            json!({"f:metadata": {"f:labels": {"f:x": {}}}, "f:data": {"f:k": {}}})
        ));
        assert!(!owns(
            want.clone(),
            json!({"f:metadata": {"f:labels": {"f:x": {}}}, "f:data": {".": {}}})
        ));
        assert!(!owns(
            want,
            json!({"f:metadata": {"f:labels": {"f:x": {}, "f:y": {}}}, "f:data": {"f:k": {}}})
        ));
    }

    #[test]
    fn a_field_that_somebody_took_is_missed_inside_a_list_of_containers() {
        let want =
            pod(json!([{"name": "web", "image": "a", "env": [{"name": "X", "value": "1"}]}]));
        let item =
            |fields: Value| json!({"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": fields}}});
        let env = json!({"k:{\"name\":\"X\"}": {".": {}, "f:name": {}, "f:value": {}}});
        assert!(owns(
            want.clone(),
            item(json!({".": {}, "f:name": {}, "f:image": {}, "f:env": env}))
        ));
        assert!(!owns(
            want.clone(),
            item(json!({".": {}, "f:name": {}, "f:env": env}))
        ));
        let taken = json!({"k:{\"name\":\"X\"}": {".": {}, "f:name": {}}});
        assert!(!owns(
            want,
            item(json!({".": {}, "f:name": {}, "f:image": {}, "f:env": taken}))
        ));
    }

    #[test]
    fn an_item_added_under_our_name_is_not_wanted() {
        let want = pod(json!([{"name": "web"}]));
        let two = json!({"k:{\"name\":\"web\"}": {".": {}, "f:name": {}}, "k:{\"name\":\"side\"}": {".": {}, "f:name": {}}});
        assert!(!owns(want, json!({"f:spec": {"f:containers": two}})));
    }

    #[test]
    fn a_merge_key_left_to_its_default_is_still_found_and_each_item_only_once() {
        let want = json!({"spec": {"ports": [{"port": 53}, {"port": 53, "protocol": "UDP"}]}});
        let tcp = json!({".": {}, "f:port": {}});
        let udp = json!({".": {}, "f:port": {}, "f:protocol": {}});
        let ports = json!({"k:{\"port\":53,\"protocol\":\"TCP\"}": tcp, "k:{\"port\":53,\"protocol\":\"UDP\"}": udp});
        assert!(owns(want.clone(), json!({"f:spec": {"f:ports": ports}})));
        let only = json!({"k:{\"port\":53,\"protocol\":\"TCP\"}": tcp});
        assert!(!owns(want, json!({"f:spec": {"f:ports": only}})));
    }

    #[test]
    fn sets_are_compared_by_value() {
        let want = json!({"metadata": {"finalizers": ["a", "b"]}});
        assert!(owns(
            want.clone(),
            json!({"f:metadata": {"f:finalizers": {".": {}, "v:\"a\"": {}, "v:\"b\"": {}}}})
        ));
        assert!(!owns(
            want.clone(),
            json!({"f:metadata": {"f:finalizers": {"v:\"a\"": {}}}})
        ));
        assert!(!owns(
            want,
            json!({"f:metadata": {"f:finalizers": {"v:\"a\"": {}, "v:\"c\"": {}}}})
        ));
    }

    #[test]
    fn what_is_owned_as_a_whole_is_a_leaf() {
        let want = json!({"spec": {"selector": {"app": "a"}, "args": ["x", "y"], "emptyDir": {}}});
        assert!(owns(
            want.clone(),
            json!({"f:spec": {"f:selector": {}, "f:args": {}, "f:emptyDir": {}}})
        ));
        assert!(!owns(
            want,
            json!({"f:spec": {"f:selector": {}, "f:args": {}}})
        ));
    }

    #[test]
    fn the_hash_does_not_depend_on_order_and_tells_shapes_apart() {
        let a: Value = serde_json::from_str(r#"{"a":1,"b":{"c":[1,2]}}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"b":{"c":[1,2]},"a":1}"#).unwrap();
        assert_eq!(hash(&a), hash(&b));
        assert_ne!(hash(&json!(["ab", "c"])), hash(&json!(["a", "bc"])));
        assert_ne!(hash(&json!({"a": "1"})), hash(&json!({"a": 1})));
    }

    #[test]
    fn a_scale_and_a_restart_are_nobodys_intrusion_but_a_sidecar_is() {
        assert!(!holds_spec(r#"{"f:spec":{"f:replicas":{}}}"#));
        let restart = r#"{"f:spec":{"f:template":{"f:metadata":{"f:annotations":{".":{},"f:kubectl.kubernetes.io/restartedAt":{}}}}}}"#;
        assert!(!holds_spec(restart));
        assert!(!holds_spec(r#"{"f:status":{"f:replicas":{}}}"#));
        assert!(holds_spec(
            r#"{"f:spec":{"f:template":{"f:spec":{"f:hostNetwork":{}}}}}"#
        ));
        assert!(
            owns_replicas(r#"{"f:spec":{"f:replicas":{}}}"#)
                && !owns_replicas(r#"{"f:data":{"f:replicas":{}}}"#)
        );
    }
}
