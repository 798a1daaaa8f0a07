//! Release commands: one Job after the other, in the new image, before traffic moves.

use jiff::SignedDuration;
use serde_json::{Map, json};

use super::{Scene, course::Course, history::job_id, trouble};
use crate::{
    api::{COMMAND, RELEASE, application::ReleaseCommand, release::Step as Done},
    kinds::Of,
    plan::{
        Found, Step,
        build::{
            meta::{Child, labels},
            pod::{self, Pod},
            snapshot::{Phase, Record, number},
        },
        facts,
    },
};

/// The commands of a Release: none when it rolls back, for what they did is done.
pub fn commands(record: &Record) -> &[ReleaseCommand] {
    match record.back_to {
        Some(_) => &[],
        None => &record.configuration.release_commands,
    }
}

impl Course {
    /// Goes on with its commands, as far as they have come.
    pub(super) fn run_commands(&mut self, scene: &Scene<'_>, halted: bool) {
        let commands = commands(&self.record).to_vec();
        for (index, command) in commands.iter().enumerate() {
            let recorded = self.steps.get(index).cloned();
            if recorded.as_ref().is_some_and(|s| s.state == "Succeeded") {
                continue;
            }
            let id = job_id(scene, self.snapshot.name(), index);
            let job = scene.seen.get::<facts::Job>(&id.name);
            if halted && job.is_none() {
                return;
            }
            self.command = Some(index);
            let begun = job.filter(|job| job.status.start_time.is_some());
            let Some(job) = begun else { return };
            let step = self.command_step(scene, index, command, &job);
            let ended_well = step.state == "Succeeded";
            self.steps.truncate(index);
            self.steps.push(step);
            if !ended_well {
                return;
            }
            self.command = None;
        }
        self.phase = Phase::RollingOut;
    }

    fn command_step(
        &mut self,
        scene: &Scene<'_>,
        index: usize,
        command: &ReleaseCommand,
        job: &Found<facts::Job>,
    ) -> Done {
        let mut step = Done {
            name: command.name.clone(),
            state: "Running".to_owned(),
            ..Done::default()
        };
        step.started_at = job.status.start_time.clone();
        let pod = self.command_pod(scene, index);
        let is = |type_: &str| {
            let conditions = job.status.conditions.iter();
            conditions
                .clone()
                .find(|c| c.type_ == type_ && c.status == "True")
        };
        if is("Complete").is_some() {
            step.state = "Succeeded".to_owned();
            step.ended_at = job.status.completion_time.clone();
            step.exit_code = Some(0);
            return step;
        }
        let failed = is("Failed");
        let ended = pod.and_then(|p| {
            p.status
                .container_statuses
                .first()?
                .state
                .terminated
                .as_ref()
        });
        if let Some(failed) = failed {
            let late = failed.reason == "DeadlineExceeded";
            if pod.is_some() && ended.is_none() && !late {
                return step;
            }
            step.state = "Failed".to_owned();
            step.ended_at = failed.last_transition_time.clone();
            step.exit_code = ended.map(|e| e.exit_code);
            step.log_tail = ended.and_then(|e| self.tail(scene, &e.message));
            let why = match (late, step.exit_code) {
                (true, _) => "took longer than its timeoutSeconds".to_owned(),
                (false, Some(code)) => format!("ended with exit code {code}"),
                (false, None) => "failed".to_owned(),
            };
            let message = format!("Release command {} {why}.", command.name);
            self.fail("CommandFailed", message);
        } else if let Some(pod) = pod {
            self.look_at_command(scene, pod, command, &mut step);
        }
        step
    }

    fn look_at_command(
        &mut self,
        scene: &Scene<'_>,
        pod: &Found<facts::Pod>,
        command: &ReleaseCommand,
        step: &mut Done,
    ) {
        let ended = pod.status.container_statuses.first();
        if ended.is_some_and(|c| c.state.terminated.is_some()) {
            return;
        }
        let ailment = trouble::ailment(pod, &command.name, SignedDuration::MAX);
        let Some(ailment) = ailment.filter(|ailment| !ailment.ordinary) else {
            return;
        };
        if ailment.until <= scene.now {
            step.state = "Failed".to_owned();
            step.ended_at = Some(scene.stamp());
            let message = format!("Release command {}: {}", command.name, ailment.trouble.fix);
            self.fail(ailment.trouble.reason, message);
            self.command = None;
        } else {
            self.wait(ailment.until);
        }
        self.troubles.push(ailment.trouble);
    }

    fn command_pod<'a>(&self, scene: &'a Scene<'_>, index: usize) -> Option<&'a Found<facts::Pod>> {
        let index = index.to_string();
        scene.pods.iter().find(|pod| {
            number(pod.kept.label("release")) == self.record.number
                && pod.kept.label("command") == Some(&index)
        })
    }

    /// The Job of a command.
    pub(super) fn job(&self, scene: &Scene<'_>, index: usize) -> Step {
        let id = job_id(scene, self.snapshot.name(), index);
        let command = commands(&self.record).get(index).cloned();
        let command = command.unwrap_or_else(|| ReleaseCommand {
            name: String::new(),
            command: Vec::new(),
            timeout_seconds: None,
        });
        let mut marks = labels(scene.me);
        marks.insert(RELEASE.into(), self.record.number.to_string().into());
        marks.insert(COMMAND.into(), index.to_string().into());
        let configuration = &self.record.configuration;
        let like = configuration.web().or(configuration.containers.first());
        let resources = like.and_then(|c| c.resources.as_ref());
        let template = Pod {
            first: self.record.before(scene.seen),
            labels: marks,
            owner: scene.me.uid.to_string(),
            name: command.name.clone(),
            image: self.record.image.clone(),
            anew: self.record.anew,
            command: command.command.clone(),
            env: self.record.env(&scene.me.id.name, self.snapshot.name()),
            user: like.and_then(|c| c.run_as_user).unwrap_or(1000),
            resources: pod::resources(resources),
            spec: Map::from_iter([("restartPolicy".to_owned(), json!("Never"))]),
            pull: scene.pull(),
            ..Pod::default()
        };
        let want = Child::of(scene.me, Of::Job, id.name)
            .label(RELEASE, self.record.number.to_string())
            .field(
                "spec",
                json!({
                    "backoffLimit": 0,
                    "activeDeadlineSeconds": command.timeout_seconds.unwrap_or(600),
                    "template": template.template(),
                }),
            )
            .want();
        Step::Create(want, Vec::new())
    }
}
