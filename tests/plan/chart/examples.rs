//! The examples: each says what it is, and what it declares is of our types, with no field that they do not know.

use std::{fs, path::Path};

use roadstead::api;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Every manifest under `deploy/examples`, by its path in the project.
fn manifests() -> Vec<String> {
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for story in fs::read_dir(root.join("deploy/examples")).expect("there are examples") {
        let story = story.expect("it can be read").path();
        for file in fs::read_dir(&story).expect("a story is a folder") {
            let file = file.expect("it can be read").path();
            let path = file.strip_prefix(root).expect("it is in the project");
            found.push(path.to_string_lossy().into_owned());
        }
    }
    assert!(found.len() > 5, "{found:?}");
    found
}

/// What is left of an object that went through its type: the type drops what it does not know.
fn through<T: DeserializeOwned + Serialize>(object: &Value) -> Value {
    let typed: T = serde_json::from_value(object.clone())
        .unwrap_or_else(|error| panic!("{}: {error}", object["metadata"]["name"]));
    serde_json::to_value(typed).expect("it can be written")
}

#[test]
fn every_example_begins_with_what_it_is() {
    for path in manifests() {
        let text = super::text(&path);
        let first = text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("# ") && first.len() > 20,
            "{path}: {first}"
        );
    }
}

#[test]
fn every_example_is_of_our_types_and_has_no_field_that_they_do_not_know() {
    for path in manifests() {
        for object in super::objects(&path) {
            if object["apiVersion"] != api::API_VERSION {
                continue;
            }
            let through = match object["kind"].as_str() {
                Some("Instance") => through::<api::Instance>(&object),
                Some("ApplicationTemplate") => through::<api::ApplicationTemplate>(&object),
                Some("Application") => through::<api::Application>(&object),
                Some("Environment") => through::<api::Environment>(&object),
                Some("Release") => through::<api::Release>(&object),
                Some("Service") => through::<api::Service>(&object),
                Some("ServiceClass") => through::<api::ServiceClass>(&object),
                Some("Cronjob") => through::<api::Cronjob>(&object),
                other => panic!("{path}: {other:?} is no kind of ours"),
            };
            assert_eq!(through["spec"], object["spec"], "{path}");
        }
    }
}

#[test]
fn every_instance_of_the_examples_stands_beside_its_namespace() {
    for path in manifests() {
        let objects = super::objects(&path);
        for instance in objects.iter().filter(|o| o["kind"] == "Instance") {
            let name = instance["metadata"]["name"]
                .as_str()
                .expect("it has a name");
            let beside = objects.iter().any(|o| {
                o["kind"] == "Namespace"
                    && o["metadata"]["name"] == format!("instance-{name}")
                    && o["metadata"]["labels"][api::INSTANCE] == name
            });
            assert!(beside, "{path}: the Namespace of {name} is not there");
        }
    }
}
