//! Release: how it lives. What becomes of it is decided in its Environment's plan; here it only says what that was.
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | lost | its Environment does not exist | it does |
//! | queued | it waits for its turn | it begins, or a newer one comes |
//! | provisioning | it waits for attached Services | they are Ready |
//! | begun | its snapshot stands: the snapshot's annotations say how far it is | never: a finished Release is history |

use jiff::Timestamp;
use serde_json::json;

use super::{
    Kept, Kind, Plan, Seen, Watched,
    build::snapshot::{Phase, Record, Snapshot, number},
    verdict::Verdict,
};
use crate::{
    api::{
        Environment, Release,
        environment::EnvironmentState,
        release::{ReleaseStatus, Step},
        status::{Blocker, Condition, RECONCILING},
    },
    kinds::Of,
    plan::Found,
};

impl Watched for Release {
    const OF: Of = Of::Release;

    fn keys(&self) -> Vec<String> {
        vec![format!("environment/{}", self.spec.environment_ref.name)]
    }
}

enum State {
    Lost,
    Waiting(Box<Found<Environment>>),
    Begun(Box<Snapshot>, Vec<Blocker>),
}

impl Kind for Release {
    fn plan(&self, me: &Kept, seen: &Seen<'_>, _now: Timestamp) -> Plan {
        let state = observe(self, me, seen);
        Plan {
            status: json!(status(self, me, &state)),
            ..Plan::default()
        }
    }
}

fn observe(release: &Release, me: &Kept, seen: &Seen<'_>) -> State {
    let environment = &release.spec.environment_ref.name;
    if let Some(snapshot) = Snapshot::of_release(seen, environment, &me.id.name) {
        let waits = held_up(&snapshot, environment, seen);
        return State::Begun(Box::new(snapshot), waits);
    }
    match seen.get::<Environment>(environment) {
        Some(environment) => State::Waiting(Box::new(environment)),
        None => State::Lost,
    }
}

fn status(release: &Release, me: &Kept, state: &State) -> ReleaseStatus {
    let numbered = me.label("release").map(|label| number(Some(label)));
    let waiting = |phase: &str, verdict: Verdict| ReleaseStatus {
        number: numbered,
        phase: Some(phase.to_owned()),
        percent: Some(0),
        conditions: verdict.conditions,
        blockers: verdict.blockers,
        ..ReleaseStatus::default()
    };
    match state {
        State::Lost => {
            let name = &release.spec.environment_ref.name;
            let message = format!("Environment {name} does not exist.");
            let fix = format!("Create Environment {name}, or delete this Release.");
            let verdict = Verdict::stalled("EnvironmentMissing", message)
                .blocked(format!("EnvironmentMissing/{name}"), fix);
            waiting("Queued", unfinished(verdict, "EnvironmentMissing"))
        }
        State::Waiting(environment) => {
            let (phase, verdict) = wait(environment, numbered);
            waiting(phase, unfinished(verdict, phase))
        }
        State::Begun(snapshot, waits) => {
            let mut status = begun(snapshot, me.annotation("unusable"));
            status.blockers.extend(waits.iter().cloned());
            status
        }
    }
}

fn unfinished(verdict: Verdict, reason: &str) -> Verdict {
    verdict.with("Succeeded", "Unknown", reason, "It has not ended yet.")
}

/// What keeps one that is under way from coming further, as its Environment says it. One that has ended is not looked after.
fn held_up(snapshot: &Snapshot, environment: &str, seen: &Seen<'_>) -> Vec<Blocker> {
    if snapshot.phase().is_over() {
        return Vec::new();
    }
    let status = seen.get::<Environment>(environment);
    let status = status.and_then(|e| e.status.clone()).unwrap_or_default();
    let goes_on = |c: &Condition| c.type_ == RECONCILING && c.reason == "Releasing";
    let mine = status.running_release == Some(snapshot.number());
    if !mine || !status.conditions.iter().any(goes_on) {
        return Vec::new();
    }
    let theirs = status.blockers.into_iter();
    let again = |blocker: Blocker| Blocker {
        since: String::new(),
        ..blocker
    };
    theirs.map(again).collect()
}

/// Why it has not begun: what its Environment waits for.
fn wait(environment: &Found<Environment>, mine: Option<i64>) -> (&'static str, Verdict) {
    let name = environment.name();
    let verdict = Verdict::moving("Queued", "It waits for its turn.");
    let status = environment.status.clone().unwrap_or_default();
    if let Some(other) = status.running_release.filter(|other| Some(*other) != mine) {
        let fix =
            format!("It begins by itself once Release {other} of Environment {name} has ended.");
        return (
            "Queued",
            verdict.blocked(format!("ReleaseUnderWay/{other}"), fix),
        );
    }
    if environment.spec.state == Some(EnvironmentState::Stopped) {
        let fix = format!("Set spec.state of Environment {name} to Running.");
        return (
            "Queued",
            verdict.blocked(format!("EnvironmentStopped/{name}"), fix),
        );
    }
    let services = ["ServiceNotReady/", "ServiceStopped/"];
    let is_service = |what: &str| services.iter().any(|service| what.starts_with(service));
    let provisions = status
        .blockers
        .iter()
        .any(|blocker| is_service(&blocker.what));
    let verdict = status
        .blockers
        .into_iter()
        .filter(|blocker| {
            !blocker.what.starts_with("ReleaseFailed/")
                && !blocker.what.starts_with("NeverReleased/")
        })
        .fold(verdict, |verdict, blocker| {
            verdict.blocked(blocker.what, blocker.fix)
        });
    (if provisions { "Provisioning" } else { "Queued" }, verdict)
}

fn begun(snapshot: &Snapshot, unusable: Option<&str>) -> ReleaseStatus {
    let kept = &snapshot.secret.kept;
    let record = snapshot.record().unwrap_or_default();
    let phase = snapshot.phase();
    let steps = steps(snapshot, &record);
    let given = (!record.image.is_empty()).then(|| record.image.clone());
    let mut verdict = verdict(snapshot, phase);
    if let Some(why) = unusable {
        let message = format!("Nobody goes back to it or promotes it: {why}");
        verdict = verdict.with("Usable", "False", "MarkedUnusable", message);
    }
    ReleaseStatus {
        number: Some(snapshot.number()),
        phase: Some(phase.word().to_owned()),
        percent: Some(percent(phase, &steps)),
        image: snapshot.image().map(str::to_owned).or(given),
        snapshot: Some(snapshot.name().to_owned()),
        started_at: (phase != Phase::Superseded).then(|| kept.created.to_string()),
        ended_at: kept.annotation("ended-at").map(str::to_owned),
        steps,
        conditions: verdict.conditions,
        blockers: verdict.blockers,
        observed_generation: None,
    }
}

fn verdict(snapshot: &Snapshot, phase: Phase) -> Verdict {
    let note = |key: &str| snapshot.secret.kept.annotation(key).map(str::to_owned);
    match phase {
        Phase::Succeeded => Verdict::ready("Succeeded", "It succeeded.").with(
            "Succeeded",
            "True",
            "Succeeded",
            "It succeeded.",
        ),
        Phase::Superseded => {
            let message = "A newer Release came before it began.";
            Verdict::ready("Superseded", message).with("Succeeded", "False", "Superseded", message)
        }
        Phase::Failed => {
            let reason = note("reason").unwrap_or_else(|| "Failed".to_owned());
            let message = note("message").unwrap_or_else(|| "It failed.".to_owned());
            let fix = "Whatever served before it goes on serving. Change the configuration, or make another Release.";
            Verdict::stalled(&reason, message.clone())
                .with("Succeeded", "False", &reason, message)
                .blocked(format!("{reason}/{}", snapshot.name()), fix)
        }
        Phase::Releasing => unfinished(
            Verdict::moving("Releasing", "Its release commands run."),
            "Releasing",
        ),
        Phase::RollingOut => unfinished(
            Verdict::moving("RollingOut", "Its pods take over."),
            "RollingOut",
        ),
    }
}

/// What it did and what is still to do, in order.
fn steps(snapshot: &Snapshot, record: &Record) -> Vec<Step> {
    let mut steps = snapshot.steps();
    if snapshot.phase() == Phase::Superseded || record.image.is_empty() {
        return steps;
    }
    let commands = match record.back_to {
        Some(_) => &[][..],
        None => &record.configuration.release_commands,
    };
    let names = commands.iter().map(|command| command.name.as_str());
    let names: Vec<&str> = names.chain(["rollout"]).collect();
    let state = if snapshot.phase().is_over() {
        "Skipped"
    } else {
        "Waiting"
    };
    for name in names.iter().skip(steps.len()) {
        steps.push(Step {
            name: (*name).to_owned(),
            state: state.to_owned(),
            ..Step::default()
        });
    }
    steps
}

/// How far it is: it never falls, and 100 is success.
fn percent(phase: Phase, steps: &[Step]) -> i32 {
    let count = |state: &str| steps.iter().filter(|step| step.state == state).count();
    let rollout = steps.last().map_or("Waiting", |step| &*step.state);
    match phase {
        Phase::Succeeded => 100,
        Phase::RollingOut => 60,
        Phase::Failed if !matches!(rollout, "Waiting" | "Skipped") => 60,
        Phase::Superseded => 0,
        Phase::Releasing | Phase::Failed => {
            let all = steps.len().max(1);
            let done = i32::try_from(count("Succeeded") * 50 / all).unwrap_or(0);
            10 + done
        }
    }
}
