//! How Instances end.

use anyhow::{Context, Result, ensure};

use super::toy;
use crate::world::World;

const CONTENT: &str = r#"
---
apiVersion: roadstead.dev/v1alpha1
kind: Cronjob
metadata: {name: nightly}
spec: {environmentRef: {name: toy-live}, command: [busybox, "true"], frequency: Daily, time: "03:00"}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: files}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 64Mi}}}
"#;

const CACHE: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: cache}
spec: {displayName: Cache, classRef: {name: redis}, tier: Development}
"#;

/// A full Instance with a running Service asks for its data, goes when that is confirmed, leaves others alone, and comes back empty.
///
/// proves: DV-235, EP-027, EP-028, EP-029, EP-030, EP-031, EP-032, EP-033
pub async fn a_full_instance_asks_for_its_data_and_then_goes_whole(world: World) -> Result<()> {
    let (ns, other) = (
        world.instance("full").await?,
        world.instance("bystander").await?,
    );
    for ns in [&ns, &other] {
        world.apply_in(ns, &format!("{}{CONTENT}", toy())).await?;
    }
    world.apply_in(&ns, CACHE).await?;
    for ns in [&ns, &other] {
        world.condition("renv/toy-live", ns, "Ready").await?;
    }
    world.condition("msvc/cache", &ns, "Ready").await?;
    let kinds = "rapp,renv,acj,pvc,deploy,svc,netpol,rolebindings";
    let before = world.uids(kinds, &other).await?;
    let volumes = volumes(&world, &ns).await?;

    let deleted = world.try_kubectl("delete rinst full --wait=false").await?;
    let command = "kubectl annotate rinst full roadstead.dev/confirm-delete=full";
    ensure!(
        deleted.code == 0 && deleted.err.contains("Warning:") && deleted.err.contains(command),
        "it is not told at once: {deleted:?}"
    );
    it_goes_once_confirmed(&world, &ns).await?;

    world
        .try_kubectl("get rinst full")
        .await?
        .refused("NotFound")?;
    world
        .try_kubectl(&format!("get ns {ns}"))
        .await?
        .refused("NotFound")?;
    let left = contents(&world, &ns).await?;
    ensure!(left.trim().is_empty(), "left behind: {left}");
    ensure!(
        world.uids(kinds, &other).await? == before,
        "the other Instance was touched"
    );

    it_comes_back_empty(&world, &ns, &volumes).await?;
    world.remove("full").await?;
    world.remove("bystander").await
}

/// It says what it waits for and touches nothing until its name is typed back.
async fn it_goes_once_confirmed(world: &World, ns: &str) -> Result<()> {
    let waiting = world.until_status("full", "/state", "terminating").await?;
    let blocker = waiting["status"]["blockers"][0].to_string();
    ensure!(
        blocker.contains("ConfirmDelete"),
        "it does not ask: {waiting}"
    );
    ensure!(
        blocker.contains("kubectl annotate rinst full roadstead.dev/confirm-delete=full"),
        "{blocker}"
    );
    world.condition("msvc/cache", ns, "Ready").await?;
    world
        .kubectl("annotate rinst full roadstead.dev/confirm-delete=full")
        .await?;
    world
        .kubectl("wait rinst/full --for=delete --timeout=180s")
        .await?;
    Ok(())
}

/// Made again under its name, it holds nothing, and a Service in it gets volumes of its own.
async fn it_comes_back_empty(world: &World, ns: &str, old: &str) -> Result<()> {
    world.instance("full").await?;
    let again = contents(world, ns).await?;
    ensure!(again.trim().is_empty(), "it came back with: {again}");
    world.apply_in(ns, CACHE).await?;
    world.condition("msvc/cache", ns, "Ready").await?;
    for volume in volumes(world, ns).await?.split_whitespace() {
        ensure!(!old.contains(volume), "it met the old volume {volume}");
    }
    Ok(())
}

async fn contents(world: &World, ns: &str) -> Result<String> {
    world
        .kubectl(&format!(
            "get rapp,renv,rel,msvc,acj,secret,pvc,pod -n {ns} -o name"
        ))
        .await
}

async fn volumes(world: &World, ns: &str) -> Result<String> {
    world
        .kubectl(&format!(
            "get pvc -n {ns} -o jsonpath={{.items[*].spec.volumeName}}"
        ))
        .await
}

/// An Instance without data of Services goes at once, also when it is deleted in the foreground.
///
/// proves: EP-027, EP-029, EP-033
pub async fn an_instance_without_data_goes_at_once(world: World) -> Result<()> {
    let ns = world.instance("light").await?;
    world.apply_in(&ns, &format!("{}{CONTENT}", toy())).await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    world
        .kubectl("delete rinst light --cascade=foreground --timeout=180s")
        .await?;
    world
        .try_kubectl(&format!("get ns {ns}"))
        .await?
        .refused("NotFound")
}

/// A Service that the operator holds until it has stopped is let go of when its Instance ends, without being asked for again.
///
/// proves: EP-031
pub async fn a_held_service_lets_go_in_a_namespace_that_ends(world: World) -> Result<()> {
    let ns = world.instance("held").await?;
    let service = CACHE.replace(
        "tier: Development}",
        "tier: Development, deletionPolicy: StopFirst, dataPolicy: Delete}",
    );
    world.apply_in(&ns, &service).await?;
    world.condition("msvc/cache", &ns, "Ready").await?;
    let held = world.at("msvc/cache", &ns, "/metadata/finalizers").await?;
    ensure!(
        held.to_string().contains("roadstead.dev/finalizer"),
        "{held}"
    );
    world.kubectl("delete rinst held --timeout=180s").await?;
    world
        .try_kubectl(&format!("get ns {ns}"))
        .await?
        .refused("NotFound")
}

/// The Instance that comes with the installation is usable at once; once deleted it stays deleted, also over a restart.
///
/// proves: EP-003, EP-004, EP-005
pub async fn the_first_instance_is_there_once(world: World) -> Result<()> {
    world.condition("rinst/default", "default", "Ready").await?;
    let first = world.of_name("default").await?.context("it is there")?;
    ensure!(first["status"]["uri"] == "/instances/default");
    let description = first["spec"]["description"].as_str().unwrap_or_default();
    ensure!(
        description.contains("system"),
        "it does not say where it comes from: {description}"
    );
    world.apply_in("instance-default", toy()).await?;
    world
        .condition("renv/toy-live", "instance-default", "Ready")
        .await?;
    world
        .kubectl("annotate rinst default roadstead.dev/confirm-delete=default --overwrite")
        .await?;
    world.kubectl("delete rinst default --timeout=180s").await?;
    world.restart_operator().await?;
    world.instance("after-restart").await?;
    world
        .try_kubectl("get rinst default")
        .await?
        .refused("NotFound")?;
    world.remove("after-restart").await?;
    let again = format!(
        "apiVersion: roadstead.dev/v1alpha1\nkind: Instance\nmetadata: {{name: default}}\nspec: {{name: default, description: \"{description}\"}}\n"
    );
    world.apply(&again).await?;
    world.condition("rinst/default", "default", "Ready").await
}
