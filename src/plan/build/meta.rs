//! The metadata of every child: name, labels, owner.

use serde_json::{Map, Value, json};

use crate::{
    api,
    kinds::Of,
    plan::{Id, Kept, Step, Want},
};

/// A child being put together.
pub struct Child {
    id: Id,
    owner: String,
    reference: Option<Value>,
    labels: Map<String, Value>,
    annotations: Map<String, Value>,
    fields: Map<String, Value>,
}

impl Child {
    /// A child of `me` in its namespace (or `me`'s own, for cluster-scoped kinds), which goes when `me` goes.
    pub fn of(me: &Kept, of: Of, name: impl Into<std::sync::Arc<str>>) -> Self {
        let ns = if of.entry().namespaced {
            me.id.ns.clone()
        } else {
            "".into()
        };
        Self::in_namespace(me, of, ns, name)
    }

    /// The same in a namespace of its own: for the Instance, whose children stand in the namespace that it makes.
    pub fn in_namespace(
        me: &Kept,
        of: Of,
        ns: impl Into<std::sync::Arc<str>>,
        name: impl Into<std::sync::Arc<str>>,
    ) -> Self {
        let entry = me.id.of.entry();
        let reference = json!({
            "apiVersion": entry.api_version(), "kind": entry.kind, "name": &*me.id.name, "uid": &*me.uid,
            "controller": true, "blockOwnerDeletion": true,
        });
        Self {
            id: Id::new(of, ns, name),
            owner: me.uid.to_string(),
            reference: Some(reference),
            labels: labels(me),
            annotations: Map::new(),
            fields: Map::new(),
        }
    }

    /// Data: it carries our label but no owner reference, so it outlives its owner and is never pruned.
    pub fn that_stays(mut self) -> Self {
        self.reference = None;
        self
    }

    /// A foreground deletion of its owner neither waits for it nor takes it again and again while the owner still works.
    pub fn that_blocks_nothing(mut self) -> Self {
        if let Some(Value::Object(reference)) = &mut self.reference {
            reference.remove("blockOwnerDeletion");
        }
        self
    }

    /// One more label, by its whole key.
    pub fn label(mut self, key: &str, value: impl Into<String>) -> Self {
        self.labels
            .insert(key.to_owned(), Value::String(value.into()));
        self
    }

    /// One more annotation, by its whole key.
    pub fn annotation(mut self, key: &str, value: impl Into<String>) -> Self {
        self.annotations
            .insert(key.to_owned(), Value::String(value.into()));
        self
    }

    /// One top-level field, such as `spec`. Nulls, empty lists and empty objects in it are left out: the server records nothing for them.
    pub fn field(mut self, key: &str, value: Value) -> Self {
        if let Some(value) = lean(value) {
            self.fields.insert(key.to_owned(), value);
        }
        self
    }

    /// The child, whole.
    pub fn want(self) -> Want {
        let entry = self.id.of.entry();
        let mut labels = self.labels;
        labels.insert(api::OWNER.to_owned(), Value::String(self.owner));
        let mut meta = Map::new();
        meta.insert("name".into(), Value::String(self.id.name.to_string()));
        if !self.id.ns.is_empty() {
            meta.insert("namespace".into(), Value::String(self.id.ns.to_string()));
        }
        meta.insert("labels".into(), Value::Object(labels));
        if !self.annotations.is_empty() {
            meta.insert("annotations".into(), Value::Object(self.annotations));
        }
        if let Some(reference) = self.reference {
            meta.insert("ownerReferences".into(), Value::Array(vec![reference]));
        }
        let mut body = self.fields;
        body.insert("apiVersion".into(), Value::String(entry.api_version()));
        body.insert("kind".into(), Value::String(entry.kind.to_owned()));
        body.insert("metadata".into(), Value::Object(meta));
        Want {
            id: self.id,
            body: Value::Object(body),
        }
    }
}

/// The labels that every child and every pod of an object carries, without the owner's.
pub fn labels(me: &Kept) -> Map<String, Value> {
    let mut labels = Map::new();
    let kind = me.id.of.entry().kind.to_lowercase();
    labels.insert(
        "app.kubernetes.io/managed-by".into(),
        Value::String("roadstead".into()),
    );
    labels.insert(
        format!("{}/{kind}", api::GROUP),
        Value::String(me.id.name.to_string()),
    );
    labels
}

/// Labels of ours, by the part after `roadstead.dev/`, on the object itself, so that it can be listed by them; nothing where they stand.
pub fn marked(me: &Kept, marks: impl IntoIterator<Item = (String, String)>) -> Option<Step> {
    let missing: Map<String, Value> = marks
        .into_iter()
        .filter(|(key, value)| me.label(key) != Some(value))
        .map(|(key, value)| (format!("{}/{key}", api::GROUP), Value::String(value)))
        .collect();
    if missing.is_empty() {
        return None;
    }
    Some(Step::edit(me, json!({"metadata": {"labels": missing}})))
}

/// The value without nulls, empty lists and empty objects, of which the API server records no owner. `emptyDir: {}` and its like stay.
pub fn lean(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(list) => {
            let list: Vec<Value> = list.into_iter().filter_map(lean).collect();
            (!list.is_empty()).then_some(Value::Array(list))
        }
        Value::Object(map) => {
            if map.is_empty() {
                return Some(Value::Object(map));
            }
            let map: Map<String, Value> = map
                .into_iter()
                .filter_map(|(k, v)| lean(v).map(|v| (k, v)))
                .collect();
            (!map.is_empty()).then_some(Value::Object(map))
        }
        other => Some(other),
    }
}
