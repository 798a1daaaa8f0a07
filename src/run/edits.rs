//! Who changed what: noted as the watch tells of it, and told as Events once it has been acted on.
//!
//! The API server knows the generation and, through a policy of the chart, by whom; what differs is seen by comparing with what was
//! kept. A change that happened while nobody watched is told without its fields; of a new object, its annotation tells who made it.

use std::{collections::BTreeSet, sync::Arc};

use super::{report::News, wire::Fresh};
use crate::plan::Kept;

/// So many changes by different people are remembered between two looks at an object.
const MOST: usize = 16;

/// One or more changes of a spec in a row by the same person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// By whom, as the API server knows them.
    pub by: Option<Arc<str>>,
    /// The fields of the spec.
    pub fields: BTreeSet<String>,
    /// The generation that it led to.
    pub generation: i64,
}

/// The changes that are to be told after this one was seen: of what was kept before, with those that were still to be told.
pub fn noted(old: Option<(&Kept, &[Edit])>, new: &Fresh) -> Vec<Edit> {
    let edit = |fields| Edit {
        by: new.by.clone(),
        fields,
        generation: new.kept.generation,
    };
    let Some((old, edits)) = old.filter(|(old, _)| old.uid == new.kept.uid) else {
        let unseen = new.behind.then(|| edit(BTreeSet::new()));
        return unseen.into_iter().collect();
    };
    let mut edits = edits.to_vec();
    let Some(changed) = new.kept.id.of.entry().changed else {
        return edits;
    };
    if new.kept.generation <= old.generation {
        return edits;
    }
    let fields = changed(&old.body, &new.kept.body).into_iter();
    match edits.last_mut() {
        Some(last) if last.by == new.by => {
            last.fields.extend(fields);
            last.generation = new.kept.generation;
        }
        _ => edits.push(edit(fields.collect())),
    }
    let excess = edits.len().saturating_sub(MOST);
    edits.drain(..excess);
    edits
}

/// What is told of them, now that they have been acted on.
pub fn news(edits: &[Edit]) -> Vec<News> {
    edits.iter().map(told).collect()
}

fn told(edit: &Edit) -> News {
    let fields: Vec<String> = edit.fields.iter().map(|f| format!("spec.{f}")).collect();
    let what = match fields.as_slice() {
        [] => "the spec".to_owned(),
        [only] => only.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    };
    let note = match &edit.by {
        Some(by) => format!("{by} changed {what}."),
        None => format!("Somebody changed {what}; this API server does not record who."),
    };
    News {
        warning: false,
        reason: "Changed".to_owned(),
        note,
        by: edit.by.as_deref().map(str::to_owned),
    }
}

/// A user's name as a label can hold it, so that Events can be selected by it: what a label may not contain becomes `-`.
pub fn as_label(user: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let text: String = user
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .collect();
    let edge = |c: char| !c.is_ascii_alphanumeric();
    let cut: String = text.trim_start_matches(edge).chars().take(63).collect();
    cut.trim_end_matches(edge).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{kinds::Of, run::wire::Wire};

    /// An Application of this generation, changed by somebody, with a status about this one.
    fn seen(generation: i64, by: &str, spec: &Value, told: Option<i64>) -> Fresh {
        let mut object = json!({
            "apiVersion": "roadstead.dev/v1alpha1", "kind": "Application", "spec": spec,
            "metadata": {"name": "shop", "namespace": "instance-acme", "uid": "u", "resourceVersion": "1",
                "generation": generation, "annotations": {"roadstead.dev/changed-by": by}},
        });
        if let Some(told) = told {
            object["status"] = json!({"observedGeneration": told});
        }
        let wire: Wire = serde_json::from_value(object).unwrap();
        wire.keep(Of::Application.entry()).unwrap()
    }

    fn notes(edits: &[Edit]) -> Vec<String> {
        news(edits).into_iter().map(|news| news.note).collect()
    }

    /// proves: DV-089, DV-090
    #[test]
    fn each_person_s_changes_are_told_with_the_fields_that_differ() {
        let mut edits = Vec::new();
        let mut kept = seen(1, "alice", &json!({"image": "a"}), Some(1)).kept;
        for (generation, by, spec) in [
            (2, "alice", json!({"image": "b"})),
            (3, "alice", json!({"image": "b", "port": 80})),
            (4, "bob@acme.com", json!({"image": "c", "port": 80})),
            (4, "bob@acme.com", json!({"image": "c", "port": 80})),
        ] {
            let fresh = seen(generation, by, &spec, Some(1));
            edits = noted(Some((&kept, &edits)), &fresh);
            kept = fresh.kept;
        }
        assert_eq!(
            notes(&edits),
            [
                "alice changed spec.image and spec.port.",
                "bob@acme.com changed spec.image."
            ]
        );
    }

    #[test]
    fn a_change_that_nobody_watched_is_told_without_its_fields_and_a_new_object_not_at_all() {
        let unseen = noted(None, &seen(2, "alice", &json!({}), Some(1)));
        assert_eq!(notes(&unseen), ["alice changed the spec."]);
        assert!(noted(None, &seen(2, "alice", &json!({}), Some(2))).is_empty());
        assert!(noted(None, &seen(1, "alice", &json!({}), None)).is_empty());
        assert!(noted(None, &seen(1, "alice", &json!({}), Some(-1))).is_empty());
    }

    #[test]
    fn every_user_s_name_becomes_a_label() {
        assert_eq!(as_label("alice"), "alice");
        assert_eq!(as_label("Bob@acme.com"), "Bob-acme.com");
        assert_eq!(
            as_label("system:serviceaccount:flux-system:kustomize-controller"),
            "system-serviceaccount-flux-system-kustomize-controller"
        );
        assert_eq!(as_label(&format!(":{}:", "x".repeat(99))), "x".repeat(63));
    }
}
