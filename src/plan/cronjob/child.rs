//! What is made: a batch CronJob, and a Job for each run that somebody asked for.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Scene, Serving,
    runs::{CONTAINER, Known},
    schedule::Schedule,
};
use crate::{
    api::{ENVIRONMENT, RELEASE},
    kinds::Of,
    plan::{
        Step,
        build::{
            configuration::short_hash,
            meta::{Child, labels},
            pod::{self, Pod},
        },
    },
};

/// How late a run may start before it is left out.
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(10);
/// How many runs of each result, and how many that somebody asked for, are kept.
const KEPT: usize = 5;
/// How long a run may take where nothing is said, in seconds.
const TIMEOUT: i64 = 3600;

/// The annotations of the batch CronJob: the token that was acted on last, the schedule in force, and since when it is.
const TOKEN: &str = "roadstead.dev/run-now";
const IN_FORCE: &str = "roadstead.dev/schedule";
const SINCE: &str = "roadstead.dev/since";

/// How it is run, now or on its schedule.
pub struct Run<'a> {
    scene: &'a Scene<'a>,
    serving: &'a Serving,
    schedule: Option<&'a Schedule>,
    /// Since when the schedule has been in force.
    pub since: Timestamp,
}

impl<'a> Run<'a> {
    /// On this schedule, or on none.
    pub fn of(scene: &'a Scene<'a>, serving: &'a Serving, schedule: Option<&'a Schedule>) -> Self {
        let mut run = Self {
            scene,
            serving,
            schedule,
            since: scene.now,
        };
        let stands = scene.stands.as_ref().map(|found| &found.kept);
        if let Some(kept) = stands.filter(|k| k.annotation("schedule") == Some(&run.in_force()))
            && let Some(since) = kept.annotation("since").and_then(|s| s.parse().ok())
        {
            run.since = since;
        }
        run
    }

    /// Everything that is made, and of what was made what stays. Asked for, it is run now.
    pub fn steps(&self, runs: &[Known], asks: bool) -> Vec<Step> {
        let wanted = self.scene.cronjob.spec.run_now.as_deref();
        let acted = self
            .scene
            .stands
            .as_ref()
            .and_then(|found| found.kept.annotation("run-now"));
        // No batch CronJob yet: it is seen for the first time, and its token is taken over as it is.
        let asked = match (acted, wanted) {
            (Some(acted), Some(wanted)) if acted != wanted && asks && !wanted.is_empty() => {
                Some(wanted)
            }
            _ => None,
        };
        let token = asked.or(acted).or(wanted).unwrap_or_default();
        let job = asked.map(|token| self.job(token));
        let is_job = |known: &&Known| {
            known.by_hand && !matches!(&job, Some(Step::Create(want, _)) if want.id == known.id)
        };
        let kept = runs.iter().filter(is_job).take(KEPT);
        let kept: Vec<Step> = kept.map(|known| Step::Keep(known.id.clone())).collect();
        let cron = self.cron(token);
        job.into_iter().chain([cron]).chain(kept).collect()
    }

    fn in_force(&self) -> String {
        self.schedule.map_or("none".to_owned(), |schedule| {
            format!("{} {}", schedule.cron, schedule.zone)
        })
    }

    fn cron(&self, token: &str) -> Step {
        // A suspended CronJob must name a schedule all the same.
        let cron = self.schedule.map_or("0 0 1 1 *", |s| s.cron.as_str());
        let zone = self.schedule.map_or("Etc/UTC", |s| s.zone.as_str());
        let metadata = json!({"labels": self.labels()});
        let spec = json!({
            "schedule": cron,
            "timeZone": zone,
            "suspend": self.schedule.is_none(),
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": PATIENCE.as_secs(),
            "successfulJobsHistoryLimit": KEPT,
            "failedJobsHistoryLimit": KEPT,
            "jobTemplate": {"metadata": metadata, "spec": self.job_spec()},
        });
        let child = Child::of(
            self.scene.me,
            Of::BatchCronJob,
            self.scene.me.id.name.clone(),
        )
        .annotation(TOKEN, token)
        .annotation(IN_FORCE, self.in_force())
        .annotation(SINCE, self.since.to_string());
        Step::Apply(child.field("spec", spec).want())
    }

    /// The Job of a token: the same token gives the same name, so it is run once.
    fn job(&self, token: &str) -> Step {
        let hash = short_hash(&[token.as_bytes()]);
        let name = format!(
            "{}-{}",
            self.scene.me.id.name,
            hash.get(..8).unwrap_or(&hash)
        );
        let child = Child::of(self.scene.me, Of::Job, name)
            .label(ENVIRONMENT, self.environment())
            .label(RELEASE, self.serving.record.number.to_string());
        Step::Create(child.field("spec", self.job_spec()).want(), vec![])
    }

    fn job_spec(&self) -> Value {
        let timeout = self.scene.cronjob.spec.timeout_seconds.unwrap_or(TIMEOUT);
        json!({
            "backoffLimit": 0,
            "activeDeadlineSeconds": (timeout > 0).then_some(timeout),
            "template": self.pod(),
        })
    }

    fn pod(&self) -> Value {
        let Serving {
            snapshot,
            record,
            home,
        } = self.serving;
        let configuration = &record.configuration;
        let like = configuration.web().or(configuration.containers.first());
        let mut labels = self.labels();
        labels.remove(crate::api::OWNER);
        let pod = Pod {
            first: record.before(self.scene.seen),
            labels,
            owner: self.scene.me.uid.to_string(),
            name: CONTAINER.to_owned(),
            image: snapshot.image().unwrap_or(&record.image).to_owned(),
            command: self.scene.cronjob.spec.command.clone(),
            env: record.env(self.environment(), snapshot.name()),
            user: like.and_then(|c| c.run_as_user).unwrap_or(1000),
            resources: pod::resources(None),
            spec: [("restartPolicy".to_owned(), "Never".into())]
                .into_iter()
                .collect(),
            pull: home
                .image_pull_secrets()
                .iter()
                .map(|s| s.name.clone())
                .collect(),
            ..Pod::default()
        };
        pod.template()
    }

    fn environment(&self) -> &str {
        &self.scene.cronjob.spec.environment_ref.name
    }

    /// Of Jobs and pods: whom they are for, and of which Release.
    fn labels(&self) -> serde_json::Map<String, Value> {
        let mut labels = labels(self.scene.me);
        labels.insert(
            crate::api::OWNER.into(),
            self.scene.me.uid.to_string().into(),
        );
        labels.insert(ENVIRONMENT.into(), self.environment().into());
        let number = self.serving.record.number.to_string();
        labels.insert(RELEASE.into(), number.into());
        labels
    }
}
