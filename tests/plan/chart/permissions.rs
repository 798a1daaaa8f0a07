//! The table of what the operator may do, with the request that needs it: `deploy/permissions.md`.

use std::{env, fmt::Write, fs, path::Path};

use serde_json::Value;

const PATH: &str = "deploy/permissions.md";
const HEAD: &str = "\
# What the operator may do, and what for

Each row is a rule of the chart. The stories of `cargo test` are played by the chart's own ServiceAccount, and the API server writes down
its requests: each verb in the third column was asked for in them, or the run fails. The fourth holds what no request can show.
`UPDATE=1 cargo test --test plan permissions` writes this file anew.

| role | resource | verbs that the stories need | others | what for |
|---|---|---|---|---|
";
/// What no story can be made to ask for, and why the operator may do it all the same.
const UNSEEN: [(&str, &str, &str); 2] = [
    (
        "bind",
        "clusterroles",
        "asked for by the API server itself, when a RoleBinding is made",
    ),
    (
        "update",
        "/finalizers",
        "asked for by the API server itself, where OwnerReferencesPermissionEnforcement is on",
    ),
];

/// A rule of a role, and the comment above it.
struct Rule {
    role: String,
    why: String,
    said: Value,
}

/// The rules of the operator's roles, in the order of the chart.
fn rules() -> Vec<Rule> {
    let text = super::text("deploy/operator.yaml");
    let mut all = Vec::new();
    for document in text.split("\n---\n") {
        let object: Value = serde_saphyr::from_str(document).unwrap_or_default();
        let is_role = object["kind"] == "ClusterRole" || object["kind"] == "Role";
        let role = object["metadata"]["name"].as_str().unwrap_or_default();
        if !is_role || !["roadstead", "roadstead-instance"].contains(&role) {
            continue;
        }
        let role = format!("{} {role}", object["kind"].as_str().unwrap_or_default());
        let mut why = String::new();
        let mut reasons = Vec::new();
        for line in document.lines().skip_while(|line| *line != "rules:") {
            if let Some(comment) = line.strip_prefix("  # ") {
                let _ = write!(why, "{}{comment}", if why.is_empty() { "" } else { " " });
            } else if line.starts_with("  - apiGroups:") {
                let said = std::mem::take(&mut why);
                let before: &String = reasons.last().unwrap_or(&said);
                reasons.push(if said.is_empty() {
                    before.clone()
                } else {
                    said
                });
            }
        }
        let rules = object["rules"].as_array().expect("a role has rules");
        assert_eq!(
            rules.len(),
            reasons.len(),
            "{role}: a rule without a comment"
        );
        let pairs = rules.iter().zip(reasons);
        all.extend(pairs.map(|(said, why)| Rule {
            role: role.clone(),
            why,
            said: said.clone(),
        }));
    }
    all
}

fn words<'a>(rule: &'a Value, field: &str) -> Vec<&'a str> {
    let all = rule[field].as_array().into_iter().flatten();
    all.filter_map(Value::as_str).collect()
}

fn unseen(verb: &str, resource: &str) -> Option<&'static str> {
    let mut all = UNSEEN.iter();
    all.find(|(v, r, _)| {
        *v == verb && (resource == *r || r.starts_with('/') && resource.ends_with(r))
    })
    .map(|(_, _, why)| *why)
}

fn row(rule: &Rule, group: &str, resource: &str) -> String {
    let dot = if group.is_empty() { "" } else { "." };
    let (hidden, shown): (Vec<&str>, Vec<&str>) = words(&rule.said, "verbs")
        .into_iter()
        .partition(|verb| unseen(verb, resource).is_some());
    let hidden: Vec<String> = hidden
        .iter()
        .map(|verb| format!("{verb}: {}", unseen(verb, resource).unwrap_or_default()))
        .collect();
    format!(
        "| {} | {resource}{dot}{group} | {} | {} | {} |\n",
        rule.role,
        shown.join(" "),
        hidden.join("; "),
        rule.why
    )
}

#[test]
fn the_table_of_permissions_is_that_of_the_chart() {
    let mut table = HEAD.to_owned();
    for rule in rules() {
        assert!(
            !rule.why.is_empty(),
            "{}: {} has no comment",
            rule.role,
            rule.said
        );
        for group in words(&rule.said, "apiGroups") {
            for resource in words(&rule.said, "resources") {
                table.push_str(&row(&rule, group, resource));
            }
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PATH);
    if env::var("UPDATE").is_ok_and(|value| value == "1") {
        fs::write(&path, &table).expect("it can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == table,
        "{PATH} is stale: UPDATE=1 cargo test --test plan permissions"
    );
}
