//! What is kept of Kubernetes' own kinds: only what a plan reads.

mod secret;
mod storage;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use secret::{Secret, Value};
pub use storage::{
    ClaimSpec, ClaimStatus, PersistentVolumeClaim, SnapshotError, SnapshotStatus,
    VolumeGroupSnapshot, VolumeGroupSnapshotClass, VolumeSnapshot, VolumeSnapshotClass,
};

macro_rules! nothing {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize)]
        pub struct $name {}
    )*};
}

nothing! {
    /// A ResourceQuota: that it is there.
    ResourceQuota;
    /// A LimitRange: that it is there.
    LimitRange;
    /// A NetworkPolicy: that it is there.
    NetworkPolicy;
    /// A RoleBinding: that it is there.
    RoleBinding;
    /// A PodDisruptionBudget: that it is there.
    PodDisruptionBudget;
    /// A core Service: that it is there.
    CoreService;
}

/// A condition of one of Kubernetes' own kinds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// Type, such as `Available`.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word that says why.
    pub reason: String,
    /// A sentence that says why.
    pub message: String,
    /// When it last changed.
    pub last_transition_time: Option<String>,
}

/// A Namespace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "RawNamespace")]
pub struct Namespace {
    /// The name of the Instance that it belongs to, as its annotation has it.
    pub name: Option<String>,
    /// Its status.
    pub status: NamespaceStatus,
}

#[derive(Deserialize)]
struct RawNamespace {
    #[serde(default)]
    metadata: RawMeta,
    #[serde(default)]
    status: NamespaceStatus,
}

impl From<RawNamespace> for Namespace {
    fn from(mut raw: RawNamespace) -> Self {
        Self {
            name: raw.metadata.annotations.remove(crate::api::NAME),
            status: raw.status,
        }
    }
}

impl Namespace {
    /// By the name of its Instance, so that a second of that name finds the first.
    pub fn keys(&self) -> Vec<String> {
        self.name
            .iter()
            .map(|name| format!("name/{name}"))
            .collect()
    }
}

/// Status of a Namespace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct NamespaceStatus {
    /// `Active` or `Terminating`.
    pub phase: String,
    /// What holds up its deletion.
    pub conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
struct RawMeta {
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// A Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// Its spec.
    pub spec: PodSpec,
    /// Its status.
    pub status: PodStatus,
}

/// Spec of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// The node that it runs on.
    pub node_name: Option<String>,
}

/// Status of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: String,
    /// Why it is in that phase.
    pub reason: Option<String>,
    /// A sentence about it.
    pub message: Option<String>,
    /// Facts about it.
    pub conditions: Vec<Condition>,
    /// Its containers.
    pub container_statuses: Vec<ContainerStatus>,
    /// Containers that run before those.
    pub init_container_statuses: Vec<ContainerStatus>,
    /// When the kubelet took it.
    pub start_time: Option<String>,
}

/// A container of a Pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    /// Its name.
    pub name: String,
    /// The image, as the pod asks for it until it runs.
    pub image: String,
    /// The same, as the runtime reports it.
    #[serde(rename = "imageID")]
    pub image_id: String,
    /// Whether it gets traffic.
    pub ready: bool,
    /// Whether its startup probe has succeeded.
    pub started: Option<bool>,
    /// How often it was restarted.
    pub restart_count: i32,
    /// What it does now.
    pub state: ContainerState,
    /// How it ended the last time.
    pub last_state: ContainerState,
}

/// What a container does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    /// It waits.
    pub waiting: Option<Waiting>,
    /// It runs.
    pub running: Option<Running>,
    /// It ended.
    pub terminated: Option<Terminated>,
}

/// Why a container waits.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Waiting {
    /// One word, such as `ImagePullBackOff`.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

/// Since when a container runs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Running {
    /// Since when.
    pub started_at: Option<String>,
}

/// How a container ended.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    /// Its exit code.
    pub exit_code: i32,
    /// One word, such as `OOMKilled`.
    pub reason: String,
    /// Its last words: the end of its log where it failed.
    pub message: String,
    /// When it began.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
}

impl Pod {
    /// Whether a condition of this type is true.
    pub fn is(&self, type_: &str) -> bool {
        self.status
            .conditions
            .iter()
            .any(|c| c.type_ == type_ && c.status == "True")
    }
}

/// A Deployment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Deployment {
    /// Its spec.
    pub spec: Scaled,
    /// Its status.
    pub status: WorkloadStatus,
}

/// A StatefulSet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct StatefulSet {
    /// Its spec.
    pub spec: Scaled,
    /// Its status.
    pub status: WorkloadStatus,
}

/// How many replicas a workload should have.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Scaled {
    /// How many.
    pub replicas: Option<i32>,
}

/// What a workload has come to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadStatus {
    /// The generation that this was observed for.
    pub observed_generation: i64,
    /// How many pods there are.
    pub replicas: i32,
    /// How many are of the newest template.
    pub updated_replicas: i32,
    /// How many are ready.
    pub ready_replicas: i32,
    /// How many are ready for long enough.
    pub available_replicas: i32,
    /// Revision of the pods before an update.
    pub current_revision: Option<String>,
    /// Revision of the pods after it.
    pub update_revision: Option<String>,
    /// Facts about it.
    pub conditions: Vec<Condition>,
}

/// A Job.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Job {
    /// Its status.
    pub status: JobStatus,
}

/// Status of a Job.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobStatus {
    /// How many pods run.
    pub active: i32,
    /// How many ended well.
    pub succeeded: i32,
    /// How many did not.
    pub failed: i32,
    /// When it began.
    pub start_time: Option<String>,
    /// When it ended well.
    pub completion_time: Option<String>,
    /// `Complete`, `Failed` and others.
    pub conditions: Vec<Condition>,
}

/// A batch CronJob.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct BatchCronJob {
    /// Its status.
    pub status: BatchCronJobStatus,
}

/// Status of a batch CronJob.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BatchCronJobStatus {
    /// When it last started a Job.
    pub last_schedule_time: Option<String>,
    /// When a Job last ended well.
    pub last_successful_time: Option<String>,
}

/// A HorizontalPodAutoscaler.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct HorizontalPodAutoscaler {
    /// Its status.
    pub status: HpaStatus,
}

/// Status of a HorizontalPodAutoscaler.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HpaStatus {
    /// How many replicas it sees.
    pub current_replicas: i32,
    /// How many it wants.
    pub desired_replicas: i32,
    /// Facts about it.
    pub conditions: Vec<Condition>,
}
