//! What stands in a namespace whose Instance is not there.

use roadstead::{
    kinds::Of,
    plan::Id,
    run::{
        cache::Cache,
        trouble::{Cause, Trouble},
    },
};
use serde_json::{Value, json};

use super::cache::list;

fn namespace(name: &str, instance: &str) -> Value {
    json!({"metadata": {
        "name": name, "uid": name, "resourceVersion": "1", "labels": {"roadstead.dev/instance": instance},
    }})
}

/// Where the Instance of a namespace does not exist, that is what is missing, and not a right of ours.
#[test]
fn what_stands_in_the_namespace_of_no_instance_is_told_which_one_is_missing() {
    let cache = Cache::default();
    let said = |ns: &str, instance: String| {
        let trouble = Trouble::new(
            &Id::new(Of::Secret, ns, ""),
            "watch",
            Cause::NoInstance(instance),
        );
        (trouble.blocker(), trouble.message(), trouble.fix())
    };
    let there = [
        namespace("instance-acme", "acme"),
        namespace("apps", "acme"),
    ];
    list(&cache, Of::Namespace, &there);
    assert_eq!(cache.lacks("instance-acme"), None, "nobody knows yet");
    list(&cache, Of::Instance, &[]);
    let name = cache.lacks("instance-acme").expect("there is no acme");
    let (what, message, fix) = said("instance-acme", name);
    assert_eq!(what.as_deref(), Some("NoInstance/instance-acme"));
    assert_eq!(
        message,
        "Instance acme does not exist, and the namespace instance-acme is labelled for it"
    );
    assert!(fix.starts_with("Create Instance acme, or move"), "{fix}");

    let acme = json!({
        "metadata": {"name": "acme", "uid": "acme", "resourceVersion": "2"},
        "spec": {"name": "acme", "description": "d"},
    });
    list(&cache, Of::Instance, &[acme]);
    assert_eq!(cache.lacks("instance-acme"), None);
    let name = cache.lacks("apps").expect("acme has another namespace");
    let (_, message, fix) = said("apps", name);
    assert!(
        message.ends_with("whose namespace is instance-acme"),
        "{message}"
    );
    assert!(fix.contains("instance-<its name>"), "{fix}");
}
