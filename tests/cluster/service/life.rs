//! How a Service comes up, stops and starts.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{Engine, service};
use crate::world::World;

/// A declaration is enough: a database with a password of its own, and where to find both.
///
/// proves: CH-001, CH-009, CH-010, CH-012, CH-013, CH-016, CH-017, CH-111, CH-112, CH-118, CH-119
pub async fn a_database_comes_up_by_itself(world: World) -> Result<()> {
    let ns = world.instance("up").await?;
    let db = Engine::ready(&world, &ns, "db", "postgres", "").await?;
    ensure!(db.status("/state").await? == "running");
    ensure!(db.status("/endpoints/0/protocol").await? == "postgresql");
    ensure!(db.status("/endpoints/0/host").await? == format!("db.{ns}.svc"));
    ensure!(db.status("/credentialsSecretRef/name").await? == "db-credentials");
    let password = db.credential("password").await?;
    ensure!(password.len() == 32, "the password is short");
    let said = db.sql(&password, "select 6 * 7").await?.ok("sql")?;
    ensure!(said.trim() == "42", "{said}");
    let listed = world.kubectl(&format!("get msvc -n {ns} -o yaml")).await?;
    ensure!(!listed.contains(&password), "the password is in the open");
    let core = world.kubectl(&format!("get svc -n {ns} -o name")).await?;
    ensure!(core.contains("service/db\n"), "{core}");
    let elsewhere = world.try_kubectl("get msvc db -n default").await?;
    elsewhere.refused("not found")?;
    let again = world.apply_in(&ns, &service("db", "postgres", "")).await?;
    ensure!(again.contains("unchanged"), "{again}");
    world.remove("up").await
}

/// Stopped, nothing runs; started, everything is as it was.
///
/// proves: CH-061, CH-062, CH-065, CH-066, CH-067, CH-069, CH-113, DV-239
pub async fn a_stopped_database_keeps_its_data_and_its_address(world: World) -> Result<()> {
    let ns = world.instance("stop").await?;
    let db = Engine::ready(&world, &ns, "db", "postgres", "").await?;
    let password = db.credential("password").await?;
    db.sql(&password, "create table kept as select 42 as answer")
        .await?
        .ok("sql")?;
    let endpoints = db.status("/endpoints").await?;
    let before = changed(&db).await?;
    let second = jiff::Timestamp::now().as_second();
    let passed = || async { Ok((jiff::Timestamp::now().as_second() > second).then_some(())) };
    world.until("a second has passed", passed).await?;
    for _ in 0..2 {
        db.patch(r#"{"spec":{"state":"Stopped"}}"#)
            .await?
            .ok("stop")?;
        db.until("stopped").await?;
    }
    let pods = world.kubectl(&format!("get pods -n {ns} -o name")).await?;
    ensure!(pods.trim().is_empty(), "{pods}");
    ensure!(db.status("/endpoints").await? == endpoints);
    let after = changed(&db).await?;
    ensure!(after.0 > before.0, "its state changed at {after:?}");
    ensure!(after.1 > before.1, "it was edited at {after:?}");
    db.patch(r#"{"spec":{"state":"Running"}}"#)
        .await?
        .ok("start")?;
    db.patch(r#"{"spec":{"state":"Stopped"}}"#)
        .await?
        .ok("stop at once")?;
    db.until("stopped").await?;
    db.patch(r#"{"spec":{"state":"Running"}}"#)
        .await?
        .ok("start")?;
    db.until("running").await?;
    ensure!(db.status("/endpoints").await? == endpoints);
    ensure!(db.credential("password").await? == password);
    let pod = db.pod().await?;
    let said = db
        .sql(&password, "select answer from kept")
        .await?
        .ok("sql")?;
    ensure!(said.trim() == "42", "{said}");
    db.patch(r#"{"spec":{"state":"Running","displayName":"The database"}}"#)
        .await?
        .ok("rename")?;
    world.condition("msvc/db", &ns, "Ready").await?;
    ensure!(
        db.pod().await? == pod,
        "a name or a start on running replaced the pod"
    );
    world.remove("stop").await
}

/// What cannot come up says so, and comes up once it can.
///
/// proves: CH-015, DV-226
pub async fn a_class_that_comes_later_ends_the_wait(world: World) -> Result<()> {
    let ns = world.instance("later").await?;
    world
        .apply_in(
            &ns,
            &service("cache", "not-there", "  deletionPolicy: StopFirst\n"),
        )
        .await?;
    let cache = Engine {
        world: &world,
        ns: &ns,
        name: "cache",
    };
    cache.until("failed").await?;
    ensure!(cache.status("/blockers/0/what").await? == "ClassMissing/not-there");
    let class = world.kubectl("get serviceclass redis -o yaml").await?;
    let class: serde_json::Value = serde_saphyr::from_str(&class)?;
    let copy = serde_json::json!({
        "apiVersion": class["apiVersion"], "kind": class["kind"],
        "metadata": {"name": "not-there"}, "spec": class["spec"],
    });
    world.apply(&copy.to_string()).await?;
    world.condition("msvc/cache", &ns, "Ready").await?;
    world.kubectl("delete serviceclass not-there").await?;
    world.remove("later").await
}

/// When its state last changed, and when what is declared of it did.
async fn changed(db: &Engine<'_>) -> Result<(String, String)> {
    let words = format!(
        "get msvc {} -n {} --show-managed-fields -o json",
        db.name, db.ns
    );
    let service: Value = serde_json::from_str(&db.world.kubectl(&words).await?)?;
    let conditions = service["status"]["conditions"].as_array();
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|c| c["type"] == "Ready");
    let state = ready.and_then(|c| c["lastTransitionTime"].as_str());
    let managers = service["metadata"]["managedFields"].as_array();
    let edits = managers.into_iter().flatten();
    let edits = edits.filter(|m| !m["fieldsV1"]["f:spec"].is_null());
    let edited = edits.filter_map(|m| m["time"].as_str()).max();
    let text = |time: Option<&str>| time.unwrap_or_default().to_owned();
    Ok((text(state), text(edited)))
}
