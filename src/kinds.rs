//! The registry: one line for each kind. Everything that is done for every kind iterates over it.

use std::{any::Any, collections::BTreeSet};

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    api,
    plan::{Body, Kept, Kind, Plan, Seen, Watched, facts},
};

/// Where a kind is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Everywhere, every object: our own kinds, and one that others make for us without our label.
    All,
    /// Everywhere, by the label that says whom an object was made for.
    Owned,
    /// Everywhere, by the label that makes a Namespace an Instance's. Each one that appears opens the `InInstances` watches.
    Hosts,
    /// Everywhere, every object, and only to read: what the cluster offers.
    Offered,
    /// In each Instance's namespace, every object.
    InInstances,
}

/// How a kind is turned into a plan: only our own kinds are.
pub type Planner = fn(&Kept, &Seen<'_>, Timestamp) -> Plan;

/// How two objects of a kind are compared: only our own kinds are.
pub type Changed = fn(&Body, &Body) -> Vec<String>;

/// How a kind's CustomResourceDefinition is made: only our own kinds have one.
pub type Definition = fn() -> Result<serde_json::Value, serde_json::Error>;

/// All that the engine knows of a kind.
pub struct Entry {
    /// Which kind.
    pub of: Of,
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version within the group.
    pub version: &'static str,
    /// The word in manifests.
    pub kind: &'static str,
    /// The word in URLs.
    pub plural: &'static str,
    /// Whether its objects stand in namespaces.
    pub namespaced: bool,
    /// Where it is watched.
    pub watch: Watch,
    /// What is kept of an object, decoded from its JSON.
    pub decode: fn(&str) -> Result<Body, serde_json::Error>,
    /// By which keys an object can be asked for, besides its name.
    pub keys: fn(&Body) -> Vec<String>,
    /// Which fields of its spec differ between two of it, if it is ours.
    pub changed: Option<Changed>,
    /// How it is planned, if it is ours.
    pub plan: Option<Planner>,
    /// How the API server gets to know it, if it is ours.
    pub definition: Option<Definition>,
}

impl Entry {
    /// `apiVersion` as manifests write it.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

fn decode<K: Watched + DeserializeOwned>(json: &str) -> Result<Body, serde_json::Error> {
    serde_json::from_str::<K>(json).map(|k| std::sync::Arc::new(k) as Body)
}

/// Ours are kept whole, less what nobody reads: the record of field managers and what kubectl remembers.
fn decode_ours<K: Watched + kube::Resource + DeserializeOwned>(
    json: &str,
) -> Result<Body, serde_json::Error> {
    let mut object = serde_json::from_str::<K>(json)?;
    object.meta_mut().managed_fields = None;
    object.meta_mut().annotations = None;
    Ok(std::sync::Arc::new(object) as Body)
}

fn keys<K: Watched>(body: &Body) -> Vec<String> {
    let any: &(dyn Any + Send + Sync) = body.as_ref();
    any.downcast_ref::<K>()
        .map(Watched::keys)
        .unwrap_or_default()
}

/// The top-level fields of the spec that differ.
fn changed<K: Watched + Serialize>(old: &Body, new: &Body) -> Vec<String> {
    let spec = |body: &Body| -> Map<String, Value> {
        let any: &(dyn Any + Send + Sync) = body.as_ref();
        let object = any.downcast_ref::<K>().map(serde_json::to_value);
        match object.and_then(Result::ok).map(|mut o| o["spec"].take()) {
            Some(Value::Object(spec)) => spec,
            _ => Map::new(),
        }
    };
    let (old, new) = (spec(old), spec(new));
    let all: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    all.into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .cloned()
        .collect()
}

fn plan<K: Kind>(kept: &Kept, seen: &Seen<'_>, now: Timestamp) -> Plan {
    let any: &(dyn Any + Send + Sync) = kept.body.as_ref();
    any.downcast_ref::<K>()
        .map(|k| k.plan(kept, seen, now))
        .unwrap_or_default()
}

macro_rules! registry {
    (
        ours { $($our:ident: $our_plural:literal, $our_scoped:literal;)* }
        theirs { $($their:ident($fact:ident): $group:literal / $version:literal $kind:literal $plural:literal, $scoped:literal, $watch:ident $(, by $keys:path)?;)* }
    ) => {
        /// A kind that Roadstead plans or watches. Ours are bare, Kubernetes' are qualified where the words meet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Of {
            $(#[doc = concat!("Our ", stringify!($our), ".")] $our,)*
            $(#[doc = concat!("Kubernetes' ", $kind, ".")] $their,)*
        }

        /// Every kind, ours first.
        pub static KINDS: &[Entry] = &[
            $(Entry {
                of: Of::$our, group: api::GROUP, version: api::VERSION, kind: stringify!($our), plural: $our_plural,
                namespaced: $our_scoped, watch: Watch::All,
                decode: decode_ours::<api::$our>, keys: keys::<api::$our>, changed: Some(changed::<api::$our>), plan: Some(plan::<api::$our>),
                definition: Some(api::definition::<api::$our>),
            },)*
            $(Entry {
                of: Of::$their, group: $group, version: $version, kind: $kind, plural: $plural,
                namespaced: $scoped, watch: Watch::$watch,
                decode: decode::<facts::$fact>, keys: keys::<facts::$fact>, changed: None, plan: None, definition: None,
            },)*
        ];

        $(impl Watched for facts::$fact {
            const OF: Of = Of::$their;
            $(fn keys(&self) -> Vec<String> {
                $keys(self)
            })?
        })*
    };
}

registry! {
    ours {
        Instance: "instances", false;
        ApplicationTemplate: "applicationtemplates", false;
        Application: "applications", true;
        Environment: "environments", true;
        Release: "releases", true;
        Service: "managedservices", true;
        ServiceClass: "serviceclasses", false;
        Cronjob: "appcronjobs", true;
        Backup: "databackups", true;
        Restore: "datarestores", true;
    }
    theirs {
        Namespace(Namespace): "" / "v1" "Namespace" "namespaces", false, Hosts, by facts::Namespace::keys;
        Secret(Secret): "" / "v1" "Secret" "secrets", true, InInstances, by facts::Secret::keys;
        Pod(Pod): "" / "v1" "Pod" "pods", true, Owned;
        CoreService(CoreService): "" / "v1" "Service" "services", true, Owned;
        PersistentVolumeClaim(PersistentVolumeClaim): "" / "v1" "PersistentVolumeClaim" "persistentvolumeclaims", true, Owned;
        ResourceQuota(ResourceQuota): "" / "v1" "ResourceQuota" "resourcequotas", true, Owned;
        LimitRange(LimitRange): "" / "v1" "LimitRange" "limitranges", true, Owned;
        Deployment(Deployment): "apps" / "v1" "Deployment" "deployments", true, Owned;
        StatefulSet(StatefulSet): "apps" / "v1" "StatefulSet" "statefulsets", true, Owned;
        Job(Job): "batch" / "v1" "Job" "jobs", true, Owned;
        BatchCronJob(BatchCronJob): "batch" / "v1" "CronJob" "cronjobs", true, Owned;
        HorizontalPodAutoscaler(HorizontalPodAutoscaler): "autoscaling" / "v2" "HorizontalPodAutoscaler" "horizontalpodautoscalers", true, Owned;
        PodDisruptionBudget(PodDisruptionBudget): "policy" / "v1" "PodDisruptionBudget" "poddisruptionbudgets", true, Owned;
        NetworkPolicy(NetworkPolicy): "networking.k8s.io" / "v1" "NetworkPolicy" "networkpolicies", true, Owned;
        VolumeSnapshot(VolumeSnapshot): "snapshot.storage.k8s.io" / "v1" "VolumeSnapshot" "volumesnapshots", true, All, by facts::VolumeSnapshot::keys;
        VolumeSnapshotClass(VolumeSnapshotClass): "snapshot.storage.k8s.io" / "v1" "VolumeSnapshotClass" "volumesnapshotclasses", false, Offered, by facts::VolumeSnapshotClass::keys;
        VolumeGroupSnapshot(VolumeGroupSnapshot): "groupsnapshot.storage.k8s.io" / "v1" "VolumeGroupSnapshot" "volumegroupsnapshots", true, Owned;
        VolumeGroupSnapshotClass(VolumeGroupSnapshotClass): "groupsnapshot.storage.k8s.io" / "v1" "VolumeGroupSnapshotClass" "volumegroupsnapshotclasses", false, Offered, by facts::VolumeGroupSnapshotClass::keys;
        RoleBinding(RoleBinding): "rbac.authorization.k8s.io" / "v1" "RoleBinding" "rolebindings", true, Owned;
    }
}

impl Of {
    /// What the engine knows of the kind.
    pub fn entry(self) -> &'static Entry {
        &KINDS[self as usize]
    }

    /// Whether deleting one destroys what people cannot get back: such an object is never pruned, only deleted where a plan says so.
    pub fn holds_data(self) -> bool {
        matches!(
            self,
            Self::PersistentVolumeClaim
                | Self::VolumeSnapshot
                | Self::VolumeGroupSnapshot
                | Self::Backup
                | Self::Namespace
        )
    }
}
