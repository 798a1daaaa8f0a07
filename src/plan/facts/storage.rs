//! What is kept of claims and of snapshots of volumes.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::RawMeta;

/// Annotation of a claim: the driver that makes its volume.
const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
/// Annotation of a VolumeSnapshotClass that is meant where none is named.
const DEFAULT: &str = "snapshot.storage.kubernetes.io/is-default-class";

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
#[serde(default)]
pub struct VolumeSnapshot {
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
