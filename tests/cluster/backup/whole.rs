//! A whole Environment: a database and a cache, backed up together and put back together.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    cache::counting,
    database::{SUM, asked, loaded},
    redis, stage, uid, until_reason,
};
use crate::{service::Engine, world::World};

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

/// One Backup holds both Services of an Environment, of one instant, while both are written to. One Restore puts both back in place,
/// and when all of it is lost another makes both anew. Nothing of the group of snapshots outlives the Backup.
///
/// proves: DV-243, DV-244, DV-252, DV-257, DV-264, DV-268, DV-269
pub async fn a_whole_environment_is_put_back_with_all_its_services(world: World) -> Result<()> {
    let ns = world.instance("whole").await?;
    let more = "  deletionPolicy: StopFirst\n  dataPolicy: Delete\n";
    let (db, cache, other) = tokio::try_join!(
        Engine::ready(&world, &ns, "db", "postgres", more),
        Engine::ready(&world, &ns, "cache", "redis", more),
        Engine::ready(&world, &ns, "other", "redis", more),
    )?;
    let both = Both { db, cache };
    world.apply_in(&ns, &stage(&["db", "cache"], "")).await?;
    let held = both.backed_up().await?;
    asked(
        &both.db,
        "delete from fixed; insert into marks values ('after')",
    )
    .await?;
    redis(&both.cache, "SET word after").await?;
    redis(&other, "SET word mine").await?;
    at_one_instant(&world, &ns, &held.parts).await?;

    let (first, second) = (uid(&both.db).await?, uid(&both.cache).await?);
    let over = |uid: &str| format!(", overwrite: {uid}");
    both.restored("back", [over(&first), over(&second)]).await?;
    let list = format!("get drs -n {ns} -o name -l roadstead.dev/environment-shop-live");
    ensure!(!world.kubectl(&list).await?.trim().is_empty());
    both.hold(&held).await?;

    let all = "delete renv/shop-live msvc/db msvc/cache --timeout=120s";
    world.kubectl(&format!("{all} -n {ns}")).await?;
    both.restored("anew", Default::default()).await?;
    ensure!(uid(&both.db).await? != first, "it was not lost");
    both.hold(&held).await?;
    ensure!(redis(&other, "GET word").await? == "mine", "one too many");
    gone(&world, &ns, &["all", "back-safety"]).await?;
    world.remove("whole").await
}

/// The Services of an Environment.
struct Both<'a> {
    db: Engine<'a>,
    cache: Engine<'a>,
}

/// What a Backup holds.
struct Held {
    parts: Value,
    sum: String,
    count: std::ops::RangeInclusive<i64>,
}

impl Both<'_> {
    /// Backs both up while both are written to.
    async fn backed_up(&self) -> Result<Held> {
        let Self { db, cache } = self;
        let Engine { world, ns, .. } = *db;
        let sum = loaded(db, &db.credential("password").await?).await?;
        redis(cache, "SET word before").await?;
        counting(cache).await?;
        let from: i64 = redis(cache, "GET count").await?.parse()?;
        redis(cache, "WAITAOF 1 0 5000").await?;
        let backup = "apiVersion: roadstead.dev/v1alpha1\nkind: Backup\nmetadata: {name: all}\nspec: {environmentRef: {name: shop-live}}\n";
        world.apply_in(ns, backup).await?;
        until_reason(world, "dbk/all", ns, "Done").await?;
        let to: i64 = redis(cache, "GET count").await?.parse()?;
        ensure!(from < to, "nothing was written meanwhile");
        let status = world.at("dbk/all", ns, "/status").await?;
        ensure!(status["success"] == "Success", "{status}");
        both_done(&status["parts"])?;
        Ok(Held {
            parts: status["parts"].clone(),
            sum,
            count: from..=to,
        })
    }

    /// Restores both, with more said of each.
    async fn restored(&self, name: &str, more: [String; 2]) -> Result<()> {
        let Engine { world, ns, .. } = self.db;
        let [db, cache] = more;
        let restore = format!(
            "apiVersion: roadstead.dev/v1alpha1\nkind: Restore\nmetadata: {{name: {name}}}\nspec:\n  backupRef: {{name: all}}\n  \
             services: [{{into: db{db}}}, {{into: cache{cache}}}]\n"
        );
        world.apply_in(ns, &restore).await?;
        let what = format!("drs/{name}");
        until_reason(world, &what, ns, "Done").await?;
        let told = world.at(&what, ns, "/status").await?;
        ensure!(
            told["finished"] == true && told["success"] == "Success",
            "{told}"
        );
        both_done(&told["parts"])
    }

    /// Both have what was backed up, and nothing later.
    async fn hold(&self, held: &Held) -> Result<()> {
        let Self { db, cache } = self;
        ensure!(asked(db, SUM).await? == held.sum, "the checksums differ");
        ensure!(asked(db, "select word from marks").await? == "before");
        let parts = held.parts.as_array().into_iter().flatten();
        let mut of_db = parts.filter(|part| part["service"] == "db");
        let at = of_db.find_map(|part| part["takenAt"].as_str());
        let later = format!(
            "select count(*) from stream where at > '{}'::timestamptz + '2 s'",
            at.context("takenAt")?
        );
        ensure!(asked(db, &later).await? == "0", "it holds what came later");
        ensure!(redis(cache, "GET word").await? == "before");
        let count: i64 = redis(cache, "GET count").await?.parse()?;
        ensure!(held.count.contains(&count), "{count} counted");
        Ok(())
    }
}

/// Both snapshots are of one group that was taken at one instant, and no claim bears its mark any more.
async fn at_one_instant(world: &World, ns: &str, parts: &Value) -> Result<()> {
    let group = world.at("volumegroupsnapshots/all-0", ns, "").await?;
    ensure!(group["status"]["readyToUse"] == true, "{group}");
    let taken = &group["status"]["creationTime"];
    for part in parts.as_array().into_iter().flatten() {
        ensure!(part["takenAt"] == *taken, "{part} is not of {taken}");
        let name = part["snapshots"][0].as_str().context("no snapshot")?;
        let member = world.at(&format!("volumesnapshots/{name}"), ns, "").await?;
        let of = &member["status"]["volumeGroupSnapshotName"];
        ensure!(*of == "all-0", "{member}");
    }
    let marked = "jsonpath={.items[*].metadata.labels}";
    let labels = world
        .kubectl(&format!("get pvc -n {ns} -o {marked}"))
        .await?;
    ensure!(!labels.contains("roadstead.dev/group-"), "{labels}");
    Ok(())
}

/// A Backup that is deleted takes its group along: its snapshots, and all that Kubernetes kept of them.
pub(super) async fn gone(world: &World, ns: &str, backups: &[&str]) -> Result<()> {
    for backup in backups {
        world
            .kubectl(&format!("delete dbk {backup} -n {ns} --timeout=120s"))
            .await?;
    }
    world
        .until("nothing is left of the groups", || async {
            let all = format!("get vgs,vs -n {ns} -o name");
            let mut left = world.kubectl(&all).await?;
            for (kind, to) in [
                ("volumegroupsnapshotcontents", "volumeGroupSnapshotRef"),
                ("volumesnapshotcontents", "volumeSnapshotRef"),
            ] {
                let of = format!("{{.items[?(@.spec.{to}.namespace==\"{ns}\")].metadata.name}}");
                left += &world
                    .kubectl(&format!("get {kind} -o jsonpath={of}"))
                    .await?;
            }
            Ok(left.trim().is_empty().then_some(()))
        })
        .await
}
