//! PostgreSQL under write load: lost and back, put back in place, and that undone.

use anyhow::{Context, Result, ensure};

use super::{into_service, taken, uid, until_reason};
use crate::{service::Engine, world::World};

/// Ten thousand rows that never change, and one more every few milliseconds for as long as the engine lives.
const LOAD: &str = "create table fixed as select i, md5(i::text) as word from generate_series(1, 10000) i; \
    create table marks (word text); insert into marks values ('before'); \
    create table stream (at timestamptz default clock_timestamp())";

/// What the rows that never change add up to.
pub(super) const SUM: &str = "select md5(string_agg(word, '' order by i)) from fixed";

pub(super) async fn loaded(db: &Engine<'_>, password: &str) -> Result<String> {
    db.sql(password, LOAD).await?.ok("load")?;
    let insert = "insert into stream default values \\watch 0.001";
    let writer = format!(
        "(echo \"{insert}\" | PGPASSWORD={password} psql -h 127.0.0.1 -U app -d app -qAt >/dev/null 2>&1 &)"
    );
    db.exec(&writer).await?.ok("writer")?;
    Ok(db.sql(password, SUM).await?.ok("sum")?.trim().to_owned())
}

/// What the database answers, with the password of today.
pub(super) async fn asked(db: &Engine<'_>, statement: &str) -> Result<String> {
    let password = db.credential("password").await?;
    let said = db.sql(&password, statement).await?.ok(statement)?;
    Ok(said.trim().to_owned())
}

/// A Backup is taken while rows are written; the Service and its volume are lost; two new Services start from the Backup.
///
/// proves: CH-090, CH-091, CH-092, CH-093, CH-102, CH-104, CH-106, CH-107, CH-108, CH-109, CH-110, DV-248, DV-252
pub async fn a_lost_database_comes_back_as_it_was(world: World) -> Result<()> {
    let ns = world.instance("lost-data").await?;
    let more = "  deletionPolicy: StopFirst\n  dataPolicy: Delete\n";
    let db = Engine::ready(&world, &ns, "db", "postgres", more).await?;
    let tables = "select count(*) from pg_tables where schemaname = 'public'";
    ensure!(asked(&db, tables).await? == "0", "it did not start empty");
    let (password, first) = (db.credential("password").await?, uid(&db).await?);
    let host = db.credential("host").await?;
    let sum = loaded(&db, &password).await?;
    let status = taken(&world, &ns, "monday", "db").await?;
    db.sql(&password, "insert into marks values ('after')")
        .await?
        .ok("after")?;
    ensure!(status["parts"][0]["serviceUid"] == *first, "{status}");
    let at = status["parts"][0]["takenAt"].as_str().context("takenAt")?;
    ensure!(status["sizeBytes"] == status["parts"][0]["sizeBytes"]);
    let by = world.at("dbk/monday", &ns, "/metadata/annotations").await?;
    ensure!(!by["roadstead.dev/created-by"].is_null(), "{by}");
    listed(&world, &ns).await?;
    world
        .kubectl(&format!("delete msvc db -n {ns} --timeout=120s"))
        .await?;
    let claims = world.kubectl(&format!("get pvc -n {ns} -o name")).await?;
    ensure!(claims.trim().is_empty(), "{claims}");

    let from = "  restoreFrom: {backupRef: {name: monday}, service: db}\n";
    let again = [more, from].concat();
    let back = Engine::ready(&world, &ns, "back", "postgres", &again).await?;
    let twin = Engine::ready(&world, &ns, "twin", "postgres", &again).await?;
    for engine in [&back, &twin] {
        ensure!(asked(engine, SUM).await? == sum, "the checksums differ");
        ensure!(asked(engine, "select word from marks").await? == "before");
        let later = format!("select count(*) from stream where at > '{at}'::timestamptz + '2 s'");
        ensure!(
            asked(engine, &later).await? == "0",
            "it holds what came later"
        );
        ensure!(asked(engine, "select count(*) > 0 from stream").await? == "t");
        ensure!(engine.credential("password").await? != password);
        ensure!(uid(engine).await? != first);
        ensure!(engine.credential("host").await? != host);
    }
    refused(&world, &ns).await?;
    world.remove("lost-data").await
}

/// A Backup is listed by its Service, and by no other.
async fn listed(world: &World, ns: &str) -> Result<()> {
    let list = |more: &str| format!("get dbk -n {ns} -o name -l roadstead.dev/{more}");
    let mine = world.kubectl(&list("service-db")).await?;
    ensure!(mine.trim() == "backup.roadstead.dev/monday", "{mine}");
    let one = "service-other --field-selector=metadata.name=monday";
    for nothing in ["service-other", one] {
        let others = world.kubectl(&list(nothing)).await?;
        ensure!(others.trim().is_empty(), "{others}");
    }
    Ok(())
}

/// What does not fit the Backup, or names one that is not there, makes nothing.
async fn refused(world: &World, ns: &str) -> Result<()> {
    let cases = [
        ("tier", "  tier: Production\n", "monday", "RestoreMismatch"),
        ("gone", "", "tuesday", "BackupNotFound"),
    ];
    for (name, more, backup, reason) in cases {
        let yaml = format!(
            "apiVersion: roadstead.dev/v1alpha1\nkind: Service\nmetadata: {{name: {name}}}\nspec:\n  classRef: {{name: postgres}}\n\
             {more}  deletionPolicy: StopFirst\n  restoreFrom: {{backupRef: {{name: {backup}}}}}\n"
        );
        world.apply_in(ns, &yaml).await?;
        until_reason(world, &format!("msvc/{name}"), ns, reason).await?;
        let set = world.get(&format!("statefulset/{name}"), ns).await?;
        ensure!(set.is_none(), "{name} runs all the same");
    }
    Ok(())
}

/// A row that was deleted is back, the password stays, and what was there before can be put back; nothing runs twice.
///
/// proves: DV-264, DV-268
pub async fn a_database_is_put_back_in_place_and_that_is_undone(world: World) -> Result<()> {
    let ns = world.instance("inplace").await?;
    let more = "  deletionPolicy: StopFirst\n";
    let db = Engine::ready(&world, &ns, "db", "postgres", more).await?;
    let password = db.credential("password").await?;
    let sum = loaded(&db, &password).await?;
    taken(&world, &ns, "monday", "db").await?;
    asked(&db, "delete from fixed; insert into marks values ('after')").await?;

    let wrong = "00000000-0000-4000-8000-000000000000";
    let other = into_service("wrong", "monday", "db", "db", wrong);
    world.apply_in(&ns, &other).await?;
    until_reason(&world, "drs/wrong", &ns, "OverwriteMismatch").await?;

    let restore = into_service("back", "monday", "db", "db", &uid(&db).await?);
    world.apply_in(&ns, &restore).await?;
    until_reason(&world, "drs/back", &ns, "Done").await?;
    ensure!(asked(&db, SUM).await? == sum, "the checksums differ");
    ensure!(asked(&db, "select word from marks").await? == "before");
    ensure!(
        db.credential("password").await? == password,
        "it has another password"
    );
    ensure!(
        db.status("/data")
            .await?
            .as_str()
            .is_some_and(|d| d.starts_with("d2-"))
    );
    let status = world.at("drs/back", &ns, "/status").await?;
    ensure!(status["safetyBackup"] == "back-safety", "{status}");
    ensure!(
        status["finished"] == true && !status["undoUntil"].is_null(),
        "{status}"
    );
    world.condition("dbk/back-safety", &ns, "Ready").await?;

    // A tool makes it again: what was written since must stay.
    asked(&db, "insert into marks values ('since')").await?;
    world.kubectl(&format!("delete drs back -n {ns}")).await?;
    world.apply_in(&ns, &restore).await?;
    until_reason(&world, "drs/back", &ns, "AlreadyRun").await?;
    ensure!(asked(&db, "select count(*) from marks").await? == "2");

    let second = into_service("second", "monday", "db", "db", &uid(&db).await?);
    world.apply_in(&ns, &second).await?;
    until_reason(&world, "drs/second", &ns, "Done").await?;
    ensure!(asked(&db, "select count(*) from marks").await? == "1");
    world
        .kubectl(&format!(
            "patch drs second -n {ns} --type=merge -p {{\"spec\":{{\"undo\":true}}}}"
        ))
        .await?;
    until_reason(&world, "drs/second", &ns, "Undone").await?;
    ensure!(asked(&db, "select string_agg(word, ',') from marks").await? == "before,since");
    ensure!(
        db.credential("password").await? == password,
        "it has another password"
    );
    world.remove("inplace").await
}
