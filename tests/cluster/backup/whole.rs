//! A whole Environment: a database and a cache, backed up together and put back together.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    cache::counting,
    database::{SUM, asked, loaded},
    redis, uid, until_reason,
};
use crate::{service::Engine, world::World};

/// A stage with two Services of different engines.
const STAGE: &str = "\
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: shop}
spec: {image: docker.io/acme/shop:1.4, port: 8000, containers: [{name: web, kind: Web}]}
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: shop-live}
spec:
  applicationRef: {name: shop}
  state: Stopped
  services: [{name: db, prefix: DEFAULT}, {name: cache, prefix: DEFAULT}]
";

/// That a list of parts names both Services, each of which is done.
fn both_done(parts: &Value) -> Result<()> {
    let parts = parts.as_array().context("no parts")?;
    ensure!(parts.len() == 2, "{parts:?}");
    ensure!(
        parts.iter().all(|part| part["state"] == "done"),
        "{parts:?}"
    );
    Ok(())
}

/// One Backup holds both Services of an Environment while both are written to; one Restore puts both back in place.
///
/// proves: DV-243, DV-244, DV-252, DV-257, DV-264, DV-268, DV-269
pub async fn a_whole_environment_is_put_back_with_all_its_services(world: World) -> Result<()> {
    let ns = world.instance("whole").await?;
    let more = "  deletionPolicy: StopFirst\n";
    let (db, cache, other) = tokio::try_join!(
        Engine::ready(&world, &ns, "db", "postgres", more),
        Engine::ready(&world, &ns, "cache", "redis", more),
        Engine::ready(&world, &ns, "other", "redis", more),
    )?;
    world.apply_in(&ns, STAGE).await?;
    let sum = loaded(&db, &db.credential("password").await?).await?;
    redis(&cache, "SET word before").await?;
    counting(&cache).await?;
    let from: i64 = redis(&cache, "GET count").await?.parse()?;
    redis(&cache, "WAITAOF 1 0 5000").await?;
    let backup = "apiVersion: roadstead.dev/v1alpha1\nkind: Backup\nmetadata: {name: all}\nspec: {environmentRef: {name: shop-live}}\n";
    world.apply_in(&ns, backup).await?;
    until_reason(&world, "dbk/all", &ns, "Done").await?;
    let to: i64 = redis(&cache, "GET count").await?.parse()?;
    ensure!(from < to, "nothing was written meanwhile");
    asked(&db, "delete from fixed; insert into marks values ('after')").await?;
    redis(&cache, "SET word after").await?;
    redis(&other, "SET word mine").await?;
    let status = world.at("dbk/all", &ns, "/status").await?;
    ensure!(status["success"] == "Success", "{status}");
    both_done(&status["parts"])?;

    restored(&db, &cache).await?;
    let list = format!("get drs -n {ns} -o name -l roadstead.dev/environment-shop-live");
    ensure!(!world.kubectl(&list).await?.trim().is_empty());

    ensure!(asked(&db, SUM).await? == sum, "the checksums differ");
    ensure!(asked(&db, "select word from marks").await? == "before");
    let of_db = status["parts"].as_array().into_iter().flatten();
    let of_db = of_db.filter(|part| part["service"] == "db");
    let at = of_db.filter_map(|part| part["takenAt"].as_str()).next();
    let later = format!(
        "select count(*) from stream where at > '{}'::timestamptz + '2 s'",
        at.context("takenAt")?
    );
    ensure!(asked(&db, &later).await? == "0", "it holds what came later");
    ensure!(redis(&cache, "GET word").await? == "before");
    let count: i64 = redis(&cache, "GET count").await?.parse()?;
    ensure!((from..=to).contains(&count), "{count} counted");
    ensure!(redis(&other, "GET word").await? == "mine", "one too many");
    world.remove("whole").await
}

/// Puts both back in place.
async fn restored(db: &Engine<'_>, cache: &Engine<'_>) -> Result<()> {
    let Engine { world, ns, .. } = *db;
    let (first, second) = (uid(db).await?, uid(cache).await?);
    let restore = format!(
        "apiVersion: roadstead.dev/v1alpha1\nkind: Restore\nmetadata: {{name: back}}\nspec:\n  backupRef: {{name: all}}\n  \
         services: [{{into: db, overwrite: {first}}}, {{into: cache, overwrite: {second}}}]\n"
    );
    world.apply_in(ns, &restore).await?;
    until_reason(world, "drs/back", ns, "Done").await?;
    let told = world.at("drs/back", ns, "/status").await?;
    ensure!(
        told["finished"] == true && told["success"] == "Success",
        "{told}"
    );
    both_done(&told["parts"])
}
