//! What the platform team says of an Application: suspended, locked, and how many Environments it may have.

use anyhow::{Result, ensure};

use super::{environment, instance_with, live, patched, toy, until_blocked, until_condition};
use crate::world::World;

const SUSPEND: &str = r#"{"spec":{"suspended":{"reason":"unpaid"}}}"#;
const LIFT: &str = r#"{"spec":{"suspended":null}}"#;
const LOCK: &str = r#"{"spec":{"locked":{"reason":"it moves to another cluster"}}}"#;
const UNLOCK: &str = r#"{"spec":{"locked":null}}"#;

/// The platform team, and nobody else, suspends an Application: nothing of it runs or is released until the team lifts that.
///
/// proves: DV-048, DV-049, DV-050, DV-051
pub async fn the_platform_team_suspends_an_application_and_lifts_it(world: World) -> Result<()> {
    let ns = instance_with(&world, "unpaid", &["dora"]).await?;
    world
        .apply_in(
            &ns,
            &(toy("toy", "") + &toy("other", "") + &live("toy", "")),
        )
        .await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    let refused = "spec.suspended is the platform team's";
    let by_dora = patched(&world, "rapp/toy", &ns, "dora", SUSPEND).await?;
    by_dora.refused(refused)?;
    patched(&world, "rapp/toy", &ns, "", SUSPEND)
        .await?
        .ok("suspend")?;
    let said = until_condition(&world, "rapp/toy", &ns, "Suspended", "Suspended").await?;
    ensure!(
        said["message"] == "The platform team suspended it: unpaid",
        "{said}"
    );
    let pods = format!("wait pod -n {ns} -l roadstead.dev/container --for=delete --timeout=120s");
    world.kubectl(&pods).await?;
    let found = world
        .kubectl(&format!(
            "get rapp -n {ns} -o name --field-selector spec.suspended.reason!="
        ))
        .await?;
    ensure!(found.trim() == "application.roadstead.dev/toy", "{found}");
    let release = "apiVersion: roadstead.dev/v1alpha1\nkind: Release\nmetadata: {name: by-hand}\nspec: {environmentRef: {name: toy-live}}\n";
    world.apply_in(&ns, release).await?;
    until_blocked(&world, "renv/toy-live", &ns, "ApplicationSuspended/toy").await?;
    let by_dora = patched(&world, "rapp/toy", &ns, "dora", LIFT).await?;
    by_dora.refused(refused)?;
    let port = r#"{"spec":{"displayName":"Toy"}}"#;
    patched(&world, "rapp/toy", &ns, "dora", port)
        .await?
        .ok("what else is in it stays the team's")?;
    let phase = world.at("rel/by-hand", &ns, "/status/phase").await?;
    ensure!(phase == "Queued", "it was released: {phase}");
    let replicas = world
        .at("deploy/toy-live-web", &ns, "/spec/replicas")
        .await?;
    ensure!(replicas == 0, "{replicas} replicas");
    patched(&world, "rapp/toy", &ns, "", LIFT)
        .await?
        .ok("lift")?;
    world.condition("rel/by-hand", &ns, "Succeeded").await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    let replicas = world.at("deploy/toy-live-web", &ns, "/status/readyReplicas");
    ensure!(replicas.await? == 1);
    world.remove("unpaid").await
}

/// A locked Application is changed by the platform team alone. What runs goes on, and releases wait until it is unlocked.
///
/// proves: DV-054, DV-170
pub async fn a_locked_application_takes_no_change_until_it_is_unlocked(world: World) -> Result<()> {
    let ns = instance_with(&world, "locked", &["dora"]).await?;
    world
        .apply_in(&ns, &(toy("toy", "") + &live("toy", "")))
        .await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    let by_dora = patched(&world, "rapp/toy", &ns, "dora", LOCK).await?;
    by_dora.refused("spec.locked is the platform team's")?;
    patched(&world, "rapp/toy", &ns, "", LOCK)
        .await?
        .ok("lock")?;
    until_condition(&world, "rapp/toy", &ns, "Locked", "Locked").await?;
    let tags = r#"{"spec":{"tags":["mine"]}}"#;
    let refused = "is locked: it moves to another cluster";
    let by_dora = patched(&world, "rapp/toy", &ns, "dora", tags).await?;
    by_dora.refused(refused)?;
    let by_dora = patched(&world, "rapp/toy", &ns, "dora", UNLOCK).await?;
    by_dora.refused("spec.locked is the platform team's")?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    let change = r#"{"spec":{"variables":[{"name":"A","value":"b"}]}}"#;
    patched(&world, "renv/toy-live", &ns, "dora", change)
        .await?
        .ok("change of the Environment")?;
    let fix = until_blocked(&world, "renv/toy-live", &ns, "ApplicationLocked/toy").await?;
    ensure!(fix.contains("it moves to another cluster"), "{fix}");
    let ready = world.at("deploy/toy-live-web", &ns, "/status/readyReplicas");
    ensure!(ready.await? == 1, "it no longer serves");
    patched(&world, "rapp/toy", &ns, "", UNLOCK)
        .await?
        .ok("unlock")?;
    patched(&world, "rapp/toy", &ns, "dora", tags)
        .await?
        .ok("change after the lock")?;
    world.condition("rel/toy-live-2", &ns, "Succeeded").await?;
    world.remove("locked").await
}

/// What an Instance may store is limited by its quota.
///
/// proves: DV-045
pub async fn the_storage_of_an_instance_is_limited_by_its_quota(world: World) -> Result<()> {
    let ns = world.instance("stored").await?;
    let quota = r#"{"spec":{"quota":{"requests.storage":"2Gi"}}}"#;
    patched(&world, "rinst/stored", "default", "", quota)
        .await?
        .ok("quota")?;
    world
        .until("the quota is counted", || async {
            let used = "/status/used/requests.storage";
            let used = world.at("quota/roadstead-quota", &ns, used).await?;
            Ok((used == "0").then_some(()))
        })
        .await?;
    let claim = |name: &str, size: &str| {
        format!(
            "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {name}}}\nspec: {{accessModes: [ReadWriteOnce], \
             resources: {{requests: {{storage: {size}}}}}}}\n"
        )
    };
    let words = ["kubectl", "apply", "-n", &ns, "-f", "-"];
    let too_much = world.run(&words, Some(&claim("large", "3Gi"))).await?;
    too_much.refused("exceeded quota: roadstead-quota, requested: requests.storage=3Gi")?;
    let fits = world.run(&words, Some(&claim("small", "2Gi"))).await?;
    fits.ok("a claim within the quota")?;
    world.remove("stored").await
}

/// An Application says how many Environments it may have, and one more than that waits until the plan of its Instance allows it.
///
/// proves: DV-059
pub async fn an_application_has_room_for_as_many_environments_as_its_plan_allows(
    world: World,
) -> Result<()> {
    let ns = world.instance("crowded").await?;
    let stages: String = (1..=10)
        .map(|n| environment(&format!("stage-{n}"), "toy", "  state: Stopped"))
        .collect();
    world.apply_in(&ns, &(toy("toy", "") + &stages)).await?;
    let full = until_condition(
        &world,
        "rapp/toy",
        &ns,
        "AcceptsEnvironments",
        "LimitReached",
    );
    let full = full.await?;
    ensure!(full["status"] == "False", "{full}");
    ensure!(
        world
            .at("rapp/toy", &ns, "/status/environmentLimit")
            .await?
            == 10
    );
    // Of two that were made in the same second the later name is the one too many.
    let one_more = environment("the-one-more", "toy", "  state: Stopped");
    world.apply_in(&ns, &one_more).await?;
    let fix = until_blocked(&world, "renv/the-one-more", &ns, "EnvironmentLimit/toy").await?;
    ensure!(fix.contains("raise spec.plan of the Instance"), "{fix}");
    until_condition(
        &world,
        "renv/the-one-more",
        &ns,
        "Stalled",
        "EnvironmentLimit",
    )
    .await?;
    world.condition("renv/stage-10", &ns, "Ready").await?;
    let paid = r#"{"spec":{"plan":"Paid"}}"#;
    patched(&world, "rinst/crowded", "default", "", paid)
        .await?
        .ok("plan")?;
    let room = until_condition(&world, "rapp/toy", &ns, "AcceptsEnvironments", "BelowLimit");
    ensure!(room.await?["status"] == "True");
    ensure!(
        world
            .at("rapp/toy", &ns, "/status/environmentLimit")
            .await?
            == 100
    );
    world.condition("renv/the-one-more", &ns, "Ready").await?;
    world.remove("crowded").await
}
