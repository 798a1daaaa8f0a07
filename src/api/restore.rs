//! Restore: data from a Backup into the same Service, another one, or a new one.

use super::{
    backup::{BackupState, Success},
    name::Ref,
    status::{Blocker, Condition},
};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// What a Restore was asked to put where. Immutable but for `undo`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "roadstead.dev",
    version = "v1alpha1",
    kind = "Restore",
    plural = "datarestores",
    shortname = "drs",
    category = "roadstead",
    namespaced,
    status = "RestoreStatus",
    derive = "PartialEq",
    doc = "Data from a Backup, put into the Service that it was taken of, into another one, or into a new one. What was there before is kept, and can be put back with `undo`.",
    selectable = ".spec.backupRef.name",
    selectable = ".status.state",
    printcolumn(name = "Backup", type_ = "string", json_path = ".spec.backupRef.name"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Success", type_ = "string", json_path = ".status.success"),
    printcolumn(name = "Undo Until", type_ = "string", json_path = ".status.undoUntil"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40")
        .message("metadata.name must be a DNS label that starts with a letter, of at most 40 characters: lowercase letters, digits and hyphens")
)]
#[x_kube(validation = Rule::new("self.backupRef == oldSelf.backupRef").message("backupRef is immutable: a Restore is history; make a new one"))]
#[x_kube(validation = Rule::new("self.services == oldSelf.services").message("services is immutable: a Restore is history; make a new one"))]
#[x_kube(validation = Rule::new("has(self.notes) == has(oldSelf.notes) && (!has(self.notes) || self.notes == oldSelf.notes)").message("notes is immutable: a Restore is history; make a new one"))]
#[x_kube(validation = Rule::new("!oldSelf.?undo.orValue(false) || self.?undo.orValue(false)").message("undo cannot be taken back: make a new Restore to restore again"))]
#[serde(rename_all = "camelCase")]
pub struct RestoreSpec {
    /// The Backup that the data comes from.
    pub backup_ref: Ref,
    /// Which Service gets what; 1 to 32.
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["into"]))]
    pub services: Vec<RestoreService>,
    /// What it is for, up to 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub notes: Option<String>,
    /// Put back what was there before, until `status.undoUntil`. Once true it stays true. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<bool>,
}

/// A Service that gets data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreService {
    /// Name of the Service that gets the data. Where there is none it is made, of the class, tier and region that the Backup names.
    #[schemars(
        length(min = 1, max = 40),
        regex(pattern = "^[a-z]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub into: String,
    /// Name of the Service in the Backup that the data comes from. Default: the same as `into`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 40),
        regex(pattern = "^[a-z]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub from: Option<String>,
    /// UID of the Service that gets the data: it says that this very one may be overwritten. `kubectl get msvc NAME -o jsonpath={.metadata.uid}` shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub overwrite: Option<String>,
}

impl RestoreService {
    /// The Service in the Backup that the data comes from.
    pub fn source(&self) -> &str {
        self.from.as_deref().unwrap_or(&self.into)
    }
}

/// How a Restore went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreStatus {
    /// `in_progress`, `done` or `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<BackupState>,
    /// `Unknown` while it is in progress, `Success`, `Partial` if some parts failed, `Failure` if all did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<Success>,
    /// Whether all parts have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<bool>,
    /// When it began, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub started_at: Option<String>,
    /// When its last part ended, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub finished_at: Option<String>,
    /// The Backup of what was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub safety_backup: Option<String>,
    /// Until when `undo` puts back what was there before, in RFC 3339. Then the old volumes are deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub undo_until: Option<String>,
    /// One for each Service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["into"]))]
    pub parts: Vec<RestorePart>,
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

/// The part of a Restore that is one Service's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestorePart {
    /// Name of the Service that gets the data.
    #[schemars(length(max = 63))]
    pub into: String,
    /// Name of the Service in the Backup.
    #[schemars(length(max = 63))]
    pub from: String,
    /// `in_progress`, `done` or `error`.
    pub state: BackupState,
    /// When it was asked for, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub queued_at: Option<String>,
    /// When the Service was told to stop for it, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub started_at: Option<String>,
    /// When it served the data, or had failed, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub ended_at: Option<String>,
    /// Why it failed, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub error: Option<String>,
}
