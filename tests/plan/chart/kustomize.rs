//! What kustomize is told: every reference of our kinds, and none that is not there.

use std::collections::BTreeSet;

use roadstead::kinds::KINDS;
use serde_json::Value;

/// The schema of a kind of ours.
fn schema(kind: &str) -> Value {
    let entry = KINDS.iter().find(|k| k.plan.is_some() && k.kind == kind);
    let entry = entry.unwrap_or_else(|| panic!("{kind} is no kind of ours"));
    let all = super::objects(&format!("crds/{}.yaml", entry.plural));
    all[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Every path below a schema whose last but one word is a reference: `spec/applicationRef/name`.
fn references(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    let schema = schema.get("items").unwrap_or(schema);
    let Some(fields) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    for (name, field) in fields {
        let path = format!("{path}/{name}");
        if name.ends_with("Ref") && field.pointer("/properties/name").is_some() {
            found.insert(format!("{path}/name"));
        }
        references(field, &path, found);
    }
}

/// What kustomize is told: kind and path.
fn told() -> BTreeSet<(String, String)> {
    let file = super::objects("deploy/kustomize/nameReference.yaml").remove(0);
    let targets = file["nameReference"]
        .as_array()
        .expect("it is a list")
        .clone();
    let specs = targets.iter().flat_map(|target| {
        let specs = target["fieldSpecs"].as_array().expect("it is a list");
        specs.iter().map(|spec| {
            let word = |key: &str| spec[key].as_str().expect("it is a word").to_owned();
            assert_eq!(word("group"), roadstead::api::GROUP);
            (word("kind"), word("path"))
        })
    });
    specs.collect()
}

#[test]
fn kustomize_is_told_every_reference_of_our_kinds() {
    let told = told();
    for kind in KINDS.iter().filter(|k| k.plan.is_some()) {
        let mut found = BTreeSet::new();
        references(&schema(kind.kind)["properties"]["spec"], "spec", &mut found);
        for path in found {
            let pair = (kind.kind.to_owned(), path);
            assert!(
                told.contains(&pair),
                "deploy/kustomize/nameReference.yaml lacks {pair:?}"
            );
        }
    }
}

#[test]
fn kustomize_is_told_no_reference_that_is_not_there() {
    for (kind, path) in told() {
        let mut at = &schema(&kind);
        for word in path.split('/') {
            at = at.get("items").unwrap_or(at);
            at = at
                .pointer(&format!("/properties/{word}"))
                .unwrap_or_else(|| panic!("{kind} has no {path}"));
        }
        assert_eq!(at["type"], "string", "{kind} {path}");
    }
}
