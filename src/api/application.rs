//! Application: one codebase and how it runs. It drives nothing by itself: it is what Environments release.

use std::collections::BTreeMap;

use super::{
    name::{Ref, SecretKeyRef},
    status::{Blocker, Condition},
};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an Application is declared to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "roadstead.dev",
    version = "v1alpha1",
    kind = "Application",
    plural = "applications",
    shortname = "rapp",
    category = "roadstead",
    namespaced,
    status = "ApplicationStatus",
    derive = "PartialEq",
    doc = "One codebase and how it runs: image, containers, port, probe, release commands and variables.",
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Environments", type_ = "integer", json_path = ".status.environments"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40")
        .message("metadata.name must be a DNS label that starts with a letter, of at most 40 characters: lowercase letters, digits and hyphens")
)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationSpec {
    /// Name that people read, up to 255 characters. Default: `metadata.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub display_name: Option<String>,
    /// Container image that its Environments run unless they name one of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// Branch that new Environments follow once there are builds. Default `main`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub default_branch: Option<String>,
    /// Port that the Web container listens on, 1 to 65535. Default 80 where there is a Web container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
    /// HTTP request that says when a new Web container has started. Without it, a container counts as started once its port accepts a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_probe: Option<StartupProbe>,
    /// Commands that run in order, once a release, in the new image and before traffic moves. The first that fails stops the release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub release_commands: Vec<ReleaseCommand>,
    /// What runs. At most one of kind `Web`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    #[x_kube(validation = Rule::new("self.filter(c, c.kind == 'Web').size() <= 1").message("containers may hold at most one of kind Web: make the others kind Worker"))]
    pub containers: Vec<Container>,
    /// Variables of all its Environments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub variables: Vec<Variable>,
    /// Words to find the Application by; at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 63)))]
    pub tags: Vec<String>,
    /// Set by the platform team: everything of it acts as if stopped, and nothing is released, until this is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Suspension>,
}

/// Why nothing of an Application runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suspension {
    /// Why, in a few words, for the people concerned.
    #[schemars(length(min = 1, max = 255))]
    pub reason: String,
}

/// HTTP request that says when a new Web container has started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct StartupProbe {
    /// Path that answers with a status from 200 to 399 once the container has started.
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^/"))]
    pub path: String,
    /// How often it is tried before the container counts as failed, 1 to 1000. Default 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_retries: Option<i32>,
    /// Seconds that one try may take, 1 to 60. Default 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60))]
    pub request_timeout_seconds: Option<i32>,
    /// Seconds between two tries, 1 to 600. Default 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 600))]
    pub retry_timeout_seconds: Option<i32>,
}

/// A command that runs once a release, before traffic moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseCommand {
    /// Name, a DNS label of up to 20 characters.
    #[schemars(
        length(min = 1, max = 20),
        regex(pattern = "^[a-z]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// Program and arguments; no shell is added.
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// Seconds that it may take, 1 to 86400. Default 600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub timeout_seconds: Option<i32>,
}

/// One container of the Application, run in pods of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Name, a DNS label of up to 20 characters.
    #[schemars(
        length(min = 1, max = 20),
        regex(pattern = "^[a-z]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// `Web` listens on the Application's port and gets an address; `Worker` does not.
    pub kind: ContainerKind,
    /// Program and arguments in place of the image's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
    /// How many run, 0 to 1000; a change takes effect at once, without a release. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: Option<i32>,
    /// User id that it runs as, 1 to 65535. Default 1000; root (0) is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub run_as_user: Option<i64>,
    /// CPU and memory that one replica asks for, and may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// Whether a container gets traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ContainerKind {
    /// Listens on the Application's port and gets an address.
    Web,
    /// Gets no traffic.
    Worker,
}

/// CPU and memory of one replica.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What it asks for, by resource: `cpu`, `memory`, `ephemeral-storage`. Default: 50m CPU and 64Mi of memory.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8, "additionalProperties" = {"type": "string", "maxLength": 32}))]
    pub requests: BTreeMap<String, String>,
    /// What it may use at most, by resource. Default: no limit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8, "additionalProperties" = {"type": "string", "maxLength": 32}))]
    pub limits: BTreeMap<String, String>,
}

/// An environment variable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.value) != has(self.valueFrom)").message("a variable has either value or valueFrom: set exactly one of them"))]
#[x_kube(validation = Rule::new("!self.?sensitive.orValue(false) || has(self.valueFrom)").message("a sensitive variable takes its value from a Secret: use valueFrom.secretKeyRef in place of value"))]
#[x_kube(validation = Rule::new("(has(self.sensitive) && self.sensitive) == (has(oldSelf.sensitive) && oldSelf.sensitive)").message("sensitive cannot be changed: remove the variable, and add it again in another step"))]
#[x_kube(validation = Rule::new("!(has(self.expand) && self.expand && has(self.valueFrom))").message("expand is for value: a value from a Secret is passed on as it is"))]
pub struct Variable {
    /// Name, 1 to 255 characters: letters, digits and `_`, not starting with a digit.
    #[schemars(
        length(min = 1, max = 255),
        regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$")
    )]
    pub name: String,
    /// Value, up to 10000 characters, passed on byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10000))]
    pub value: Option<String>,
    /// Where the value comes from, in place of `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<ValueFrom>,
    /// Replace `$(OTHER)` in the value by the variable of that name, wherever it stands; `$$(OTHER)` gives `$(OTHER)`. A name that is not there is left as it is, and a condition says so. Default false: the value is passed on byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expand: Option<bool>,
    /// Keep the value out of every status, table and log. Requires `valueFrom`. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitive: Option<bool>,
}

/// Where a variable's value comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValueFrom {
    /// One key of a Secret in the same namespace, read when a release is made.
    pub secret_key_ref: SecretKeyRef,
}

/// A reference to another Application, for copies.
pub type ApplicationRef = Ref;

/// What an Application is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationStatus {
    /// One word for the table: `idle` (no Environment), `active` or `degraded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub state: Option<String>,
    /// How many Environments release it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environments: Option<i32>,
    /// Facts about the object; `Ready` sums them up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// What it waits for, and how to end the wait.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub blockers: Vec<Blocker>,
    /// The generation that this status was decided for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}
