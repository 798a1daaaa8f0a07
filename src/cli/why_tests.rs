//! What `why` says, without a cluster.

use serde_json::json;

use super::*;
use crate::cli::standing::tests::{condition, object};

fn blocker(what: &str) -> Blocker {
    Blocker {
        what: what.into(),
        fix: "Do it.".into(),
        ..Blocker::default()
    }
}

#[test]
fn references_are_found_wherever_they_stand() {
    let spec = json!({
        "applicationRef": {"name": "shop"},
        "services": [{"name": "shop-db", "prefix": "DEFAULT"}],
        "copyFrom": {"environmentRef": {"name": "shop-test"}},
        "variables": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "shop-live", "key": "k"}}}],
    });
    let mut found: Vec<String> = references(&json!({ "spec": spec }))
        .iter()
        .map(ToString::to_string)
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "application/shop",
            "environment/shop-test",
            "service/shop-db"
        ]
    );
}

#[test]
fn a_class_is_a_service_class() {
    let found = references(&json!({"spec": {"classRef": {"name": "postgres"}}}));
    assert_eq!(found, [Target::new(Of::ServiceClass, "postgres")]);
}

#[test]
fn a_template_is_an_application_template() {
    let found = references(&json!({"spec": {"templateRef": {"name": "django"}}}));
    let django = Target::new(Of::ApplicationTemplate, "django");
    assert_eq!(found, std::slice::from_ref(&django));
    let to = concerned(&blocker("TemplateMissing/django"), &found);
    assert_eq!(to, Some(django));
}

#[test]
fn a_blocker_leads_to_the_kind_that_its_word_names() {
    let references = [
        Target::new(Of::Application, "shop"),
        Target::new(Of::ServiceClass, "shop"),
        Target::new(Of::Service, "shop"),
    ];
    let to = |what| concerned(&blocker(what), &references).map(|t| t.of);
    assert_eq!(to("ServiceNotReady/shop"), Some(Of::Service));
    assert_eq!(to("ApplicationNotFound/shop"), Some(Of::Application));
    assert_eq!(to("ClassNotFound/shop"), Some(Of::ServiceClass));
    assert_eq!(to("ServiceClassNotFound/shop"), Some(Of::ServiceClass));
    assert_eq!(to("ReleaseFailed/shop-live-8"), Some(Of::Release));
    assert_eq!(to("NameTaken/other"), None);
    assert_eq!(to("QuotaExceeded"), None);
}

#[test]
fn the_chain_is_one_sentence_and_ends_with_what_to_do() {
    let chain = vec!["environment/shop-live".into(), "service/shop-db".into()];
    assert_eq!(
        sentence(&blocked(blocker("ClassNotFound/postgres"), None, chain)),
        "environment/shop-live waits for service/shop-db, which waits for ClassNotFound/postgres.\n  do: Do it.\n"
    );
    let alone = vec!["service/shop-db".into()];
    assert_eq!(
        sentence(&blocked(blocker("ClassNotFound/postgres"), None, alone)),
        "service/shop-db waits for ClassNotFound/postgres.\n  do: Do it.\n"
    );
}

#[test]
fn the_condition_gives_the_sentence_where_it_is_about_the_same() {
    let condition: Condition =
        serde_json::from_value(condition("Stalled", "True", "ClassNotFound")).unwrap();
    let chain = vec!["environment/shop-live".into(), "service/shop-db".into()];
    let cause = blocked(blocker("ClassNotFound/postgres"), Some(&condition), chain);
    assert_eq!(
        sentence(&cause),
        "environment/shop-live waits for service/shop-db: It is ClassNotFound (ClassNotFound/postgres).\n  do: Do it.\n"
    );
}

#[test]
fn what_the_fix_says_is_not_said_twice() {
    let condition: Condition =
        serde_json::from_value(condition("Stalled", "True", "InvalidZone")).unwrap();
    let blocker = Blocker {
        what: "InvalidZone".into(),
        fix: "Set another: It is InvalidZone.".into(),
        ..Blocker::default()
    };
    let cause = blocked(blocker, Some(&condition), vec!["cronjob/nightly".into()]);
    assert_eq!(
        sentence(&cause),
        "cronjob/nightly waits for InvalidZone.\n  do: Set another: It is InvalidZone.\n"
    );
}

#[test]
fn an_object_that_nobody_looked_at_points_at_the_operator() {
    let object = object("Service", "shop-db", 3, json!({}), Value::Null);
    let cause = own(
        &Standing::of(&object),
        &object,
        vec!["service/shop-db".into()],
    );
    assert_eq!(cause.reason, "Unseen");
    assert!(sentence(&cause).starts_with(
        "service/shop-db: The operator has not looked at generation 3 yet (Unseen).\n  do: Wait"
    ));
}

#[test]
fn what_waits_for_nothing_says_so_and_names_pending_changes() {
    let status = json!({
        "conditions": [condition("Ready", "True", "Running")],
        "pendingChanges": [{"path": "image"}],
    });
    let object = object("Environment", "shop", 1, json!({}), status);
    let text = well(
        &Target::new(Of::Environment, "shop"),
        &object,
        &Standing::of(&object),
    );
    assert_eq!(
        text,
        "environment/shop waits for nothing: It is Running.\n  do: 1 of its changes wait for a release: kubectl roadstead release shop -n instance-acme\n"
    );
}

#[test]
fn an_environment_does_not_wait_for_another_of_its_application() {
    let application = Target::new(Of::Application, "shop");
    let waits = || vec![blocker("EnvironmentStalled/broken"), blocker("Locked/shop")];
    let own = own_waits(&application, &["environment/live".into()], waits()).unwrap();
    assert_eq!(own.len(), 1);
    assert_eq!(own[0].what, "Locked/shop");
    let others = vec![blocker("EnvironmentStalled/broken")];
    assert!(own_waits(&application, &["environment/live".into()], others).is_none());
    assert_eq!(own_waits(&application, &[], waits()).unwrap().len(), 2);
}
