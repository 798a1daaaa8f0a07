//! A group of snapshots that the driver cannot take.

use anyhow::{Result, ensure};

use super::until_reason;
use crate::{service::Engine, world::World};

/// A class that comes before the other one and whose groups never get anywhere: it names a Secret that is not there.
const BROKEN: &str = "\
apiVersion: groupsnapshot.storage.k8s.io/v1
kind: VolumeGroupSnapshotClass
metadata:
  name: broken
  annotations: {groupsnapshot.storage.kubernetes.io/is-default-class: 'true'}
driver: csi.devcluster.roadstead.dev
deletionPolicy: Delete
parameters:
  csi.storage.k8s.io/group-snapshotter-secret-name: missing
  csi.storage.k8s.io/group-snapshotter-secret-namespace: default
";

/// A group that is not taken is given up and deleted, and each volume is snapshot by itself.
pub async fn a_group_that_cannot_be_taken_is_taken_one_by_one(world: World) -> Result<()> {
    let ns = world.instance("apart").await?;
    let more = "  deletionPolicy: StopFirst\n";
    tokio::try_join!(
        Engine::ready(&world, &ns, "first", "redis", more),
        Engine::ready(&world, &ns, "second", "redis", more),
    )?;
    world.apply(BROKEN).await?;
    let backup = "apiVersion: roadstead.dev/v1alpha1\nkind: Backup\nmetadata: {name: both}\nspec: {services: [first, second]}\n";
    world.apply_in(&ns, backup).await?;
    let group = format!("wait vgs/both-0 -n {ns} --for=create --timeout=60s");
    world.kubectl(&group).await?;
    until_reason(&world, "dbk/both", &ns, "Done").await?;
    world.kubectl("delete vgsclass broken").await?;
    for service in ["first", "second"] {
        let name = format!("volumesnapshots/both-{service}-0");
        let ready = world.at(&name, &ns, "/status/readyToUse").await?;
        ensure!(ready == true, "{name}: {ready}");
    }
    world
        .until("the group is gone", || async {
            let left = world.kubectl(&format!("get vgs -n {ns} -o name")).await?;
            Ok(left.trim().is_empty().then_some(()))
        })
        .await?;
    let labels = format!("get pvc -n {ns} -o jsonpath={{.items[*].metadata.labels}}");
    let labels = world.kubectl(&labels).await?;
    ensure!(!labels.contains("roadstead.dev/group-"), "{labels}");
    world.remove("apart").await
}
