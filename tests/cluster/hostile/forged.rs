//! What is forged on one's own objects takes nothing over, here or elsewhere.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{Two, object, toy, until_blocked};
use crate::world::World;

/// Labels, owner references and marks that name another Instance's objects change nothing of them, and finalizers are one's own affair.
///
/// proves: EP-038, EP-040
pub async fn marks_that_are_forged_reach_nobody(world: World) -> Result<()> {
    let two = Two::begin(&world, "forged").await?;
    let service = object(
        "Service",
        "db",
        "{classRef: {name: redis}, deletionPolicy: StopFirst}",
    );
    let theirs = [
        toy("toy"),
        object("Environment", "toy-live", "{applicationRef: {name: toy}}"),
        service.clone(),
    ]
    .concat();
    two.done(&world, "apply -n THEIRS -f -", &theirs).await?;
    world
        .condition("renv/toy-live", &two.theirs, "Ready")
        .await?;
    world.condition("msvc/db", &two.theirs, "Ready").await?;
    let live = uid(&world, "renv/toy-live", &two.theirs).await?;
    let db = uid(&world, "msvc/db", &two.theirs).await?;
    let before = world.kubectl(&of_them(&two)).await?;
    let forged = forged(&live, &db);
    two.done(&world, "create ADAM -n MINE -f -", &forged)
        .await?;
    until_blocked(&world, "dbk/stays", &two.mine, "").await?;
    // What is decided of theirs after that is decided as before.
    let touched = "label renv/toy-live msvc/db -n THEIRS seen=yes";
    two.done(&world, touched, "").await?;
    let patch = r#"patch renv/toy-live -n THEIRS --type=merge -p {"spec":{"historyLimit":9}}"#;
    two.done(&world, patch, "").await?;
    world
        .condition("renv/toy-live", &two.theirs, "Ready")
        .await?;
    let after = world.kubectl(&of_them(&two)).await?;
    ensure!(before == after, "they have changed:\n{before}\n{after}");
    let number = world
        .at("renv/toy-live", &two.theirs, "/status/currentRelease")
        .await?;
    ensure!(number == 1, "it counts on: {number}");
    finalizers(&world, &two, &service).await?;
    two.end(&world).await
}

/// A snapshot of their Environment and Backups of their Service, as the operator would mark them.
fn forged(live: &str, db: &str) -> String {
    let marked = |name: &str, more: &str, uid: &str| {
        format!(
            "name: {name}, labels: {{roadstead.dev/owner: {uid}, roadstead.dev/instance: forged-theirs, {more}}}, \
             annotations: {{roadstead.dev/applied: abc, roadstead.dev/phase: Succeeded}}"
        )
    };
    let owned = |kind: &str, name: &str, uid: &str| {
        format!(
            "ownerReferences: [{{apiVersion: roadstead.dev/v1alpha1, kind: {kind}, name: {name}, uid: {uid}, controller: true}}]"
        )
    };
    let snapshot = "roadstead.dev/environment: toy-live, roadstead.dev/release: \"9\"";
    let secret = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{{}, {}}}\nstringData: {{configuration: \"{{}}\"}}\n",
        marked("toy-live-9", snapshot, live),
        owned("Environment", "toy-live", live),
    );
    let backup = |meta: &str| {
        format!(
            "---\napiVersion: roadstead.dev/v1alpha1\nkind: Backup\nmetadata: {{{meta}}}\nspec: {{serviceRef: {{name: db}}}}\n"
        )
    };
    let scheduled = "roadstead.dev/trigger: Scheduled";
    let goes = format!(
        "{}, {}",
        marked("goes", scheduled, db),
        owned("Service", "db", db)
    );
    // Without the reference, Kubernetes itself does not clear it away.
    secret + &backup(&goes) + &backup(&marked("stays", scheduled, db))
}

/// What there is of theirs, by UID.
fn of_them(two: &Two) -> String {
    let kinds = "rapp,renv,rel,msvc,dbk,deploy,sts,svc,secrets,netpol,rolebindings";
    format!(
        "get {kinds} -n {} -o jsonpath={{range.items[*]}}{{.kind}}/{{.metadata.name}}={{.metadata.uid}},{{end}}",
        two.theirs
    )
}

async fn uid(world: &World, what: &str, ns: &str) -> Result<String> {
    let uid: Value = world.at(what, ns, "/metadata/uid").await?;
    Ok(uid.as_str().unwrap_or_default().to_owned())
}

/// A finalizer of the operator's that is taken off stands again; one of one's own holds up oneself and nobody else.
async fn finalizers(world: &World, two: &Two, service: &str) -> Result<()> {
    two.done(world, "apply DORA -n MINE -f -", service).await?;
    let held = || async {
        let all = world
            .at("msvc/db", &two.mine, "/metadata/finalizers")
            .await?;
        Ok(all.to_string().contains("roadstead.dev/").then_some(()))
    };
    world.until("the Service is held", held).await?;
    let off = r#"patch msvc/db DORA -n MINE --type=merge -p {"metadata":{"finalizers":null}}"#;
    two.done(world, off, "").await?;
    world.until("the Service is held again", held).await?;
    let own = r#"patch msvc/db DORA -n MINE --type=merge -p {"metadata":{"finalizers":["example.com/mine"]}}"#;
    two.done(world, own, "").await?;
    world.until("the Service is held beside it", held).await?;
    two.done(world, off, "").await?;
    Ok(())
}

/// A Secret with a password that was planted.
fn planted(name: &str, labels: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, labels: {{{labels}}}}}\n\
         stringData: {{password: planted, configuration: \"{{}}\"}}\n"
    )
}

/// What stands under the name of something that is to be made is neither taken over nor changed, whatever marks it bears; and what it
/// holds up goes on once it is gone.
pub async fn what_has_the_name_of_a_child_is_left_alone(world: World) -> Result<()> {
    let two = Two::begin(&world, "names").await?;
    let first = planted("plain-1", "a: b") + &planted("db-credentials", "a: b");
    two.done(&world, "create ADAM -n MINE -f -", &first).await?;
    let declared = [
        toy("toy"),
        object("Environment", "plain", "{applicationRef: {name: toy}}"),
        object(
            "Environment",
            "marked",
            "{applicationRef: {name: toy}, releasePolicy: Manual}",
        ),
        object("Service", "db", "{classRef: {name: redis}}"),
    ]
    .concat();
    two.done(&world, "apply DORA -n MINE -f -", &declared)
        .await?;
    // A number whose name is taken is left out.
    world.condition("renv/plain", &two.mine, "Ready").await?;
    let number = world.at("renv/plain", &two.mine, "/status/currentRelease");
    ensure!(number.await? == 2);
    until_blocked(&world, "msvc/db", &two.mine, "NameTaken").await?;
    no_snapshot(&world, &two).await?;
    for name in ["plain-1", "db-credentials", "marked-1"] {
        let secret = format!("secret/{name}");
        let stands = world.at(&secret, &two.mine, "/data/password").await?;
        ensure!(stands == "cGxhbnRlZA==", "{name} was changed");
    }
    two.done(&world, "delete secret db-credentials ADAM -n MINE", "")
        .await?;
    world.condition("msvc/db", &two.mine, "Ready").await?;
    huge(&world, &two).await?;
    two.end(&world).await
}

/// A Secret that bears every mark of a snapshot and is none counts as a release that failed: the next one begins.
async fn no_snapshot(world: &World, two: &Two) -> Result<()> {
    let owner = uid(world, "renv/marked", &two.mine).await?;
    let marks = format!(
        "roadstead.dev/owner: {owner}, roadstead.dev/environment: marked, roadstead.dev/release: \"1\""
    );
    let forged = planted("marked-1", &marks);
    two.done(world, "create ADAM -n MINE -f -", &forged).await?;
    let release = object("Release", "by-hand", "{environmentRef: {name: marked}}");
    two.done(world, "create DORA -n MINE -f -", &release)
        .await?;
    world
        .until("the release is the second", || async {
            let number = world.at("rel/by-hand", &two.mine, "/status/number").await?;
            Ok((number == 2).then_some(()))
        })
        .await?;
    world.condition("renv/marked", &two.mine, "Ready").await
}

/// What is too large is refused, and what is merely large is taken.
async fn huge(world: &World, two: &Two) -> Result<()> {
    let noted = |size: usize| {
        format!(
            "apiVersion: roadstead.dev/v1alpha1\nkind: Application\nmetadata: {{name: large, annotations: {{note: {}}}}}\nspec: {{image: a}}\n",
            "x".repeat(size)
        )
    };
    let create = "create DORA -n MINE --dry-run=server -f -";
    two.attempt(
        world,
        &[
            (create, &noted(300 << 10), Some("Too long")),
            (create, &noted(200 << 10), None),
            (create, &noted(4 << 20), Some("")),
        ],
    )
    .await
}
