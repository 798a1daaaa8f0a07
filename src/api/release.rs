//! Release: one numbered attempt to bring an Environment to a code and configuration; the unit of rollback.

use super::{
    name::Ref,
    status::{Blocker, Condition},
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a Release was asked to do. Immutable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "roadstead.dev",
    version = "v1alpha1",
    kind = "Release",
    plural = "releases",
    shortname = "rel",
    category = "roadstead",
    namespaced,
    status = "ReleaseStatus",
    derive = "PartialEq",
    doc = "One numbered attempt to bring an Environment to a code and configuration. Immutable; its record is the unit of rollback.",
    selectable = ".spec.environmentRef.name",
    selectable = ".status.phase",
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environmentRef.name"),
    printcolumn(name = "Number", type_ = "integer", json_path = ".status.number"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Percent", type_ = "integer", json_path = ".status.percent"),
    printcolumn(name = "Image", type_ = "string", json_path = ".status.image", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 43")
        .message("metadata.name must be a DNS label that starts with a letter, of at most 43 characters: lowercase letters, digits and hyphens")
)]
#[x_kube(validation = Rule::new("self == oldSelf").message("spec is immutable: a Release is history; make a new one"))]
#[x_kube(validation = Rule::new("!(has(self.copyFrom) && has(self.adopt))").message("set copyFrom (roll back) or adopt (promote), not both"))]
#[x_kube(validation = Rule::new("!(has(self.buildMode) && self.buildMode == 'Force' && (has(self.copyFrom) || has(self.adopt)))").message("buildMode Force takes the declared image anew, copyFrom and adopt take another Release's: set one of them, not both"))]
#[serde(rename_all = "camelCase")]
pub struct ReleaseSpec {
    /// The Environment that is released.
    pub environment_ref: Ref,
    /// `Auto` takes the declared image; `Adopt` takes the one that serves, by its digest; `Force` takes the declared one and lets every node
    /// ask the registry for it anew, for a tag that has moved. Default `Auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_mode: Option<BuildMode>,
    /// Roll back: run what that Release of the same Environment ran, with its variables and today's service credentials, and without running release commands. It holds until the configuration changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_from: Option<ReleaseSource>,
    /// Promote: run that Release's image, of any Environment of the same Application, with today's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<ReleaseSource>,
    /// Wait until attached services run. Default true; false leaves out the variables of those that do not yet have credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provision_services: Option<bool>,
}

/// How the code comes about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BuildMode {
    /// Take the declared image.
    #[default]
    Auto,
    /// Take the image that serves.
    Adopt,
    /// Take the declared image, asked for anew.
    Force,
}

/// Another Release. One that carries the annotation `roadstead.dev/unusable: <why>`, which people and pipelines set, is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseSource {
    /// The Release, in the same namespace.
    pub release_ref: Ref,
}

/// How a Release went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseStatus {
    /// Its number in the Environment, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// `Queued`, `Provisioning`, `Releasing`, `RollingOut`, `Succeeded`, `Failed` or `Superseded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub phase: Option<String>,
    /// How far it is, 0 to 100; never falls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<i32>,
    /// The image that it runs, by digest where the runtime reports one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub image: Option<String>,
    /// The immutable Secret that holds what it ran with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub snapshot: Option<String>,
    /// When it began, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub started_at: Option<String>,
    /// When it ended, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub ended_at: Option<String>,
    /// What it did, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub steps: Vec<Step>,
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

/// One step of a Release.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Name: of the release command, or `provision`, `rollout`.
    #[schemars(length(max = 63))]
    pub name: String,
    /// `Waiting`, `Running`, `Succeeded`, `Failed` or `Skipped`.
    #[schemars(length(max = 16))]
    pub state: String,
    /// When it began, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub started_at: Option<String>,
    /// When it ended, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub ended_at: Option<String>,
    /// Exit code of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The last lines that a failed command wrote, up to 2048 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub log_tail: Option<String>,
}
