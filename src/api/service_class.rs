//! ServiceClass: the platform team's catalogue of what a Service can be.

use super::status::{Blocker, Condition};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What Services of the class are made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "roadstead.dev",
    version = "v1alpha1",
    kind = "ServiceClass",
    plural = "serviceclasses",
    shortname = "msc",
    category = "roadstead",
    status = "ServiceClassStatus",
    derive = "PartialEq",
    doc = "What a Service can be: engine, sizes, and the commands that check, rotate and verify it. Kept by the platform team.",
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "Display name", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image", priority = 1),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40")
        .message("metadata.name must be a DNS label that starts with a letter, of at most 40 characters: lowercase letters, digits and hyphens")
)]
#[x_kube(validation = Rule::new("has(self.data) == has(oldSelf.data)").message("data can be neither added nor removed: Services of the class would lose sight of their volumes; make another class"))]
#[x_kube(validation = Rule::new("self.?clustered.orValue(false) || self.?tiers.?production.?scaling.orValue('Vertical') == 'Vertical'").message("tiers.production.scaling Horizontal needs clustered: true: two workers of an engine that does not replicate are two databases; use Vertical"))]
#[serde(rename_all = "camelCase")]
pub struct ServiceClassSpec {
    /// What it is: `Database`, `Cache`, `Queue`, `Storage` or `Search`.
    #[serde(rename = "type")]
    pub type_: ServiceType,
    /// Name that people read, up to 255 characters.
    #[schemars(length(min = 1, max = 255))]
    pub display_name: String,
    /// What it is good for, up to 1024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// Container image of the engine.
    #[schemars(length(min = 1, max = 512))]
    pub image: String,
    /// Ports that it listens on; one of them is the default.
    #[schemars(length(min = 1, max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub ports: Vec<ClassPort>,
    /// User id, group id and owner of the data that the engine runs as, 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub user: i64,
    /// Where the data stands. Without it the class keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<ClassData>,
    /// Paths that are writable and forgotten at a restart, such as `/tmp`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 2, max = 255), regex(pattern = "^/[^:]+$"))
    )]
    pub scratch: Vec<String>,
    /// What one Gb of a Service's memory is, such as `1Gi`; smaller on a laptop. Default `1Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), regex(pattern = "^[0-9]+(Mi|Gi)$"))]
    pub gigabyte: Option<String>,
    /// Sizes by tier.
    pub tiers: Tiers,
    /// Whether workers join by themselves. Default false: there is exactly one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clustered: Option<bool>,
    /// Arguments of the engine. `$(USERNAME)`, `$(HOST)`, `$(PORT)` and `$(DATABASE)` are replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub args: Vec<String>,
    /// Command of the engine in place of the image's. The same words are replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// Variables of the engine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Vec<ClassEnv>,
    /// Command that succeeds once the engine serves.
    pub readiness: Command,
    /// Variables that an attached Environment gets: `<PREFIX>_<suffix>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["suffix"]))]
    pub variables: Vec<ClassVariable>,
    /// How passwords are changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<ClassCredentials>,
    /// How its data is backed up. Used once there are backups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<ClassBackup>,
    /// What counts as use. Used once there is sleep and wake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<ClassIdle>,
    /// Name or number of the database that is made. Default `app`. Services that exist keep theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9][a-z0-9_]*$"))]
    pub database: Option<String>,
    /// User that is made. Default `app`. Services that exist keep theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z][a-z0-9_]*$"))]
    pub username: Option<String>,
    /// Regions in which it is offered. None means everywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 63)))]
    pub regions: Vec<String>,
    /// Whether teams may make Services of it by themselves. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_manageable: Option<bool>,
}

/// What a Service is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// Keeps records.
    Database,
    /// Keeps copies for speed.
    Cache,
    /// Passes messages on.
    Queue,
    /// Keeps files.
    Storage,
    /// Finds text.
    Search,
}

/// A port of the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassPort {
    /// Name, a DNS label of up to 15 characters.
    #[schemars(
        length(min = 1, max = 15),
        regex(pattern = "^[a-z]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// Number, 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// What is spoken there, such as `postgresql`.
    #[schemars(length(min = 1, max = 32))]
    pub protocol: String,
    /// Whether it is the one that variables name. Default false; with one port it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
}

/// Where the data stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassData {
    /// Where the volume is mounted.
    #[schemars(length(min = 2, max = 255), regex(pattern = "^/[^:]+$"))]
    pub mount_path: String,
    /// Folder of the volume that is mounted, so that the engine finds an empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub sub_path: Option<String>,
    /// Size when the Service names none, such as `10Gi`.
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[0-9]+(Mi|Gi|Ti)$"))]
    pub size: String,
    /// StorageClass of the volumes of new Services. Default: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class: Option<String>,
}

/// Sizes by tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tiers {
    /// Size of a Development Service.
    pub development: DevelopmentTier,
    /// Size of a Production Service.
    pub production: ProductionTier,
}

/// Size of a Development Service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DevelopmentTier {
    /// Memory in Gb, 1 to 720.
    #[schemars(range(min = 1, max = 720))]
    pub memory_gb: i32,
    /// CPU, such as `500m`.
    #[schemars(length(min = 1, max = 16))]
    pub cpu: String,
}

/// Size of a Production Service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductionTier {
    /// `Vertical`: one worker that holds all memory; `Horizontal`: workers of one size, only with `clustered: true`. Default `Vertical`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingMode>,
    /// Memory of one worker in Gb, with `Horizontal`. Default 12.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 720))]
    pub worker_memory_gb: Option<i32>,
    /// CPU of one worker. Default: none asked for beyond the Development tier's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub cpu: Option<String>,
    /// Memory in Gb when the Service names none, 1 to 720. Default 24.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 720))]
    pub memory_gb: Option<i32>,
}

/// How a Production Service grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScalingMode {
    /// One worker is resized in place.
    #[default]
    Vertical,
    /// Workers are counted.
    Horizontal,
}

/// A variable of the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.value) != has(self.from)").message("a variable of a class has either value or from: set exactly one of them"))]
#[serde(rename_all = "camelCase")]
pub struct ClassEnv {
    /// Name of the variable.
    #[schemars(
        length(min = 1, max = 255),
        regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$")
    )]
    pub name: String,
    /// Value. `$(USERNAME)`, `$(HOST)`, `$(PORT)` and `$(DATABASE)` are replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,
    /// Where the value comes from, in place of `value`: `Username`, `Password`, `Database`, or `NextPassword`, which is set only while the password is being changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<EnvFrom>,
}

/// Where the value of a class's variable comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EnvFrom {
    /// The user that is made.
    Username,
    /// The password that is made.
    Password,
    /// The database that is made.
    Database,
    /// The password that is about to hold, while it is being changed: an engine that takes its password at every start accepts both then.
    NextPassword,
}

/// A command run in the engine's image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Command {
    /// Program and arguments; no shell is added. `$(USERNAME)`, `$(HOST)`, `$(PORT)` and `$(DATABASE)` are replaced; passwords come as the variables PASSWORD and, when it is changed, NEW_PASSWORD.
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
}

/// A variable that attached Environments get.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassVariable {
    /// What follows the prefix and `_`.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Z][A-Z0-9_]*$"))]
    pub suffix: String,
    /// Value. `$(USERNAME)`, `$(PASSWORD)`, `$(HOST)`, `$(PORT)` and `$(DATABASE)` are replaced.
    #[schemars(length(min = 1, max = 1024))]
    pub template: String,
}

/// How passwords are changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassCredentials {
    /// Command that makes NEW_PASSWORD the password, given PASSWORD. It runs beside the engine, reaches it at `$(HOST)` and may run twice: it succeeds where NEW_PASSWORD holds already. Without it the class cannot rotate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate: Option<Command>,
    /// In which form people may bring a password of their own: `None` or `Sha256Base64`. Default `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<HashForm>,
}

/// In which form a password may be brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HashForm {
    /// Not at all.
    #[default]
    None,
    /// As base64 of its SHA-256.
    Sha256Base64,
}

/// How data is backed up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassBackup {
    /// Whether it can be backed up. Default true where there is data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backupable: Option<bool>,
    /// Command that holds the data still for as long as it runs; none where a snapshot is crash-consistent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiesce: Option<Quiesce>,
    /// Command that succeeds if restored data is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Command>,
}

/// How the data is held still.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quiesce {
    /// Program and arguments; holds the lock for as long as it runs.
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// Command that succeeds while the lock is held.
    pub ready: Command,
    /// Seconds after which the lock is released in any case, 1 to 600. Default 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 600))]
    pub max_seconds: Option<i32>,
}

/// What counts as use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassIdle {
    /// What a minute is, such as `60s`; short in tests. Default `60s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), regex(pattern = "^[0-9]+(ms|s|m)$"))]
    pub timeout_unit: Option<String>,
    /// `Connections`: an open connection is use; `Traffic`: only bytes are. Default `Connections`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<IdleCounts>,
}

/// What counts as use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IdleCounts {
    /// An open connection.
    #[default]
    Connections,
    /// Bytes.
    Traffic,
}

/// What a ServiceClass is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceClassStatus {
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
