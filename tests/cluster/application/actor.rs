//! Who did what: told in Events and written on the object, and forged by nobody.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{instance_with, live, patched, toy};
use crate::world::World;

const PORT: &str = r#"{"spec":{"displayName":"Toy"}}"#;

/// The Events in a namespace that these selectors find and that tell of a change.
async fn changes(world: &World, ns: &str, selectors: &str) -> Result<Vec<Value>> {
    let words = format!("get events -n {ns} -o json {selectors}");
    let list: Value = serde_json::from_str(&world.kubectl(&words).await?)?;
    let items = list["items"].as_array().cloned().unwrap_or_default();
    let changed = items.into_iter().filter(|e| e["reason"] == "Changed");
    Ok(changed.collect())
}

/// Who made and who changed an object stands on it.
async fn marks(world: &World, what: &str, ns: &str) -> Result<(String, String)> {
    let annotations = world.at(what, ns, "/metadata/annotations").await?;
    let one = |key: &str| {
        let value = annotations[format!("roadstead.dev/{key}")].as_str();
        value
            .map(str::to_owned)
            .with_context(|| format!("{what} does not say {key}"))
    };
    Ok((one("created-by")?, one("changed-by")?))
}

/// Each change is told with who made it and what of, can be found by person, kind and object, and outlives the person's account.
///
/// proves: DV-089, DV-090, DV-092, DV-093
pub async fn each_change_is_told_with_who_made_it(world: World) -> Result<()> {
    let robot = "system:serviceaccount:instance-told:robot";
    let ns = instance_with(&world, "told", &["dora", robot]).await?;
    world
        .kubectl(&format!("create serviceaccount robot -n {ns}"))
        .await?;
    world
        .apply_in(&ns, &(toy("toy", "") + &live("toy", "  state: Stopped")))
        .await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    patched(&world, "rapp/toy", &ns, "dora", PORT)
        .await?
        .ok("change")?;
    let seen = |selectors: &'static str| {
        let (world, ns) = (world.clone(), ns.clone());
        async move {
            world
                .until(&format!("Events tell of {selectors}"), || async {
                    let found = changes(&world, &ns, selectors).await?;
                    Ok((!found.is_empty()).then_some(found))
                })
                .await
        }
    };
    let by_dora = seen("-l roadstead.dev/actor=dora").await?;
    ensure!(by_dora.len() == 1, "{by_dora:?}");
    ensure!(by_dora[0]["message"] == "dora changed spec.displayName.");
    let tags = r#"{"spec":{"tags":["a"],"defaultBranch":"trunk"}}"#;
    patched(&world, "rapp/toy", &ns, robot, tags)
        .await?
        .ok("change")?;
    patched(
        &world,
        "renv/toy-live",
        &ns,
        robot,
        r#"{"spec":{"branch":"x"}}"#,
    )
    .await?
    .ok("change")?;
    world
        .kubectl(&format!("delete serviceaccount robot -n {ns}"))
        .await?;
    let of_kind = "-l roadstead.dev/actor=system-serviceaccount-instance-told-robot \
                   --field-selector involvedObject.kind=Application,involvedObject.name=toy";
    let found = seen(of_kind).await?;
    let note = found[0]["message"].as_str().unwrap_or_default();
    let expected = format!("{robot} changed spec.defaultBranch and spec.tags.");
    ensure!(found.len() == 1 && note == expected, "{found:?}");
    ensure!(found[0]["metadata"]["annotations"]["roadstead.dev/actor"] == robot);
    let shown = format!("events -n {ns} --for application.roadstead.dev/toy");
    let shown = world.kubectl(&shown).await?;
    ensure!(
        shown.contains("dora changed") && shown.contains(&expected),
        "{shown}"
    );
    let (_, changed) = marks(&world, "rapp/toy", &ns).await?;
    ensure!(changed == robot, "it says {changed}");
    world.remove("told").await
}

/// Nobody can write who made a change, take it away, or alter what is told of it; and the mark costs no write of its own.
///
/// proves: DV-090, DV-094
pub async fn who_made_a_change_cannot_be_forged(world: World) -> Result<()> {
    let ns = instance_with(&world, "forged", &["dora", "mallory"]).await?;
    let words = ["kubectl", "apply", "-n", &ns, "--as=dora", "-f", "-"];
    let forged = toy("toy", "").replace(
        "metadata: {name: toy}",
        "metadata: {name: toy, annotations: {roadstead.dev/created-by: mallory, roadstead.dev/changed-by: mallory}}",
    );
    world.run(&words, Some(&forged)).await?.ok("apply")?;
    let dora = ("dora".to_owned(), "dora".to_owned());
    ensure!(marks(&world, "rapp/toy", &ns).await? == dora);
    for marks_of in [
        "roadstead.dev/changed-by=mallory",
        "roadstead.dev/created-by-",
    ] {
        let words = format!("annotate rapp/toy -n {ns} --overwrite {marks_of} --as=mallory");
        world.kubectl(&words).await?;
    }
    ensure!(marks(&world, "rapp/toy", &ns).await? == dora);
    patched(&world, "rapp/toy", &ns, "mallory", PORT)
        .await?
        .ok("change")?;
    let mallory = ("dora".to_owned(), "mallory".to_owned());
    ensure!(marks(&world, "rapp/toy", &ns).await? == mallory);
    let event = world
        .until("the change is told", || async {
            let found = changes(&world, &ns, "-l roadstead.dev/actor=mallory").await?;
            Ok(found.into_iter().next())
        })
        .await?;
    let event = event["metadata"]["name"]
        .as_str()
        .context("no name")?
        .to_owned();
    for what in ["delete", "annotate"] {
        let more = if what == "annotate" { "a=b" } else { "" };
        let words = format!("{what} events {event} {more} -n {ns} --as=mallory");
        world.try_kubectl(&words).await?.refused("forbidden")?;
    }
    world.apply_in(&ns, &live("toy", "")).await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    let operator = "system:serviceaccount:roadstead-system:roadstead";
    let (made, _) = marks(&world, "rel/toy-live-1", &ns).await?;
    ensure!(made == operator, "the release was made by {made}");
    let (_, changed) = marks(&world, "renv/toy-live", &ns).await?;
    ensure!(
        changed != operator,
        "the operator changed what people declare"
    );
    let version = world.at("renv/toy-live", &ns, "/metadata/resourceVersion");
    let version = version.await?;
    world.apply_in(&ns, &live("toy", "")).await?;
    let after = world.at("renv/toy-live", &ns, "/metadata/resourceVersion");
    ensure!(
        after.await? == version,
        "an apply that changes nothing is a write"
    );
    world.remove("forged").await
}
