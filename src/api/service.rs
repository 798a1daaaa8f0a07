//! Service: a managed backing service, such as a database.

use super::{
    backup::ScheduledBackups,
    instance::BackupDefaults,
    name::{Ref, SecretKeyRef},
    status::{Blocker, Condition},
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a Service is declared to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "roadstead.dev",
    version = "v1alpha1",
    kind = "Service",
    plural = "managedservices",
    shortname = "msvc",
    category = "roadstead",
    namespaced,
    status = "ServiceStatus",
    derive = "PartialEq",
    doc = "A managed backing service, such as a database: provisioned, backed up, put to sleep and woken by Roadstead.",
    printcolumn(name = "Class", type_ = "string", json_path = ".spec.classRef.name"),
    printcolumn(name = "Tier", type_ = "string", json_path = ".spec.tier"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Endpoint", type_ = "string", json_path = ".status.endpoints[0].host", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40")
        .message("metadata.name must be a DNS label that starts with a letter, of at most 40 characters: lowercase letters, digits and hyphens"),
    validation = Rule::new("!self.metadata.name.startsWith('roadstead-')")
        .message("metadata.name: what an Instance itself consists of is called roadstead-…; choose another name")
)]
#[x_kube(validation = Rule::new("self.classRef == oldSelf.classRef").message("classRef is immutable: it can be neither changed nor removed; make a new object with the other value"))]
#[x_kube(validation = Rule::new("has(self.tier) == has(oldSelf.tier) && (!has(self.tier) || self.tier == oldSelf.tier)").message("tier is immutable: it can be neither changed nor removed; make a new object with the other value"))]
#[x_kube(validation = Rule::new("has(self.provider) == has(oldSelf.provider) && (!has(self.provider) || self.provider == oldSelf.provider)").message("provider is immutable: it can be neither changed nor removed; make a new object with the other value"))]
#[x_kube(validation = Rule::new("has(self.region) == has(oldSelf.region) && (!has(self.region) || self.region == oldSelf.region)").message("region is immutable: it can be neither changed nor removed; make a new object with the other value"))]
#[x_kube(validation = Rule::new("has(self.restoreFrom) == has(oldSelf.restoreFrom) && (!has(self.restoreFrom) || self.restoreFrom == oldSelf.restoreFrom)").message("restoreFrom is immutable: it can be neither changed nor removed; make a new object with the other value"))]
#[x_kube(validation = Rule::new("(has(self.storage) && has(self.storage.size) ? self.storage.size : '') == (has(oldSelf.storage) && has(oldSelf.storage.size) ? oldSelf.storage.size : '')").message("storage.size cannot be changed yet: growing volumes is not there; make a new Service with the other size and copy the data"))]
#[x_kube(validation = Rule::new("self.?provider.orValue('local') == 'local'").message("provider: only local is there; leave it out"))]
#[x_kube(validation = Rule::new("!has(self.scaling)").message("scaling is not yet there: a Service has the fixed size of its tier; leave it out"))]
#[x_kube(validation = Rule::new("self.?tier.orValue('Development') == 'Production' || (!has(self.scaling) || (!has(self.scaling.minTotalMemoryGb) && !has(self.scaling.maxTotalMemoryGb)))").message("scaling: a Development Service has a fixed size; leave minTotalMemoryGb and maxTotalMemoryGb out, or make it with tier Production"))]
#[x_kube(validation = Rule::new("self.?tier.orValue('Development') == 'Production' || self.?scaling.?idleScaling.orValue(true)").message("scaling.idleScaling: a Development Service may always sleep; leave idleScaling out, or make it with tier Production"))]
#[x_kube(validation = Rule::new("size(self.?ipAccessList.orValue([])) == 0").message("ipAccessList is not yet there: attached Environments connect without it, nobody else can; leave it out"))]
#[x_kube(validation = Rule::new("!has(self.restoreFrom) || has(self.restoreFrom.retained) != has(self.restoreFrom.backupRef)").message("restoreFrom takes exactly one of backupRef and retained"))]
#[x_kube(validation = Rule::new("!has(self.restoreFrom) || !has(self.restoreFrom.service) || has(self.restoreFrom.backupRef)").message("restoreFrom.service names a Service of the Backup: set it beside backupRef, or leave it out"))]
#[serde(rename_all = "camelCase")]
pub struct ServiceSpec {
    /// Name that people read, up to 255 characters. Default: `metadata.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub display_name: Option<String>,
    /// The ServiceClass that it is of. Immutable.
    pub class_ref: Ref,
    /// `Development`: small and fixed; `Production`: with the class's production size. Default `Development`. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// Who runs the machines. Default `local`. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub provider: Option<String>,
    /// Where it runs: one of the class's `regions`. Default: the first of them. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub region: Option<String>,
    /// `Running` or `Stopped`: stopped, nothing runs and the data is kept. Default `Running`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ServiceState>,
    /// Memory range and sleep. Not yet: setting it is refused until sizes other than the tier's are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// Size of the data volume. Only at creation, for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
    /// Who may connect besides attached Environments. Not yet: setting it is refused until access lists are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["source"]))]
    pub ip_access_list: Vec<IpAccess>,
    /// The password and how it is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// When it is backed up, how many backups are kept and which are proven. Default: what its Instance says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupDefaults>,
    /// Data to start with: from a Backup, or what a deleted Service left. Only at creation, immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_from: Option<RestoreFrom>,
    /// What deleting it takes: `RequireStopped` refuses while it is not stopped and detached; `StopFirst` stops it by itself. Default `RequireStopped`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// What becomes of the data when this object is deleted: `Retain` keeps the volumes and their password, `Snapshot` deletes them once a last Backup holds what they held, `Delete` deletes them. Default `Retain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_policy: Option<DataPolicy>,
}

/// How big a Service is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Tier {
    /// Small and fixed.
    #[default]
    Development,
    /// With the class's production size.
    Production,
}

/// Whether a Service runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceState {
    /// It runs.
    #[default]
    Running,
    /// Nothing runs; the data is kept.
    Stopped,
}

/// What deleting a Service takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Refused until it is stopped and detached.
    #[default]
    RequireStopped,
    /// It is stopped by itself.
    StopFirst,
}

/// What becomes of the data of a deleted Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DataPolicy {
    /// The volumes and their password stay.
    #[default]
    Retain,
    /// A last Backup stays.
    Snapshot,
    /// Nothing stays.
    Delete,
}

/// Memory range and sleep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("!has(self.minTotalMemoryGb) || !has(self.maxTotalMemoryGb) || self.minTotalMemoryGb <= self.maxTotalMemoryGb").message("minTotalMemoryGb must not be greater than maxTotalMemoryGb: lower it, or raise maxTotalMemoryGb"))]
#[serde(rename_all = "camelCase")]
pub struct Scaling {
    /// Least memory in total, in the class's Gb; a multiple of 12, 24 to 720.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 24, max = 720), extend("multipleOf" = 12))]
    pub min_total_memory_gb: Option<i32>,
    /// Most memory in total, in the class's Gb; a multiple of 12, 24 to 720.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 24, max = 720), extend("multipleOf" = 12))]
    pub max_total_memory_gb: Option<i32>,
    /// Whether it sleeps when idle. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_scaling: Option<bool>,
    /// Minutes without use after which it sleeps, 5 to 10080.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 5, max = 10080))]
    pub idle_timeout_minutes: Option<i32>,
}

/// Size of the data volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("!has(self.growAt) && !has(self.step) && !has(self.max)").message("storage.growAt, step and max are not yet there: volumes do not grow by themselves; leave them out"))]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Size at creation, such as `10Gi`. Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[0-9]+(Mi|Gi|Ti)$"))]
    pub size: Option<String>,
    /// Percentage in use at which it grows. Not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 50, max = 95))]
    pub grow_at: Option<i32>,
    /// By how many percent it grows. Not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub step: Option<i32>,
    /// Size that it never exceeds. Not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[0-9]+(Mi|Gi|Ti)$"))]
    pub max: Option<String>,
}

/// A range of addresses that may connect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("isIP(self.source) || isCIDR(self.source)").message("source must be an address such as 192.0.2.1 or a range such as 192.0.2.0/24"))]
#[serde(rename_all = "camelCase")]
pub struct IpAccess {
    /// Address or range in CIDR notation.
    #[schemars(length(min = 1, max = 64))]
    pub source: String,
    /// What this range is, up to 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub description: Option<String>,
}

/// The password and how it is changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// Request token: a new password is made when it differs from the one acted on last. A new object adopts it without acting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub rotate: Option<String>,
    /// A password of your own, as base64 of its SHA-256; only for classes that accept one, and none does yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash_from: Option<PasswordHashFrom>,
    /// Whether the old password goes on until all who use it have the new one. Default true where the class can; none can yet, so `true` is a blocker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<bool>,
}

/// Where the hash of a password stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordHashFrom {
    /// One key of a Secret in the same namespace.
    pub secret_key_ref: SecretKeyRef,
}

/// Data to start with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreFrom {
    /// The Backup to take it from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_ref: Option<Ref>,
    /// Which Service of the Backup. Default: the only one, or the one of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 40),
        regex(pattern = "^[a-z]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub service: Option<String>,
    /// Volumes that a deleted Service left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retained: Option<Retained>,
}

/// Volumes that a deleted Service left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retained {
    /// UID of the deleted Service, or its first 8 characters, as in the names of its claims. The new Service has the same name.
    #[schemars(
        length(min = 8, max = 36),
        regex(pattern = "^[0-9a-f]{8}(-[0-9a-f]{4}){0,3}(-[0-9a-f]{12})?$")
    )]
    pub uid: String,
}

/// What a Service is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// One word for the table: `provisioning`, `starting`, `running`, `stopping`, `stopped`, `idle`, `degraded`, `failed` or `terminating`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub state: Option<String>,
    /// Where it is reached inside the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub endpoints: Vec<Endpoint>,
    /// The Secret with username, password, host, port, database and uri.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<Ref>,
    /// The same Secret, where servicebinding.io tools look for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Ref>,
    /// What it uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// Where it runs, if anywhere in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub region: Option<String>,
    /// The data that it works on, as in the names of its claims: `d1-` and the start of a UID; each Restore counts up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub data: Option<String>,
    /// The Backups that are made by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backups: Option<ScheduledBackups>,
    /// The request token that was acted on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub rotated: Option<String>,
    /// Who uses it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub attachments: Vec<AttachmentStatus>,
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

/// Where a Service is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// What is spoken there, such as `postgresql`.
    #[schemars(length(max = 32))]
    pub protocol: String,
    /// Host name inside the cluster.
    #[schemars(length(max = 253))]
    pub host: String,
    /// Port that it listens on.
    pub port: i32,
}

/// Memory of a Service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Memory in total, in the class's Gb.
    pub total_gb: i32,
    /// How many workers hold it.
    pub workers: i32,
}

/// An Environment that uses the Service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttachmentStatus {
    /// Name of the Environment.
    #[schemars(length(max = 63))]
    pub environment: String,
    /// What its variables begin with.
    #[schemars(length(max = 32))]
    pub prefix: String,
    /// `attached`, `attach-pending` or `detach-pending`.
    #[schemars(length(max = 32))]
    pub state: String,
}
