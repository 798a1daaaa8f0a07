//! What a plan says of its object: conditions and blockers, in the form that kubectl, Helm, Flux and Argo CD understand.

use crate::api::status::{Blocker, Condition, READY, RECONCILING, STALLED};

/// The longest message and the longest advice that a status takes.
const PROSE: usize = 1024;
/// The longest name of what is in the way.
const WHAT: usize = 253;
/// So many things in the way are enough for anybody; the API server takes no more than one beside them.
const BLOCKERS: usize = 31;

/// The outcome of a plan, in words.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// The conditions, `Ready` first.
    pub conditions: Vec<Condition>,
    /// What it waits for.
    pub blockers: Vec<Blocker>,
}

impl Verdict {
    /// Usable as declared.
    pub fn ready(reason: &str, message: impl Into<String>) -> Self {
        Self::default().with(READY, "True", reason, message)
    }

    /// Moving towards what was declared.
    pub fn moving(reason: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::default()
            .with(READY, "Unknown", reason, message.clone())
            .with(RECONCILING, "True", reason, message)
    }

    /// Needs a person.
    pub fn stalled(reason: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::default()
            .with(READY, "False", reason, message.clone())
            .with(STALLED, "True", reason, message)
    }

    /// One more condition.
    pub fn with(
        mut self,
        type_: &str,
        status: &str,
        reason: &str,
        message: impl Into<String>,
    ) -> Self {
        self.conditions.push(Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: cut(message.into(), PROSE),
            ..Condition::default()
        });
        self
    }

    /// One more thing that it waits for: a stable word, with the object concerned, and what to do.
    pub fn blocked(mut self, what: impl Into<String>, fix: impl Into<String>) -> Self {
        if self.blockers.len() < BLOCKERS {
            self.blockers.push(Blocker {
                what: cut(what.into(), WHAT),
                fix: cut(fix.into(), PROSE),
                ..Blocker::default()
            });
        }
        self
    }

    /// Whether it is usable as declared.
    pub fn is_ready(&self) -> bool {
        self.conditions
            .iter()
            .any(|c| c.type_ == READY && c.status == "True")
    }
}

/// The text, as far as there is room for it: a status that is too long is not taken at all.
fn cut(text: String, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text;
    }
    let kept = text.chars().take(longest - 1);
    kept.chain(['…']).collect()
}
