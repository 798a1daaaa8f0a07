//! The dashboard: it asks for what the operator counts.

use std::{collections::BTreeSet, sync::Arc};

use roadstead::run::metrics::{Controller, Metrics, Pass, Request};
use serde_json::Value;

/// What the kubelet counts for every container.
const OF_THE_KUBELET: [&str; 2] = [
    "container_memory_working_set_bytes",
    "container_cpu_usage_seconds_total",
];

/// Every word of an expression that names something that is counted.
fn metrics_of(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| {
        word.contains('_') && *word != "histogram_quantile" && *word != "__rate_interval"
    })
}

/// What an operator tells after its first pass; of what never happened it tells nothing.
fn told() -> String {
    let metrics = Arc::new(Metrics::default());
    let controller = Controller {
        controller: "instance".to_owned(),
    };
    drop(metrics.passes.get_or_create(&Pass {
        controller: controller.controller.clone(),
        result: "success",
    }));
    drop(metrics.requests.get_or_create(&Request {
        code: "200".to_owned(),
        method: "PATCH".to_owned(),
    }));
    drop(metrics.errors.get_or_create(&controller));
    drop(metrics.time.get_or_create(&controller));
    metrics.text()
}

#[test]
fn every_panel_of_the_dashboard_shows_what_the_operator_counts() {
    let text = told();
    let counted: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let dashboard: Value =
        serde_json::from_str(&super::text("charts/roadstead/files/dashboard.json"))
            .expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    assert!(panels.len() > 4);
    for panel in panels {
        for target in panel["targets"].as_array().expect("a panel asks") {
            let expression = target["expr"].as_str().expect("it asks in words");
            for metric in metrics_of(expression) {
                let base = metric
                    .trim_end_matches("_total")
                    .trim_end_matches("_bucket");
                let known = counted.contains(base) || OF_THE_KUBELET.contains(&metric);
                assert!(known, "{}: {metric} is not counted", panel["title"]);
            }
        }
    }
}
