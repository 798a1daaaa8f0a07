//! The storage of the default class: a folder on the host for each claim, bound to the node that its first pod landed on.
//!
//! They are `local` volumes, not `hostPath`: for those the kubelet gives the files to the pod's `fsGroup`, as it would on a disk.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use anyhow::{Context, Result};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, PostParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;

/// The name that a StorageClass gives to this provisioner.
pub const PROVISIONER: &str = "devcluster.roadstead.dev/volumes";

const ASKED: &str = "volume.kubernetes.io/storage-provisioner";
const NODE: &str = "volume.kubernetes.io/selected-node";
const MADE_BY: &str = "pv.kubernetes.io/provisioned-by";

enum Seen {
    Claim(Box<PersistentVolumeClaim>),
    Volume(Box<PersistentVolume>),
}

/// Makes and removes volumes in this folder until it is ended.
pub async fn serve(client: Client, folder: PathBuf) -> Result<()> {
    let claims: Api<PersistentVolumeClaim> = Api::all(client.clone());
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    let config = watcher::Config::default();
    let claims = watcher(claims, config.clone())
        .default_backoff()
        .applied_objects()
        .map(|seen| seen.map(|claim| Seen::Claim(claim.into())));
    let released = watcher(volumes.clone(), config)
        .default_backoff()
        .applied_objects()
        .map(|seen| seen.map(|volume| Seen::Volume(volume.into())));
    let mut seen = pin!(stream::select(claims, released));
    while let Some(event) = seen.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                eprintln!("the watch was cut, and is taken up again: {error}");
                continue;
            }
        };
        let mut pause = Duration::from_millis(100);
        while let Err(error) = act(&volumes, &folder, &event).await {
            eprintln!("trying again in {pause:?}: {error:#}");
            tokio::time::sleep(pause).await;
            pause *= 2;
            if pause > Duration::from_secs(10) {
                break;
            }
        }
    }
    Ok(())
}

async fn act(volumes: &Api<PersistentVolume>, folder: &Path, event: &Seen) -> Result<()> {
    match event {
        Seen::Claim(claim) => match wanted(claim, folder)? {
            Some((path, volume)) => make(volumes, &path, &volume).await,
            None => Ok(()),
        },
        Seen::Volume(volume) if is_released(volume) => remove(volumes, folder, volume).await,
        Seen::Volume(_) => Ok(()),
    }
}

/// The folder and the volume that a claim waits for, once its first pod has a node.
fn wanted(
    claim: &PersistentVolumeClaim,
    folder: &Path,
) -> Result<Option<(PathBuf, PersistentVolume)>> {
    let annotations = claim.annotations();
    let Some(spec) = claim
        .spec
        .as_ref()
        .filter(|spec| spec.volume_name.as_deref().unwrap_or("").is_empty())
    else {
        return Ok(None);
    };
    let (Some(PROVISIONER), Some(node)) = (
        annotations.get(ASKED).map(String::as_str),
        annotations.get(NODE),
    ) else {
        return Ok(None);
    };
    let uid = claim.uid().context("a claim without a uid")?;
    let name = format!("pvc-{uid}");
    let path = folder.join(&name);
    let asked = spec
        .resources
        .as_ref()
        .and_then(|resources| resources.requests.clone());
    let volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": BTreeMap::from([(MADE_BY, PROVISIONER)])},
        "spec": {
            "capacity": asked,
            "accessModes": spec.access_modes,
            "volumeMode": "Filesystem",
            "storageClassName": spec.storage_class_name,
            "persistentVolumeReclaimPolicy": "Delete",
            "local": {"path": path},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": claim.namespace(),
                "name": claim.name_any(),
                "uid": uid,
            },
            "nodeAffinity": {"required": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]},
            ]}},
        },
    });
    Ok(Some((path, serde_json::from_value(volume)?)))
}

async fn make(
    volumes: &Api<PersistentVolume>,
    path: &Path,
    volume: &PersistentVolume,
) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
    match volumes.create(&PostParams::default(), volume).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => other.map(drop).context("cannot create a volume"),
    }
}

fn is_released(volume: &PersistentVolume) -> bool {
    let ours = volume.annotations().get(MADE_BY).map(String::as_str) == Some(PROVISIONER);
    let deletes = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref())
        == Some("Delete");
    let released = volume
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        == Some("Released");
    ours && deletes && released
}

async fn remove(
    volumes: &Api<PersistentVolume>,
    folder: &Path,
    volume: &PersistentVolume,
) -> Result<()> {
    // The folder is computed and not read: what others write into a volume's path is not ours to delete.
    let path = folder.join(volume.name_any());
    if path.exists() {
        fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    match volumes
        .delete(&volume.name_any(), &DeleteParams::default())
        .await
    {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map(drop).context("cannot delete a volume"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(annotations: serde_json::Value) -> PersistentVolumeClaim {
        let claim = json!({
            "metadata": {"name": "data", "namespace": "a", "uid": "u1", "annotations": annotations},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "standard", "resources": {"requests": {"storage": "1Gi"}}},
        });
        serde_json::from_value(claim).unwrap()
    }

    #[test]
    fn a_claim_waits_for_the_node_of_its_first_pod() {
        let folder = Path::new("/v");
        assert!(
            wanted(&claim(json!({ASKED: PROVISIONER})), folder)
                .unwrap()
                .is_none()
        );
        assert!(
            wanted(&claim(json!({ASKED: "others", NODE: "node1"})), folder)
                .unwrap()
                .is_none()
        );
        let (path, volume) = wanted(&claim(json!({ASKED: PROVISIONER, NODE: "node1"})), folder)
            .unwrap()
            .unwrap();
        assert_eq!(path, Path::new("/v/pvc-u1"));
        assert_eq!(volume.spec.unwrap().local.unwrap().path, "/v/pvc-u1");
    }

    #[test]
    fn only_a_released_volume_of_ours_is_removed() {
        let volume = |maker: &str, policy: &str, phase: &str| -> PersistentVolume {
            serde_json::from_value(json!({
                "metadata": {"name": "pvc-u1", "annotations": {MADE_BY: maker}},
                "spec": {"persistentVolumeReclaimPolicy": policy},
                "status": {"phase": phase},
            }))
            .unwrap()
        };
        assert!(is_released(&volume(PROVISIONER, "Delete", "Released")));
        for (maker, policy, phase) in [
            ("others", "Delete", "Released"),
            (PROVISIONER, "Retain", "Released"),
            (PROVISIONER, "Delete", "Bound"),
        ] {
            assert!(!is_released(&volume(maker, policy, phase)));
        }
    }
}
