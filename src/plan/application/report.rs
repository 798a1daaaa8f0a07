//! What an Application says of itself.

use super::{Scene, State, archive, start::Beginning};
use crate::{
    api::application::{ApplicationSpec, ApplicationStatus},
    plan::verdict::Verdict,
};

/// The branch that is followed where nobody names one.
const BRANCH: &str = "main";

/// What an Application says of itself.
pub fn status(scene: &Scene<'_>, state: &State) -> ApplicationStatus {
    let (word, verdict) = verdict(scene, state);
    let verdict = more(scene, verdict);
    let whole = whole(scene);
    let start = scene.start();
    let is_home = !matches!(state, State::Homeless);
    let limit = i32::try_from(scene.home.environment_limit()).ok();
    ApplicationStatus {
        state: Some(word.to_owned()),
        environments: i32::try_from(scene.environments.len()).ok(),
        environment_limit: limit.filter(|_| is_home),
        default_branch: whole.default_branch.clone().or(Some(BRANCH.to_owned())),
        start: start.map(|start| start.told(scene.me, &whole)),
        mirrors: i32::try_from(scene.mirrors.len()).ok().filter(|n| *n > 0),
        deletion_at: scene.retirement.until().map(|until| until.to_string()),
        conditions: verdict.conditions,
        blockers: verdict.blockers,
        observed_generation: None,
    }
}

/// What counts: what it says itself, over what it started from.
fn whole(scene: &Scene<'_>) -> ApplicationSpec {
    let own = &scene.application.spec;
    match scene.start() {
        Some(start) => start.under(scene.seen, own),
        None => own.clone(),
    }
}

fn verdict(scene: &Scene<'_>, state: &State) -> (&'static str, Verdict) {
    match state {
        State::Leaving => {
            let message = "It is being deleted; its Environments stay until they are deleted too.";
            ("leaving", Verdict::moving("Deleting", message))
        }
        State::Homeless => ("degraded", homeless(&scene.me.id.ns)),
        State::Archived => ("archived", archived(scene)),
        State::Suspended => (
            "suspended",
            Verdict::ready("Suspended", "Nothing of it runs."),
        ),
        State::Waiting => ("waiting", waiting(scene)),
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
        State::Spreading => {
            let message = "Its Environments take up what has changed.";
            ("active", Verdict::moving("Spreading", message))
        }
        State::Degraded(names) => ("degraded", degraded(scene, names)),
    }
}

fn homeless(namespace: &str) -> Verdict {
    let message = format!("No Instance owns the namespace {namespace}.");
    let fix = "Create it in the namespace of an Instance: instance-<its name>.";
    Verdict::stalled("NoInstance", message).blocked(format!("NoInstance/{namespace}"), fix)
}

fn archived(scene: &Scene<'_>) -> Verdict {
    if scene.retirement.until().is_some() {
        return Verdict::ready("Archived", "Nothing of it runs.");
    }
    match archive::stays(scene) {
        Some((what, fix)) => {
            let message = "Its time is over, but something keeps it from being deleted.";
            Verdict::stalled("DeletionBlocked", message).blocked(what, fix)
        }
        None => {
            let message = "Its time is over: its Environments are deleted, then it is itself.";
            Verdict::moving("Deleting", message)
        }
    }
}

fn waiting(scene: &Scene<'_>) -> Verdict {
    let Beginning::Lacking(lack) = &scene.beginning else {
        return Verdict::default();
    };
    let what = format!("{}/{}", lack.reason, lack.object);
    Verdict::stalled(lack.reason, lack.fix.clone()).blocked(what, lack.fix.clone())
}

fn degraded(scene: &Scene<'_>, names: &[String]) -> Verdict {
    let message = format!("Environments need a person: {}.", names.join(", "));
    let verdict = Verdict::stalled("Degraded", message);
    names.iter().fold(verdict, |verdict, name| {
        let fix = format!(
            "See what it waits for: kubectl describe renv {name} -n {}",
            scene.me.id.ns
        );
        verdict.blocked(format!("EnvironmentStalled/{name}"), fix)
    })
}

/// The conditions besides those that every kind has.
fn more(scene: &Scene<'_>, mut verdict: Verdict) -> Verdict {
    let spec = &scene.application.spec;
    if let Some(suspended) = &spec.suspended {
        let message = format!("The platform team suspended it: {}", suspended.reason);
        verdict = verdict.with("Suspended", "True", "Suspended", message);
    }
    if scene.retirement.until().is_some() {
        let message = "It and its Environments are deleted when status.deletionAt comes; removing spec.archive before that brings them back. Services and their data stay.";
        verdict = verdict.with("Archived", "True", "Archived", message);
    }
    if let Some(lock) = &spec.locked {
        let message = format!("The platform team locked it: {}", lock.reason);
        verdict = verdict.with("Locked", "True", "Locked", message);
    }
    if let Some((reason, message)) = scene.start().and_then(|start| start.news(scene.seen)) {
        verdict = verdict.with(reason, "True", reason, message);
    }
    room(scene, verdict)
}

/// Whether another Environment may be added.
fn room(scene: &Scene<'_>, verdict: Verdict) -> Verdict {
    let (count, limit) = (scene.environments.len(), scene.home.environment_limit());
    if count < limit {
        let message = format!("The plan of its Instance allows {limit} Environments.");
        return verdict.with("AcceptsEnvironments", "True", "BelowLimit", message);
    }
    let message = format!(
        "It has {count} Environments, and the plan of its Instance allows {limit}: delete one, or raise spec.plan of the Instance."
    );
    verdict.with("AcceptsEnvironments", "False", "LimitReached", message)
}
