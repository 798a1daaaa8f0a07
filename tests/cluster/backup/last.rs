//! The last Backup of a Service that is deleted.

use anyhow::{Context, Result, ensure};

use super::redis;
use crate::{service::Engine, world::World};

/// A Service is deleted with the data policy `Snapshot`: its volume goes once a last Backup holds what it held, and another Service
/// starts from that.
pub async fn a_deleted_service_leaves_a_last_backup(world: World) -> Result<()> {
    let ns = world.instance("last").await?;
    let more = "  deletionPolicy: StopFirst\n  dataPolicy: Snapshot\n";
    let cache = Engine::ready(&world, &ns, "cache", "redis", more).await?;
    redis(&cache, "SET word last").await?;
    world
        .kubectl(&format!("delete msvc cache -n {ns} --timeout=120s"))
        .await?;
    let claims = world.kubectl(&format!("get pvc -n {ns} -o name")).await?;
    ensure!(claims.trim().is_empty(), "{claims}");
    let list = format!("get dbk -n {ns} -o name -l roadstead.dev/trigger=Final");
    let backup = world.kubectl(&list).await?;
    let backup = backup.trim().split('/').nth(1).context("no Backup")?;
    world
        .condition(&format!("dbk/{backup}"), &ns, "Ready")
        .await?;
    let status = world.at(&format!("dbk/{backup}"), &ns, "/status").await?;
    ensure!(status["trigger"] == "Final", "{status}");

    let from = format!("{more}  restoreFrom: {{backupRef: {{name: {backup}}}}}\n");
    let back = Engine::ready(&world, &ns, "back", "redis", &from).await?;
    ensure!(redis(&back, "GET word").await? == "last");
    world.remove("last").await
}
