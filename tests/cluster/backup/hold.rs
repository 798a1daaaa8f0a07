//! Data that is held still while its snapshot is taken, because its class says so.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{database::asked, of_service, taken, until_reason};
use crate::{service::Engine, world::World};

/// Nobody writes to the table while the session is open; what it wrote before says when that began.
pub(super) const HOLD: &str = "export PGHOST='$(HOST)' PGUSER='$(USERNAME)' PGDATABASE='$(DATABASE)' PGPASSWORD=\"$PASSWORD\"
(echo 'begin; lock table stream in exclusive mode;'; echo '\\! psql -qc \"insert into held default values\" && touch /tmp/held'; sleep 600) | psql -q";

/// A class like postgres that asks for its data to be held still.
pub(super) async fn class(world: &World, name: &str, hold: &str) -> Result<()> {
    let class = world.kubectl("get serviceclass postgres -o yaml").await?;
    let mut class: serde_json::Value = serde_saphyr::from_str(&class)?;
    class["spec"]["backup"]["quiesce"] = json!({
        "command": ["sh", "-c", hold], "ready": {"command": ["test", "-f", "/tmp/held"]}, "maxSeconds": 60,
    });
    let copy = json!({
        "apiVersion": class["apiVersion"], "kind": class["kind"],
        "metadata": {"name": name}, "spec": class["spec"],
    });
    world.apply(&copy.to_string()).await.map(drop)
}

/// While rows stream in, a snapshot is taken between two of them and the stream goes on after it. A command that cannot hold the data
/// makes a failed Backup that says why, and leaves nothing behind.
pub async fn data_is_held_still_while_its_snapshot_is_taken(world: World) -> Result<()> {
    let ns = world.instance("hold").await?;
    class(&world, "held", HOLD).await?;
    class(&world, "unheld", "echo 'no lock for you' >&2; exit 1").await?;
    let more = "  deletionPolicy: StopFirst\n";
    let db = Engine::ready(&world, &ns, "db", "held", more).await?;
    asked(&db, "create table stream (at timestamptz default clock_timestamp()); create table held (like stream including defaults)").await?;
    let password = db.credential("password").await?;
    let insert = "insert into stream default values \\watch 0.001";
    let writer = format!(
        "(echo \"{insert}\" | PGPASSWORD={password} psql -h 127.0.0.1 -U app -d app -qAt >/dev/null 2>&1 &)"
    );
    db.exec(&writer).await?.ok("writer")?;
    world
        .until("rows stream in", || async {
            Ok((asked(&db, "select count(*) > 9 from stream").await? == "t").then_some(()))
        })
        .await?;
    taken(&world, &ns, "still", "db").await?;
    let rows = asked(&db, "select count(*) from stream").await?;
    world
        .until("the stream goes on", || async {
            let more = format!("select count(*) > {rows} from stream");
            Ok((asked(&db, &more).await? == "t").then_some(()))
        })
        .await?;
    let from = [more, "  restoreFrom: {backupRef: {name: still}}\n"].concat();
    let back = Engine::ready(&world, &ns, "back", "held", &from).await?;
    let between = "select count(*) filter (where at < (select at from held)) > 0, count(*) filter (where at > (select at from held)) from stream";
    ensure!(asked(&back, between).await? == "t|0", "it was written to");
    ensure!(asked(&db, between).await?.starts_with("t|"), "no stream");

    let other = Engine::ready(&world, &ns, "other", "unheld", more).await?;
    let backup = of_service("moved", other.name, "");
    world.apply_in(&ns, &backup).await?;
    until_reason(&world, "dbk/moved", &ns, "Failed").await?;
    let error = world.at("dbk/moved", &ns, "/status/parts/0/error").await?;
    ensure!(error.to_string().contains("no lock for you"), "{error}");
    world
        .until("nothing is left of it", || async {
            let left = format!("get job,volumesnapshot -n {ns} -o name");
            let left = world.kubectl(&left).await?;
            Ok((left.lines().count() == 1).then_some(()))
        })
        .await?;
    world.remove("hold").await?;
    world
        .kubectl("delete serviceclass held unheld")
        .await
        .map(drop)
}
