//! The chart: `deploy/operator.yaml` is what it renders, its rights are what the operator needs and no more, and the examples stand.

mod argocd;
mod dashboard;
mod examples;
mod helm;
mod kustomize;
mod permissions;
mod rights;

use std::{env, fs, path::Path};

use serde_json::Value;

const HOW: &str = "run `UPDATE=1 cargo test --test plan chart` and commit deploy/operator.yaml";

/// What stands before the rendered chart: `helm install --create-namespace` makes the namespace, `kubectl apply` cannot.
const HEAD: &str = "\
# The operator without Helm, as the chart renders it with its default values:
#
#   kubectl apply --server-side -f deploy/operator.yaml
#
apiVersion: v1
kind: Namespace
metadata:
  name: roadstead-system
  labels:
    app.kubernetes.io/part-of: roadstead
    pod-security.kubernetes.io/enforce: restricted
";

/// The text of a file of the project.
fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The objects in a file of the project.
fn objects(path: &str) -> Vec<Value> {
    let all: Vec<Value> =
        serde_saphyr::from_multiple(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    all.into_iter().filter(Value::is_object).collect()
}

#[test]
fn the_committed_manifest_is_what_the_chart_renders() {
    let rendered = helm::run(&[
        "template",
        "roadstead",
        "charts/roadstead",
        "--namespace=roadstead-system",
        "--skip-tests",
    ]);
    let current = format!("{HEAD}{rendered}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/operator.yaml");
    if env::var("UPDATE").is_ok_and(|value| value == "1") {
        fs::write(&path, &current).expect("deploy/operator.yaml can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == current, "deploy/operator.yaml is stale: {HOW}");
}

#[test]
fn a_value_that_the_chart_does_not_know_is_refused() {
    let refused = helm::refused(&["template", "charts/roadstead", "--set", "replica=1"]);
    assert!(refused.contains("'replica' not allowed"), "{refused}");
}

#[test]
fn every_switch_of_the_chart_renders() {
    let rendered = helm::run(&[
        "template",
        "charts/roadstead",
        "--set=serviceMonitor.enabled=true,dashboard.enabled=true,priorityClassName=high,defaultInstance=false",
        "--set=rbac.aggregate=false,rbac.catalogueReaders=null,networkPolicy.enabled=false",
        "--set-json=tolerations=[{\"operator\":\"Exists\"}]",
        "--set-json=imagePullSecrets=[{\"name\":\"registry\"}]",
    ]);
    let all: Vec<Value> = serde_saphyr::from_multiple(&rendered).expect("it is YAML");
    let kinds: Vec<&str> = all.iter().filter_map(|o| o["kind"].as_str()).collect();
    assert!(kinds.contains(&"ServiceMonitor"), "{kinds:?}");
    assert!(!kinds.contains(&"NetworkPolicy"), "{kinds:?}");
    assert!(!rendered.contains("aggregate-to-"));
    assert!(!rendered.contains("--default-instance"));
}

#[test]
fn where_the_api_server_cannot_say_who_changed_what_nobody_may_claim_it() {
    let kinds_of = |version: &str| -> Vec<(String, String)> {
        let version = format!("--kube-version={version}");
        let rendered = helm::run(&["template", "charts/roadstead", &version]);
        let all: Vec<Value> = serde_saphyr::from_multiple(&rendered).expect("it is YAML");
        let word = |o: &Value, path| o.pointer(path).and_then(Value::as_str).map(str::to_owned);
        all.iter()
            .filter_map(|o| Some((word(o, "/kind")?, word(o, "/metadata/name")?)))
            .collect()
    };
    let policy = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
    let recorded = policy("MutatingAdmissionPolicy", "roadstead-actor");
    let refused = policy("ValidatingAdmissionPolicy", "roadstead-actor");
    let (newer, older) = (kinds_of("1.36.0"), kinds_of("1.35.4"));
    assert!(newer.contains(&recorded) && !newer.contains(&refused));
    assert!(older.contains(&refused) && !older.contains(&recorded));
    assert!(older.iter().all(|(kind, _)| !kind.starts_with("Mutating")));
}

#[test]
fn the_chart_passes_its_own_lint() {
    helm::run(&["lint", "--strict", "charts/roadstead"]);
}
