//! What Argo CD shows: its script, run in a real Lua of the version that Argo CD speaks, over what our kinds tell.

use mlua::{Lua, LuaSerdeExt, Table};
use roadstead::kinds::KINDS;
use serde_json::{Value, json};

/// The scripts of the ConfigMap, by the kind that they are for.
fn scripts() -> Vec<(String, String)> {
    let all = super::objects("deploy/argocd/argocd-cm.yaml");
    let data = all[0]["data"].as_object().expect("it has data").clone();
    data.into_iter()
        .map(|(key, script)| {
            let kind = key
                .strip_prefix("resource.customizations.health.roadstead.dev_")
                .unwrap_or_else(|| panic!("{key} is no health of ours"));
            (
                kind.to_owned(),
                script.as_str().expect("it is text").to_owned(),
            )
        })
        .collect()
}

/// What Argo CD shows for an object: its health, and why.
fn shown(object: &Value) -> (String, String) {
    let lua = Lua::new();
    let object = lua.to_value(object).expect("it can be given to Lua");
    lua.globals().set("obj", object).expect("it can be set");
    let script = &scripts()[0].1;
    let health: Table = lua.load(script).eval().expect("the script runs");
    (
        health.get("status").expect("it has a status"),
        health.get("message").expect("it has a message"),
    )
}

/// An object of generation 2 with these conditions, each of which saw the generation given.
fn told(seen: i64, conditions: &[(&str, &str)]) -> Value {
    let conditions: Vec<Value> = conditions
        .iter()
        .map(|(type_, status)| {
            json!({"type": type_, "status": status, "observedGeneration": seen, "message": format!("{type_} says why")})
        })
        .collect();
    json!({"metadata": {"name": "shop-live", "generation": 2}, "status": {"observedGeneration": seen, "conditions": conditions}})
}

#[test]
fn argo_cd_knows_every_kind_of_ours_and_no_other() {
    let mut known: Vec<String> = scripts().into_iter().map(|(kind, _)| kind).collect();
    let ours = KINDS.iter().filter(|k| k.plan.is_some());
    let mut ours: Vec<String> = ours.map(|k| k.kind.to_owned()).collect();
    known.sort();
    ours.sort();
    assert_eq!(known, ours);
}

#[test]
fn argo_cd_has_one_script_for_all_kinds() {
    let scripts = scripts();
    assert!(scripts.iter().all(|(_, script)| *script == scripts[0].1));
}

#[test]
fn argo_cd_shows_what_is_ready_as_healthy() {
    let (health, why) = shown(&told(2, &[("Ready", "True")]));
    assert_eq!(
        (health.as_str(), why.as_str()),
        ("Healthy", "Ready says why")
    );
}

#[test]
fn argo_cd_shows_what_needs_a_person_as_degraded_and_says_why() {
    let (health, why) = shown(&told(2, &[("Ready", "False"), ("Stalled", "True")]));
    assert_eq!(
        (health.as_str(), why.as_str()),
        ("Degraded", "Stalled says why")
    );
}

#[test]
fn argo_cd_waits_for_what_moves() {
    let (health, why) = shown(&told(2, &[("Ready", "Unknown"), ("Reconciling", "True")]));
    assert_eq!(
        (health.as_str(), why.as_str()),
        ("Progressing", "Reconciling says why")
    );
}

#[test]
fn argo_cd_does_not_take_yesterdays_word_for_a_change_of_today() {
    assert_eq!(shown(&told(1, &[("Ready", "True")])).0, "Progressing");
    assert_eq!(
        shown(&told(1, &[("Ready", "False"), ("Stalled", "True")])).0,
        "Progressing"
    );
}

#[test]
fn argo_cd_waits_for_an_object_that_nobody_has_seen_yet() {
    assert_eq!(
        shown(&json!({"metadata": {"name": "new", "generation": 1}})).0,
        "Progressing"
    );
}

#[test]
fn argo_cd_waits_while_an_object_is_being_deleted() {
    let mut object = told(2, &[("Ready", "True")]);
    object["metadata"]["deletionTimestamp"] = json!("2026-11-22T03:00:00Z");
    assert_eq!(shown(&object).0, "Progressing");
}
