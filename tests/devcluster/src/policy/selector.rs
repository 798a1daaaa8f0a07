//! Which labels a selector means.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// Whether the selector means an object with these labels. An empty selector means every object.
pub fn matches(selector: &LabelSelector, labels: &Labels) -> bool {
    let equal = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    let expressions = selector.match_expressions.iter().flatten();
    equal
        && expressions.into_iter().all(|e| {
            let value = labels.get(&e.key);
            let listed = || value.is_some_and(|v| e.values.iter().flatten().any(|x| x == v));
            match e.operator.as_str() {
                "In" => listed(),
                "NotIn" => !listed(),
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(json: serde_json::Value) -> LabelSelector {
        serde_json::from_value(json).unwrap()
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect()
    }

    #[test]
    fn an_empty_selector_means_every_object() {
        assert!(matches(&LabelSelector::default(), &labels(&[])));
    }

    #[test]
    fn labels_and_expressions_must_all_hold() {
        let s = selector(serde_json::json!({
            "matchLabels": {"app": "shop"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["web", "worker"]},
                {"key": "managed", "operator": "DoesNotExist"},
                {"key": "stage", "operator": "NotIn", "values": ["test"]},
            ],
        }));
        assert!(matches(&s, &labels(&[("app", "shop"), ("tier", "web")])));
        assert!(!matches(&s, &labels(&[("app", "shop"), ("tier", "db")])));
        assert!(!matches(
            &s,
            &labels(&[("app", "shop"), ("tier", "web"), ("managed", "yes")])
        ));
        assert!(!matches(
            &s,
            &labels(&[("app", "shop"), ("tier", "web"), ("stage", "test")])
        ));
        assert!(!matches(&s, &labels(&[("tier", "web")])));
    }
}
