//! ApplicationTemplate: how it lives.
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | lacking | a class that it names is not there | it is |
//! | offered | Applications can start from it | it is changed or deleted |

use jiff::Timestamp;
use serde_json::json;

use super::{Found, Kept, Kind, Plan, Seen, Watched, verdict::Verdict};
use crate::{
    api::{ApplicationTemplate, ServiceClass},
    kinds::Of,
};

impl Watched for ApplicationTemplate {
    const OF: Of = Of::ApplicationTemplate;

    fn keys(&self) -> Vec<String> {
        let default = self.spec.default.unwrap_or(false);
        default
            .then(|| "default/true".to_owned())
            .into_iter()
            .collect()
    }
}

enum State {
    Lacking(Vec<String>),
    Offered,
}

impl Kind for ApplicationTemplate {
    fn plan(&self, me: &Kept, seen: &Seen<'_>, _now: Timestamp) -> Plan {
        let verdict = match observe(self, seen) {
            State::Offered => Verdict::ready("Offered", "Applications can start from it."),
            State::Lacking(classes) => lacking(&classes),
        };
        let verdict = default(self, me, seen, verdict);
        Plan {
            status: json!({"conditions": verdict.conditions, "blockers": verdict.blockers}),
            ..Plan::default()
        }
    }
}

fn observe(template: &ApplicationTemplate, seen: &Seen<'_>) -> State {
    let classes = template.spec.services.iter().map(|s| &s.class_ref.name);
    let absent = classes.filter(|class| seen.get::<ServiceClass>(class).is_none());
    let mut absent: Vec<String> = absent.cloned().collect();
    absent.dedup();
    if absent.is_empty() {
        State::Offered
    } else {
        State::Lacking(absent)
    }
}

fn lacking(classes: &[String]) -> Verdict {
    let message = format!(
        "Its Services are of classes that are not there: {}.",
        classes.join(", ")
    );
    let verdict = Verdict::stalled("ClassMissing", message);
    classes.iter().fold(verdict, |verdict, class| {
        let fix = format!("Create ServiceClass {class}, or name one of kubectl get msc.");
        verdict.blocked(format!("ClassMissing/{class}"), fix)
    })
}

/// Of several defaults the newest counts.
fn default(
    template: &ApplicationTemplate,
    me: &Kept,
    seen: &Seen<'_>,
    verdict: Verdict,
) -> Verdict {
    if !template.spec.default.unwrap_or(false) {
        return verdict;
    }
    let all = seen.by_key::<ApplicationTemplate>("default/true");
    let age = |t: &Found<ApplicationTemplate>| (t.kept.created, t.name().to_owned());
    match all.iter().max_by_key(|t| age(t)) {
        Some(newest) if newest.kept.uid != me.uid => {
            let message = format!(
                "{} is newer and also marked as default: it counts for new Applications.",
                newest.name()
            );
            verdict.with("Default", "False", "NewerDefault", message)
        }
        _ => {
            let message = "New Applications that name no template start from it.";
            verdict.with("Default", "True", "Default", message)
        }
    }
}
