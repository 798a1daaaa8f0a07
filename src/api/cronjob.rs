//! Cronjob: a command on a schedule, in the image and variables of an Environment's current release.

use super::{
    name::Ref,
    schedule,
    status::{Blocker, Condition},
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a Cronjob is declared to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "roadstead.dev",
    version = "v1alpha1",
    kind = "Cronjob",
    plural = "appcronjobs",
    shortname = "acj",
    category = "roadstead",
    namespaced,
    status = "CronjobStatus",
    derive = "PartialEq",
    doc = "A command on a schedule, in the image and variables of an Environment's current release.",
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environmentRef.name"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Next run", type_ = "string", json_path = ".status.nextRunAt", priority = 1),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40")
        .message("metadata.name must be a DNS label that starts with a letter, of at most 40 characters: lowercase letters, digits and hyphens")
)]
#[x_kube(validation = Rule::new("self.environmentRef == oldSelf.environmentRef").message("environmentRef is immutable: it can be neither changed nor removed; make a new object with the other value"))]
#[x_kube(validation = Rule::new("has(self.frequency) != has(self.schedule)").message("either frequency or schedule says when it runs: set exactly one of them"))]
#[x_kube(validation = Rule::new("!has(self.schedule) || !has(self.time)").message(Message::Expression("\"time '\" + self.time + \"' belongs to frequency: remove it, or set frequency in place of schedule\"".into())))]
#[x_kube(validation = Rule::new("!has(self.frequency) || (self.frequency == 'Every10Min' ? (!has(self.time) || self.time == '') : (has(self.time) && self.time.matches(self.frequency == 'Daily' ? '^([01][0-9]|2[0-3]):[0-5][0-9]$' : '^:[0-5][0-9]$')))").message(Message::Expression("\"time '\" + (has(self.time) ? self.time : '') + \"' does not fit frequency \" + self.frequency + ': ' + (self.frequency == 'Daily' ? 'write HH:MM, such as 02:30' : (self.frequency == 'Hourly' ? 'write :MM, such as :42' : 'leave time out'))".into())))]
#[serde(rename_all = "camelCase")]
pub struct CronjobSpec {
    /// The Environment in whose image and variables it runs. Immutable.
    pub environment_ref: Ref,
    /// Program and arguments; no shell is added.
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// `Daily` with `time: HH:MM`, `Hourly` with `time: ':MM'`, or `Every10Min` without a time. Excludes `schedule`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<Frequency>,
    /// When in the day (`HH:MM`) or hour (`:MM`); none for `Every10Min`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub time: Option<String>,
    /// Five-field cron expression, such as `30 2 * * 1-5`: minute, hour, day of the month, month, day of the week from 0 (Sunday) to 6. Excludes `frequency` and `time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = schedule::cron())]
    pub schedule: Option<String>,
    /// Time zone by its IANA name, such as `Europe/Zurich`. Default `Etc/UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = schedule::zone())]
    pub time_zone: Option<String>,
    /// Seconds that a run may take, 0 to 86400; 0: no limit. Default 3600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub timeout_seconds: Option<i64>,
    /// No run is started by the schedule while true; `runNow` still starts one. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// Request token: it is run once, now, when this differs from the one acted on last. A new object adopts it without running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub run_now: Option<String>,
}

/// How often it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Frequency {
    /// Once a day, at `time`.
    Daily,
    /// Once an hour, at `time`.
    Hourly,
    /// Every ten minutes.
    Every10Min,
}

/// What a Cronjob is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CronjobStatus {
    /// One word for the table: `scheduled`, `running`, `suspended`, `waiting`, `failed` or `terminating`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub state: Option<String>,
    /// When it runs next, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub next_run_at: Option<String>,
    /// The last runs, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub last_runs: Vec<Run>,
    /// Facts about the object; `Ready` sums them up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// What it waits for, and how to end the wait.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub blockers: Vec<Blocker>,
    /// The generation that this status was decided for; -1 until the operator has seen the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// When it began, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub started_at: Option<String>,
    /// When it ended, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub finished_at: Option<String>,
    /// Exit code of the command; absent when it never ran to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Number of the Release that it ran in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<i64>,
    /// Name of the Job.
    #[schemars(length(max = 253))]
    pub job: String,
    /// `Running`, `Succeeded`, `Failed` or `TimedOut`.
    #[schemars(length(max = 16))]
    pub result: String,
}
