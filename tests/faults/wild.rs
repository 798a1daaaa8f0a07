//! Specs that nobody would write: anything that a kind's own schema lets through, and now and then what it does not.

use std::sync::LazyLock;

use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::select,
    strategy::ValueTree,
    string::string_regex,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Map, Number, Value, json};

/// Lists and maps that nobody bounds closer grow to this.
const MANY: usize = 4;

/// So many specs of a kind with this schema, always the same ones for the same seed.
pub fn specs(schema: &Value, seed: u64, count: usize) -> Vec<Value> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let any = of(schema);
    let mut draw = || Some(any.new_tree(&mut runner).ok()?.current());
    (0..count).filter_map(|_| draw()).collect()
}

/// Anything that fits a schema, and in one of five hundred places something that does not.
fn of(schema: &Value) -> BoxedStrategy<Value> {
    let fits = fitting(schema);
    prop_oneof![499 => fits, 1 => select(&*STRANGE)].boxed()
}

fn fitting(schema: &Value) -> BoxedStrategy<Value> {
    if let Some(words) = schema["enum"].as_array() {
        return select(words.clone()).boxed();
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return prop_oneof![any::<i32>().prop_map(Value::from), text(schema)].boxed();
    }
    match schema["type"].as_str() {
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        Some("integer" | "number") => number(schema),
        Some("string") => text(schema),
        Some("array") => list(schema),
        Some("object") => object(schema),
        _ => select(&*STRANGE).boxed(),
    }
}

fn number(schema: &Value) -> BoxedStrategy<Value> {
    let bound = |name: &str, otherwise| schema[name].as_f64().map_or(otherwise, |n| n as i64);
    let (least, most) = (bound("minimum", -10), bound("maximum", 1 << 31));
    let edges = select(vec![least, most, least.saturating_add(1)]);
    prop_oneof![edges, least..=most]
        .prop_map(|n| Value::Number(Number::from(n)))
        .boxed()
}

fn text(schema: &Value) -> BoxedStrategy<Value> {
    let bound = |name: &str, otherwise| {
        let said = schema[name].as_u64().and_then(|n| usize::try_from(n).ok());
        said.unwrap_or(otherwise)
    };
    let (least, most) = (bound("minLength", 0), bound("maxLength", 300));
    let fits = move |text: &String| (least..=most).contains(&text.chars().count());
    let word = |all: &'static [&'static str]| select(all).prop_map(str::to_owned);
    let pattern = schema["pattern"].as_str().map(|pattern| {
        let inner = pattern.strip_prefix('^').unwrap_or(pattern);
        inner.strip_suffix('$').unwrap_or(inner)
    });
    let free = prop_oneof![
        4 => word(NAMES),
        2 => word(WORDS),
        1 => ".{0,40}",
        1 => Just("x".repeat(most.min(400))),
    ];
    let rule = schema.pointer("/x-kubernetes-validations/0/rule");
    let is_when = rule.is_some_and(|rule| rule.to_string().contains("self.matches('"));
    let made = match pattern.and_then(|pattern| string_regex(pattern).ok()) {
        Some(of_pattern) => prop_oneof![1 => free, 4 => of_pattern].boxed(),
        None if is_when => prop_oneof![1 => free, 4 => word(WHEN)].boxed(),
        None => free.boxed(),
    };
    made.prop_map(move |text| {
        if fits(&text) {
            text
        } else {
            text.chars().take(most).collect()
        }
    })
    .prop_map(Value::from)
    .boxed()
}

fn list(schema: &Value) -> BoxedStrategy<Value> {
    let bound = |name: &str, otherwise: usize| {
        let said = schema[name].as_u64().and_then(|n| usize::try_from(n).ok());
        said.unwrap_or(otherwise)
    };
    let least = bound("minItems", 0);
    let most = bound("maxItems", MANY).min(MANY).max(least);
    vec(of(&schema["items"]), least..=most)
        .prop_map(Value::from)
        .boxed()
}

fn object(schema: &Value) -> BoxedStrategy<Value> {
    let Some(properties) = schema["properties"].as_object() else {
        let values = of(&schema["additionalProperties"]);
        let keys = select(NAMES).prop_map(str::to_owned);
        return btree_map(keys, values, 0..=MANY)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
            .boxed();
    };
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let fields = properties.iter().map(|(name, schema)| {
        let often = if required.contains(&json!(name)) {
            0.99
        } else {
            0.2
        };
        let name = name.clone();
        proptest::option::weighted(often, of(schema))
            .prop_map(move |value| value.map(|value| (name.clone(), value)))
            .boxed()
    });
    fields
        .collect::<Vec<_>>()
        .prop_map(|fields| Value::Object(fields.into_iter().flatten().collect::<Map<_, _>>()))
        .boxed()
}

/// Names, some of which are those of what stands beside.
const NAMES: &[&str] = &[
    "shop",
    "shop-live",
    "cache",
    "toy",
    "nightly",
    "web",
    "worker",
    "shop-live-1",
    "default",
    "nobody",
    "a",
    "shop-live-web",
    "cache-credentials",
    "roadstead-operator",
];

/// Schedules and time zones, some of which do not exist: a rule lets hardly any other text through.
const WHEN: &[&str] = &[
    "30 2 * * 1-5",
    "*/5 20-8 1,31 JAN *",
    "0 0 31 2 *",
    "Weekly",
    "Etc/UTC",
    "Europe/Zurick",
];

/// What people and attackers write.
const WORDS: &[&str] = &[
    "",
    " ",
    "-",
    "A",
    "ä€𝄞",
    "$(HOST)",
    "$(A)$(B)",
    "$$(A)",
    "${A}",
    "../../etc/passwd",
    "a/b",
    "a=b",
    "a\nb",
    "'\"`\\",
    "0",
    "-1",
    "1Gi",
    "512Mi",
    "1e9Gi",
    "0.1",
    "9999999999999999999",
    "* * * * *",
    "@daily",
    "0 0 31 2 *",
    "Europe/Berlin",
    "10.0.0.0/8",
    "::/0",
    "300.1.1.1",
    "docker.io/library/busybox:1.36",
    "localhost/a@sha256:0",
    "UPPER/case:x",
    "%s%n",
    "true",
    "null",
    "{}",
    "<b>",
    "roadstead.dev/owner",
    "kube-system",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
];

/// What fits nowhere, or nearly.
static STRANGE: LazyLock<Vec<Value>> = LazyLock::new(|| {
    vec![
        Value::Null,
        json!([]),
        json!({}),
        json!(""),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(i64::MAX),
        json!(true),
        json!([null]),
        json!({"name": {"name": "x"}}),
        json!("x".repeat(5000)),
    ]
});
