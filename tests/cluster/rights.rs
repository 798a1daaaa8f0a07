//! The operator's rights: each one that the chart asks for is used by some story, read from the API server's own audit log.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use anyhow::{Context, Result, ensure};
use devcluster::Options;
use serde_json::Value;

use crate::world::World;

/// Who is looked at.
const OPERATOR: &str = "system:serviceaccount:roadstead-system:roadstead";
/// Rights that no request shows, and why the operator has them all the same.
const UNSEEN: [(&str, &str); 3] = [
    (
        "bind",
        "asked for by the authorizer when a RoleBinding is made",
    ),
    (
        "/finalizers",
        "asked for by OwnerReferencesPermissionEnforcement, where a cluster has it",
    ),
    (
        "update",
        "the way out of a 422 for a field that cannot be changed; it is the same for all kinds",
    ),
];

/// The log of what the operator asked for.
pub struct Rights {
    folder: tempfile::TempDir,
}

impl Rights {
    /// Has the API server write down every request of the operator's.
    pub fn recorded(options: Options) -> Result<(Self, Options)> {
        let folder = tempfile::tempdir()?;
        let policy = folder.path().join("policy.yaml");
        let rules = format!(
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n\
             - {{level: Metadata, users: [\"{OPERATOR}\"]}}\n- {{level: None}}\n"
        );
        std::fs::write(&policy, rules)?;
        let log = folder.path().join("audit.log");
        let options = options
            .api_server_flag(format!("--audit-policy-file={}", policy.display()))
            .api_server_flag(format!("--audit-log-path={}", log.display()));
        Ok((Self { folder }, options))
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("audit.log")
    }

    /// Whether each right was used. Only told of a run of all stories.
    pub async fn verdict(&self, world: &World) -> Result<()> {
        let mut granted = BTreeSet::new();
        for role in ["roadstead", "roadstead-instance"] {
            let role = world
                .kubectl(&format!("get clusterrole {role} -o json"))
                .await?;
            granted.extend(of_role(&serde_json::from_str(&role)?));
        }
        let used = used(&std::fs::read_to_string(self.log()).context("there is no audit log")?);
        ensure!(
            used.len() > 50,
            "the audit log holds next to nothing: {used:?}"
        );
        let idle: Vec<&String> = granted
            .iter()
            .filter(|right| !used.contains_key(*right) && !is_unseen(right))
            .collect();
        ensure!(
            idle.is_empty(),
            "no story needs these rights of the operator's; take them from the chart, or tell the story:\n{idle:#?}"
        );
        Ok(())
    }
}

fn is_unseen(right: &str) -> bool {
    let verb = right.split(' ').next().unwrap_or_default();
    UNSEEN
        .iter()
        .any(|(what, _)| verb == *what || right.ends_with(what))
}

/// The rights that a role gives, each as `verb group/resource`.
fn of_role(role: &Value) -> BTreeSet<String> {
    let words = |rule: &Value, field: &str| -> Vec<String> {
        let all = rule[field].as_array().into_iter().flatten();
        all.filter_map(|w| w.as_str().map(str::to_owned)).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_array().into_iter().flatten() {
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                let verbs = words(rule, "verbs").into_iter();
                rights.extend(verbs.map(|verb| format!("{verb} {group}/{resource}")));
            }
        }
    }
    rights
}

/// The rights that were used, and how often.
fn used(log: &str) -> BTreeMap<String, usize> {
    let mut used = BTreeMap::new();
    for line in log.lines() {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let (verb, what) = (&event["verb"], &event["objectRef"]);
        let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let sub = what["subresource"]
            .as_str()
            .map_or(String::new(), |s| format!("/{s}"));
        let right = format!(
            "{} {}/{}{sub}",
            word(verb),
            word(&what["apiGroup"]),
            word(&what["resource"])
        );
        *used.entry(right).or_default() += 1;
    }
    used
}
