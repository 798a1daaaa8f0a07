//! Application: how it lives. It drives nothing by itself.
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | homeless | no Instance owns its namespace | one does |
//! | suspended | the platform team said so | it takes that back |
//! | idle | no Environment releases it | one does |
//! | active | its Environments are as declared | one of them is not |
//! | degraded | an Environment needs a person | it is put right |

use jiff::Timestamp;
use serde_json::json;

use super::{Found, Kept, Kind, Plan, Seen, Watched, home::Home, verdict::Verdict};
use crate::{
    api::{
        Application, Environment,
        application::{ApplicationStatus, Suspension},
        status::STALLED,
    },
    kinds::Of,
};

impl Watched for Application {
    const OF: Of = Of::Application;
}

enum State {
    Homeless,
    Suspended(Suspension),
    Idle,
    Active,
    Degraded(Vec<String>),
}

impl Kind for Application {
    fn plan(&self, me: &Kept, seen: &Seen<'_>, _now: Timestamp) -> Plan {
        let environments = seen.by_key::<Environment>(&format!("application/{}", me.id.name));
        let state = observe(self, me, seen, &environments);
        let (word, verdict) = verdict(me, &state);
        let status = ApplicationStatus {
            state: Some(word.to_owned()),
            environments: i32::try_from(environments.len()).ok(),
            conditions: verdict.conditions,
            blockers: verdict.blockers,
            observed_generation: None,
        };
        Plan {
            status: json!(status),
            ..Plan::default()
        }
    }
}

fn observe(
    application: &Application,
    me: &Kept,
    seen: &Seen<'_>,
    environments: &[Found<Environment>],
) -> State {
    if matches!(Home::of(me, seen), Home::Nowhere) {
        return State::Homeless;
    }
    if let Some(suspended) = &application.spec.suspended {
        return State::Suspended(suspended.clone());
    }
    let stalled = environments.iter().filter(|e| is_stalled(e));
    let stalled: Vec<String> = stalled.map(|e| e.name().to_owned()).collect();
    if !stalled.is_empty() {
        return State::Degraded(stalled);
    }
    match environments {
        [] => State::Idle,
        _ => State::Active,
    }
}

fn is_stalled(environment: &Environment) -> bool {
    let conditions = environment.status.iter().flat_map(|s| &s.conditions);
    conditions
        .clone()
        .any(|c| c.type_ == STALLED && c.status == "True")
}

fn verdict(me: &Kept, state: &State) -> (&'static str, Verdict) {
    match state {
        State::Homeless => {
            let namespace = &me.id.ns;
            let message = format!("No Instance owns the namespace {namespace}.");
            let fix = "Create it in the namespace of an Instance: instance-<its name>.";
            let verdict = Verdict::stalled("NoInstance", message);
            (
                "degraded",
                verdict.blocked(format!("NoInstance/{namespace}"), fix),
            )
        }
        State::Suspended(Suspension { reason }) => {
            let verdict = Verdict::ready("Suspended", "Nothing of it runs.");
            let message = format!("The platform team suspended it: {reason}");
            (
                "suspended",
                verdict.with("Suspended", "True", "Suspended", message),
            )
        }
        State::Idle => (
            "idle",
            Verdict::ready("Idle", "No Environment releases it yet."),
        ),
        State::Active => (
            "active",
            Verdict::ready(
                "Active",
                "Its Environments are as declared, or on their way.",
            ),
        ),
        State::Degraded(names) => {
            let message = format!("Environments need a person: {}.", names.join(", "));
            let verdict =
                names
                    .iter()
                    .fold(Verdict::stalled("Degraded", message), |verdict, name| {
                        let fix = format!("See what it waits for: kubectl describe renv {name}");
                        verdict.blocked(format!("EnvironmentStalled/{name}"), fix)
                    });
            ("degraded", verdict)
        }
    }
}
