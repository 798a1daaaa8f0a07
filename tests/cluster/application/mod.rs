//! Applications: who may do what with them, what they start from, how they are copied and retired.

mod actor;
mod archive;
mod copy;
mod platform;
mod search;
mod template;

pub use actor::*;
pub use archive::*;
pub use copy::*;
pub use platform::*;
pub use search::*;
pub use template::*;

use anyhow::Result;
use serde_json::Value;

use crate::world::{Said, World};

/// An Application that answers on port 8000, with more lines of its spec.
fn toy(name: &str, more: &str) -> String {
    format!(
        r#"---
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {{name: {name}}}
spec:
  image: docker.io/library/busybox:1.36
  port: 8000
  containers: [{{name: web, kind: Web, command: [busybox, httpd, -f, -p, "8000", -h, /etc]}}]
{more}
"#
    )
}

/// An Environment `<application>-live`, with more lines of its spec.
fn live(application: &str, more: &str) -> String {
    environment(&format!("{application}-live"), application, more)
}

/// An Environment of an Application, with more lines of its spec.
fn environment(name: &str, application: &str, more: &str) -> String {
    format!(
        "---\napiVersion: roadstead.dev/v1alpha1\nkind: Environment\nmetadata: {{name: {name}}}\n\
         spec:\n  applicationRef: {{name: {application}}}\n{more}\n"
    )
}

/// The namespace of an Instance of this name in which these may develop.
async fn instance_with(world: &World, name: &str, developers: &[&str]) -> Result<String> {
    let ns = world.instance(name).await?;
    let entry = |who: &&str| format!(r#"{{"kind":"User","name":"{who}","role":"Developer"}}"#);
    let access: Vec<String> = developers.iter().map(entry).collect();
    let patch = format!(r#"{{"spec":{{"access":[{}]}}}}"#, access.join(","));
    let object = format!("rinst/{name}");
    patched(world, &object, "default", "", &patch)
        .await?
        .ok("access")?;
    for who in developers {
        world
            .until(&format!("{who} may develop"), || async {
                let words = format!("auth can-i patch rapp -n {ns} --as={who}");
                Ok((world.try_kubectl(&words).await?.code == 0).then_some(()))
            })
            .await?;
    }
    Ok(ns)
}

/// Lays a merge patch over an object, as somebody or as the administrator, and tells what came of it.
async fn patched(world: &World, what: &str, ns: &str, who: &str, patch: &str) -> Result<Said> {
    let who = format!("--as={who}");
    let mut words = vec![
        "kubectl",
        "patch",
        what,
        "-n",
        ns,
        "--type=merge",
        "-p",
        patch,
    ];
    if who != "--as=" {
        words.push(&who);
    }
    world.run(&words, None).await
}

/// A condition of an object, by its type.
async fn condition(world: &World, what: &str, ns: &str, type_: &str) -> Result<Value> {
    let conditions = world.at(what, ns, "/status/conditions").await?;
    let mut all = conditions.as_array().into_iter().flatten();
    Ok(all
        .find(|c| c["type"] == type_)
        .cloned()
        .unwrap_or_default())
}

/// Waits until a condition of an object has this reason.
async fn until_condition(
    world: &World,
    what: &str,
    ns: &str,
    type_: &str,
    reason: &str,
) -> Result<Value> {
    world
        .until(&format!("{type_} of {what} is {reason}"), || async {
            let found = condition(world, what, ns, type_).await?;
            Ok((found["reason"] == reason).then_some(found))
        })
        .await
}

/// Waits until a blocker of an object says what is in the way; returns what to do about it.
async fn until_blocked(world: &World, what: &str, ns: &str, by: &str) -> Result<String> {
    world
        .until(&format!("{what} is blocked by {by}"), || async {
            let blockers = world.at(what, ns, "/status/blockers").await?;
            let mut all = blockers.as_array().into_iter().flatten();
            let found = all.find(|b| b["what"] == by);
            Ok(found.and_then(|b| b["fix"].as_str().map(str::to_owned)))
        })
        .await
}

/// Waits until nothing of an object is left.
async fn until_gone(world: &World, what: &str, ns: &str) -> Result<()> {
    world
        .until(&format!("{what} is gone"), || async {
            Ok(world.get(what, ns).await?.is_none().then_some(()))
        })
        .await
}

/// Waits for the next second: the API server counts the age of objects in whole ones.
async fn next_second(world: &World) -> Result<()> {
    let second = || jiff::Timestamp::now().as_second();
    let now = second();
    let passed = || async { Ok((second() > now).then_some(())) };
    world.until("a second has passed", passed).await
}
