//! How an Environment is judged: the first that holds of a row of sentences.

use super::{
    Halt, Life, Scene,
    start::Start,
    trouble::{Trouble, blocked},
};
use crate::{
    api::{environment::PendingChange, release::Step as Done},
    plan::{
        build::{snapshot::Phase, variables::Origin},
        verdict::Verdict,
    },
};

/// A condition's type, a sentence and the names that it is about.
type Oddity = (&'static str, &'static str, Vec<String>);

impl Life {
    /// The word and the verdict.
    pub fn verdict(&self, scene: &Scene<'_>, ills: &[Trouble]) -> (&'static str, Verdict) {
        let serves = self.serving.is_some();
        if let Some(problem) = self.today.problems.first() {
            let word = match (&self.halt, serves) {
                (Some(halt), _) => halt.word(),
                (None, true) => "degraded",
                (None, false) => "failed",
            };
            let verdict = Verdict::stalled(problem.reason, problem.fix.clone());
            return (word, blocked(verdict, &self.today.problems));
        }
        if let Some(halt) = &self.halt {
            return (halt.word(), halted(scene, halt));
        }
        if let Some(found) = self.under_way() {
            return ("deploying", found);
        }
        if let Some((name, message)) = self.failure() {
            let word = if serves { "degraded" } else { "failed" };
            let fix = format!(
                "Change the configuration, or make another Release: kubectl describe rel {name} -n {}",
                scene.me.id.ns
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
                return Some(held_up(course.record.number, &course.troubles));
            }
            return None;
        }
        let next = self.automatic.as_ref();
        let next = next.or_else(|| self.history.next())?;
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
    pub fn more(&self, scene: &Scene<'_>, verdict: Verdict, pending: &[PendingChange]) -> Verdict {
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
                "No change waits for a Release.",
            ),
        };
        if let Some(Halt::Application(why)) = &self.halt {
            let message = format!("The Application {}", why.what);
            verdict = verdict.with(why.condition, "True", why.reason, message);
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
        let moves =
            self.course.is_some() || self.automatic.is_some() || self.history.next().is_some();
        if moves {
            return (
                "Unknown",
                "Releasing",
                "A Release is under way, or waits to begin.".to_owned(),
            );
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
    fn oddities(&self, scene: &Scene<'_>) -> Vec<Oddity> {
        if self.today.application.is_none() {
            return Vec::new();
        }
        let resolved = self.today.variables(scene, 0);
        let unresolved = resolved.unresolved.iter();
        let unshared = scene.copy.unshared.iter();
        let problems = self.today.problems.iter();
        let conflicts = problems.filter(|p| p.reason == "PrefixConflict");
        let all: [Oddity; 5] = [
            (
                "CommandsRunSince",
                "Release commands that have run since what it went back to, and that no rollback undoes",
                self.commands_since(),
            ),
            (
                "UnresolvedPlaceholder",
                "These name no variable and are passed on as they are; give them a value in spec.variables, or leave out expand",
                unresolved
                    .map(|(name, within)| format!("$({name}) in {within}"))
                    .collect(),
            ),
            (
                "BuiltInOverridden",
                "Variables of the Environment or the Application take the place of these",
                self.overridden(scene),
            ),
            (
                "ServicesNotCopied",
                "A copy shares no Service; make one of its own for each of these and name it in spec.services",
                unshared
                    .map(|one| format!("{} ({})", one.prefix, one.name))
                    .collect(),
            ),
            (
                "PrefixConflict",
                "Two Services would give the same variables",
                conflicts.map(|p| p.object.clone()).collect(),
            ),
        ];
        all.into_iter()
            .filter(|(_, _, names)| !names.is_empty())
            .collect()
    }

    /// The Releases whose commands have run since the one that it went back to, with those commands.
    fn commands_since(&self) -> Vec<String> {
        let back = self
            .leading()
            .and_then(|(_, r)| Some((r.number, r.back_to.as_ref()?)));
        let Some((now, then)) = back else {
            return Vec::new();
        };
        let then = self
            .history
            .find(then)
            .map_or(now, |attempt| attempt.number);
        let between = self.history.attempts.iter();
        let between = between.filter(|attempt| attempt.number > then && attempt.number < now);
        between
            .filter_map(|attempt| {
                let steps = attempt.snapshot.as_ref()?.steps();
                let ran = |step: &&Done| step.name != "rollout" && step.state != "Waiting";
                let names: Vec<&str> = steps.iter().filter(ran).map(|s| s.name.as_str()).collect();
                (!names.is_empty()).then(|| format!("{} ({})", attempt.name, names.join(", ")))
            })
            .collect()
    }

    /// Variables of ours, or of a Service, that a person says otherwise.
    fn overridden(&self, scene: &Scene<'_>) -> Vec<String> {
        let said = self.today.said(scene, 0);
        let by_people =
            |origin: Origin| matches!(origin, Origin::Application | Origin::Environment);
        let theirs = |name: &str| {
            let mut all = said.iter();
            all.any(|one| one.name == name && by_people(one.origin))
        };
        let ours = said.iter().filter(|one| !by_people(one.origin));
        ours.filter(|one| theirs(&one.name))
            .map(|one| one.name.clone())
            .collect()
    }
}

fn moving(number: i64) -> Verdict {
    Verdict::moving("Releasing", format!("Release {number} is under way."))
}

/// Under way, and what keeps it from coming further.
fn held_up(number: i64, troubles: &[Trouble]) -> Verdict {
    let verdict = troubles.first().map_or_else(
        || moving(number),
        |first| {
            let (what, fix) = (first.what(), &first.fix);
            let message = format!("Release {number} is under way, held up by {what}: {fix}");
            Verdict::moving("Releasing", message)
        },
    );
    blocked(verdict, troubles)
}

impl Halt {
    /// One word for the table.
    fn word(&self) -> &'static str {
        match self {
            Self::Restore { .. } => "restoring",
            Self::Stopped | Self::Instance | Self::Application(_) => "stopped",
        }
    }
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
        Halt::Application(why) => (
            why.reason,
            format!("Nothing of it runs: its Application {}", why.what),
            Some(why.fix.as_str()),
        ),
        Halt::Restore { restore, service } => {
            let message = format!(
                "Its pods wait until Restore {restore} has put data into Service {service}."
            );
            let fix = format!(
                "It goes on by itself then: kubectl describe drs {restore} -n {}",
                scene.me.id.ns
            );
            return Verdict::moving("Restoring", message)
                .blocked(format!("RestoreUnderWay/{restore}"), fix);
        }
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
