//! Whether an object of ours is one that the API server would take as it is.

use std::{collections::BTreeMap, sync::LazyLock};

use roadstead::{
    kinds::{KINDS, Of},
    plan::Id,
};
use serde_json::Value;

/// What the API server would refuse or drop in an object of ours.
pub fn misfits(id: &Id, object: &Value) -> Vec<String> {
    // Made once: there are many objects, and making one takes a while.
    static KNOWN: LazyLock<BTreeMap<Of, Value>> = LazyLock::new(|| {
        let ours = KINDS.iter().filter_map(|k| Some((k.of, k.definition?)));
        ours.map(|(of, definition)| (of, definition().expect("it can be made")))
            .collect()
    });
    let Some(definition) = KNOWN.get(&id.of) else {
        return Vec::new();
    };
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut wrong = Vec::new();
    for part in ["spec", "status"] {
        if let Some(value) = object.get(part) {
            fit(part, &schema["properties"][part], value, &mut wrong);
        }
    }
    wrong
}

fn fit(path: &str, schema: &Value, value: &Value, wrong: &mut Vec<String>) {
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    let limit = |key: &str| schema[key].as_u64().unwrap_or(u64::MAX);
    let fits = match value {
        Value::Object(map) => {
            let required = schema["required"].as_array().into_iter().flatten();
            let missing =
                required.filter(|key| !map.contains_key(key.as_str().unwrap_or_default()));
            wrong.extend(missing.map(|key| format!("{path} lacks {key}")));
            for (key, inner) in map {
                match schema["properties"]
                    .get(key)
                    .or(schema.get("additionalProperties"))
                {
                    Some(known) => fit(&format!("{path}.{key}"), known, inner, wrong),
                    None => wrong.push(format!("{path}.{key} is no field")),
                }
            }
            schema["type"] == "object"
        }
        Value::Array(list) => {
            let each = |(at, inner)| fit(&format!("{path}[{at}]"), &schema["items"], inner, wrong);
            list.iter().enumerate().for_each(each);
            schema["type"] == "array" && list.len() as u64 <= limit("maxItems")
        }
        Value::String(text) => {
            let choices = schema["enum"].as_array();
            let length = text.chars().count() as u64;
            schema["type"] == "string"
                && length <= limit("maxLength")
                && choices.is_none_or(|choices| choices.contains(value))
        }
        Value::Number(number) => {
            let in_range = number.as_f64().is_some_and(|n| {
                n >= schema["minimum"].as_f64().unwrap_or(f64::MIN)
                    && n <= schema["maximum"].as_f64().unwrap_or(f64::MAX)
            });
            schema["type"] == "integer" && number.is_i64() && in_range
        }
        Value::Bool(_) => schema["type"] == "boolean",
        Value::Null => false,
    };
    if !fits {
        wrong.push(format!("{path}: {value} is not what the schema says"));
    }
}
