//! How Applications are found.

use anyhow::{Result, ensure};

use super::{instance_with, next_second, patched, toy};
use crate::world::World;

/// Applications are found by tag and by a part of their name, and listed in order.
///
/// proves: DV-029, DV-030, DV-031
pub async fn applications_are_found_by_tag_and_by_a_part_of_their_name(world: World) -> Result<()> {
    let ns = world.instance("found").await?;
    let names = |said: String| -> Vec<String> {
        let lines = said.lines();
        lines
            .filter_map(|l| l.rsplit('/').next().map(str::to_owned))
            .collect()
    };
    let tagged = |tag: &str| format!("get rapp -n {ns} -o name -l tag.roadstead.dev/{tag}");
    world
        .apply_in(&ns, &toy("shop-b", "  tags: [django, v2.0]"))
        .await?;
    next_second(&world).await?;
    world
        .apply_in(&ns, &toy("a-shop", "  tags: [django]"))
        .await?;
    next_second(&world).await?;
    world.apply_in(&ns, &toy("blog", "")).await?;
    ensure!(names(world.kubectl(&tagged("django")).await?) == ["a-shop", "shop-b"]);
    ensure!(names(world.kubectl(&tagged("v2.0")).await?) == ["shop-b"]);
    world
        .kubectl(&format!(
            "label rapp/blog -n {ns} tag.roadstead.dev/django="
        ))
        .await?;
    let fewer = r#"{"spec":{"tags":["v2.0"]}}"#;
    patched(&world, "rapp/shop-b", &ns, "", fewer)
        .await?
        .ok("tags")?;
    let found = names(world.kubectl(&tagged("django")).await?);
    ensure!(found == ["a-shop"], "labels are not the tags: {found:?}");
    let part = format!("kubectl get rapp -n {ns} -o name | grep shop");
    let found = world.run(&["sh", "-c", &part], None).await?.ok("search")?;
    ensure!(names(found) == ["a-shop", "shop-b"]);
    for (by, expected) in [
        (".metadata.name", ["a-shop", "blog", "shop-b"]),
        (".metadata.creationTimestamp", ["shop-b", "a-shop", "blog"]),
    ] {
        let sorted = format!("get rapp -n {ns} -o name --sort-by={by}");
        let found = names(world.kubectl(&sorted).await?);
        ensure!(found == expected, "by {by}: {found:?}");
        let back = format!("kubectl get rapp -n {ns} -o name --sort-by={by} | tac");
        let found = names(world.run(&["sh", "-c", &back], None).await?.ok("tac")?);
        ensure!(found.iter().rev().eq(expected.iter()), "back: {found:?}");
    }
    world.remove("found").await
}

/// The name of an Application is taken once in its Instance, and free in another; who may do what can be asked beforehand.
///
/// proves: DV-023, DV-058
pub async fn a_name_is_taken_once_in_an_instance_and_rights_can_be_asked_for(
    world: World,
) -> Result<()> {
    let ns = instance_with(&world, "once-a", &["dora"]).await?;
    let other = world.instance("once-b").await?;
    let create = |ns: &str| {
        let words = ["kubectl", "create", "-n", ns, "-f", "-"].map(str::to_owned);
        words.to_vec()
    };
    for (ns, taken) in [(&ns, false), (&ns, true), (&other, false)] {
        let words = create(ns);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = world.run(&words, Some(&toy("toy", ""))).await?;
        if taken {
            said.refused("\"toy\" already exists")?;
        } else {
            said.ok("create")?;
        }
    }
    for (what, may) in [
        ("create rapp", true),
        ("delete rapp", true),
        ("suspend rapp", false),
        ("lock rapp", false),
        ("patch rapp --subresource=status", false),
        ("patch rtpl", false),
    ] {
        let asked = format!("auth can-i {what} -n {ns} --as=dora");
        let said = world.try_kubectl(&asked).await?;
        ensure!((said.code == 0) == may, "{what}: {}", said.out);
    }
    world.remove("once-a").await?;
    world.remove("once-b").await
}
