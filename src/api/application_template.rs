//! ApplicationTemplate: the platform team's catalogue of what an Application can start from.

use super::{
    application::ReleaseCommand,
    name::Ref,
    service::{Storage, Tier},
    status::{Blocker, Condition},
};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// What new Applications of the template start with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "roadstead.dev",
    version = "v1alpha1",
    kind = "ApplicationTemplate",
    plural = "applicationtemplates",
    shortname = "rtpl",
    category = "roadstead",
    status = "ApplicationTemplateStatus",
    derive = "PartialEq",
    doc = "What an Application can start from: release commands, Services and tags. Kept by the platform team.",
    printcolumn(name = "Display name", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Order", type_ = "integer", json_path = ".spec.order"),
    printcolumn(name = "Default", type_ = "boolean", json_path = ".spec.default"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40")
        .message("metadata.name must be a DNS label that starts with a letter, of at most 40 characters: lowercase letters, digits and hyphens")
)]
#[x_kube(validation = Rule::new("(has(self.default) && self.default) == (has(oldSelf.default) && oldSelf.default)").message("default cannot be changed: Applications that are older would take a template that they began without; make another template with default: true, and it holds from then on"))]
#[serde(rename_all = "camelCase")]
pub struct ApplicationTemplateSpec {
    /// Name that people read, up to 255 characters.
    #[schemars(length(min = 1, max = 255))]
    pub display_name: String,
    /// What it is good for, up to 1024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// Where it stands in a list, smallest first: `kubectl get rtpl --sort-by=.spec.order`. It may be negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -100_000, max = 100_000))]
    pub order: Option<i32>,
    /// Applications that are made from now on and name no template start from this one; of several the newest counts. Cannot be changed later. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
    /// Release commands of Applications that list none themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub release_commands: Vec<ReleaseCommand>,
    /// Services that are made with the Application, once; from then on they are the team's. One of the same name that stands already is left as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub services: Vec<TemplateService>,
    /// Tags of Applications that have none themselves, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 50),
        inner(
            length(min = 1, max = 63),
            regex(pattern = "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")
        )
    )]
    pub tags: Vec<String>,
}

/// A Service that is made with an Application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateService {
    /// What its name ends in, a DNS label of up to 20 characters: `db` gives the Application `shop` the Service `shop-db`.
    #[schemars(
        length(min = 1, max = 20),
        regex(pattern = "^[a-z]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// The ServiceClass that it is of.
    pub class_ref: Ref,
    /// `Development` or `Production`. Default: as for any Service, `Development`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// Size of its data volume. Default: that of the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
}

/// What a template is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationTemplateStatus {
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
