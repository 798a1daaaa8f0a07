//! How a password changes.

use anyhow::{Result, ensure};

use super::Engine;
use crate::world::World;

/// A token changes the password of a running engine, once, and nobody reads it on the way.
///
/// proves: CH-080, CH-081, CH-087, CH-088, CH-089, DV-012
pub async fn a_password_changes_without_a_restart(world: World) -> Result<()> {
    let ns = world.instance("rotate").await?;
    let db = Engine::ready(&world, &ns, "db", "postgres", "").await?;
    let cache = Engine::ready(&world, &ns, "cache", "redis", "").await?;
    let shop = Engine::ready(&world, &ns, "shop", "mariadb", "").await?;
    let mut known = Vec::new();
    for token in ["one", "two"] {
        for engine in [&db, &cache, &shop] {
            let (old, pod) = (engine.credential("password").await?, engine.pod().await?);
            rotate(engine, token).await?;
            let new = engine.credential("password").await?;
            ensure!(new != old, "the password is the old one");
            ensure!(engine.pod().await? == pod, "the engine was started again");
            ensure!(opens(engine, &new).await?, "the new password opens nothing");
            ensure!(!opens(engine, &old).await?, "the old password still opens");
            known.extend([old, new]);
        }
    }
    for engine in [&db, &cache, &shop] {
        let password = engine.credential("password").await?;
        engine
            .patch(r#"{"spec":{"state":"Stopped"}}"#)
            .await?
            .ok("stop")?;
        engine.until("stopped").await?;
        engine
            .patch(r#"{"spec":{"state":"Running"}}"#)
            .await?
            .ok("start")?;
        engine.until("running").await?;
        ensure!(
            engine.credential("password").await? == password,
            "a start changed the password"
        );
        ensure!(opens(engine, &password).await?, "a start lost the password");
    }
    let mut said = world
        .kubectl(&format!("get msvc,events,sts,jobs,pods -n {ns} -o yaml"))
        .await?;
    said += &world.kubectl(&format!("logs -n {ns} db-0")).await?;
    said += &world
        .kubectl("logs -n roadstead-system deploy/roadstead --all-pods")
        .await?;
    ensure!(
        !known.iter().any(|p| said.contains(p)),
        "a password is in the open"
    );
    world.remove("rotate").await
}

async fn rotate(engine: &Engine<'_>, token: &str) -> Result<()> {
    let patch = format!(r#"{{"spec":{{"credentials":{{"rotate":"{token}"}}}}}}"#);
    engine.patch(&patch).await?.ok("rotate")?;
    engine
        .world
        .until(&format!("{} has acted on {token}", engine.name), || async {
            let rotated = engine.status("/rotated").await?;
            Ok((rotated == token).then_some(()))
        })
        .await?;
    let object = format!("msvc/{}", engine.name);
    engine.world.condition(&object, engine.ns, "Ready").await
}

async fn opens(engine: &Engine<'_>, password: &str) -> Result<bool> {
    if engine.name == "db" {
        return Ok(engine.sql(password, "select 1").await?.code == 0);
    }
    let ask = match engine.name {
        "shop" => format!(
            "echo \"select 'PONG'\" | MYSQL_PWD={password} mariadb --no-defaults --protocol=tcp --user=app app"
        ),
        _ => format!("REDISCLI_AUTH={password} redis-cli ping"),
    };
    Ok(engine.exec(&ask).await?.out.contains("PONG"))
}
