//! How a Service goes, and what becomes of its data.

use anyhow::{Context, Result, ensure};

use super::{Engine, ensure_guarded, service};
use crate::world::World;

/// A deletion is refused until the Service is stopped and nobody uses it, and then it works.
///
/// proves: CH-071, CH-072, CH-074, CH-075, DV-232, DV-233, DV-236
pub async fn a_service_goes_only_when_it_is_stopped_and_unused(world: World) -> Result<()> {
    let ns = world.instance("guard").await?;
    world.apply_in(&ns, &service("db", "redis", "")).await?;
    let db = Engine {
        world: &world,
        ns: &ns,
        name: "db",
    };
    ensure_guarded(&db, "is not stopped").await?;
    world.condition("msvc/db", &ns, "Ready").await?;
    ensure_guarded(&db, "is not stopped").await?;
    world
        .apply_in(
            &ns,
            r#"
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: toy}
spec:
  image: docker.io/library/busybox:1.36
  containers: [{name: worker, kind: Worker, command: [busybox, sleep, "86400"]}]
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: toy-live}
spec: {applicationRef: {name: toy}, state: Stopped, services: [{name: db, prefix: DEFAULT}]}
"#,
        )
        .await?;
    world
        .until("the Service knows its user", || async {
            let user = db.status("/attachments/0/environment").await?;
            Ok((user == "toy-live").then_some(()))
        })
        .await?;
    db.patch(r#"{"spec":{"state":"Stopped"}}"#)
        .await?
        .ok("stop")?;
    db.until("stopped").await?;
    ensure_guarded(&db, "is used by Environment toy-live").await?;
    world
        .kubectl(&format!("delete renv toy-live -n {ns}"))
        .await?;
    world
        .until("nobody uses it", || async {
            let users = db.status("/attachments").await?;
            Ok(users.is_null().then_some(()))
        })
        .await?;
    world
        .kubectl(&format!("delete msvc db -n {ns} --timeout=60s"))
        .await?;
    let kept = world.kubectl(&format!("get pvc -n {ns} -o name")).await?;
    ensure!(kept.contains("-db-0"), "its data went: {kept}");
    world.remove("guard").await
}

/// `StopFirst` needs no second word, and `Delete` leaves nothing.
///
/// proves: CH-076, CH-077, CH-078
pub async fn what_may_go_stops_and_goes_whole(world: World) -> Result<()> {
    let ns = world.instance("whole").await?;
    let more = "  deletionPolicy: StopFirst\n  dataPolicy: Delete\n";
    Engine::ready(&world, &ns, "db", "postgres", more).await?;
    world
        .kubectl(&format!("delete msvc db -n {ns} --timeout=120s"))
        .await?;
    world
        .until("nothing is left", || async {
            let kinds = "pods,sts,pvc,secrets,svc,networkpolicies,jobs";
            let words = format!("get {kinds} -n {ns} -o name");
            let left = world.kubectl(&words).await?;
            Ok((!left.contains("db")).then_some(()))
        })
        .await?;
    world.remove("whole").await
}

/// A new Service of an old name begins empty; one that asks for what the old one left finds it, with its password.
///
/// proves: CH-078
pub async fn a_new_service_meets_old_data_only_when_it_asks(world: World) -> Result<()> {
    let ns = world.instance("retained").await?;
    let more = "  deletionPolicy: StopFirst\n";
    let db = Engine::ready(&world, &ns, "db", "postgres", more).await?;
    let password = db.credential("password").await?;
    db.sql(&password, "create table kept as select 42 as answer")
        .await?
        .ok("sql")?;
    let uid = world.at("msvc/db", &ns, "/metadata/uid").await?;
    let uid = uid.as_str().context("it has no UID")?.to_owned();
    let delete = format!("delete msvc db -n {ns} --timeout=120s");
    world.kubectl(&delete).await?;
    let next = Engine::ready(&world, &ns, "db", "postgres", more).await?;
    let other = next.credential("password").await?;
    ensure!(other != password, "the new one has the old one's password");
    let said = next.sql(&other, "select answer from kept").await?;
    ensure!(said.code != 0, "the new one has the old one's data");
    world.kubectl(&delete).await?;
    let more = format!(
        "{more}  restoreFrom: {{retained: {{uid: {uid}}}}}\n  credentials: {{rotate: new-here}}\n"
    );
    let heir = Engine::ready(&world, &ns, "db", "postgres", &more).await?;
    ensure!(heir.credential("password").await? == password);
    let said = heir
        .sql(&password, "select answer from kept")
        .await?
        .ok("sql")?;
    ensure!(said.trim() == "42", "{said}");
    world.remove("retained").await
}
