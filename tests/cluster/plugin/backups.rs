//! Backing up by hand, putting data back, and taking that back.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::roadstead;
use crate::{backup::redis, service::Engine, world::World};

const WHERE: &str = "--instance plugin-backups";

/// A backup is taken, its data is put back in place once somebody agrees, that is undone, and a new service is made of it.
pub async fn data_is_backed_up_put_back_and_that_undone(world: World) -> Result<()> {
    let ns = world.instance("plugin-backups").await?;
    let more = "  deletionPolicy: StopFirst\n";
    let cache = Engine::ready(&world, &ns, "cache", "redis", more).await?;
    redis(&cache, "SET word before").await?;
    redis(&cache, "WAITAOF 1 0 5000").await?;
    let said = roadstead(&world, &format!("backup msvc/cache {WHERE} -o json")).await?;
    let backup: Value = serde_json::from_str(&said.ok("backup")?)?;
    let backup = backup["metadata"]["name"].as_str().context("no name")?;
    redis(&cache, "SET word after").await?;
    let said = roadstead(&world, &format!("backups msvc/cache {WHERE}")).await?;
    let list = said.ok("backups")?;
    ensure!(list.contains(backup) && list.contains("done"), "{list}");

    let restore = format!("restore {backup} {WHERE}");
    let unasked = roadstead(&world, &restore).await?;
    ensure!(unasked.code == 2, "{unasked:?}");
    ensure!(unasked.err.contains("service/cache"), "{unasked:?}");
    let nothing = roadstead(&world, &format!("{restore} --from other")).await?;
    ensure!(nothing.code == 4, "{nothing:?}");
    let said = roadstead(&world, &format!("{restore} --confirm cache")).await?;
    let sentence = said.ok("restore")?;
    ensure!(redis(&cache, "GET word").await? == "before", "{sentence}");
    let name = sentence.split_whitespace().last().context("no restore")?;
    let said = roadstead(&world, &format!("undo {name} {WHERE} --confirm {name}")).await?;
    let sentence = said.ok("undo")?;
    ensure!(redis(&cache, "GET word").await? == "after", "{sentence}");
    let again = roadstead(&world, &format!("undo {name} {WHERE} --confirm {name}")).await?;
    again.refused("is undone already")?;

    let anew = format!("{restore} --into twin");
    roadstead(&world, &anew).await?.ok("a new service")?;
    let twin = Engine {
        world: &world,
        ns: &ns,
        name: "twin",
    };
    ensure!(redis(&twin, "GET word").await? == "before");
    world.remove("plugin-backups").await
}
