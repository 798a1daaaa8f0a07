//! How long Backups are kept: a hold, a time to go, and a Service that has stopped.

use anyhow::{Result, ensure};

use super::{of_service, taken};
use crate::{service::Engine, world::World};

/// A stopped Service is snapshot as it is; a Backup on hold is deleted by nobody, not even with its Instance; one whose time has come goes
/// with its snapshot.
///
/// proves: DV-249
pub async fn a_backup_stays_while_it_is_held_and_goes_at_its_time(world: World) -> Result<()> {
    let ns = world.instance("keeping").await?;
    let more = "  deletionPolicy: StopFirst\n";
    let cache = Engine::ready(&world, &ns, "cache", "redis", more).await?;
    cache
        .patch(r#"{"spec":{"state":"Stopped"}}"#)
        .await?
        .ok("stop")?;
    cache.until("stopped").await?;
    taken(&world, &ns, "cold", "cache").await?;
    cache.until("stopped").await?;
    let pods = world.kubectl(&format!("get pods -n {ns} -o name")).await?;
    ensure!(pods.trim().is_empty(), "it was woken: {pods}");

    goes_at_its_time(&world, &ns).await?;
    held(&world, &ns).await
}

/// A Backup whose time comes goes, and its snapshot with it.
async fn goes_at_its_time(world: &World, ns: &str) -> Result<()> {
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(5);
    let soon = soon.round(jiff::Unit::Second)?;
    world
        .apply_in(
            ns,
            &of_service("short", "cache", &format!("  deleteAt: \"{soon}\"\n")),
        )
        .await?;
    world
        .until("the Backup and its snapshot are gone", || async {
            let backup = world.get("dbk/short", ns).await?;
            let snapshot = world.get("volumesnapshot/short-cache-0", ns).await?;
            let began = jiff::Timestamp::now() > soon;
            Ok((began && backup.is_none() && snapshot.is_none()).then_some(()))
        })
        .await?;
    Ok(())
}

/// A Backup on legal hold goes neither by itself nor with its Instance, until somebody who may lifts the hold.
async fn held(world: &World, ns: &str) -> Result<()> {
    let patch =
        |spec: &str| format!("patch dbk cold -n {ns} --type=merge -p {{\"spec\":{{{spec}}}}}");
    world.kubectl(&patch("\"legalHold\":true")).await?;
    let delete = format!("delete dbk cold -n {ns} --timeout=120s");
    world.try_kubectl(&delete).await?.refused("legal hold")?;
    let developer = "--as dev --as-group devs";
    let access =
        "{\"spec\":{\"access\":[{\"kind\":\"Group\",\"name\":\"devs\",\"role\":\"Developer\"}]}}";
    world
        .kubectl(&format!("patch rinst keeping --type=merge -p {access}"))
        .await?;
    let lift = patch("\"legalHold\":false");
    world
        .until(
            "a Developer is told that it takes a right of its own",
            || async {
                let said = world.try_kubectl(&format!("{lift} {developer}")).await?;
                Ok(said.err.contains("you may not lift it").then_some(()))
            },
        )
        .await?;
    world
        .kubectl("annotate rinst keeping roadstead.dev/confirm-delete=keeping")
        .await?;
    world.kubectl("delete rinst keeping --wait=false").await?;
    super::until_reason(world, "rinst/keeping", ns, "LegalHold").await?;
    ensure!(world.get("dbk/cold", ns).await?.is_some(), "it is gone");
    world.kubectl(&lift).await?;
    let gone = "wait rinst/keeping --for=delete --timeout=120s";
    world.kubectl(gone).await.map(drop)
}
