//! What is declared in one Instance finds nothing of another.

use anyhow::{Result, ensure};

use super::{Two, blockers, object, toy, until_blocked};
use crate::world::World;

/// What must not be found anywhere but in the Instance that it belongs to.
const CANARY: &str = "canary-of-another-instance";

/// Every reference that names what another Instance has finds nothing, and finds what one's own Instance has under that name.
///
/// proves: EP-038, EP-039
pub async fn no_reference_finds_what_another_instance_has(world: World) -> Result<()> {
    let two = Two::begin(&world, "reach").await?;
    let uid8 = far(&world, &two).await?;
    let own = [
        toy("near"),
        object(
            "Environment",
            "taker",
            "{applicationRef: {name: near}, releasePolicy: Manual}",
        ),
        object(
            "Service",
            "own",
            "{classRef: {name: redis}, state: Stopped}",
        ),
    ]
    .concat();
    two.done(&world, "apply DORA -n MINE -f -", &own).await?;
    for (kind, what, spec, by) in DECLARED {
        let name = what.rsplit('/').next().unwrap_or_default();
        let yaml = object(kind, name, &spec.replace("UID8", &uid8));
        two.done(&world, "apply DORA -n MINE -f -", &yaml).await?;
        until_blocked(&world, what, &two.mine, by).await?;
    }
    two.done(&world, "get rel/far-live-1 -n THEIRS", "").await?;
    nothing_crossed(&world, &two).await?;
    twins(&world, &two).await?;
    two.end(&world).await
}

/// What the other Instance has; returns how the UID of its Service begins.
async fn far(world: &World, two: &Two) -> Result<String> {
    let keys = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData: {{token: {CANARY}}}\n"
    );
    let far = [
        keys,
        toy("far"),
        object("Environment", "far-live", "{applicationRef: {name: far}}"),
        object(
            "Service",
            "far-db",
            "{classRef: {name: redis}, state: Stopped}",
        ),
        object("Backup", "far-copy", "{serviceRef: {name: far-db}}"),
    ]
    .concat();
    two.done(world, "apply -n THEIRS -f -", &far).await?;
    world
        .condition("renv/far-live", &two.theirs, "Ready")
        .await?;
    let uid = world
        .at("msvc/far-db", &two.theirs, "/metadata/uid")
        .await?;
    let uid = uid.as_str().unwrap_or_default();
    Ok(uid.get(..8).unwrap_or_default().to_owned())
}

/// The same names, of one's own, are found.
async fn twins(world: &World, two: &Two) -> Result<()> {
    let own = [
        "---\napiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {token: mine}\n"
            .to_owned(),
        toy("far"),
        object(
            "Environment",
            "far-live",
            "{applicationRef: {name: far}, state: Stopped}",
        ),
    ]
    .concat();
    two.done(world, "apply ADAM -n MINE -f -", &own).await?;
    for (what, by) in [
        ("renv/reads", "SecretMissing"),
        ("renv/of-far", "ApplicationMissing"),
        ("acj/nightly", "EnvironmentNotFound"),
        ("rapp/fork", "SourceMissing"),
    ] {
        world
            .until(&format!("{what} finds its own"), || async {
                let all = blockers(world, what, &two.mine).await?;
                Ok((!all.iter().any(|word| word.starts_with(by))).then_some(()))
            })
            .await?;
    }
    Ok(())
}

/// What is declared, and what it waits for in vain: nothing of it is in this Instance.
const DECLARED: &[(&str, &str, &str, &str)] = &[
    (
        "Environment",
        "renv/reads",
        "{applicationRef: {name: near}, variables: [{name: TOKEN, sensitive: true, valueFrom: {secretKeyRef: {name: keys, key: token}}}]}",
        "SecretMissing",
    ),
    (
        "Environment",
        "renv/of-far",
        "{applicationRef: {name: far}}",
        "ApplicationMissing",
    ),
    (
        "Environment",
        "renv/attached",
        "{applicationRef: {name: near}, services: [{name: far-db, prefix: DEFAULT}]}",
        "ServiceMissing",
    ),
    (
        "Environment",
        "renv/copied",
        "{applicationRef: {name: near}, copyFrom: {environmentRef: {name: far-live}}}",
        "CopySourceMissing",
    ),
    (
        "Application",
        "rapp/fork",
        "{copyFrom: {applicationRef: {name: far}, type: Fork}}",
        "SourceMissing",
    ),
    (
        "Release",
        "rel/take",
        "{environmentRef: {name: taker}, adopt: {releaseRef: {name: far-live-1}}}",
        "SourceNotUsable",
    ),
    (
        "Cronjob",
        "acj/nightly",
        "{environmentRef: {name: far-live}, command: [\"true\"], frequency: Daily, time: \"02:30\"}",
        "EnvironmentNotFound",
    ),
    (
        "Backup",
        "dbk/of-service",
        "{serviceRef: {name: far-db}}",
        "ServiceMissing",
    ),
    (
        "Backup",
        "dbk/of-environment",
        "{environmentRef: {name: far-live}}",
        "EnvironmentMissing",
    ),
    (
        "Service",
        "msvc/from-copy",
        "{classRef: {name: redis}, restoreFrom: {backupRef: {name: far-copy}}}",
        "BackupNotFound",
    ),
    (
        "Service",
        "msvc/far-db",
        "{classRef: {name: redis}, restoreFrom: {retained: {uid: UID8}}}",
        "RetainedMissing",
    ),
    (
        "Restore",
        "drs/back",
        "{backupRef: {name: far-copy}, services: [{into: own}]}",
        "OverwriteMissing",
    ),
    (
        "Restore",
        "drs/far",
        "{backupRef: {name: far-copy}, services: [{into: nowhere}]}",
        "BackupNotFound",
    ),
];

/// Nothing of the other Instance's secret stands in this one, and nothing was made in the other one.
async fn nothing_crossed(world: &World, two: &Two) -> Result<()> {
    let kinds = "rapp,renv,rel,msvc,acj,dbk,drs,secrets,deploy,jobs,pods,events";
    let mine = two
        .done(world, &format!("get {kinds} -n MINE -o yaml"), "")
        .await?;
    ensure!(
        !mine.contains(CANARY),
        "the other Instance's secret is here"
    );
    ensure!(
        !mine.contains(&two.theirs),
        "the other Instance's namespace is here"
    );
    let theirs = two
        .done(
            world,
            "get rapp,renv,msvc,acj,dbk,drs -n THEIRS -o name",
            "",
        )
        .await?;
    ensure!(theirs.lines().count() == 4, "something was made: {theirs}");
    Ok(())
}
