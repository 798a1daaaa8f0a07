//! Many Environments released at once.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{TOY, roadstead};
use crate::world::{Said, World};

const MORE: &str = r#"
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: toy-test, labels: {team: a}}
spec: {applicationRef: {name: toy}, slug: test}
---
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: other}
spec:
  image: docker.io/library/busybox:1.36
  port: 8000
  containers: [{name: web, kind: Web, command: [busybox, httpd, -f, -p, "8000", -h, /etc]}]
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: other-test, labels: {team: a}}
spec: {applicationRef: {name: other}, slug: test}
"#;

/// The names of the environments in both lists of a report.
fn told(said: Said, code: i32) -> Result<(Vec<Value>, Value)> {
    ensure!(said.code == code, "{said:?}");
    let report: Value = serde_json::from_str(&said.out)?;
    let released = report["released"].as_array().cloned().unwrap_or_default();
    let name = |r: &Value| r["spec"]["environmentRef"]["name"].clone();
    Ok((
        released.iter().map(name).collect(),
        report["failed"].clone(),
    ))
}

/// Many are released by what they are of and how they are; one that cannot be stops nobody, and both are listed.
///
/// proves: DV-173, DV-174, DV-175, DV-176
pub async fn many_are_released_and_one_that_cannot_be_stops_nobody(world: World) -> Result<()> {
    let ns = world.instance("plugin-many").await?;
    world.apply_in(&ns, &format!("{TOY}{MORE}")).await?;
    for name in ["toy-live", "toy-test", "other-test"] {
        world
            .condition(&format!("renv/{name}"), &ns, "Ready")
            .await?;
    }
    let release = async |words: &str| roadstead(&world, &format!("release {words} -n {ns}")).await;
    let nothing = release("").await?;
    ensure!(nothing.code == 2, "{nothing:?}");

    let (released, failed) = told(
        release("-l team=a --adopt rel/toy-live-1 -o json").await?,
        1,
    )?;
    ensure!(released == [json!("toy-test")], "{released:?}");
    ensure!(
        failed[0]["environment"] == "other-test" && failed[1].is_null(),
        "{failed}"
    );
    let error = failed[0]["error"].as_str().unwrap_or_default();
    ensure!(error.contains("of another Application"), "{error}");
    let current = "/status/currentRelease";
    let other = world.at("renv/other-test", &ns, current).await?;
    ensure!(other == 1, "other-test serves {other}");

    let (released, _) = told(release("--application toy -o json").await?, 0)?;
    ensure!(
        released == [json!("toy-live"), json!("toy-test")],
        "{released:?}"
    );
    let (released, _) = told(release("--slug test --limit 1 -o json").await?, 0)?;
    ensure!(released == [json!("other-test")], "{released:?}");
    let (released, _) = told(release("--failed -o json").await?, 0)?;
    ensure!(released.is_empty(), "{released:?}");
    let (released, _) = told(release("--state stopped -o json").await?, 0)?;
    ensure!(released.is_empty(), "{released:?}");
    world.remove("plugin-many").await
}
