//! What every kind tells about itself: conditions, and what it waits for.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// One fact about the object, in the form that `kubectl wait`, Helm, Flux and Argo CD read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// `Ready`: usable as declared. `Reconciling`: moving towards it. `Stalled`: needs a person. Some kinds have more.
    #[serde(rename = "type")]
    #[schemars(length(max = 63))]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    #[schemars(length(max = 7))]
    pub status: String,
    /// One word that says why; stable, for programs.
    #[schemars(length(max = 63))]
    pub reason: String,
    /// One sentence that says why, and what to do; for people.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// The `metadata.generation` that this was decided for.
    #[serde(default)]
    pub observed_generation: i64,
    /// When `status` last changed, in RFC 3339.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub last_transition_time: String,
}

/// Something that the object waits for, and how to end the wait.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Blocker {
    /// What is missing or in the way, as one stable word and the object concerned, such as `ServiceNotReady/shop-db`.
    #[schemars(length(max = 253))]
    pub what: String,
    /// Since when, in RFC 3339.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub since: String,
    /// Until when it ends by itself, in RFC 3339; absent when only a person can end it, or nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub until: Option<String>,
    /// What to do about it, in one sentence.
    #[schemars(length(max = 1024))]
    pub fix: String,
}

/// Usable as declared, at this generation.
pub const READY: &str = "Ready";
/// Moving towards what was declared.
pub const RECONCILING: &str = "Reconciling";
/// Does not move until a person does something.
pub const STALLED: &str = "Stalled";
