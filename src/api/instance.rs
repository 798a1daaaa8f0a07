//! Instance: an isolated space for one team's data and workloads.

use std::collections::BTreeMap;

use super::{
    schedule,
    status::{Blocker, Condition},
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an Instance is declared to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "roadstead.dev",
    version = "v1alpha1",
    kind = "Instance",
    plural = "instances",
    shortname = "rinst",
    category = "roadstead",
    status = "InstanceStatus",
    derive = "PartialEq",
    doc = "An isolated space: everything that a team runs stands in its namespace, `instance-<metadata.name>`.",
    printcolumn(name = "Name", type_ = "string", json_path = ".spec.name"),
    printcolumn(name = "URI", type_ = "string", json_path = ".status.uri"),
    printcolumn(name = "Plan", type_ = "string", json_path = ".status.plan"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Namespace", type_ = "string", json_path = ".status.namespace", priority = 1),
    printcolumn(name = "Description", type_ = "string", json_path = ".spec.description", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 50")
        .message("metadata.name must be a DNS label that starts with a letter, of at most 50 characters: lowercase letters, digits and hyphens")
)]
#[serde(rename_all = "camelCase")]
pub struct InstanceSpec {
    /// Name that people know the Instance by, 1 to 63 lowercase letters, digits and hyphens. Unique among all Instances; may be changed later, which moves nothing.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9-]+$"))]
    pub name: String,
    /// What the Instance is for, in a sentence of 1 to 1024 characters.
    #[schemars(length(min = 1, max = 1024))]
    pub description: String,
    /// How much may be asked for: `Free` (services up to 360 Gb, 10 environments an application) or `Paid` (720 Gb, 100 environments). Default `Free`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<InstancePlan>,
    /// `Active`; `Suspended`: everything acts as if stopped, nothing is deleted, no spec is written; `Frozen`: workloads go on, but nobody can change Roadstead's objects in it. Default `Active`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<InstanceState>,
    /// Who may do what in the Instance. Each entry becomes a RoleBinding in its namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["kind", "name"]))]
    pub access: Vec<Access>,
    /// Limits on what the Instance may use in total, by resource name as in a ResourceQuota, such as `requests.cpu`, `requests.memory`, `requests.storage` and `pods`. No limit when absent. Where CPU or memory is counted, a container that asks for none is given 50m CPU and 64Mi of memory, and limits of 1 CPU and 512Mi if limits are counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 32}))]
    #[x_kube(
        validation = Rule::new("self.all(k, isQuantity(self[k]) && !quantity(self[k]).isLessThan(quantity('0')))").message("quota must hold amounts that are not negative, such as 500m, 8, 32Gi or 100"),
        validation = Rule::new(r"self.all(k, k.matches('^((requests\\.|limits\\.)?(cpu|memory|ephemeral-storage)|requests\\.storage|(requests\\.)?hugepages-[0-9]+[KMGTPE]?i?|pods|services(\\.loadbalancers|\\.nodeports)?|secrets|configmaps|persistentvolumeclaims|replicationcontrollers|resourcequotas|[-a-z0-9.]+/[-a-zA-Z0-9_.]+)$'))").message("quota must name resources as a ResourceQuota does: requests.cpu, requests.memory, limits.memory, requests.storage, pods, persistentvolumeclaims, count/deployments.apps and the like")
    )]
    pub quota: BTreeMap<String, String>,
    /// Who may reach the Instance over the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Secrets of type `kubernetes.io/dockerconfigjson` in the Instance's namespace that images are pulled with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub image_pull_secrets: Vec<super::name::Ref>,
    /// What everything in the Instance inherits unless it says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Defaults>,
}

/// How much an Instance may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InstancePlan {
    /// Services up to 360 Gb of memory, 10 environments an application.
    #[default]
    Free,
    /// Services up to 720 Gb of memory, 100 environments an application.
    Paid,
}

/// Whether an Instance works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InstanceState {
    /// Everything runs as declared.
    #[default]
    Active,
    /// Everything acts as if stopped; data is kept and no spec is written.
    Suspended,
    /// Workloads go on; a policy refuses changes to Roadstead's objects in it.
    Frozen,
}

/// One person, group or account and what it may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(r"self.kind != 'ServiceAccount' || self.name.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')").message("name must be that of a service account in the Instance's namespace: lowercase letters, digits, hyphens and dots; no namespace"))]
pub struct Access {
    /// `User`, `Group` or `ServiceAccount` (of the Instance's own namespace).
    pub kind: AccessKind,
    /// Name of the user, group or service account, 1 to 253 characters.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// `Viewer` reads all but Secrets; `Developer` also changes applications, environments, services and cronjobs; `Admin` also reads Secrets and decides who else may.
    pub role: AccessRole,
}

/// What kind of subject an access entry names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AccessKind {
    /// A user name, as the API server authenticates it.
    User,
    /// A group name, as the API server authenticates it.
    Group,
    /// A service account in the Instance's namespace.
    ServiceAccount,
}

/// What a subject may do in the Instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AccessRole {
    /// Reads everything but Secrets.
    Viewer,
    /// Also changes what runs.
    Developer,
    /// Also reads Secrets and grants access.
    Admin,
}

/// Who may reach the Instance over the network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// `Strict`: nothing outside the Instance reaches it but what `allowFrom` names; it reaches out freely. `None`: everything reaches it. Services keep their own access lists in both. Default `Strict`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// Addresses outside the cluster that may reach the Instance all the same; all of it but Services, which have access lists of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["cidr"]))]
    pub allow_from: Vec<AllowFrom>,
}

/// How closed an Instance is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Isolation {
    /// Only the Instance itself and `allowFrom` reach it.
    #[default]
    Strict,
    /// Everything reaches it.
    None,
}

/// A range of addresses that may reach the Instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowFrom {
    /// Range of addresses in CIDR notation, such as `10.0.0.0/8`.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(
        validation = Rule::new("isCIDR(self)").message("cidr must be a range of addresses in CIDR notation, such as 10.0.0.0/8"),
        validation = Rule::new("!isCIDR(self) || cidr(self).masked() == cidr(self)").message("cidr must begin with the first address of its range, such as 10.0.0.0/8, not 10.1.2.3/8")
    )]
    pub cidr: String,
    /// What this range is, up to 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub description: Option<String>,
}

/// What everything in an Instance inherits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Defaults {
    /// When maintenance may interrupt. Used once there are maintenance runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_window: Option<MaintenanceWindow>,
    /// When the data of its Services is backed up, and for how long backups are kept, where they do not say it themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupDefaults>,
}

/// A weekly span of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceWindow {
    /// Day of the week on which it starts, in English, such as `Sunday`.
    #[schemars(
        length(max = 9),
        regex(pattern = "^(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day$")
    )]
    pub weekday: String,
    /// Time of day at which it starts, `HH:MM`.
    #[schemars(length(max = 5), regex(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub start: String,
    /// How long it lasts, in minutes, 15 to 1440.
    #[schemars(range(min = 15, max = 1440))]
    pub duration_minutes: i32,
    /// Time zone by its IANA name, such as `Europe/Zurich`. Default `Etc/UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = schedule::zone())]
    pub time_zone: Option<String>,
}

/// When data is backed up and for how long backups are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupDefaults {
    /// When: a five-field cron expression, such as `0 3 * * *`, or `Hourly`, `Daily`, `Weekly` or `Monthly`. Absent: no Backup is made by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = schedule::cron_or_word())]
    pub schedule: Option<String>,
    /// Time zone of the schedule, such as `Europe/Zurich`. Default `Etc/UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = schedule::zone())]
    pub time_zone: Option<String>,
    /// Which of the Backups that were made by themselves are kept; the last good one always is. Default: the last 7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// Which of them are proven to restore, and how. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<VerifyPolicy>,
}

/// Which Backups are proven to restore, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifyPolicy {
    /// When: the first Backup after each of these times is proven. A five-field cron expression, such as `0 5 * * 1`, or a word as for Backups. Absent: every one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(validation = schedule::cron_or_word())]
    pub schedule: Option<String>,
    /// Program and arguments that succeed if the restored data is good, as in `spec.verify` of a Backup. Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Option<Vec<String>>,
}

/// How many backups are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// How many of the newest are kept, 1 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub keep_last: Option<i32>,
    /// For how many hours the newest of each hour is kept, 1 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub hourly: Option<i32>,
    /// For how many days the newest of each day is kept, 1 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub daily: Option<i32>,
    /// For how many weeks the newest of each week is kept, 1 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub weekly: Option<i32>,
    /// For how many months the newest of each month is kept, 1 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub monthly: Option<i32>,
    /// How many days old a kept one may be at most, 1 to 3650; the last good one may be older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3650))]
    pub max_age_days: Option<i32>,
}

/// What an Instance is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceStatus {
    /// One word for the table: `creating`, `ready`, `suspended`, `frozen`, `degraded` or `terminating`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub state: Option<String>,
    /// Where the Instance is found: `/instances/<name>`. Set by the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub uri: Option<String>,
    /// The plan that holds: `Free` where none is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<InstancePlan>,
    /// The namespace that holds everything in the Instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
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
