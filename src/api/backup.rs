//! Backup: a copy of the data of Services, at one instant.

use super::{
    name::Ref,
    status::{Blocker, Condition},
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a Backup was asked to copy. Immutable but for `legalHold`, `deleteAt` and `notes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "roadstead.dev",
    version = "v1alpha1",
    kind = "Backup",
    plural = "databackups",
    shortname = "dbk",
    category = "roadstead",
    namespaced,
    status = "BackupStatus",
    derive = "PartialEq",
    doc = "A copy of the data of one Service, or of all or some Services of an Environment, at one instant. It outlives them, and can be restored.",
    selectable = ".spec.serviceRef.name",
    selectable = ".spec.environmentRef.name",
    selectable = ".status.state",
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.serviceRef.name"),
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environmentRef.name"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Success", type_ = "string", json_path = ".status.success"),
    printcolumn(name = "Verified", type_ = "string", json_path = ".status.conditions[?(@.type=='Verified')].status"),
    printcolumn(name = "Size", type_ = "string", json_path = ".status.size"),
    printcolumn(name = "Trigger", type_ = "string", json_path = ".status.trigger", priority = 1),
    printcolumn(name = "Delete At", type_ = "string", json_path = ".spec.deleteAt", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 63")
        .message("metadata.name must be a DNS label that starts with a letter, of at most 63 characters: lowercase letters, digits and hyphens")
)]
#[x_kube(validation = Rule::new("[has(self.environmentRef), has(self.serviceRef), has(self.services) && !has(self.environmentRef) && !has(self.serviceRef)].filter(set, set).size() == 1").message("say what is backed up: exactly one of environmentRef (with services for some of its Services only), serviceRef, or services alone"))]
#[x_kube(validation = Rule::new("!(has(self.serviceRef) && has(self.services))").message("services names some of an Environment's Services, or stands alone: leave it out beside serviceRef"))]
#[x_kube(validation = Rule::new("has(self.environmentRef) == has(oldSelf.environmentRef) && (!has(self.environmentRef) || self.environmentRef == oldSelf.environmentRef)").message("environmentRef is immutable: a Backup is history; make a new one"))]
#[x_kube(validation = Rule::new("has(self.serviceRef) == has(oldSelf.serviceRef) && (!has(self.serviceRef) || self.serviceRef == oldSelf.serviceRef)").message("serviceRef is immutable: a Backup is history; make a new one"))]
#[x_kube(validation = Rule::new("has(self.services) == has(oldSelf.services) && (!has(self.services) || self.services == oldSelf.services)").message("services is immutable: a Backup is history; make a new one"))]
#[x_kube(validation = Rule::new("has(self.verify) == has(oldSelf.verify) && (!has(self.verify) || self.verify == oldSelf.verify)").message("verify is immutable: a Backup is history; make a new one"))]
#[serde(rename_all = "camelCase")]
pub struct BackupSpec {
    /// The Environment whose Services are copied: all of them, or those that `services` names. Excludes `serviceRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_ref: Option<Ref>,
    /// The Service that is copied. Excludes `environmentRef` and `services`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_ref: Option<Ref>,
    /// Names of Services: some of the Environment's, or, without `environmentRef`, the ones that are copied; 1 to 32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 40), regex(pattern = "^[a-z]([-a-z0-9]*[a-z0-9])?$")), extend("x-kubernetes-list-type" = "set"))]
    pub services: Option<Vec<String>>,
    /// What it is for, up to 255 characters. May be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub notes: Option<String>,
    /// When it is deleted, with its snapshots, in RFC 3339, such as `2026-12-22T00:00:00Z`. Absent: a scheduled one goes by retention, others stay. May be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), extend("format" = "date-time"))]
    pub delete_at: Option<String>,
    /// While true, nobody and nothing deletes it. Lifting it needs the verb `release` on databackups. May be changed. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_hold: Option<bool>,
    /// Prove that it restores: it is restored into a throw-away Service, and a command must succeed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
}

/// How a Backup is proven.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verify {
    /// Program and arguments that succeed if the restored data is good, run in the class's image; `$(USERNAME)`, `$(HOST)`, `$(PORT)` and `$(DATABASE)` are filled in, and `PASSWORD` is in the environment. Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Option<Vec<String>>,
}

/// What a Backup holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupStatus {
    /// `in_progress`, `done` or `error`. It is `done` as soon as one part can be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<BackupState>,
    /// `Unknown` while it is in progress, `Success`, `Partial` if some parts failed, `Failure` if all did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<Success>,
    /// What it was made by: `Manual`, `Scheduled`, `Safety`, before a Restore, or `Final`, before the data of a deleted Service goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub trigger: Option<String>,
    /// When it began, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub started_at: Option<String>,
    /// When its last part ended, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub finished_at: Option<String>,
    /// Bytes that its snapshots take when they are restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// The same for people, such as `10Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub size: Option<String>,
    /// When it was proven to restore, or not to, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub verified_at: Option<String>,
    /// Seconds that restoring it took, where it was proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_seconds: Option<i64>,
    /// One for each Service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["service"]))]
    pub parts: Vec<BackupPart>,
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

/// The Backups that are made by themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledBackups {
    /// When the next one begins, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub next_at: Option<String>,
    /// The last one that can be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub last_good: Option<String>,
    /// The instant whose data it holds, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_good_at: Option<String>,
    /// How many there are that have ended.
    pub kept: i32,
    /// Those that are deleted once the next one has ended well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub goes_next: Vec<String>,
}

/// Where a Backup, a Restore or a part of one stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupState {
    /// It has not ended.
    #[default]
    InProgress,
    /// It ended well.
    Done,
    /// It failed.
    Error,
}

/// How a Backup or a Restore went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Success {
    /// It has not ended.
    #[default]
    Unknown,
    /// All of it succeeded.
    Success,
    /// Some of it failed.
    Partial,
    /// All of it failed.
    Failure,
}

/// The part of a Backup that is one Service's. What it says of the Service holds for the moment of the Backup, and stays when the Service goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupPart {
    /// Name of the Service.
    #[schemars(length(max = 63))]
    pub service: String,
    /// UID of the Service.
    #[schemars(length(max = 64))]
    pub service_uid: String,
    /// The ServiceClass that it was of.
    #[schemars(length(max = 63))]
    pub class: String,
    /// Its type, such as `Database`.
    #[serde(rename = "type")]
    #[schemars(length(max = 32))]
    pub type_: String,
    /// The tier that it had.
    #[schemars(length(max = 32))]
    pub tier: String,
    /// Its region, if it was anywhere in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub region: Option<String>,
    /// What its variables began with in the Environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub prefix: Option<String>,
    /// `in_progress`, `done` or `error`.
    pub state: BackupState,
    /// When it was asked for, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub queued_at: Option<String>,
    /// When work on it began, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub started_at: Option<String>,
    /// The instant whose data it holds, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub taken_at: Option<String>,
    /// When it could be restored, or had failed, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub ended_at: Option<String>,
    /// Bytes that it takes when it is restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// The VolumeSnapshots that hold it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 253)))]
    pub snapshots: Vec<String>,
    /// Why it failed, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub error: Option<String>,
}
