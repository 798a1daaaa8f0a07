//! What the API server is told of a kind: its CustomResourceDefinition, from the type and its documentation.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    CustomResourceExt,
    core::schema::{OptionalEnum, OptionalIntOrString, StructuralSchemaRewriter},
};
use schemars::{
    JsonSchema, Schema,
    generate::SchemaSettings,
    transform::{AddNullable, transform_subschemas},
};
use serde_json::{Map, Value, json};

/// The CustomResourceDefinition of a kind, as `crds/` holds it.
///
/// It differs from what kube derives: an optional choice keeps the documentation of its field, and nothing of a spec is defaulted, so
/// Git and the cluster carry the same. A status is: an object without one counts as ready with Flux and Helm, who may look before the
/// operator has.
pub fn definition<K: CustomResourceExt + JsonSchema>() -> Result<Value, serde_json::Error> {
    let mut crd: CustomResourceDefinition = K::crd();
    let annotations = crd.metadata.annotations.get_or_insert_default();
    // Whoever uninstalls the chart keeps what people declared.
    annotations.insert("helm.sh/resource-policy".into(), "keep".into());
    let labels = crd.metadata.labels.get_or_insert_default();
    labels.insert("app.kubernetes.io/part-of".into(), "roadstead".into());
    let mut crd = serde_json::to_value(crd)?;
    if let Some(schema) = crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema") {
        *schema = tidy(schema_of::<K>());
        schema["properties"]["status"]["default"] = json!({"observedGeneration": -1});
    }
    Ok(crd)
}

fn schema_of<K: JsonSchema>() -> Value {
    let generator = SchemaSettings::openapi3()
        .with(|s| {
            s.inline_subschemas = true;
            s.meta_schema = None;
        })
        .with_transform(AddNullable::default())
        .with_transform(StructuralSchemaRewriter)
        .with_transform(field_speaks as fn(&mut Schema))
        .with_transform(OptionalEnum)
        .with_transform(OptionalIntOrString)
        .into_generator();
    generator.into_root_schema_for::<K>().to_value()
}

/// Of an optional choice the field's documentation counts, not the type's.
fn field_speaks(schema: &mut Schema) {
    transform_subschemas(&mut (field_speaks as fn(&mut Schema)), schema);
    if schema.get("description").is_none() {
        return;
    }
    let choices = schema.get_mut("anyOf").and_then(Value::as_array_mut);
    for choice in choices
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        choice.remove("description");
    }
}

/// The schema without what only confuses: see [`definition`].
fn tidy(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else {
        return schema;
    };
    for noise in ["$schema", "title", "default"] {
        schema.remove(noise);
    }
    if schema.get("type") == Some(&json!("integer")) {
        schema.remove("format");
    }
    // Kubernetes admits `null` for no choice, whatever the list holds.
    if schema.contains_key("enum") {
        schema.remove("nullable");
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(inner) {
            *inner = tidy(inner.take());
        }
    }
    if let Some(Value::Object(properties)) = schema.remove("properties") {
        let properties: Map<String, Value> =
            properties.into_iter().map(|(k, v)| (k, tidy(v))).collect();
        schema.insert("properties".into(), Value::Object(properties));
    }
    Value::Object(schema)
}
