//! Environment: one deployed stage of an Application.

use super::{
    application::{CopyData, Resources, Variable},
    backup::ScheduledBackups,
    instance::BackupDefaults,
    name::Ref,
    status::{Blocker, Condition},
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an Environment is declared to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "roadstead.dev",
    version = "v1alpha1",
    kind = "Environment",
    plural = "environments",
    shortname = "renv",
    category = "roadstead",
    namespaced,
    status = "EnvironmentStatus",
    derive = "PartialEq",
    doc = "One deployed stage of an Application: its variables, attached services, replicas and state.",
    selectable = ".spec.applicationRef.name",
    selectable = ".spec.slug",
    selectable = ".status.state",
    printcolumn(name = "Application", type_ = "string", json_path = ".spec.applicationRef.name"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Release", type_ = "integer", json_path = ".status.currentRelease"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 32")
        .message("metadata.name must be a DNS label that starts with a letter, of at most 32 characters: lowercase letters, digits and hyphens")
)]
#[x_kube(validation = Rule::new("self.applicationRef == oldSelf.applicationRef").message("applicationRef is immutable: it can be neither changed nor removed; make a new object with the other value"))]
#[x_kube(validation = Rule::new("has(self.slug) == has(oldSelf.slug) && (!has(self.slug) || self.slug == oldSelf.slug)").message("slug is immutable: it can be neither changed nor removed; make a new object with the other value"))]
#[x_kube(validation = Rule::new("has(self.copyFrom) == has(oldSelf.copyFrom) && (!has(self.copyFrom) || self.copyFrom == oldSelf.copyFrom)").message("copyFrom is immutable: it can be neither changed nor removed; make a new object with the other value"))]
#[x_kube(validation = Rule::new("!has(self.copyFrom) || !has(self.slug) || self.slug.matches('^[0-9a-z](-*[0-9a-z])*$')").message("slug of a copy must have lowercase letters and digits, and hyphens only between them, such as test-2"))]
#[x_kube(validation = Rule::new("!has(self.idle)").message("idle is not there yet: remove it"))]
#[x_kube(validation = Rule::new("!has(self.copyFrom) || !has(self.copyFrom.data) || self.copyFrom.data == 'None'").message("copyFrom.data Full and Masked are not there yet: leave it out, give the copy Services of its own, and restore a Backup of the source's into them"))]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentSpec {
    /// The Application that it runs. Immutable.
    pub application_ref: Ref,
    /// Short name within the Application, unique there: 1 to 255 letters, digits, `-` and `_`; what is made for the Environment is called by `metadata.name`. A copy's has lowercase letters and digits, and hyphens between them. Default: `metadata.name`. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[-a-zA-Z0-9_]+$"))]
    pub slug: Option<String>,
    /// Branch that it follows once there are builds. Default: the Application's `defaultBranch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub branch: Option<String>,
    /// Container image in place of the Application's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// `Running` or `Stopped`: stopped, nothing of it runs and everything else is kept. Default `Running`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<EnvironmentState>,
    /// When a release is made: `OnChange`, by itself at every change; `Manual`, only when somebody makes a Release, until when changes wait as `status.pendingChanges`. Default `OnChange`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_policy: Option<ReleasePolicy>,
    /// How many finished Releases that Roadstead made are kept, 1 to 100. Default 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub history_limit: Option<i32>,
    /// Variables, over those of the Application of the same name, in this order. They also take the place of what Roadstead and attached Services would give under the same name; a condition says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub variables: Vec<Variable>,
    /// Services whose address and credentials it gets as variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub services: Vec<Attachment>,
    /// What differs from the Application's containers, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub containers: Vec<ContainerOverride>,
    /// When the Web container sleeps for want of requests. Not yet: setting it is refused until sleep and wake are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<Idle>,
    /// When the attached services are backed up together, how many backups are kept and which are proven. What the Instance says then does not hold for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupDefaults>,
    /// Environment of the same Application to start as a copy of: its branch, image, variables and containers of the moment when this one is
    /// first seen stand below what is said here. Its Services are not shared, and neither its Releases nor what it becomes later. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_from: Option<CopyFrom>,
}

/// Whether an Environment runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EnvironmentState {
    /// Its containers run.
    #[default]
    Running,
    /// Nothing of it runs; everything else is kept.
    Stopped,
}

/// When a release is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReleasePolicy {
    /// At every change of what it runs, by itself.
    #[default]
    OnChange,
    /// Only when somebody makes a Release.
    Manual,
}

/// A Service that an Environment uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// Name of the Service, in the same namespace.
    #[schemars(
        length(min = 1, max = 40),
        regex(pattern = "^[a-z]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// What the variables' names begin with, such as `DEFAULT` for `DEFAULT_DATABASE_DSN`; 1 to 32 uppercase letters, digits and `_`. Two services may share one only if their types differ.
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[A-Z][A-Z0-9_]*$"))]
    pub prefix: String,
}

/// What differs from a container of the Application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("!(has(self.replicas) && has(self.autoscaling))").message("set replicas or autoscaling of a container, not both"))]
#[x_kube(validation = Rule::new("!has(self.placement)").message("placement is not there yet: remove it, and use replicas"))]
#[serde(rename_all = "camelCase")]
pub struct ContainerOverride {
    /// Name of the Application's container.
    #[schemars(length(min = 1, max = 20))]
    pub name: String,
    /// How many run, 0 to 1000. Excludes `autoscaling`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: Option<i32>,
    /// How many run, by load; it needs the cluster's metrics. Excludes `replicas`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// CPU and memory in place of the Application's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// How many replicas run on which node. Not yet: setting it is refused until tasks are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["nodeName"]))]
    pub placement: Vec<Placement>,
}

/// How many replicas run, by load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("self.minReplicas <= self.maxReplicas").message("minReplicas must not be greater than maxReplicas: lower it, or raise maxReplicas"))]
#[serde(rename_all = "camelCase")]
pub struct Autoscaling {
    /// At least so many, 1 to 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: i32,
    /// At most so many, 1 to 1000; not less than `minReplicas`.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,
    /// Percentage of the requested CPU that is aimed at, 1 to 100. Default 80 where no target is given.
    #[serde(
        rename = "targetCPUUtilization",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(range(min = 1, max = 100))]
    pub target_cpu_utilization: Option<i32>,
    /// Percentage of the requested memory that is aimed at, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub target_memory_utilization: Option<i32>,
}

/// How many replicas run on one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Name of the node.
    #[schemars(length(min = 1, max = 253))]
    pub node_name: String,
    /// How many replicas run there, 0 to 1000.
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,
}

/// When the Web container sleeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Idle {
    /// Minutes without a request after which it sleeps, 1 to 10080.
    #[schemars(range(min = 1, max = 10080))]
    pub after_minutes: i32,
}

/// Environment to start as a copy of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CopyFrom {
    /// The Environment, in the same namespace.
    pub environment_ref: Ref,
    /// What becomes of its data: `None`, `Full` or `Masked`. Default `None`; the others are not there yet and are refused: restore a Backup into the copy's own Services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<CopyData>,
}

/// What an Environment is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentStatus {
    /// One word for the table: `never-deployed`, `deploying`, `running`, `stopped`, `restoring`, `degraded` or `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub state: Option<String>,
    /// Where its Web container answers inside the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub url: Option<String>,
    /// Number of the Release that serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_release: Option<i64>,
    /// Number of the Release that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_release: Option<i64>,
    /// Number of the newest Release that ended, well or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_finished_release: Option<i64>,
    /// What the next release would change, without values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub pending_changes: Vec<PendingChange>,
    /// What runs: one entry for each Pod.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub replicas: Vec<Replica>,
    /// The variables that its containers see, with where each comes from; never a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub variables: Vec<EffectiveVariable>,
    /// The Backups of its services together that are made by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backups: Option<ScheduledBackups>,
    /// Facts about the object; `Ready` sums them up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// What it waits for, and how to end the wait.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub blockers: Vec<Blocker>,
    /// The generation of its Application that this status was decided for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_generation: Option<i64>,
    /// The generation that this status was decided for; -1 until the operator has seen the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// Something that the next release would change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingChange {
    /// Which field, such as `variables.STAGE`.
    #[schemars(length(max = 512))]
    pub path: String,
    /// `Added`, `Removed` or `Modified`.
    #[schemars(length(max = 16))]
    pub change: String,
    /// `Restart`: pods are replaced. `None`: nothing is interrupted.
    #[schemars(length(max = 16))]
    pub impact: String,
    /// What runs; of what has several fields, those that differ. Never of a variable or a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub from: Option<String>,
    /// What is declared, in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub to: Option<String>,
}

/// One running copy of a container: a Pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replica {
    /// Name of the Pod.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Name of the container.
    #[schemars(length(max = 63))]
    pub container: String,
    /// The node that it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub node: Option<String>,
    /// `pending`, `running`, `stopping` or `failed`. While more than three replicas change, the list stays as it was.
    #[schemars(length(max = 32))]
    pub state: String,
    /// `healthy`, `unhealthy` or `unknown`.
    #[schemars(length(max = 32))]
    pub health: String,
    /// Number of the Release that it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<i64>,
}

/// A variable that the containers see.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveVariable {
    /// Name of the variable.
    #[schemars(length(max = 300))]
    pub name: String,
    /// `Application`, `Environment`, `Service` or `Roadstead`.
    #[schemars(length(max = 32))]
    pub origin: String,
    /// The attached Service that gives it, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub service: Option<String>,
    /// Whether its value is kept out of every table and log.
    pub sensitive: bool,
}
