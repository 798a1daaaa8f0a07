//! Who changed what: noted as the watch tells of it, and told as Events once it has been acted on.
//!
//! The API server knows the generation and, through a policy of the chart, by whom; what differs is seen by comparing with what was
//! kept. A change that happened while nobody watched is told without its fields.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;

use super::report::News;
use crate::{api, plan::Kept};

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

/// The changes that are to be told after this one was seen.
pub fn noted(before: &[Edit], old: &Kept, new: &Kept) -> Vec<Edit> {
    if old.uid != new.uid {
        return Vec::new();
    }
    let mut edits = before.to_vec();
    let Some(changed) = new.id.of.entry().changed else {
        return edits;
    };
    if new.generation <= old.generation {
        return edits;
    }
    let by = new.annotation(api::CHANGED_BY).map(Arc::from);
    let fields = changed(&old.body, &new.body).into_iter();
    match edits.last_mut() {
        Some(last) if last.by == by => {
            last.fields.extend(fields);
            last.generation = new.generation;
        }
        _ => edits.push(Edit {
            by,
            fields: fields.collect(),
            generation: new.generation,
        }),
    }
    let excess = edits.len().saturating_sub(MOST);
    edits.drain(..excess);
    edits
}

/// What is told of them, now that this generation has been acted on. A new object tells by its annotation who made it.
pub fn news(edits: &[Edit], me: &Kept, before: &Value) -> Vec<News> {
    let acted_on = before["observedGeneration"].as_i64();
    let unseen = acted_on.is_some_and(|known| known < me.generation) && edits.is_empty();
    let by = || me.annotation(api::CHANGED_BY).map(Arc::from);
    let unseen = unseen.then(|| Edit {
        by: by(),
        fields: BTreeSet::new(),
        generation: me.generation,
    });
    edits.iter().chain(&unseen).map(told).collect()
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
    use serde_json::json;

    use super::*;
    use crate::{kinds::Of, run::wire::Wire};

    fn seen(generation: i64, by: &str, spec: &Value) -> Kept {
        let object = json!({
            "apiVersion": "roadstead.dev/v1alpha1", "kind": "Application", "spec": spec,
            "metadata": {"name": "shop", "namespace": "instance-acme", "uid": "u", "resourceVersion": "1",
                "generation": generation, "annotations": {"roadstead.dev/changed-by": by}},
        });
        let wire: Wire = serde_json::from_value(object).unwrap();
        wire.keep(Of::Application.entry()).unwrap().kept
    }

    /// proves: DV-089, DV-090
    #[test]
    fn each_person_s_changes_are_told_with_the_fields_that_differ() {
        let one = seen(1, "alice", &json!({"image": "a"}));
        let two = seen(2, "alice", &json!({"image": "b"}));
        let three = seen(3, "alice", &json!({"image": "b", "port": 80}));
        let four = seen(4, "bob@acme.com", &json!({"image": "c", "port": 80}));
        let edits = noted(&[], &one, &two);
        let edits = noted(&edits, &two, &three);
        let edits = noted(&edits, &three, &four);
        let news = news(&edits, &four, &json!({"observedGeneration": 1}));
        let notes: Vec<&str> = news.iter().map(|n| n.note.as_str()).collect();
        assert_eq!(
            notes,
            [
                "alice changed spec.image and spec.port.",
                "bob@acme.com changed spec.image."
            ]
        );
        assert_eq!(noted(&edits, &four, &four), edits);
    }

    #[test]
    fn a_change_that_nobody_watched_is_told_without_its_fields_and_a_new_object_not_at_all() {
        let two = seen(2, "alice", &json!({}));
        let told = news(&[], &two, &json!({"observedGeneration": 1}));
        assert_eq!(told[0].note, "alice changed the spec.");
        assert_eq!(told[0].by.as_deref(), Some("alice"));
        assert!(news(&[], &two, &json!({"observedGeneration": 2})).is_empty());
        assert!(news(&[], &two, &json!({})).is_empty());
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
