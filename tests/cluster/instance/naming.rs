//! How Instances are found and named.

use anyhow::{Context, Result, ensure};

use super::{condition, ensure_current, pod};
use crate::world::World;

/// Every Instance is listed by its URI, and shows what it is called, what it is for and how it does.
///
/// proves: EP-001, EP-002, EP-006, EP-007, EP-008, EP-009, EP-010, EP-044, EP-046, EP-051
pub async fn instances_are_listed_by_what_they_are_called(world: World) -> Result<()> {
    for name in ["listed-development", "listed-production", "listed-shop"] {
        world.instance(name).await?;
    }
    let table = world.kubectl("get rinst").await?;
    let head = table.lines().next().unwrap_or_default();
    for column in ["NAME", "URI", "PLAN", "STATE", "READY"] {
        ensure!(head.contains(column), "no column {column} in: {head}");
    }
    let list = world
        .kubectl("get rinst -o jsonpath={.items[*].status.uri}")
        .await?;
    let listed: Vec<&str> = list.split_whitespace().collect();
    for name in ["listed-development", "listed-production", "listed-shop"] {
        ensure!(
            listed.contains(&format!("/instances/{name}").as_str()),
            "{name} is not in {list}"
        );
    }
    let one = world
        .of_name("listed-production")
        .await?
        .context("it is there")?;
    ensure!(one["status"]["uri"] == "/instances/listed-production");
    ensure!(one["spec"]["name"] == "listed-production");
    ensure!(one["spec"]["description"] == "A story's Instance");
    ensure!(condition(&one, "Ready").is_some_and(|c| c["status"] == "True"));
    ensure_current(&one)?;
    let text = one.to_string().to_lowercase();
    for word in ["password", "token", "\"secret\""] {
        ensure!(!text.contains(word), "{word} stands in the Instance");
    }
    let unknown = world.try_kubectl("get rinst listed-nowhere").await?;
    ensure!(unknown.code == 1);
    unknown.refused("NotFound")?;
    for name in ["listed-development", "listed-production", "listed-shop"] {
        world.remove(name).await?;
    }
    Ok(())
}

/// Name and description change alone or together, the answer shows both, and what is malformed changes nothing.
///
/// proves: EP-018, EP-019, EP-020, EP-021, EP-022, EP-023, EP-026
pub async fn a_name_and_a_description_change_alone_and_together(world: World) -> Result<()> {
    world.instance("changed").await?;
    let said = world
        .patch("changed", r#"{"spec":{"description":"n"}}"#)
        .await?
        .ok("patch")?;
    ensure!(
        said.contains(r#""description": "n""#) && said.contains(r#""name": "changed""#),
        "{said}"
    );
    let said = world
        .patch("changed", r#"{"spec":{"name":"changed-2"}}"#)
        .await?
        .ok("patch")?;
    ensure!(
        said.contains(r#""description": "n""#) && said.contains(r#""name": "changed-2""#),
        "{said}"
    );
    ensure_current(
        &world
            .until_status("changed", "/uri", "/instances/changed-2")
            .await?,
    )?;
    let both = r#"{"spec":{"name":"changed-3","description":"m"}}"#;
    world.patch("changed", both).await?.ok("patch")?;
    let now = world
        .until_status("changed", "/uri", "/instances/changed-3")
        .await?;
    ensure!(now["spec"]["description"] == "m");
    let malformed = world
        .patch("changed", r#"{"spec":{"name":"Bad_Name"}}"#)
        .await?;
    malformed.refused("spec.name")?;
    ensure!(world.of_name("changed").await?.context("it is there")?["spec"]["name"] == "changed-3");
    let claim = "apiVersion: roadstead.dev/v1alpha1\nkind: Instance\nmetadata: {name: changed}\n\
                 spec: {name: changed-3, description: m}\nstatus: {uri: /instances/mine}\n";
    let words = [
        "kubectl",
        "apply",
        "--server-side",
        "--force-conflicts",
        "-f",
        "-",
    ];
    world.run(&words, Some(claim)).await?.ok("apply")?;
    let after = world.of_name("changed").await?.context("it is there")?;
    ensure!(
        after["status"]["uri"] == "/instances/changed-3",
        "the URI was written by a user"
    );
    world.remove("changed").await
}

/// A rename leaves the Namespace and everything in it as it was.
///
/// proves: EP-020, EP-025, EP-026
pub async fn a_rename_moves_nothing(world: World) -> Result<()> {
    let ns = world.instance("renamed").await?;
    world.apply_in(&ns, &pod("runs", "sleep 3600")).await?;
    world
        .apply_in(
            &ns,
            r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: kept}
data: {a: b}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: kept}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 64Mi}}}
"#,
        )
        .await?;
    world.condition("pod/runs", &ns, "Ready").await?;
    let all = format!(
        "get ns/{ns} cm/kept pvc/kept pod/runs -n {ns} -o jsonpath={{.items[*].metadata.uid}}"
    );
    let before = world.kubectl(&all).await?;
    ensure!(before.split_whitespace().count() == 4);
    world
        .patch("renamed", r#"{"spec":{"name":"renamed-2"}}"#)
        .await?
        .ok("patch")?;
    let now = world
        .until_status("renamed", "/uri", "/instances/renamed-2")
        .await?;
    ensure!(now["status"]["namespace"] == *ns);
    let carried = world
        .at(
            &format!("ns/{ns}"),
            &ns,
            "/metadata/annotations/roadstead.dev~1name",
        )
        .await?;
    ensure!(carried == "renamed-2");
    ensure!(world.kubectl(&all).await? == before, "something was moved");
    ensure!(
        world
            .at("pod/runs", &ns, "/status/containerStatuses/0/restartCount")
            .await?
            == 0
    );
    world.remove("renamed").await
}

/// A name that another Instance has is refused, to a new one and to one that is renamed.
///
/// proves: EP-017, EP-024
pub async fn a_name_belongs_to_one_instance(world: World) -> Result<()> {
    world.instance("holder").await?;
    world.instance("asker").await?;
    let renamed = world
        .patch("asker", r#"{"spec":{"name":"holder"}}"#)
        .await?;
    renamed.refused("NameTaken: spec.name holder is the name of Instance holder")?;
    ensure!(
        world.of_name("asker").await?.context("it is there")?["status"]["uri"]
            == "/instances/asker"
    );
    let second = "apiVersion: roadstead.dev/v1alpha1\nkind: Instance\nmetadata: {name: second}\n\
                  spec: {name: holder, description: x}\n";
    world.try_apply(second).await?.refused("NameTaken")?;
    let twin = world
        .run(
            &["kubectl", "create", "-f", "-"],
            Some(&second.replace("second", "asker")),
        )
        .await?;
    ensure!(twin.code != 0, "a second object of one name");
    world.remove("holder").await?;
    world.remove("asker").await
}

/// Of many that ask for one name in the same moment, one gets it, and each of the others says whose it is.
///
/// proves: EP-017
pub async fn of_many_that_ask_at_once_one_gets_the_name(world: World) -> Result<()> {
    let manifest = |i: usize| {
        format!(
            "apiVersion: roadstead.dev/v1alpha1\nkind: Instance\nmetadata: {{name: wanted-{i}}}\n\
             spec: {{name: wanted, description: x}}\n"
        )
    };
    let texts: Vec<String> = (0..6).map(manifest).collect();
    let asked =
        futures::future::try_join_all(texts.iter().map(|text| world.try_apply(text))).await?;
    let mut ready = 0;
    for (i, said) in asked.into_iter().enumerate() {
        if said.code != 0 {
            said.refused("NameTaken")?;
            continue;
        }
        let name = format!("wanted-{i}");
        let settled = world
            .until(&format!("{name} is settled"), || async {
                let object = world.of_name(&name).await?.context("it is gone")?;
                let is = condition(&object, "Ready").is_some_and(|c| c["status"] != "Unknown");
                Ok(is.then_some(object))
            })
            .await?;
        if condition(&settled, "Ready").is_some_and(|c| c["status"] == "True") {
            ready += 1;
        } else {
            ensure!(
                condition(&settled, "Stalled").is_some_and(|c| c["reason"] == "NameTaken"),
                "{settled}"
            );
            ensure!(
                settled["status"]["uri"].is_null(),
                "a URI without a name: {settled}"
            );
            ensure!(
                settled.to_string().contains("NameTaken/wanted-"),
                "no blocker: {settled}"
            );
        }
        world
            .kubectl(&format!("delete rinst {name} --wait=false"))
            .await?;
    }
    ensure!(ready == 1, "{ready} have the name");
    Ok(())
}

/// There is no limit on how many Instances there are.
///
/// proves: EP-045
pub async fn fifty_instances_are_ready_side_by_side(world: World) -> Result<()> {
    let manifest = |i: usize| {
        format!(
            "apiVersion: roadstead.dev/v1alpha1\nkind: Instance\n\
             metadata: {{name: fifty-{i}, labels: {{story: fifty}}}}\nspec: {{name: fifty-{i}, description: One of fifty}}\n"
        )
    };
    let all: Vec<String> = (1..=50).map(manifest).collect();
    world.apply(&all.join("---\n")).await?;
    world
        .kubectl("wait rinst -l story=fifty --for=condition=Ready --timeout=180s")
        .await?;
    let spaces = world
        .kubectl("get rinst -l story=fifty -o jsonpath={.items[*].status.namespace}")
        .await?;
    let different: std::collections::BTreeSet<&str> = spaces.split_whitespace().collect();
    ensure!(different.len() == 50);
    world
        .kubectl("delete rinst -l story=fifty --wait=false")
        .await?;
    Ok(())
}
