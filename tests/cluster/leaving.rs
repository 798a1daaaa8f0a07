//! That the product can go and come back, and lets go of what it held.

use anyhow::{Context, Result, ensure};

use crate::world::World;

const CONTENT: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: cache}
spec: {classRef: {name: redis}, deletionPolicy: StopFirst}
---
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: toy}
spec:
  image: docker.io/library/busybox:1.36
  containers: [{name: worker, kind: Worker, command: [busybox, sleep, "86400"]}]
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: toy-live}
spec: {applicationRef: {name: toy}}
"#;

/// Everything of the story that a change of installation must leave alone, pods too.
const ALL: &str = "rapp,renv,rel,msvc,deploy,sts,svc,secrets,pvc,netpol,rolebindings,pods";

/// Uninstalled, the product leaves kinds, objects and data; installed under another name, it goes on with them; uninstalled again, it
/// lets go of what was deleted meanwhile, data apart.
///
/// proves: DV-235
pub async fn the_product_goes_comes_back_and_lets_go(world: World) -> Result<()> {
    let ns = world.instance("leave").await?;
    world.apply_in(&ns, CONTENT).await?;
    for what in ["msvc/cache", "renv/toy-live"] {
        world.condition(what, &ns, "Ready").await?;
    }
    let values = world
        .program("helm", "get values roadstead -n roadstead-system -o yaml")
        .await?;
    let before = uids(&world, &ns).await?;
    uninstall(&world, "roadstead").await?;
    ensure!(uids(&world, &ns).await? == before, "something went with it");

    install(&world, "another", &values).await?;
    let patch = r#"{"spec":{"variables":[{"name":"STAGE","value":"two"}]}}"#;
    patched(&world, &ns, "renv/toy-live", patch).await?;
    world
        .until("the next release serves", || async {
            let current = world.at("renv/toy-live", &ns, "/status/currentRelease");
            Ok((current.await? == 2).then_some(()))
        })
        .await?;
    let guarded = world.try_kubectl(&format!("delete namespace {ns}")).await?;
    guarded.refused("Delete the Instance instead: kubectl delete rinst leave")?;
    uninstall(&world, "another").await?;

    lets_go(&world, &ns).await?;
    install(&world, "roadstead", &values).await?;
    world.condition("rinst/default", "default", "Ready").await
}

/// What waits for an operator that is gone is released by the documented command; the data of a Service stays.
async fn lets_go(world: &World, ns: &str) -> Result<()> {
    let claims = world.kubectl(&format!("get pvc -n {ns} -o name")).await?;
    ensure!(!claims.trim().is_empty(), "there is no data");
    world
        .kubectl(&format!("delete msvc cache -n {ns} --wait=false"))
        .await?;
    let going = world.at("msvc/cache", ns, "/metadata/deletionTimestamp");
    ensure!(going.await?.is_string(), "nothing held it");
    let said = world.kubectl("roadstead uninstall").await?;
    let line = format!("released service/cache in {ns}: it was deleted, and goes now");
    ensure!(said.contains(&line), "{said}");
    world
        .kubectl(&format!(
            "wait msvc/cache -n {ns} --for=delete --timeout=60s"
        ))
        .await?;
    world.kubectl("roadstead uninstall").await?;
    let left = world.kubectl(&format!("get pvc -n {ns} -o name")).await?;
    ensure!(left == claims, "data went: {claims} became {left}");
    // The guards went with the product.
    world
        .kubectl(&format!("delete namespace {ns} --timeout=120s"))
        .await?;
    world.kubectl("delete rinst leave --timeout=60s").await?;
    Ok(())
}

/// The UIDs of everything in the story, and of the kinds themselves.
async fn uids(world: &World, ns: &str) -> Result<String> {
    let path = "jsonpath={.items[*].metadata.uid}";
    let objects = world
        .kubectl(&format!("get {ALL} -n {ns} -o {path}"))
        .await?;
    let label = "app.kubernetes.io/part-of=roadstead";
    let kinds = world
        .kubectl(&format!("get crd -l {label} -o {path}"))
        .await?;
    ensure!(!kinds.trim().is_empty(), "there are no kinds");
    let instance = world.at("rinst/leave", "default", "/metadata/uid").await?;
    let instance = instance.as_str().context("the Instance is gone")?;
    Ok(format!("{instance} {objects} {kinds}"))
}

/// `helm uninstall`, which waits until the operator is gone.
async fn uninstall(world: &World, release: &str) -> Result<()> {
    let words = format!("uninstall {release} -n roadstead-system --wait --timeout 120s");
    world.program("helm", &words).await?;
    let label = "app.kubernetes.io/name=roadstead";
    let pods = format!("wait pods -n roadstead-system -l {label} --for=delete --timeout=120s");
    world.kubectl(&pods).await?;
    Ok(())
}

/// `helm install` as NOTES says it.
async fn install(world: &World, release: &str, values: &str) -> Result<()> {
    let chart = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/roadstead");
    let chart = chart.to_str().context("a strange path")?;
    let words = [
        "helm",
        "install",
        release,
        chart,
        "--namespace",
        "roadstead-system",
        "--take-ownership",
        "--wait",
        "--timeout",
        "180s",
        "--values",
        "-",
    ];
    world.run(&words, Some(values)).await?.ok("helm install")?;
    Ok(())
}

async fn patched(world: &World, ns: &str, object: &str, patch: &str) -> Result<()> {
    let words = [
        "kubectl",
        "patch",
        object,
        "-n",
        ns,
        "--type=merge",
        "-p",
        patch,
    ];
    world.run(&words, None).await?.ok("patch")?;
    Ok(())
}
