//! What is kept of claims and of snapshots of volumes.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::RawMeta;

/// Annotation of a claim: the driver that makes its volume.
const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
/// Annotation of a VolumeSnapshotClass that is meant where none is named.
const DEFAULT: &str = "snapshot.storage.kubernetes.io/is-default-class";
/// The same of a VolumeGroupSnapshotClass.
const DEFAULT_OF_GROUPS: &str = "groupsnapshot.storage.kubernetes.io/is-default-class";

/// A claim on a volume.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "RawClaim")]
pub struct PersistentVolumeClaim {
    /// Its spec.
    pub spec: ClaimSpec,
    /// Its status.
    pub status: ClaimStatus,
    /// The driver that makes its volume.
    pub provisioner: Option<String>,
}

/// Spec of a claim.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimSpec {
    /// Its StorageClass.
    pub storage_class_name: Option<String>,
    /// What it asks for.
    pub resources: Asked,
}

/// What a claim asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// How big the volume should be.
    pub requests: BTreeMap<String, String>,
}

/// Status of a claim.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ClaimStatus {
    /// `Pending`, `Bound` or `Lost`.
    pub phase: String,
    /// How big the volume is.
    pub capacity: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RawClaim {
    #[serde(default)]
    metadata: RawMeta,
    #[serde(default)]
    spec: ClaimSpec,
    #[serde(default)]
    status: ClaimStatus,
}

impl From<RawClaim> for PersistentVolumeClaim {
    fn from(mut raw: RawClaim) -> Self {
        Self {
            provisioner: raw.metadata.annotations.remove(PROVISIONER),
            spec: raw.spec,
            status: raw.status,
        }
    }
}

/// A snapshot of a volume.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "RawSnapshot")]
pub struct VolumeSnapshot {
    /// The claim that it is of.
    pub claim: Option<String>,
    /// UID of the VolumeGroupSnapshot that it was made for.
    pub group: Option<String>,
    /// Its status.
    pub status: Option<SnapshotStatus>,
}

#[derive(Deserialize)]
struct RawSnapshot {
    #[serde(default)]
    metadata: RawOwned,
    #[serde(default)]
    spec: RawSnapshotSpec,
    status: Option<SnapshotStatus>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawOwned {
    owner_references: Vec<RawOwner>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawOwner {
    kind: String,
    uid: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawSnapshotSpec {
    source: RawSource,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawSource {
    persistent_volume_claim_name: Option<String>,
}

impl From<RawSnapshot> for VolumeSnapshot {
    fn from(raw: RawSnapshot) -> Self {
        let mut owners = raw.metadata.owner_references.into_iter();
        let group = owners.find(|owner| owner.kind == "VolumeGroupSnapshot");
        Self {
            claim: raw.spec.source.persistent_volume_claim_name,
            group: group.map(|owner| owner.uid),
            status: raw.status,
        }
    }
}

impl VolumeSnapshot {
    /// By the group that it was made for.
    pub fn keys(&self) -> Vec<String> {
        let group = self.group.iter();
        group.map(|uid| format!("group/{uid}")).collect()
    }
}

/// Snapshots of several volumes at one instant.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct VolumeGroupSnapshot {
    /// Its status.
    pub status: Option<SnapshotStatus>,
}

/// Status of a snapshot.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SnapshotStatus {
    /// Whether a volume can be made from it.
    pub ready_to_use: Option<bool>,
    /// The instant whose data it holds.
    pub creation_time: Option<String>,
    /// The least size of a volume that is made from it.
    pub restore_size: Option<String>,
    /// Why it is not ready.
    pub error: Option<SnapshotError>,
    /// The VolumeGroupSnapshot that it belongs to: only the snapshot controller says so.
    pub volume_group_snapshot_name: Option<String>,
}

/// Why a snapshot is not ready.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SnapshotError {
    /// A sentence.
    pub message: Option<String>,
}

/// How a driver takes snapshots.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "RawSnapshotClass")]
pub struct VolumeSnapshotClass {
    /// The driver.
    pub driver: String,
    /// Whether it is meant where none is named.
    pub default: bool,
}

#[derive(Deserialize)]
struct RawSnapshotClass {
    #[serde(default)]
    metadata: RawMeta,
    #[serde(default)]
    driver: String,
}

impl From<RawSnapshotClass> for VolumeSnapshotClass {
    fn from(raw: RawSnapshotClass) -> Self {
        let default = raw.metadata.annotations.get(DEFAULT);
        Self {
            default: default.is_some_and(|value| value == "true"),
            driver: raw.driver,
        }
    }
}

impl VolumeSnapshotClass {
    /// By its driver.
    pub fn keys(&self) -> Vec<String> {
        vec![format!("driver/{}", self.driver)]
    }
}

/// How a driver takes snapshots of several volumes at one instant.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "RawSnapshotClass")]
pub struct VolumeGroupSnapshotClass {
    /// The driver.
    pub driver: String,
    /// Whether it is meant where none is named.
    pub default: bool,
}

impl From<RawSnapshotClass> for VolumeGroupSnapshotClass {
    fn from(raw: RawSnapshotClass) -> Self {
        let default = raw.metadata.annotations.get(DEFAULT_OF_GROUPS);
        Self {
            default: default.is_some_and(|value| value == "true"),
            driver: raw.driver,
        }
    }
}

impl VolumeGroupSnapshotClass {
    /// By its driver.
    pub fn keys(&self) -> Vec<String> {
        vec![format!("driver/{}", self.driver)]
    }
}
