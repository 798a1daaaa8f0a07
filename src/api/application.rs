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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
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
    selectable = ".spec.suspended.reason",
    selectable = ".spec.copyFrom.applicationRef.name",
    selectable = ".spec.copyFrom.type",
    selectable = ".spec.templateRef.name",
    selectable = ".spec.archive.confirmName",
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40")
        .message("metadata.name must be a DNS label that starts with a letter, of at most 40 characters: lowercase letters, digits and hyphens"),
    validation = Rule::new("!has(self.spec.archive) || self.spec.archive.confirmName == self.metadata.name")
        .message("archive.confirmName must be the name of the Application, metadata.name: type it back to confirm that it and its Environments may be deleted"),
    validation = Rule::new("!has(self.spec.copyFrom) || self.spec.copyFrom.applicationRef.name != self.metadata.name")
        .message("copyFrom.applicationRef names the Application itself: name another one in the same namespace")
)]
#[x_kube(validation = Rule::new("has(self.templateRef) == has(oldSelf.templateRef) && (!has(self.templateRef) || self.templateRef == oldSelf.templateRef)").message("templateRef is immutable: it can be neither changed nor removed; make a new object with the other value"))]
#[x_kube(validation = Rule::new("has(self.copyFrom) == has(oldSelf.copyFrom) && (!has(self.copyFrom) || self.copyFrom == oldSelf.copyFrom)").message("copyFrom is immutable: it can be neither changed nor removed; make a new object with the other value"))]
#[x_kube(validation = Rule::new("!(has(self.templateRef) && has(self.copyFrom))").message("a copy starts as its source did: set templateRef or copyFrom, not both"))]
#[x_kube(validation = Rule::new("!has(self.image) || !has(self.copyFrom) || self.copyFrom.type != 'Mirror'").message("a Mirror runs the image of its source and has none of its own: remove image, or make a Fork"))]
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
    /// Words to find the Application by, at most 50: `kubectl get rapp -l tag.roadstead.dev/django` finds what has the tag `django`. Letters, digits, `-`, `_` and `.`, up to 63 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 50),
        inner(
            length(min = 1, max = 63),
            regex(pattern = "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")
        )
    )]
    pub tags: Vec<String>,
    /// Template that gives what is left out here: release commands, tags, and Services that are made with the Application. It is taken once; what the template says later does not reach this Application, and a condition says so. Default: the template that the platform team has marked as default. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_ref: Option<Ref>,
    /// Application to start as a copy of. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_from: Option<ApplicationCopy>,
    /// Set by the platform team: everything of it acts as if stopped, and nothing is released, until this is removed. Who sets or removes it needs the verb `suspend` on applications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Suspension>,
    /// Set by the platform team: what runs goes on, but nothing is released and this object is changed by nobody else, until this is removed. Whoever changes the Application then needs the verb `lock` on applications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<Lock>,
    /// Retire the Application: nothing of it runs, and after a while it is deleted with its Environments and their Cronjobs. Until then, removing this brings everything back. Services and their data stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<Archive>,
}

/// Why nothing of an Application runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suspension {
    /// Why, in a few words, for the people concerned.
    #[schemars(length(min = 1, max = 255))]
    pub reason: String,
}

/// Why an Application is not to be changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lock {
    /// Why, in a few words, for the people concerned.
    #[schemars(length(min = 1, max = 255))]
    pub reason: String,
}

/// How an Application is retired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Archive {
    /// The name of the Application, `metadata.name`, typed back to confirm.
    #[schemars(length(min = 1, max = 40))]
    pub confirm_name: String,
    /// Skip the waiting time: it is deleted at once, and cannot be brought back. Take it out of Git in the same step, or Git brings it back. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_immediately: Option<bool>,
    /// How long it waits before it is deleted, such as `168h` or `30m`. Counted from when the Application was archived. Default `168h`, a week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 2, max = 20),
        regex(pattern = "^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$")
    )]
    pub keep_for: Option<String>,
}

/// What an Application starts as a copy of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.?data.orValue('None') == 'None'").message("copyFrom.data: only None is there yet: leave it out, give the copy Services of its own, and restore a Backup of the source's into them"))]
pub struct ApplicationCopy {
    /// The Application, in the same namespace.
    pub application_ref: Ref,
    /// `Fork`: it starts with what its source says then, and goes its own way; `Mirror`: it runs the image of its source, also a later one, with variables and data of its own.
    #[serde(rename = "type")]
    pub type_: CopyType,
    /// What becomes of the data: `None`, `Full` or `Masked`. Default `None`; the others are not there yet and are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<CopyData>,
}

/// What of the data is copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CopyData {
    /// Configuration only.
    #[default]
    None,
    /// Everything.
    Full,
    /// Everything, with personal data masked.
    Masked,
}

/// What a copy has to do with its source later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CopyType {
    /// Nothing.
    Fork,
    /// It runs the image of its source.
    Mirror,
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

/// What an Application is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationStatus {
    /// One word for the table: `idle` (no Environment), `active`, `degraded`, `suspended`, `archived` or `waiting` (for its template or source).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub state: Option<String>,
    /// How many Environments release it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environments: Option<i32>,
    /// How many Environments it may have, by the plan of its Instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_limit: Option<i32>,
    /// Branch that new Environments follow once there are builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub default_branch: Option<String>,
    /// What it took from a template or another Application when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Started>,
    /// How many Applications mirror it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirrors: Option<i32>,
    /// When it is deleted with its Environments, in RFC 3339: it is archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub deletion_at: Option<String>,
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

/// What an Application took when it began. Its own values go before these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// The template that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub template: Option<String>,
    /// The Application that it was copied from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub copied_from: Option<String>,
    /// How it was copied: `Fork` or `Mirror`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_type: Option<CopyType>,
    /// The release commands in force, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 20)))]
    pub release_commands: Vec<String>,
    /// The Services that were made with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 63)))]
    pub services: Vec<String>,
    /// The tags in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 63)))]
    pub tags: Vec<String>,
}
