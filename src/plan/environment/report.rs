//! What an Environment says of itself. Words and lists change only when something has come to an end, not with each pod.

use super::{
    Halt, Life, Scene,
    course::is_done,
    start::Start,
    trouble::{self, Trouble, blocked},
    workload,
};
use crate::{
    api::{
        environment::{EffectiveVariable, EnvironmentStatus, PendingChange, Replica},
        status::READY,
    },
    plan::{
        Found,
        build::{
            snapshot::{Phase, Record, number},
            variables::{Entry, Origin},
        },
        facts,
        verdict::Verdict,
    },
};

/// How many pods may change without a word until they have come to rest.
const FEW: i32 = 3;

/// In a namespace that no Instance owns.
pub fn homeless(scene: &Scene<'_>) -> EnvironmentStatus {
    let namespace = &scene.me.id.ns;
    let message = format!("No Instance owns the namespace {namespace}.");
    let fix = "Create it in the namespace of an Instance: instance-<its name>.";
    let verdict =
        Verdict::stalled("NoInstance", message).blocked(format!("NoInstance/{namespace}"), fix);
    EnvironmentStatus {
        state: Some("failed".to_owned()),
        conditions: verdict.conditions,
        blockers: verdict.blockers,
        ..EnvironmentStatus::default()
    }
}

/// In an Instance.
pub fn living(scene: &Scene<'_>, life: &Life) -> EnvironmentStatus {
    let ills = life.ills(scene);
    let pending = life.pending();
    let (word, verdict) = life.verdict(scene, &ills);
    let verdict = life.more(scene, verdict, &pending);
    let current = match &life.course {
        Some(course) if course.phase == Phase::Succeeded => Some(course.record.number),
        _ => life.serving.as_ref().map(|(snapshot, _)| snapshot.number()),
    };
    let under_way = life.course.as_ref().filter(|c| !c.phase.is_over());
    let ended = life.course.as_ref().filter(|c| c.phase.is_over());
    EnvironmentStatus {
        state: Some(word.to_owned()),
        url: life.url(scene),
        current_release: current,
        running_release: under_way.map(|course| course.record.number),
        last_finished_release: ended
            .map(|course| course.record.number)
            .or_else(|| life.history.last_finished()),
        pending_changes: pending,
        replicas: life.replicas(scene),
        variables: life.variables(scene),
        conditions: verdict.conditions,
        blockers: verdict.blockers,
        observed_generation: None,
    }
}

impl Life {
    fn verdict(&self, scene: &Scene<'_>, ills: &[Trouble]) -> (&'static str, Verdict) {
        let serves = self.serving.is_some();
        if let Some(problem) = self.today.problems.first() {
            let word = match (&self.halt, serves) {
                (Some(_), _) => "stopped",
                (None, true) => "degraded",
                (None, false) => "failed",
            };
            let verdict = Verdict::stalled(problem.reason, problem.fix.clone());
            return (word, blocked(verdict, &self.today.problems));
        }
        if let Some(halt) = &self.halt {
            return ("stopped", halted(scene, halt));
        }
        if let Some(found) = self.under_way() {
            return ("deploying", found);
        }
        if let Some((name, message)) = self.failure() {
            let word = if serves { "degraded" } else { "failed" };
            let fix = format!(
                "Change the configuration, or make another Release: kubectl describe rel {name}"
            );
            let verdict = Verdict::stalled("ReleaseFailed", message);
            return (word, verdict.blocked(format!("ReleaseFailed/{name}"), fix));
        }
        if !serves {
            let fix = "Make a Release of it: its releasePolicy is Manual.";
            let verdict = Verdict::stalled("NeverReleased", "It has never been released.");
            let name = &scene.me.id.name;
            return (
                "never-deployed",
                verdict.blocked(format!("NeverReleased/{name}"), fix),
            );
        }
        if let Some(ill) = ills.first() {
            let message = format!("Container {}: {}", ill.object, ill.fix);
            return (
                "degraded",
                blocked(Verdict::stalled(ill.reason, message), ills),
            );
        }
        if !self.is_settled(scene) {
            let verdict = Verdict::moving("Starting", "Not all replicas are ready yet.");
            return ("running", verdict);
        }
        ("running", self.ready())
    }

    fn ready(&self) -> Verdict {
        match self.serving.as_ref().and_then(|(_, r)| r.back_to.as_ref()) {
            Some(name) => Verdict::ready("RolledBack", format!("It runs what Release {name} ran.")),
            None => Verdict::ready("Running", "Its newest Release serves."),
        }
    }

    /// The verdict while a Release is under way, due, or waits to begin.
    fn under_way(&self) -> Option<Verdict> {
        if let Some(course) = &self.course {
            if course.phase == Phase::Succeeded {
                return Some(moving(course.record.number));
            }
            if course.phase != Phase::Failed {
                return Some(blocked(moving(course.record.number), &course.troubles));
            }
            return None;
        }
        if self.automatic {
            return Some(moving(self.history.highest + 1));
        }
        let next = self.history.next()?;
        let verdict = moving(next.number);
        Some(match &self.start {
            Some(Start::Wait(troubles)) => blocked(verdict, troubles),
            _ => verdict,
        })
    }

    /// The newest Release, if it failed: its name and why.
    fn failure(&self) -> Option<(String, String)> {
        if let Some(course) = &self.course {
            let (_, message) = course.failure.clone()?;
            return Some((course.snapshot.name().to_owned(), message));
        }
        let newest = self.history.newest()?;
        let failed = newest.phase() == Phase::Failed;
        let message = newest.secret.kept.annotation("message");
        let message = message.unwrap_or("It failed.").to_owned();
        failed.then(|| (newest.name().to_owned(), message))
    }

    /// The conditions besides those that every kind has.
    fn more(&self, scene: &Scene<'_>, verdict: Verdict, pending: &[PendingChange]) -> Verdict {
        let (status, reason, message) = self.released(pending);
        let mut verdict = verdict.with("Released", status, reason, message);
        let restart = pending.iter().any(|change| change.impact != "None");
        verdict = match restart {
            true => verdict.with(
                "PendingChanges",
                "True",
                "Waiting",
                "See status.pendingChanges.",
            ),
            false => verdict.with(
                "PendingChanges",
                "False",
                "None",
                "What is declared is released.",
            ),
        };
        if let Some(Halt::Application(reason)) = &self.halt {
            let message = format!("The Application is suspended: {reason}");
            verdict = verdict.with("Suspended", "True", "ApplicationSuspended", message);
        }
        for (type_, reason, names) in self.oddities(scene) {
            let message = format!("{reason}: {}.", names.join(", "));
            verdict = verdict.with(type_, "True", type_, message);
        }
        verdict
    }

    fn released(&self, pending: &[PendingChange]) -> (&'static str, &'static str, String) {
        if let Some((name, message)) = self.failure() {
            return (
                "False",
                "ReleaseFailed",
                format!("Release {name}: {message}"),
            );
        }
        let moves = self.course.is_some() || self.automatic || self.history.next().is_some();
        if moves {
            return ("Unknown", "Releasing", "A Release is under way.".to_owned());
        }
        let Some((_, record)) = &self.serving else {
            return (
                "False",
                "NeverReleased",
                "Nothing has been released.".to_owned(),
            );
        };
        if let Some(name) = &record.back_to {
            let message =
                format!("It runs what Release {name} ran, until the configuration changes.");
            return ("False", "RolledBack", message);
        }
        if pending.iter().any(|change| change.impact != "None") {
            let message = "Changes wait for a Release: see status.pendingChanges.";
            return ("False", "PendingChanges", message.to_owned());
        }
        (
            "True",
            "Released",
            "What is declared is what runs.".to_owned(),
        )
    }

    /// What is odd, but keeps nothing from running.
    fn oddities(&self, scene: &Scene<'_>) -> Vec<(&'static str, &'static str, Vec<String>)> {
        let mut out = Vec::new();
        if self.today.application.is_none() {
            return out;
        }
        let resolved = self.today.variables(scene, 0);
        if !resolved.unresolved.is_empty() {
            let names = resolved.unresolved.iter();
            let names = names.map(|name| format!("$({name})")).collect();
            out.push((
                "UnresolvedPlaceholder",
                "These name no variable and are passed on as they are",
                names,
            ));
        }
        let said = self.today.said(scene, 0);
        let ours = said
            .iter()
            .filter(|one| matches!(one.origin, Origin::Roadstead | Origin::Service));
        let by_people = |name: &str| {
            said.iter().any(|one| {
                one.name == name && matches!(one.origin, Origin::Application | Origin::Environment)
            })
        };
        let over: Vec<String> = ours
            .filter(|one| by_people(&one.name))
            .map(|one| one.name.clone())
            .collect();
        if !over.is_empty() {
            out.push((
                "BuiltInOverridden",
                "Variables of the Environment or the Application take the place of these",
                over,
            ));
        }
        let conflicts = self
            .today
            .problems
            .iter()
            .filter(|p| p.reason == "PrefixConflict");
        let prefixes: Vec<String> = conflicts.map(|p| p.object.clone()).collect();
        if !prefixes.is_empty() {
            out.push((
                "PrefixConflict",
                "Two Services would give the same variables",
                prefixes,
            ));
        }
        out
    }

    /// What the next Release would change.
    fn pending(&self) -> Vec<PendingChange> {
        let Some((_, record)) = &self.serving else {
            return Vec::new();
        };
        if self.today.application.is_none() {
            return Vec::new();
        }
        let mut changes = self
            .today
            .configuration
            .changes_since(&record.configuration);
        for (name, rv) in &self.today.secrets {
            if record.secrets.get(name).is_some_and(|then| then != rv) {
                changes.push(PendingChange {
                    path: format!("secrets.{name}"),
                    change: "Modified".to_owned(),
                    impact: "Restart".to_owned(),
                });
            }
        }
        changes
    }

    fn url(&self, scene: &Scene<'_>) -> Option<String> {
        let (_, record) = self.serving.as_ref().filter(|_| self.halt.is_none())?;
        let web = record.configuration.web()?;
        let host = workload::name_of(scene, &web.name);
        Some(format!("http://{host}.{}.svc", scene.me.id.ns))
    }

    fn variables(&self, scene: &Scene<'_>) -> Vec<EffectiveVariable> {
        let one = |entry: &Entry| EffectiveVariable {
            name: entry.name.clone(),
            origin: serde_json::to_value(entry.origin)
                .ok()
                .and_then(|v| v.as_str().map(str::to_owned))
                .unwrap_or_default(),
            sensitive: entry.sensitive,
        };
        let of = |record: &Record| record.variables.iter().map(one).collect();
        match self.leading() {
            Some((_, record)) => of(record),
            None if self.today.application.is_some() => {
                let resolved = self.today.variables(scene, 0);
                resolved.entries.iter().map(one).collect()
            }
            None => Vec::new(),
        }
    }

    fn deployments(&self, scene: &Scene<'_>) -> Vec<(String, Option<Found<facts::Deployment>>)> {
        let running = self.running(scene);
        running
            .iter()
            .map(|one| {
                let name = workload::name_of(scene, &one.container.name);
                (one.container.name.clone(), scene.seen.get(&name))
            })
            .collect()
    }

    /// Whether every pod is there and ready.
    fn is_settled(&self, scene: &Scene<'_>) -> bool {
        let all = self.deployments(scene);
        all.iter()
            .all(|(_, deployment)| deployment.as_ref().is_some_and(is_done))
    }

    /// What is wrong with the pods of the Release that serves.
    fn ills(&self, scene: &Scene<'_>) -> Vec<Trouble> {
        if self.course.is_some() || self.halt.is_some() {
            return Vec::new();
        }
        let mut out = Vec::new();
        for (container, deployment) in self.deployments(scene) {
            let Some(deployment) = deployment.filter(|d| !is_done(d)) else {
                continue;
            };
            out.extend(trouble::refusal(&deployment, &container));
            for pod in scene.pods.iter() {
                if pod.kept.label("container") == Some(&container) {
                    let ailment = trouble::ailment(pod, &container, jiff::SignedDuration::MAX);
                    out.extend(ailment.map(|ailment| ailment.trouble));
                }
            }
        }
        out
    }

    /// The pods. While many of them change, the list stays as it was.
    fn replicas(&self, scene: &Scene<'_>) -> Vec<Replica> {
        let wanted: i32 = self
            .deployments(scene)
            .iter()
            .filter_map(|(_, d)| d.as_ref()?.spec.replicas)
            .sum();
        let moving = !self.is_settled(scene) || self.course.is_some();
        let before = scene.environment.status.as_ref();
        if let Some(before) = before.filter(|_| moving && wanted > FEW) {
            return before.replicas.clone();
        }
        scene.pods.iter().filter_map(replica).take(1000).collect()
    }
}

fn moving(number: i64) -> Verdict {
    Verdict::moving("Releasing", format!("Release {number} is under way."))
}

fn halted(scene: &Scene<'_>, halt: &Halt) -> Verdict {
    let (reason, message, fix) = match halt {
        Halt::Stopped => (
            "Stopped",
            "Nothing of it runs: spec.state is Stopped.".to_owned(),
            None,
        ),
        Halt::Instance => (
            "InstanceSuspended",
            "Nothing of it runs: its Instance is suspended.".to_owned(),
            Some("Set spec.state of the Instance to Active."),
        ),
        Halt::Application(reason) => (
            "ApplicationSuspended",
            format!("Nothing of it runs: its Application is suspended: {reason}"),
            Some("Ask the platform team to remove spec.suspended of the Application."),
        ),
    };
    let runs = scene.pods.iter().any(|pod| {
        pod.kept.label("container").is_some()
            && !matches!(&*pod.status.phase, "Succeeded" | "Failed")
    });
    let verdict = match runs {
        true => Verdict::moving("Stopping", "Its pods end."),
        false => Verdict::ready(reason, message),
    };
    match fix {
        Some(fix) => verdict.blocked(
            format!("{reason}/{}", scene.environment.spec.application_ref.name),
            fix,
        ),
        None => verdict,
    }
}

fn replica(pod: &Found<facts::Pod>) -> Option<Replica> {
    let container = pod.kept.label("container")?.to_owned();
    let status = pod.status.container_statuses.first();
    let ready = pod.is(READY);
    let fell = status.is_some_and(|s| s.restart_count > 0 || s.state.terminated.is_some());
    let waits_badly = status
        .and_then(|s| s.state.waiting.as_ref())
        .is_some_and(|w| !matches!(&*w.reason, "" | "ContainerCreating" | "PodInitializing"));
    let state = match () {
        () if pod.kept.deleting.is_some() => "stopping",
        () if ready => "running",
        () if fell || waits_badly || pod.status.phase == "Failed" => "failed",
        () if pod.status.phase == "Running" => "running",
        () => "pending",
    };
    let health = match () {
        () if ready => "healthy",
        () if fell || status.is_some_and(|s| s.started == Some(true)) => "unhealthy",
        () => "unknown",
    };
    Some(Replica {
        name: pod.name().to_owned(),
        container,
        node: pod.spec.node_name.clone(),
        state: state.to_owned(),
        health: health.to_owned(),
        release: pod.kept.label("release").map(|label| number(Some(label))),
    })
}
