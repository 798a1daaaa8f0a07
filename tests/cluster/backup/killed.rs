//! What an operator that dies again and again must not break: a group of snapshots, and the last Backup of a Service.

use anyhow::{Context, Result, ensure};

use super::{
    crash::{Last, Left, Victim, killed_at_each_step},
    database::asked,
    gone,
    hold::{HOLD, class},
    redis, until_reason,
};
use crate::{service::Engine, world::World};

/// Of two Services one is held still while both are snapshot at one instant, and the operator is killed at each step. They are lost,
/// and made anew from that while it is killed again.
pub async fn no_crash_breaks_a_group_of_snapshots(world: World) -> Result<()> {
    let ns = world.instance("group").await?;
    class(&world, "group", HOLD).await?;
    let more = "  deletionPolicy: StopFirst\n  dataPolicy: Delete\n";
    let (db, cache) = tokio::try_join!(
        Engine::ready(&world, &ns, "db", "group", more),
        Engine::ready(&world, &ns, "cache", "redis", more),
    )?;
    let tables = "create table stream (at timestamptz default clock_timestamp()); create table held (like stream including defaults)";
    asked(&db, tables).await?;
    asked(&db, "create table marks as select 'kept' as word").await?;
    redis(&cache, "SET word kept").await?;
    redis(&cache, "WAITAOF 1 0 5000").await?;
    let backup = "apiVersion: roadstead.dev/v1alpha1\nkind: Backup\nmetadata: {name: both}\nspec: {services: [db, cache]}\n";
    made(&world, &ns, backup, "Secret both-backup says finished-at").await?;
    until_reason(&world, "dbk/both", &ns, "Done").await?;
    let group = world.at("vgs/both-0", &ns, "/status/readyToUse").await?;
    ensure!(group == true, "it was taken apart: {group}");
    let labels = format!("get pvc -n {ns} -o jsonpath={{.items[*].metadata.labels}}");
    let labels = world.kubectl(&labels).await?;
    ensure!(!labels.contains("roadstead.dev/group-"), "{labels}");
    let free = "set lock_timeout = '5s'; insert into stream default values";
    asked(&db, free).await.context("the data is still held")?;

    let both = format!("delete msvc/db msvc/cache -n {ns} --timeout=120s");
    world.kubectl(&both).await?;
    let restore = "apiVersion: roadstead.dev/v1alpha1\nkind: Restore\nmetadata: {name: anew}\n\
                   spec: {backupRef: {name: both}, services: [{into: db}, {into: cache}]}\n";
    made(&world, &ns, restore, "Secret anew-restore says finished-at").await?;
    until_reason(&world, "drs/anew", &ns, "Done").await?;
    ensure!(asked(&db, "select word from marks").await? == "kept");
    ensure!(redis(&cache, "GET word").await? == "kept");
    let left = Left {
        backups: 1,
        snapshots: 2,
        claims: 2,
    };
    ensure!(Left::count(&world, &ns).await? == left);
    gone(&world, &ns, &["both"]).await?;
    world.remove("group").await?;
    world.kubectl("delete serviceclass group").await.map(drop)
}

/// Makes an object, and kills the operator at each step until one is seen.
async fn made(world: &World, ns: &str, yaml: &str, last: &str) -> Result<()> {
    let begin = async { world.apply_in(ns, yaml).await.map(drop) };
    let last = Last::Seen(last.to_owned());
    killed_at_each_step(world, ns, Victim::Operator, begin, &last).await
}

/// A Service with the data policy `Snapshot` is deleted, and the operator killed at each step: exactly one last Backup is left, nothing
/// else is, and it has all that the Service held.
pub async fn no_crash_loses_the_last_backup_of_a_service(world: World) -> Result<()> {
    let ns = world.instance("final").await?;
    let more = "  deletionPolicy: StopFirst\n  dataPolicy: Snapshot\n";
    let cache = Engine::ready(&world, &ns, "cache", "redis", more).await?;
    redis(&cache, "SET word last").await?;
    let begin = async {
        let delete = format!("delete msvc cache -n {ns} --wait=false");
        world.kubectl(&delete).await.map(drop)
    };
    let last = Last::Gone("msvc/cache".to_owned());
    killed_at_each_step(&world, &ns, Victim::Operator, begin, &last).await?;
    world
        .until("no volume of it is left", || async {
            let claims = world
                .kubectl(&format!("get pvc,sts -n {ns} -o name"))
                .await?;
            Ok(claims.trim().is_empty().then_some(()))
        })
        .await?;
    let left = Left {
        backups: 1,
        snapshots: 1,
        claims: 0,
    };
    let count = Left::count(&world, &ns).await?;
    ensure!(count == left, "{count:?}");
    let list = format!("get dbk -n {ns} -o name -l roadstead.dev/trigger=Final");
    let backup = world.kubectl(&list).await?;
    let backup = backup.trim().split('/').nth(1).context("no Backup")?;
    until_reason(&world, &format!("dbk/{backup}"), &ns, "Done").await?;
    let from =
        format!("  deletionPolicy: StopFirst\n  restoreFrom: {{backupRef: {{name: {backup}}}}}\n");
    let back = Engine::ready(&world, &ns, "back", "redis", &from).await?;
    ensure!(redis(&back, "GET word").await? == "last");
    world.remove("final").await
}
