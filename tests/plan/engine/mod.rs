//! The engine, driven by hand: watch events straight into the cache, a queue on a clock that stands still until it is asked.
//!
//! Where a test says `Kn`, the same steps go wrong with the controller that comes with kube's runtime 5.0.0.

mod cache;
mod crew;
mod homeless;
mod own_writes;
mod places;
mod queue;
mod watch;

use roadstead::{
    kinds::Of,
    plan::Id,
    run::wire::{Fresh, Wire},
};
use serde_json::{Value, json};

/// An object as a watch brings it.
pub fn wire(object: &Value) -> Wire {
    serde_json::from_str(&object.to_string()).expect("an object")
}

/// The same, as it goes into the cache.
pub fn fresh(of: Of, object: &Value) -> Fresh {
    wire(object).keep(of.entry()).expect("readable metadata")
}

/// A Cronjob of ours in namespace `a`, with its name as UID.
pub fn cronjob(name: &str, rv: u64) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "a", "uid": name, "resourceVersion": rv.to_string(), "generation": 1},
        "spec": {"environmentRef": {"name": "live"}, "command": ["true"]},
    })
}

/// A Job that was made for the Cronjob of that name.
pub fn job(name: &str, rv: u64, owner: &str) -> Value {
    json!({"metadata": {
        "name": name, "namespace": "a", "uid": format!("job-{name}"), "resourceVersion": rv.to_string(),
        "labels": {"roadstead.dev/owner": owner},
        "ownerReferences": [{"apiVersion": "roadstead.dev/v1alpha1", "kind": "Cronjob", "name": owner, "uid": owner}],
    }})
}

/// The object of this kind and name in namespace `a`.
pub fn id(of: Of, name: &str) -> Id {
    Id::new(of, "a", name)
}
