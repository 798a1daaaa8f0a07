//! What `status` shows, without a cluster.

use serde_json::json;

use super::*;
use crate::cli::standing::tests::{condition, object};

fn overview() -> Overview {
    let environment = json!({
        "state": "running", "currentRelease": 7, "observedGeneration": 1,
        "conditions": [condition("Ready", "True", "Running")],
        "replicas": [{"name": "a", "state": "running"}, {"name": "b", "state": "pending"}],
    });
    let service = json!({
        "state": "failed", "observedGeneration": 1,
        "conditions": [condition("Ready", "False", "ClassNotFound"), condition("Stalled", "True", "ClassNotFound")],
        "blockers": [{"what": "ClassNotFound/postgres", "fix": "Make it."}],
    });
    let cronjob = json!({
        "state": "scheduled", "nextRunAt": "2026-11-22T14:00:00Z",
        "lastRuns": [{"job": "n-1", "finishedAt": "2026-11-22T11:00:00Z", "exitCode": 3, "result": "Failed"}],
    });
    let release = json!({"phase": "Releasing", "percent": 40, "startedAt": "2026-11-22T11:59:00Z"});
    let app = json!({"applicationRef": {"name": "shop"}, "services": [{"name": "shop-db", "prefix": "DEFAULT"}]});
    let class = json!({"classRef": {"name": "postgres"}});
    let of_live = json!({"environmentRef": {"name": "shop-live"}});
    let row = |kind, name, spec, status| Row::of(object(kind, name, 1, spec, status));
    Overview {
        environments: vec![row("Environment", "shop-live", app, environment)],
        services: vec![row("Service", "shop-db", class, service)],
        cronjobs: vec![row("Cronjob", "nightly", of_live.clone(), cronjob)],
        releases: vec![row("Release", "shop-live-8", of_live, release)],
    }
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

#[test]
fn what_is_odd_is_told_under_the_table() {
    let mut odd = condition("UnresolvedPlaceholder", "True", "UnresolvedPlaceholder");
    odd["message"] = json!("These name no variable: $(NOWHERE) in A.");
    let status =
        json!({"state": "running", "conditions": [condition("Ready", "True", "Running"), odd]});
    let row = Row::of(object("Environment", "shop-live", 1, json!({}), status));
    assert_eq!(
        row.hindrance(true),
        "  shop-live in instance-acme: These name no variable: $(NOWHERE) in A.\n"
    );
}

#[test]
fn the_table_tells_what_runs_and_what_waits() {
    let text = overview().text(Output::Table, false, now());
    let expected = "\
ENVIRONMENT  STATE    READY  RELEASE  REPLICAS
shop-live    running  yes    7        1/2

SERVICE  STATE   READY  CLASS
shop-db  failed  no     postgres
  shop-db waits for ClassNotFound/postgres

CRONJOB  STATE      NEXT   LAST RUN
nightly  scheduled  in 2h  exit 3, 60m ago

RELEASE UNDER WAY  PHASE      PERCENT  SINCE
shop-live-8        Releasing  40       60s
";
    assert_eq!(text, expected, "\n{text}");
}

#[test]
fn all_namespaces_still_fit_eighty_columns() {
    let text = overview().text(Output::Table, true, now());
    assert!(text.contains("instance-acme"));
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
}

#[test]
fn programs_always_get_the_same_words() {
    let json = Output::Json.render(&overview()).unwrap();
    let value: Value = serde_json::from_str(&json).unwrap();
    let expected = json!({
        "namespace": "instance-acme", "name": "shop-db", "state": "failed", "ready": false, "standing": "no",
        "waitsFor": ["ClassNotFound/postgres"], "oddities": [],
    });
    assert_eq!(value["services"][0], expected);
    let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["cronjobs", "environments", "releases", "services"]);
}

#[test]
fn a_release_that_ended_is_not_under_way() {
    for phase in ["Succeeded", "Failed", "Superseded"] {
        let row = Row::of(object(
            "Release",
            "r",
            1,
            json!({}),
            json!({"phase": phase}),
        ));
        assert!(!is_under_way(&row), "{phase}");
    }
    assert!(is_under_way(&overview().releases[0]));
}

#[test]
fn nothing_is_no_text() {
    assert_eq!(Overview::default().text(Output::Table, false, now()), "");
}

#[test]
fn of_an_application_its_environments_are_shown_with_what_they_run_and_use() {
    let names = |of: &str| BTreeSet::from([of.to_owned()]);
    let mut overview = overview();
    overview.keep(&names("shop"));
    let counts = |o: &Overview| {
        [
            o.environments.len(),
            o.services.len(),
            o.cronjobs.len(),
            o.releases.len(),
        ]
    };
    assert_eq!(counts(&overview), [1, 1, 1, 1]);
    overview.keep(&names("blog"));
    assert_eq!(counts(&overview), [0, 0, 0, 0]);
}
