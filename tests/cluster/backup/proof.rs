//! Backups that are made by themselves, and the proof that they restore.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::stage;
use crate::{plugin::roadstead, service::Engine, world::World};

/// One page of the table is overwritten behind the engine's back: it serves on, but what is on its disk does not restore.
async fn damage(db: &Engine<'_>, password: &str) -> Result<()> {
    let path = db
        .sql(password, "checkpoint; select pg_relation_filepath('fixed')")
        .await?
        .ok("path")?;
    let file = format!("/var/lib/postgresql/data/server/{}", path.trim());
    let write = format!("dd if=/dev/urandom of={file} bs=8192 seek=1 count=1 conv=notrunc && sync");
    db.exec(&write).await?.ok("damage").map(drop)
}

/// Every minute a Backup is made, and one by hand is proven in a throw-away Service; a damaged one is told, and nothing of the proofs is left.
///
/// proves: DV-250, DV-273
pub async fn scheduled_backups_are_proven_and_a_damaged_one_is_told(world: World) -> Result<()> {
    let ns = world.instance("proof").await?;
    let more = "  deletionPolicy: StopFirst\n";
    let db = Engine::ready(&world, &ns, "db", "postgres", more).await?;
    let password = db.credential("password").await?;
    db.sql(
        &password,
        "create table fixed as select i, md5(i::text) from generate_series(1, 1000) i",
    )
    .await?
    .ok("load")?;
    scheduled(&world, &ns, &db).await?;

    let prove = format!("backup msvc/db --verify -n {ns} --timeout 5m");
    let good = roadstead(&world, &format!("{prove} -o json")).await?;
    let good: Value = serde_json::from_str(&good.ok("a good one")?)?;
    let took = good["status"]["restoreSeconds"].as_i64();
    ensure!(took.context("it was not proven")? >= 0, "{good}");

    damage(&db, &password).await?;
    let bad = roadstead(&world, &prove).await?;
    ensure!(
        bad.code == 1 && bad.err.contains("does not restore"),
        "{bad:?}"
    );
    world
        .until("what the proofs needed is gone", || async {
            let left = world
                .kubectl(&format!("get msvc,job -n {ns} -o name"))
                .await?;
            Ok((!left.contains("verify-")).then_some(()))
        })
        .await?;
    world.remove("proof").await
}

/// One is made by itself, the next takes its place, and the whole Environment has one too.
async fn scheduled(world: &World, ns: &str, db: &Engine<'_>) -> Result<()> {
    let together = stage(&["db"], ", backup: {schedule: '* * * * *'}");
    world.apply_in(ns, &together).await?;
    let policy = r#"{"spec":{"backup":{"schedule":"* * * * *","retention":{"keepLast":1}}}}"#;
    db.patch(policy).await?.ok("schedule")?;
    let first = world
        .until("a Backup is made by itself", || async {
            let good = db.status("/backups/lastGood").await?;
            Ok(good.as_str().map(str::to_owned))
        })
        .await?;
    let made = format!("dbk/{first}");
    ensure!(world.at(&made, ns, "/status/trigger").await? == "Scheduled");
    ensure!(!db.status("/backups/nextAt").await?.is_null());
    world
        .until("the next one takes its place", || async {
            let stands = world.get(&made, ns).await?.is_some();
            let other = db.status("/backups/lastGood").await? != *first;
            Ok((!stands && other).then_some(()))
        })
        .await?;
    world
        .until("one of the whole Environment is made too", || async {
            let good = world.at("renv/shop-live", ns, "/status/backups/lastGood");
            Ok(good.await?.is_string().then_some(()))
        })
        .await?;
    world
        .kubectl(&format!("delete renv shop-live -n {ns}"))
        .await?;
    db.patch(r#"{"spec":{"backup":null}}"#)
        .await?
        .ok("no schedule")
        .map(drop)
}
