//! MariaDB, an engine that no code knows: its class alone says how it is backed up and proven.

use anyhow::{Context, Result, ensure};

use super::{of_service, uid};
use crate::{service::Engine, world::World};

/// A thousand rows that never change.
const LOAD: &str = "create table fixed as with recursive s as (select 1 as i union all select i + 1 from s where i < 1000) \
    select i, md5(i) as word from s; \
    create table marks (word text); insert into marks values ('before'); create table stream (at datetime(6))";

/// What the server answers to a statement, with the password of today.
async fn asked(db: &Engine<'_>, statement: &str) -> Result<String> {
    let client = client(db).await?;
    let said = db.exec(&format!("{client} -e \"{statement}\"")).await?;
    Ok(said.ok(statement)?.trim().to_owned())
}

/// The command of a client that is logged in.
async fn client(db: &Engine<'_>) -> Result<String> {
    let (user, password) = (
        db.credential("username").await?,
        db.credential("password").await?,
    );
    let database = db.credential("database").await?;
    Ok(format!(
        "MYSQL_PWD={password} mariadb --no-defaults --protocol=tcp --host=127.0.0.1 --user={user} -NB {database}"
    ))
}

/// A Backup is taken and proven while rows are written; the Service and its volume are lost, and a new one starts from it.
///
/// proves: CH-102, CH-108, CH-109, DV-252
pub async fn an_engine_that_no_code_knows_comes_back_as_it_was(world: World) -> Result<()> {
    let ns = world.instance("third").await?;
    let more = "  deletionPolicy: StopFirst\n  dataPolicy: Delete\n";
    let db = Engine::ready(&world, &ns, "db", "mariadb", more).await?;
    asked(&db, LOAD).await?;
    let sum = "checksum table fixed";
    let before = asked(&db, sum).await?;
    let client = client(&db).await?;
    let insert = "insert into stream values (utc_timestamp(6));";
    let writer =
        format!("(yes '{insert}' | head -n 100000 | {client}) >/dev/null 2>&1 </dev/null &");
    db.exec(&writer).await?.ok("writer")?;
    world
        .until("rows stream in", || async {
            Ok((asked(&db, "select count(*) > 9 from stream").await? == "1").then_some(()))
        })
        .await?;
    let backup = of_service("monday", "db", "  verify: {}\n");
    world.apply_in(&ns, &backup).await?;
    world.condition("dbk/monday", &ns, "Ready").await?;
    asked(&db, "insert into marks values ('after')").await?;
    world.condition("dbk/monday", &ns, "Verified").await?;
    let parts = world.at("dbk/monday", &ns, "/status/parts").await?;
    let at = parts[0]["takenAt"].as_str().context("takenAt")?;
    let at = at.trim_end_matches('Z').replace('T', " ");
    let (first, password) = (uid(&db).await?, db.credential("password").await?);
    world
        .kubectl(&format!("delete msvc db -n {ns} --timeout=120s"))
        .await?;

    let from = "  restoreFrom: {backupRef: {name: monday}, service: db}\n";
    let back = Engine::ready(&world, &ns, "back", "mariadb", &[more, from].concat()).await?;
    let after = asked(&back, sum).await?.replace("back.", "db.");
    ensure!(after == before, "the checksums differ: {before}, {after}");
    ensure!(asked(&back, "select word from marks").await? == "before");
    ensure!(asked(&back, "select count(*) > 0 from stream").await? == "1");
    let later = format!("select count(*) from stream where at > '{at}' + interval 2 second");
    ensure!(
        asked(&back, &later).await? == "0",
        "it holds what came later"
    );
    ensure!(uid(&back).await? != first);
    ensure!(back.credential("password").await? != password);
    world.remove("third").await
}
