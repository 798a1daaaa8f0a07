//! Copies of Applications: a Fork goes its own way, a Mirror runs what its source runs.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{live, patched, until_blocked, until_condition};
use crate::world::World;

fn shop() -> &'static str {
    r#"---
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  image: docker.io/acme/shop:1.4
  port: 8000
  startupProbe: {path: /healthz, retryTimeoutSeconds: 1}
  containers: [{name: web, kind: Web, command: [shop, web]}]
  variables: [{name: GREETING, value: hello}]
"#
}

fn copy(name: &str, type_: &str, more: &str) -> String {
    format!(
        "---\napiVersion: roadstead.dev/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\n\
         spec:\n  copyFrom: {{applicationRef: {{name: shop}}, type: {type_}}}\n{more}\n"
    )
}

/// The names of the variables of an Environment that its Application gives.
async fn given(world: &World, ns: &str, environment: &str) -> Result<Vec<Value>> {
    let what = format!("renv/{environment}");
    let all = world.at(&what, ns, "/status/variables").await?;
    let all = all.as_array().cloned().unwrap_or_default().into_iter();
    let given = all.filter(|v| v["origin"] == "Application");
    Ok(given.map(|v| v["name"].clone()).collect())
}

/// The names that a list of Applications shows.
async fn listed(world: &World, ns: &str, selector: &str) -> Result<Vec<String>> {
    let words = format!("get rapp -n {ns} -o name --field-selector {selector}");
    let said = world.kubectl(&words).await?;
    let names = said.lines().filter_map(|l| l.rsplit('/').next());
    Ok(names.map(str::to_owned).collect())
}

/// A Fork starts as its source is and goes its own way; a Mirror follows the image of its source with variables of its own.
///
/// proves: DV-064, DV-065, DV-067, DV-069
pub async fn a_fork_goes_its_own_way_and_a_mirror_follows_its_source(world: World) -> Result<()> {
    let ns = world.instance("copied").await?;
    let copies = copy("fork", "Fork", "")
        + &copy(
            "mirror",
            "Mirror",
            "  variables: [{name: OWN, value: mine}]",
        );
    world.apply_in(&ns, &copies).await?;
    until_blocked(&world, "rapp/fork", &ns, "SourceMissing/shop").await?;
    let stages = live("shop", "") + &live("fork", "") + &live("mirror", "");
    world.apply_in(&ns, &format!("{}{stages}", shop())).await?;
    for name in ["shop", "fork", "mirror"] {
        let environment = format!("renv/{name}-live");
        world.condition(&environment, &ns, "Ready").await?;
    }
    let start = world.at("rapp/fork", &ns, "/status/start").await?;
    ensure!(
        start["copiedFrom"] == "shop" && start["copyType"] == "Fork",
        "{start}"
    );
    let start = world.at("rapp/mirror", &ns, "/status/start").await?;
    ensure!(
        start["copiedFrom"] == "shop" && start["copyType"] == "Mirror",
        "{start}"
    );
    ensure!(given(&world, &ns, "fork-live").await? == [json!("GREETING")]);
    ensure!(given(&world, &ns, "mirror-live").await? == [json!("OWN")]);
    let change = r#"{"spec":{"image":"docker.io/acme/shop:1.5","variables":[{"name":"GREETING","value":"new"}]}}"#;
    patched(&world, "rapp/shop", &ns, "", change)
        .await?
        .ok("change of the source")?;
    world.condition("rel/shop-live-2", &ns, "Succeeded").await?;
    world
        .condition("rel/mirror-live-2", &ns, "Succeeded")
        .await?;
    let image = |release: &'static str| world.at(release, &ns, "/status/image");
    let newest = image("rel/shop-live-2").await?;
    ensure!(newest == image("rel/mirror-live-2").await?);
    ensure!(newest != image("rel/fork-live-1").await?);
    ensure!(
        world.get("rel/fork-live-2", &ns).await?.is_none(),
        "the Fork followed"
    );
    let pending = world
        .at("renv/fork-live", &ns, "/status/pendingChanges")
        .await?;
    ensure!(pending == Value::Null, "{pending}");
    ensure!(given(&world, &ns, "mirror-live").await? == [json!("OWN")]);
    world.remove("copied").await
}

/// An Application counts its Mirrors, its copies can be listed, and it is not deleted by its archive under a Mirror.
///
/// proves: DV-064, DV-070, DV-071
pub async fn mirrors_are_counted_and_copies_can_be_listed(world: World) -> Result<()> {
    let ns = world.instance("counted").await?;
    let copies = copy("m1", "Mirror", "") + &copy("m2", "Mirror", "") + &copy("f1", "Fork", "");
    world.apply_in(&ns, &format!("{}{copies}", shop())).await?;
    let counts = |number: Value| {
        let (world, ns) = (world.clone(), ns.clone());
        async move {
            world
                .until(&format!("{number} Mirrors are counted"), || async {
                    let said = world.at("rapp/shop", &ns, "/status/mirrors").await?;
                    Ok((said == number).then_some(()))
                })
                .await
        }
    };
    counts(json!(2)).await?;
    let of_type = "spec.copyFrom.type=Mirror";
    ensure!(listed(&world, &ns, of_type).await? == ["m1", "m2"]);
    let of_source = "spec.copyFrom.applicationRef.name=shop";
    ensure!(listed(&world, &ns, of_source).await? == ["f1", "m1", "m2"]);
    world.kubectl(&format!("delete rapp/m2 -n {ns}")).await?;
    counts(json!(1)).await?;
    let archive = r#"{"spec":{"archive":{"confirmName":"shop","deleteImmediately":true}}}"#;
    patched(&world, "rapp/shop", &ns, "", archive)
        .await?
        .ok("archive")?;
    until_blocked(&world, "rapp/shop", &ns, "MirrorExists/m1").await?;
    world.kubectl(&format!("delete rapp/m1 -n {ns}")).await?;
    super::until_gone(&world, "rapp/shop", &ns).await?;
    until_condition(&world, "rapp/f1", &ns, "Ready", "Idle").await?;
    world.remove("counted").await
}
