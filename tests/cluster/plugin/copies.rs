//! What starts as a copy, and what is retired, by hand.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{TOY, roadstead};
use crate::world::World;

const MIRRORED: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: toy-eu-live}
spec: {applicationRef: {name: toy-eu}}
"#;

/// An environment and an application are copied in one line each, and what an application and its mirrors run is shown together.
///
/// proves: DV-115
pub async fn copies_are_made_in_one_line(world: World) -> Result<()> {
    let ns = world.instance("plugin-copy").await?;
    world.apply_in(&ns, TOY).await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    let said = async |words: &str| roadstead(&world, &format!("{words} -n {ns}")).await;
    let copied = said("copy toy-live --to toy-next").await?.ok("copy")?;
    let expected = "environment/toy-next is running, a copy of environment toy-live.\n";
    ensure!(copied == expected, "{copied}");
    let stopped = said("copy renv/toy-live --to toy-later --stopped").await?;
    let stopped = stopped.ok("copy, stopped")?;
    ensure!(stopped.contains("toy-later is stopped"), "{stopped}");
    let again = said("copy toy-live --to toy-next").await?;
    ensure!(again.code == 1, "{again:?}");
    again.refused("there is environment/toy-next already")?;
    let nobody = said("copy nobody --to toy-other").await?;
    ensure!(nobody.code == 4, "{nobody:?}");

    let how = said("copy rapp/toy --to toy-eu").await?;
    ensure!(how.code == 2, "{how:?}");
    how.refused("add --as fork")?;
    let mirror = said("copy rapp/toy --to toy-eu --as mirror").await?;
    let mirror = mirror.ok("mirror")?;
    ensure!(
        mirror.contains("application/toy-eu is a mirror of application/toy"),
        "{mirror}"
    );
    world.apply_in(&ns, MIRRORED).await?;
    world.condition("renv/toy-eu-live", &ns, "Ready").await?;
    let shown = async |words: &str| -> Result<Vec<String>> {
        let json = said(&format!("status -o json {words}")).await?;
        let json: Value = serde_json::from_str(&json.ok("status")?)?;
        let all = json["environments"].as_array().cloned().unwrap_or_default();
        let names = all.iter().filter_map(|e| e["name"].as_str());
        Ok(names.map(str::to_owned).collect())
    };
    let own = shown("--application toy").await?;
    ensure!(own == ["toy-later", "toy-live", "toy-next"], "{own:?}");
    let all = shown("--application toy --with-mirrors").await?;
    ensure!(
        all == ["toy-eu-live", "toy-later", "toy-live", "toy-next"],
        "{all:?}"
    );
    world.remove("plugin-copy").await
}

/// An application is retired only when its name is typed back; it can be brought back, or go at once.
///
/// proves: DV-079, DV-083
pub async fn an_application_is_retired_by_its_name_and_brought_back(world: World) -> Result<()> {
    let ns = world.instance("plugin-archive").await?;
    world.apply_in(&ns, TOY).await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    let said = async |words: &str| roadstead(&world, &format!("{words} -n {ns}")).await;
    let unasked = said("archive toy").await?;
    ensure!(unasked.code == 2, "{unasked:?}");
    unasked.refused("add --confirm toy")?;
    let wrong = said("archive toy --confirm Toy").await?;
    ensure!(wrong.code == 1, "{wrong:?}");
    wrong.refused("is not the name of application/toy")?;
    let declared = world.at("rapp/toy", &ns, "/spec/archive").await?;
    ensure!(declared == Value::Null, "{declared}");

    let archived = said("archive toy --confirm toy --keep-for 1h").await?;
    ensure!(
        archived.err.contains("environments toy-live"),
        "{archived:?}"
    );
    let archived = archived.ok("archive")?;
    let at = world.at("rapp/toy", &ns, "/status/deletionAt").await?;
    let at = at.as_str().unwrap_or_default();
    ensure!(
        !at.is_empty() && archived.contains(&format!("is deleted at {at}")),
        "{at}: {archived}"
    );
    world
        .until("nothing of it runs", async || {
            let pods = world.kubectl(&format!("get pods -n {ns} -o name")).await?;
            Ok(pods.trim().is_empty().then_some(()))
        })
        .await?;
    let back = said("unarchive toy").await?.ok("unarchive")?;
    ensure!(back.contains("application/toy is back"), "{back}");
    let state = world.at("renv/toy-live", &ns, "/status/state").await?;
    ensure!(state == "running", "{state}");
    let twice = said("unarchive toy").await?.ok("unarchive twice")?;
    ensure!(twice.contains("is not archived"), "{twice}");

    let gone = said("archive toy --confirm toy --at-once").await?;
    let gone = gone.ok("archive at once")?;
    ensure!(gone.contains("application/toy is gone"), "{gone}");
    ensure!(world.get("renv/toy-live", &ns).await?.is_none());
    let none = said("archive toy --confirm toy").await?;
    ensure!(none.code == 4, "{none:?}");
    world.remove("plugin-archive").await
}
