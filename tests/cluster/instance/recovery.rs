//! That Instances outlive mistakes and restarts.

use anyhow::{Context, Result, ensure};

use super::{OPERATOR, condition};
use crate::world::World;

/// A Namespace goes with its Instance and not alone; where it is lost all the same, that is reported and it is made again.
///
/// proves: EP-049, EP-051
pub async fn a_lost_namespace_is_reported_and_made_again(world: World) -> Result<()> {
    let ns = world.instance("lost").await?;
    let guarded = world.try_kubectl(&format!("delete namespace {ns}")).await?;
    guarded.refused("Delete the Instance instead: kubectl delete rinst lost")?;
    let before = world.at(&format!("ns/{ns}"), &ns, "/metadata/uid").await?;
    // Something holds the Namespace for a while, so that what is said meanwhile can be read.
    let anchor = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: anchor, finalizers: [example.com/anchor]}\n";
    world.apply_in(&ns, anchor).await?;
    world
        .kubectl(&format!(
            "delete namespace {ns} --wait=false --as={OPERATOR}"
        ))
        .await?;
    world.condition("rinst/lost", &ns, "Ready=False").await?;
    let said = world.of_name("lost").await?.context("it is there")?;
    ensure!(
        condition(&said, "Ready").is_some_and(|c| c["reason"] == "NamespaceDeleted"),
        "{said}"
    );
    world
        .until("it says what holds up the Namespace", || async {
            let blockers = world.at("rinst/lost", &ns, "/status/blockers").await?;
            Ok(blockers
                .to_string()
                .contains("example.com/anchor")
                .then_some(()))
        })
        .await?;
    let release = [
        "kubectl",
        "patch",
        "cm/anchor",
        "-n",
        &ns,
        "--type=merge",
        "-p",
        r#"{"metadata":{"finalizers":null}}"#,
    ];
    world.run(&release, None).await?.ok("patch")?;
    world
        .until("the Namespace is made again", || async {
            let now = world.at(&format!("ns/{ns}"), &ns, "/metadata/uid").await?;
            Ok((now.is_string() && now != before).then_some(()))
        })
        .await?;
    world.condition("rinst/lost", &ns, "Ready=True").await?;
    let told = world.told("lost").await?;
    ensure!(
        told.contains(&"NamespaceDeleted".to_owned()),
        "no Event tells of it: {told:?}"
    );
    world.remove("lost").await
}

/// Applying the same again changes nothing, and neither does a restart of the operator.
///
/// proves: EP-047, EP-048
pub async fn neither_a_second_apply_nor_a_restart_changes_anything(world: World) -> Result<()> {
    let names = ["steady-a", "steady-b", "steady-c"];
    for name in names {
        world.instance(name).await?;
    }
    let versions = || async {
        let mut all = String::new();
        for name in names {
            let ns = format!("instance-{name}");
            let one = format!(
                "get rinst/{name} -o jsonpath={{.status.namespace}}:{{.metadata.resourceVersion}}"
            );
            all.push_str(&world.kubectl(&one).await?);
            let rest = format!(
                "get netpol,rolebindings,resourcequotas -n {ns} -o jsonpath={{.items[*].metadata.resourceVersion}}"
            );
            all.push_str(&world.kubectl(&rest).await?);
            all.push_str(
                &world
                    .at(&format!("ns/{ns}"), &ns, "/metadata/uid")
                    .await?
                    .to_string(),
            );
        }
        anyhow::Ok(all)
    };
    let events = || async {
        let all = futures::future::try_join_all(names.map(|name| world.told(name))).await?;
        anyhow::Ok(all)
    };
    let (before, told) = (versions().await?, events().await?);
    for name in names {
        let said = world.apply(&crate::world::instance_yaml(name)).await?;
        ensure!(
            said.contains("instance.roadstead.dev/") && said.matches("unchanged").count() == 2,
            "{said}"
        );
    }
    ensure!(
        versions().await? == before,
        "applying the same again changed something"
    );
    world.restart_operator().await?;
    world.instance("after-steady").await?;
    ensure!(versions().await? == before, "a restart changed something");
    ensure!(
        events().await? == told,
        "something was told though nothing happened"
    );
    world.remove("after-steady").await?;
    for name in names {
        world.remove(name).await?;
    }
    Ok(())
}
