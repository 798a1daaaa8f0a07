//! The CustomResourceDefinitions: `crds/` is what `src/api` says, and what it says is fit for an API server and for a reader.

use std::{env, fs, path::Path};

use roadstead::kinds::KINDS;
use serde_json::{Value, json};

const HOW: &str = "run `UPDATE=1 cargo test --test plan crds` and commit crds/";

/// Every kind of ours: its plural and its CustomResourceDefinition.
fn definitions() -> Vec<(&'static str, Value)> {
    let ours = KINDS.iter().filter_map(|k| Some((k.plural, k.definition?)));
    ours.map(|(plural, definition)| (plural, definition().expect("it can be made")))
        .collect()
}

#[test]
fn the_committed_definitions_are_what_the_types_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let update = env::var("UPDATE").is_ok_and(|value| value == "1");
    let mut expected = Vec::new();
    for (plural, definition) in definitions() {
        let name = format!("{plural}.yaml");
        let path = folder.join(&name);
        let yaml = serde_saphyr::to_string(&definition).expect("it is YAML");
        if update {
            fs::create_dir_all(&folder).expect("crds/ can be made");
            fs::write(&path, &yaml).expect("it can be written");
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == yaml, "crds/{name} is stale: {HOW}");
        expected.push(name);
    }
    let there = fs::read_dir(&folder).expect("crds/ can be read");
    for file in there.map(|file| file.expect("it can be read").file_name()) {
        let known = expected.iter().any(|name| **name == *file);
        assert!(known, "crds/{file:?} belongs to no kind: delete it");
    }
}

#[test]
fn what_is_written_can_be_read_back_and_stands_in_a_chart_as_it_is() {
    for (plural, definition) in definitions() {
        let yaml = serde_saphyr::to_string(&definition).expect("it is YAML");
        let back: Value = serde_saphyr::from_str(&yaml).expect("it can be read");
        assert_eq!(back, definition, "{plural}");
        assert!(!yaml.contains("{{"), "{plural}: a chart would expand it");
        let keep = definition.pointer("/metadata/annotations/helm.sh~1resource-policy");
        assert_eq!(keep.and_then(Value::as_str), Some("keep"), "{plural}");
    }
}

/// One schema within a definition, and where it stands.
struct Place<'a> {
    path: String,
    schema: &'a Value,
}

/// Every schema within every definition, below `spec` and `status`.
fn places<'a>(definitions: &'a [(&str, Value)]) -> Vec<Place<'a>> {
    let mut all = Vec::new();
    for (plural, definition) in definitions {
        let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema");
        let schema = schema.expect("it has a schema");
        walk(plural.to_string(), schema, &mut all);
    }
    all
}

fn walk<'a>(path: String, schema: &'a Value, all: &mut Vec<Place<'a>>) {
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        walk(format!("{path}.{name}"), inner, all);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(inner) {
            walk(format!("{path}[]"), inner, all);
        }
    }
    all.push(Place { path, schema });
}

/// Fails with every place that a rule does not hold for.
fn everywhere(rule: &str, holds: impl Fn(&Place) -> bool) {
    let definitions = definitions();
    let places = places(&definitions);
    let broken: Vec<&str> = places
        .iter()
        .filter(|place| !holds(place))
        .map(|place| place.path.as_str())
        .collect();
    assert!(places.len() > 200, "the schemas were not found");
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

impl Place<'_> {
    fn is(&self, type_: &str) -> bool {
        self.schema["type"] == type_
    }

    fn is_of_spec(&self) -> bool {
        self.path.split('.').nth(1) == Some("spec")
    }

    fn has(&self, key: &str) -> bool {
        self.schema.get(key).is_some()
    }
}

#[test]
fn every_field_says_in_a_sentence_what_it_does() {
    everywhere("a description is a sentence of three words or more", |at| {
        let text = at.schema["description"].as_str().unwrap_or_default();
        let is_sentence = text.split_whitespace().count() >= 3 && text.ends_with('.');
        at.path.ends_with("[]") || is_sentence
    });
}

#[test]
fn every_string_list_and_map_has_a_limit() {
    everywhere("a string has maxLength or enum", |at| {
        !at.is("string") || at.has("maxLength") || at.has("enum")
    });
    everywhere("a list has maxItems", |at| {
        !at.is("array") || at.has("maxItems")
    });
    everywhere("a map has maxProperties", |at| {
        !at.has("additionalProperties") || at.has("maxProperties")
    });
}

#[test]
fn every_list_of_objects_in_a_spec_is_merged_by_required_scalar_keys() {
    everywhere("x-kubernetes-list-type map, its keys required", |at| {
        let item = &at.schema["items"];
        if !at.is("array") || item["type"] != "object" || !at.is_of_spec() {
            return true;
        }
        let keys = at.schema["x-kubernetes-list-map-keys"].as_array();
        let required = item["required"].as_array().cloned().unwrap_or_default();
        let scalar = |key: &Value| {
            let type_ = &item["properties"][key.as_str().unwrap_or_default()]["type"];
            type_ == "string" || type_ == "integer"
        };
        at.schema["x-kubernetes-list-type"] == "map"
            && keys.is_some_and(|k| k.iter().all(|k| required.contains(k) && scalar(k)))
    });
}

#[test]
fn every_schema_is_structural_and_defaults_nothing() {
    everywhere("type is one word", |at| {
        at.schema["type"].is_string() || at.schema["x-kubernetes-int-or-string"] == true
    });
    let never = ["anyOf", "oneOf", "allOf", "not", "$ref", "default", "const"];
    everywhere("none of the words that make a schema surprising", |at| {
        let is_status = at.path.ends_with(".status") && at.path.matches('.').count() == 1;
        !never
            .iter()
            .any(|word| at.has(word) && !(is_status && *word == "default"))
    });
    everywhere("nothing is passed through unseen", |at| {
        !at.has("x-kubernetes-preserve-unknown-fields")
    });
}

/// Whoever waits takes an object that says nothing for ready: it says from the first moment that nobody has seen it.
#[test]
fn what_the_operator_has_not_seen_yet_counts_as_unseen() {
    everywhere("status is by default of no generation", |at| {
        let is_status = at.path.ends_with(".status") && at.path.matches('.').count() == 1;
        !is_status || at.schema["default"] == json!({"observedGeneration": -1})
    });
}

#[test]
fn every_kind_bounds_its_name_and_every_rule_says_what_to_do() {
    for (plural, definition) in definitions() {
        let root = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let rules = root["x-kubernetes-validations"].as_array();
        let of_name = |rule: &Value| {
            rule["rule"]
                .as_str()
                .is_some_and(|r| r.contains("self.metadata.name"))
        };
        assert!(rules.is_some_and(|r| r.iter().any(of_name)), "{plural}");
    }
    everywhere("every rule has a message of five words or more", |at| {
        let rules = at.schema["x-kubernetes-validations"].as_array();
        rules.into_iter().flatten().all(|rule| {
            let message = rule["message"].as_str().unwrap_or_default();
            rule.get("messageExpression").is_some() || message.split_whitespace().count() >= 5
        })
    });
}

#[test]
fn no_rule_compares_two_optionals_of_which_the_server_cannot_bound_the_cost() {
    everywhere("use has(self.x) == has(oldSelf.x) && …", |at| {
        let rules = at.schema["x-kubernetes-validations"].as_array();
        let text = |rule: &Value| rule["rule"].as_str().unwrap_or_default().to_owned();
        let mut rules = rules.into_iter().flatten().map(text);
        !rules.any(|rule| rule.contains("== oldSelf.?"))
    });
}
