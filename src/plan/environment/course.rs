//! A Release that is under way: its commands one by one, then its pods; and how it ends.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{
    Scene,
    command::commands,
    services,
    trouble::{self, Trouble},
    workload,
};
use crate::{
    api::{self, release::Step as Done},
    plan::{
        Found, Step,
        build::snapshot::{Phase, Record, Snapshot, number},
        facts,
    },
};

/// How a Release that is under way stands.
pub struct Course {
    /// Its snapshot.
    pub snapshot: Snapshot,
    /// What it runs.
    pub record: Record,
    /// How far it is now, which may be further than what is recorded.
    pub phase: Phase,
    /// Its steps so far.
    pub steps: Vec<Done>,
    /// Why it failed: a word and a sentence.
    pub failure: Option<(String, String)>,
    /// What is in its way.
    pub troubles: Vec<Trouble>,
    /// When it is too late to wait any longer.
    pub until: Option<Timestamp>,
    /// The command whose Job is to stand now.
    pub(super) command: Option<usize>,
}

impl Course {
    /// How this Release stands now. Halted, it goes no further.
    pub fn of(scene: &Scene<'_>, snapshot: &Snapshot, orphan: bool, halted: bool) -> Self {
        let record = snapshot.record();
        let is_readable = record.is_some();
        let mut course = Self {
            snapshot: snapshot.clone(),
            phase: snapshot.phase(),
            steps: snapshot.steps(),
            record: record.unwrap_or_default(),
            failure: None,
            troubles: Vec::new(),
            until: None,
            command: None,
        };
        if !is_readable {
            course.fail("Unreadable", "Its snapshot cannot be read.".to_owned());
        }
        if orphan {
            course.fail(
                "Deleted",
                "The Release was deleted before it ended.".to_owned(),
            );
        }
        if course.phase == Phase::Releasing {
            course.run_commands(scene, halted);
        }
        if course.phase == Phase::RollingOut && !halted {
            course.roll_out(scene);
        }
        course
    }

    pub(super) fn fail(&mut self, reason: &str, message: String) {
        self.phase = Phase::Failed;
        self.failure = Some((reason.to_owned(), message));
    }

    pub(super) fn wait(&mut self, until: Timestamp) {
        if until < Timestamp::MAX {
            self.until = Some(self.until.map_or(until, |other| other.min(until)));
        }
    }

    fn roll_out(&mut self, scene: &Scene<'_>) {
        let patience = workload::patience(&self.record.configuration);
        let mut all_done = true;
        let containers = self.record.configuration.containers.clone();
        for container in &containers {
            let name = workload::name_of(scene, &container.name);
            let deployment = scene.seen.get::<facts::Deployment>(&name);
            let mine = deployment.filter(|d| {
                number(d.kept.label("release")) == self.record.number
                    && d.status.observed_generation >= d.kept.generation
            });
            let Some(deployment) = mine else {
                all_done = false;
                continue;
            };
            if is_done(&deployment) {
                continue;
            }
            all_done = false;
            self.look_at_rollout(scene, &container.name, &deployment, patience);
        }
        self.close(scene, all_done);
    }

    fn look_at_rollout(
        &mut self,
        scene: &Scene<'_>,
        container: &str,
        deployment: &Found<facts::Deployment>,
        patience: SignedDuration,
    ) {
        let refusal = trouble::refusal(deployment, container);
        let late = deployment.status.conditions.iter().any(|c| {
            c.type_ == "Progressing"
                && c.status == "False"
                && c.reason == "ProgressDeadlineExceeded"
        });
        if late && self.failure.is_none() {
            let why = refusal.as_ref().map(|r| r.fix.as_str());
            let why = why.unwrap_or("it did not become ready in time.");
            self.fail("DeadlineExceeded", format!("Container {container}: {why}"));
        }
        self.troubles.extend(refusal);
        let mine = self.record.number;
        let pods = scene.pods.iter().filter(|pod| {
            number(pod.kept.label("release")) == mine
                && pod.kept.label("container") == Some(container)
        });
        for pod in pods {
            let Some(ailment) = trouble::ailment(pod, container, patience) else {
                continue;
            };
            let is_over = ailment.until <= scene.now;
            if is_over && self.failure.as_ref().is_none_or(|_| late) {
                let message = format!("Container {container}: {}", ailment.trouble.fix);
                self.fail(ailment.trouble.reason, message);
            } else {
                self.wait(ailment.until);
            }
            if is_over || !ailment.ordinary {
                self.troubles.push(ailment.trouble);
            }
        }
    }

    /// Writes down how the rollout stands.
    fn close(&mut self, scene: &Scene<'_>, all_done: bool) {
        let at = commands(&self.record).len();
        let recorded = self.steps.get(at).cloned();
        self.steps.truncate(at);
        let started = recorded.and_then(|step| step.started_at);
        let mut step = Done {
            name: "rollout".to_owned(),
            state: "Running".to_owned(),
            started_at: started.or_else(|| Some(scene.stamp())),
            ..Done::default()
        };
        if self.failure.is_some() {
            step.state = "Failed".to_owned();
            step.log_tail = self.last_words(scene);
        } else if all_done {
            step.state = "Succeeded".to_owned();
            self.phase = Phase::Succeeded;
        }
        if self.phase.is_over() {
            step.ended_at = Some(scene.stamp());
        }
        self.steps.push(step);
    }

    fn last_words(&self, scene: &Scene<'_>) -> Option<String> {
        let pods = scene.pods.iter();
        let mine = pods.filter(|pod| number(pod.kept.label("release")) == self.record.number);
        let ended = mine.filter_map(|pod| {
            let status = pod.status.container_statuses.first()?;
            let now = status.state.terminated.as_ref();
            now.or(status.last_state.terminated.as_ref())
        });
        ended
            .filter_map(|ended| self.tail(scene, &ended.message))
            .next()
    }

    /// The end of what a container wrote, without any value that is to be kept secret.
    pub(super) fn tail(&self, scene: &Scene<'_>, message: &str) -> Option<String> {
        let sensitive = self.record.variables.iter().filter(|v| v.sensitive);
        let values = sensitive.filter_map(|v| self.snapshot.secret.text(&v.name));
        let secrets = services::passwords(scene, &self.record);
        let mut text = message.to_owned();
        for value in values.chain(secrets.iter().map(String::as_str)) {
            if value.len() >= 4 {
                text = text.replace(value, "…");
            }
        }
        let skip = text.chars().count().saturating_sub(2000);
        let tail: String = text.chars().skip(skip).collect();
        (!tail.trim().is_empty()).then_some(tail)
    }

    /// What is done for it now: the Job of its command, and what is to be remembered.
    pub fn plan(&self, scene: &Scene<'_>) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(index) = self.command
            && !self.phase.is_over()
        {
            steps.push(self.job(scene, index));
        }
        steps.extend(self.memory(scene));
        steps
    }

    fn memory(&self, scene: &Scene<'_>) -> Option<Step> {
        let kept = &self.snapshot.secret.kept;
        let steps = serde_json::to_string(&self.steps).unwrap_or_default();
        let phase = self.phase.word();
        let changed = self.snapshot.phase() != self.phase
            || self.steps != self.snapshot.steps() && !self.steps.is_empty();
        if !changed {
            return None;
        }
        let mut notes = Map::new();
        let mut note = |key: &str, value: &str| {
            notes.insert(format!("{}/{key}", api::GROUP), Value::String(value.into()))
        };
        note("phase", phase);
        note("steps", &steps);
        if let Some(image) = self.digest(scene) {
            note("image", &image);
        }
        if let Some((reason, message)) = &self.failure {
            note("reason", reason);
            note("message", message);
        }
        if self.phase.is_over() {
            note("ended-at", &scene.stamp());
        }
        Some(Step::edit(
            kept,
            json!({"metadata": {"annotations": notes}}),
        ))
    }

    /// The image by its digest, as the first pod reports it; as given where the runtime knows none.
    fn digest(&self, scene: &Scene<'_>) -> Option<String> {
        let pods = scene.pods.iter();
        let mut mine: Vec<_> = pods
            .filter(|pod| number(pod.kept.label("release")) == self.record.number)
            .collect();
        mine.sort_by_key(|pod| (pod.kept.created, pod.name().to_owned()));
        let reported = mine.iter().filter_map(|pod| {
            let id = &pod.status.container_statuses.first()?.image_id;
            let id = id.split_once("://").map_or(id.as_str(), |(_, id)| id);
            id.contains("@sha256:").then(|| id.to_owned())
        });
        let known = self.snapshot.image().map(str::to_owned);
        let given = || self.phase.is_over().then(|| self.record.image.clone());
        known.or_else(|| reported.into_iter().next()).or_else(given)
    }
}

/// Whether all pods of a workload are of its newest template and ready.
pub fn is_done(deployment: &Found<facts::Deployment>) -> bool {
    let wanted = deployment.spec.replicas.unwrap_or(1);
    let status = &deployment.status;
    status.observed_generation >= deployment.kept.generation
        && status.updated_replicas >= wanted
        && status.replicas == status.updated_replicas
        && status.available_replicas >= wanted
}
