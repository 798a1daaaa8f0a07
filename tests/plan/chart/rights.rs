//! What the chart lets whom do: the operator what it needs, teams what their role says, nobody everything.

use std::collections::BTreeSet;

use roadstead::kinds::{KINDS, Watch};
use serde_json::Value;

/// One right: API group, resource, verb.
type Right = (String, String, String);

/// The rights of a ClusterRole of the rendered chart.
fn rights_of(role: &str) -> BTreeSet<Right> {
    let all = super::objects("deploy/operator.yaml");
    let role = all
        .iter()
        .find(|o| o["kind"] == "ClusterRole" && o["metadata"]["name"] == role)
        .unwrap_or_else(|| panic!("there is no ClusterRole {role}"));
    let words = |list: &Value| -> Vec<String> {
        let list = list.as_array().expect("it is a list");
        list.iter()
            .map(|w| w.as_str().expect("it is a word").to_owned())
            .collect()
    };
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_array().expect("a role has rules") {
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                for verb in words(&rule["verbs"]) {
                    rights.insert((group.clone(), resource.clone(), verb));
                }
            }
        }
    }
    rights
}

fn has(rights: &BTreeSet<Right>, group: &str, resource: &str, verb: &str) -> bool {
    rights.contains(&(group.to_owned(), resource.to_owned(), verb.to_owned()))
}

#[test]
fn no_role_of_the_chart_has_a_wildcard() {
    for object in super::objects("deploy/operator.yaml") {
        if object["kind"] == "ClusterRole" || object["kind"] == "Role" {
            let rules = object["rules"].to_string();
            assert!(
                !rules.contains('*'),
                "{}: {rules}",
                object["metadata"]["name"]
            );
        }
    }
}

#[test]
fn the_operator_may_watch_every_kind_of_the_registry_and_reads_secrets_in_instances_only() {
    let (everywhere, inside) = (rights_of("roadstead"), rights_of("roadstead-instance"));
    for kind in KINDS {
        let verbs = match kind.watch {
            Watch::All | Watch::Owned | Watch::Hosts | Watch::Offered => ["list", "watch"],
            Watch::InInstances => {
                for verb in ["list", "watch"] {
                    assert!(
                        !has(&everywhere, kind.group, kind.plural, verb),
                        "{verb} {} everywhere",
                        kind.plural
                    );
                    assert!(
                        has(&inside, kind.group, kind.plural, verb),
                        "{verb} {} in Instances",
                        kind.plural
                    );
                }
                continue;
            }
        };
        for verb in verbs {
            assert!(
                has(&everywhere, kind.group, kind.plural, verb),
                "{verb} {}",
                kind.plural
            );
        }
        if kind.plan.is_some() {
            for (part, verb) in [("status", "patch"), ("finalizers", "update")] {
                let resource = format!("{}/{part}", kind.plural);
                assert!(
                    has(&everywhere, kind.group, &resource, verb),
                    "{verb} {resource}"
                );
            }
        }
    }
}

#[test]
fn the_operator_may_make_in_an_instance_every_kind_that_it_owns_there() {
    let (everywhere, inside) = (rights_of("roadstead"), rights_of("roadstead-instance"));
    let made_by_others = ["pods"];
    let mut owned = KINDS
        .iter()
        .filter(|k| {
            let theirs = k.watch == Watch::All && k.plan.is_none();
            theirs || matches!(k.watch, Watch::Owned | Watch::InInstances)
        })
        .filter(|k| !made_by_others.contains(&k.plural));
    assert!(owned.clone().count() > 5);
    let verbs = ["get", "create", "delete"];
    let missing = owned.find_map(|k| {
        let lacks = |verb: &&&str| {
            !has(&inside, k.group, k.plural, verb) && !has(&everywhere, k.group, k.plural, verb)
        };
        verbs
            .iter()
            .find(lacks)
            .map(|verb| format!("{verb} {}", k.plural))
    });
    assert_eq!(missing, None);
}

/// proves: DV-008
#[test]
fn no_team_writes_a_status() {
    for role in ["roadstead-viewer", "roadstead-developer", "roadstead-admin"] {
        let writes = rights_of(role)
            .into_iter()
            .find(|(_, resource, _)| resource.ends_with("/status"));
        assert_eq!(writes, None, "{role}");
    }
}

#[test]
fn a_viewer_only_reads_and_reads_no_secret() {
    let rights = rights_of("roadstead-viewer");
    for (group, resource, verb) in &rights {
        assert!(
            ["get", "list", "watch"].contains(&verb.as_str()),
            "{verb} {group}/{resource}"
        );
        assert!(resource != "secrets");
    }
}

#[test]
fn a_developer_changes_what_runs_but_sees_no_secret_and_gets_no_shell() {
    let rights = rights_of("roadstead-developer");
    for kind in KINDS.iter().filter(|k| k.plan.is_some() && k.namespaced) {
        for verb in [
            "get", "list", "watch", "create", "update", "patch", "delete",
        ] {
            assert!(
                has(&rights, kind.group, kind.plural, verb),
                "{verb} {}",
                kind.plural
            );
        }
    }
    for (_, resource, _) in &rights {
        assert!(
            !["secrets", "pods/exec", "pods/attach", "rolebindings"].contains(&resource.as_str())
        );
    }
}

#[test]
fn each_role_of_a_team_may_all_that_the_one_below_may() {
    let viewer = rights_of("roadstead-viewer");
    let developer = rights_of("roadstead-developer");
    let admin = rights_of("roadstead-admin");
    assert!(viewer.is_subset(&developer));
    assert!(developer.is_subset(&admin));
    assert!(has(&admin, "", "secrets", "get"));
}
