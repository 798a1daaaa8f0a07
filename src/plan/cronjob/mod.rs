//! Cronjob: how it lives.
//!
//! | state | means | leaves when |
//! |---|---|---|
//! | `Leaving` | deleted; what was made for it goes with it | it is gone |
//! | `Homeless` | no Instance owns its namespace | one does |
//! | `Orphaned` | its Environment is not there | somebody makes it |
//! | `Undeployed` | its Environment has no Release yet whose image it could run | the first one succeeds |
//! | `Unreadable` | nobody can say when it is to run; what runs goes on, nothing new starts | its schedule is put right |
//! | `Halted` | nothing starts, because somebody said so of it, its Environment, Application or Instance, or a Restore runs | they say otherwise, or it has ended |
//! | `Scheduled` | it runs on its schedule | one of the above |
//!
//! Kubernetes' own CronJob starts the runs. It remembers the request token that was acted on last, and since when its schedule
//! has been in force: both survive the loss of our status.

mod child;
mod runs;
pub mod schedule;

use jiff::Timestamp;
use serde_json::json;

use super::{
    Found, Kept, Kind, Plan, Seen, Watched,
    application::{Standstill, standstill},
    build::snapshot::{Record, Snapshot, serving},
    facts,
    home::Home,
    restore::holding,
    verdict::Verdict,
};
use crate::{
    api::{
        Application, Cronjob, Environment, cronjob::CronjobStatus, environment::EnvironmentState,
    },
    kinds::Of,
};
use child::Run;
use schedule::{Schedule, Unreadable};

impl Watched for Cronjob {
    const OF: Of = Of::Cronjob;

    fn keys(&self) -> Vec<String> {
        vec![format!("environment/{}", self.spec.environment_ref.name)]
    }
}

impl Kind for Cronjob {
    fn plan(&self, me: &Kept, seen: &Seen<'_>, now: Timestamp) -> Plan {
        let scene = Scene {
            me,
            cronjob: self,
            seen,
            now,
            stands: seen.get::<facts::BatchCronJob>(&me.id.name),
        };
        plan(&scene, &observe(&scene))
    }
}

/// What all of the plan looks at.
struct Scene<'a> {
    me: &'a Kept,
    cronjob: &'a Cronjob,
    seen: &'a Seen<'a>,
    now: Timestamp,
    /// The batch CronJob as it is.
    stands: Option<Found<facts::BatchCronJob>>,
}

/// The Release that serves its Environment, in which it runs.
struct Serving {
    snapshot: Snapshot,
    record: Record,
    home: Home,
}

enum State {
    Leaving,
    Homeless,
    Orphaned,
    Undeployed,
    Unreadable {
        serving: Serving,
        why: Unreadable,
    },
    Halted {
        serving: Option<Serving>,
        halt: Halt,
    },
    Scheduled {
        serving: Serving,
        schedule: Box<Schedule>,
    },
}

/// Who said that nothing is to start.
enum Halt {
    Itself,
    Environment,
    Application(String, Standstill),
    Instance,
    Restore { restore: String, service: String },
}

fn observe(scene: &Scene<'_>) -> State {
    if scene.me.deleting.is_some() {
        return State::Leaving;
    }
    let home = Home::of(scene.me, scene.seen);
    if matches!(home, Home::Nowhere) {
        return State::Homeless;
    }
    let name = &scene.cronjob.spec.environment_ref.name;
    let Some(environment) = scene.seen.get::<Environment>(name) else {
        return State::Orphaned;
    };
    let halt = halt(scene, &home, &environment);
    let serving = serving(scene.seen, name).and_then(|snapshot| {
        let record = snapshot.record()?;
        Some(Serving {
            snapshot,
            record,
            home,
        })
    });
    let (serving, halt) = match (serving, halt) {
        (serving, Some(halt)) => return State::Halted { serving, halt },
        (None, None) => return State::Undeployed,
        (Some(serving), None) => (serving, scene.cronjob.spec.suspend.unwrap_or(false)),
    };
    match Schedule::of(&scene.cronjob.spec) {
        Err(why) => State::Unreadable { serving, why },
        Ok(_) if halt => State::Halted {
            serving: Some(serving),
            halt: Halt::Itself,
        },
        Ok(schedule) => State::Scheduled {
            serving,
            schedule: Box::new(schedule),
        },
    }
}

/// Who besides itself says that nothing is to start.
fn halt(scene: &Scene<'_>, home: &Home, environment: &Environment) -> Option<Halt> {
    if home.is_suspended() {
        return Some(Halt::Instance);
    }
    let application = &environment.spec.application_ref.name;
    let found = scene.seen.get::<Application>(application);
    if let Some(why) = found.and_then(|found| standstill(&found)) {
        return Some(Halt::Application(application.clone(), why));
    }
    if environment.spec.state == Some(EnvironmentState::Stopped) {
        return Some(Halt::Environment);
    }
    let services = environment.spec.services.iter().map(|a| a.name.as_str());
    let (restore, service) = holding::under_way(scene.seen, services)?;
    Some(Halt::Restore { restore, service })
}

fn plan(scene: &Scene<'_>, state: &State) -> Plan {
    let runs = runs::all(scene.seen);
    let mut wake = None;
    let mut next = None;
    let (word, steps, verdict) = match state {
        State::Leaving => (
            "terminating",
            vec![],
            Verdict::moving("Deleted", "It goes, and what was made for it goes with it."),
        ),
        State::Homeless => ("failed", runs::kept(scene, &runs), homeless(scene)),
        State::Orphaned => ("waiting", vec![], orphaned(scene)),
        State::Undeployed => ("waiting", vec![], undeployed(scene)),
        State::Unreadable { serving, why } => {
            let run = Run::of(scene, serving, None);
            ("failed", run.steps(&runs, true), unreadable(why))
        }
        State::Halted { serving, halt } => {
            let run = serving.as_ref().map(|s| Run::of(scene, s, None));
            // Whoever suspends a Cronjob may still ask for a run; where nothing is to run, the request waits.
            let asks = matches!(halt, Halt::Itself);
            let steps = run.map(|run| run.steps(&runs, asks)).unwrap_or_default();
            ("suspended", steps, halted(scene, halt))
        }
        State::Scheduled { serving, schedule } => {
            let run = Run::of(scene, serving, Some(schedule));
            next = schedule.next(scene.now);
            let (due, missed) = missed(scene, &run, schedule);
            wake = next.into_iter().chain(due).min();
            let verdict = scheduled(schedule, missed, &runs);
            ("scheduled", run.steps(&runs, true), verdict)
        }
    };
    let running = word == "scheduled" && runs.iter().any(runs::Known::is_running);
    let verdict = runs::with_last(verdict, &runs, &scene.me.id.ns);
    let status = CronjobStatus {
        state: Some(if running { "running" } else { word }.to_owned()),
        next_run_at: next.map(|at| at.to_string()),
        last_runs: runs
            .iter()
            .take(10)
            .map(|known| known.run.clone())
            .collect(),
        conditions: verdict.conditions,
        blockers: verdict.blockers,
        observed_generation: None,
    };
    Plan {
        steps,
        status: serde_json::to_value(status).unwrap_or_else(|_| json!({})),
        wake,
        hold: false,
    }
}

/// When the next look for a missed run is due, and whether one was missed since the schedule came into force.
fn missed(scene: &Scene<'_>, run: &Run<'_>, schedule: &Schedule) -> (Option<Timestamp>, bool) {
    let last = scene
        .stands
        .as_ref()
        .and_then(|c| c.status.last_schedule_time.as_deref()?.parse().ok());
    let from = run.since.max(last.unwrap_or(run.since));
    let open = |before| schedule.previous(before).filter(|at| *at > from);
    let late = scene.now - child::PATIENCE;
    // A second more: Kubernetes may still start it in the very last one.
    let due = open(scene.now).map(|at| at + child::PATIENCE + jiff::SignedDuration::from_secs(1));
    (due.filter(|at| *at > scene.now), open(late).is_some())
}

fn scheduled(schedule: &Schedule, missed: bool, runs: &[runs::Known]) -> Verdict {
    let message = format!("It runs at '{}' in {}.", schedule.cron, schedule.zone);
    let verdict = Verdict::ready("Scheduled", message);
    let still = runs.iter().any(|known| known.is_running());
    match (missed, still) {
        (false, _) => verdict.with("MissedRuns", "False", "OnTime", "Every run that was due was started."),
        (true, true) => verdict.with(
            "MissedRuns",
            "True",
            "StillRunning",
            "A run that was due was not started, because the one before had not ended: shorten it, lower timeoutSeconds or run it less often.",
        ),
        (true, false) => verdict.with(
            "MissedRuns",
            "True",
            "NotStarted",
            "A run that was due was not started in time: see the events of the batch CronJob of the same name.",
        ),
    }
}

fn homeless(scene: &Scene<'_>) -> Verdict {
    let message = format!("No Instance owns namespace {}.", scene.me.id.ns);
    let fix = "Move it to the namespace of an Instance: instance-<name of the Instance>.";
    Verdict::stalled("NoInstance", message).blocked("NoInstance", fix)
}

fn orphaned(scene: &Scene<'_>) -> Verdict {
    let name = &scene.cronjob.spec.environment_ref.name;
    let message = format!("There is no Environment {name} in this namespace.");
    let fix =
        format!("Make Environment {name}, or make the Cronjob again with another environmentRef.");
    Verdict::stalled("EnvironmentNotFound", message)
        .blocked(format!("EnvironmentNotFound/{name}"), fix)
}

fn undeployed(scene: &Scene<'_>) -> Verdict {
    let name = &scene.cronjob.spec.environment_ref.name;
    let message = format!("Environment {name} has not been deployed: there is no image to run in.");
    let fix = format!(
        "Wait for the first Release of Environment {name} to succeed; its status says what it waits for."
    );
    Verdict::moving("NotDeployed", message).blocked(format!("NotDeployed/{name}"), fix)
}

fn unreadable(why: &Unreadable) -> Verdict {
    let (reason, field, message) = match why {
        Unreadable::Schedule(message) => ("InvalidSchedule", "schedule", message),
        Unreadable::Zone(message) => ("InvalidTimeZone", "timeZone", message),
    };
    let fix = format!("Set spec.{field} to one that can be read.");
    Verdict::stalled(reason, format!("{message}.")).blocked(reason, fix)
}

fn halted(scene: &Scene<'_>, halt: &Halt) -> Verdict {
    let environment = &scene.cronjob.spec.environment_ref.name;
    let (reason, what, message, fix) = match halt {
        Halt::Itself => {
            let message = "It is not run while spec.suspend is true; spec.runNow still runs it.";
            return Verdict::ready("Suspended", message);
        }
        Halt::Environment => (
            "EnvironmentStopped",
            format!("EnvironmentStopped/{environment}"),
            format!("It is not run while Environment {environment} is stopped."),
            format!("Set spec.state of Environment {environment} to Running."),
        ),
        Halt::Application(name, why) => (
            why.reason,
            format!("{}/{name}", why.reason),
            format!("It is not run: Application {name} {}", why.what),
            why.fix.clone(),
        ),
        Halt::Restore { restore, service } => (
            "Restoring",
            format!("RestoreUnderWay/{restore}"),
            format!("It is not run while Restore {restore} puts data into Service {service}."),
            format!(
                "It goes on by itself then: kubectl describe drs {restore} -n {}",
                scene.me.id.ns
            ),
        ),
        Halt::Instance => (
            "InstanceSuspended",
            "InstanceSuspended".to_owned(),
            "It is not run while its Instance is suspended.".to_owned(),
            "Set spec.state of the Instance to Active.".to_owned(),
        ),
    };
    Verdict::ready(reason, message).blocked(what, fix)
}
