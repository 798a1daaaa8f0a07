//! What one Environment takes over from another.

use anyhow::{Result, ensure};
use serde_json::json;

use super::SHOP;
use crate::{environment::Stage, world::World};

const TEST: &str = r#"---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: toy-test}
spec: {applicationRef: {name: toy}, image: "docker.io/acme/shop:1.5"}
"#;

const OTHER: &str = r#"---
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: other}
spec:
  image: docker.io/acme/shop:1.4
  port: 8000
  containers: [{name: web, kind: Web, command: [shop, web]}]
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: other-live}
spec: {applicationRef: {name: other}}
"#;

/// A promotion runs the image that another Environment ran, by its digest; one that is marked as unusable is refused, and nothing changes.
///
/// proves: DV-151, DV-153, DV-159, DV-164
pub async fn a_promotion_takes_the_image_of_another(world: World) -> Result<()> {
    let app = SHOP.replace("replicas: 3", "replicas: 1");
    let spec = ", variables: [{name: GREETING, value: live}]";
    let stage = Stage::ready(&world, "promotes", &format!("{app}{TEST}"), spec).await?;
    world.condition("renv/toy-test", &stage.ns, "Ready").await?;
    let adopt = ", adopt: {releaseRef: {name: toy-test-1}}";
    stage.release("promoted", adopt).await?;
    stage.wait("Ready").await?;
    let image = |release: &'static str| {
        let stage = &stage;
        async move { stage.world.at(release, &stage.ns, "/status/image").await }
    };
    let (tested, promoted) = (image("rel/toy-test-1").await?, image("rel/promoted").await?);
    ensure!(tested == promoted, "{tested} was tested, {promoted} runs");
    ensure!(tested.to_string().contains("@sha256:"), "{tested}");
    let runs = world
        .at(
            "deploy/toy-live-web",
            &stage.ns,
            "/spec/template/spec/containers/0/image",
        )
        .await?;
    ensure!(runs == tested, "{runs} runs");
    let words = format!("get secret promoted -n {}", stage.ns);
    let greeting = world
        .kubectl(&format!(
            "{words} -o go-template={{{{.data.GREETING|base64decode}}}}"
        ))
        .await?;
    ensure!(greeting == "live", "its configuration is {greeting}");

    what_cannot_be_promoted(&stage).await?;
    ensure!(stage.status("/currentRelease").await? == 2);
    stage.end().await
}

/// A Release that is not there, of another Application, marked as unusable or not successful is refused, and the Release says why.
async fn what_cannot_be_promoted(stage: &Stage) -> Result<()> {
    let (world, ns) = (&stage.world, &stage.ns);
    world.apply_in(ns, OTHER).await?;
    world.condition("renv/other-live", ns, "Ready").await?;
    let mark = "roadstead.dev/unusable=by-order";
    world
        .kubectl(&format!("annotate rel toy-test-1 -n {ns} {mark}"))
        .await?;
    for (name, source, why) in [
        ("of-nobody", "nobody", "it does not exist"),
        ("of-another", "other-live-1", "it is of another Application"),
        ("of-unusable", "toy-test-1", "marked as unusable: by-order"),
        ("of-failed", "of-nobody", "only one that succeeded can be"),
    ] {
        let adopt = format!(", adopt: {{releaseRef: {{name: {source}}}}}");
        stage.ask(name, &adopt).await?;
        let release = format!("rel/{name}");
        let refused = world
            .until(&format!("{name} is over"), || async {
                let conditions = world.at(&release, ns, "/status/conditions").await?;
                let all = conditions.as_array().into_iter().flatten();
                let mut over = all.filter(|c| c["type"] == "Succeeded" && c["status"] == "False");
                Ok(over.next().cloned())
            })
            .await?;
        ensure!(refused["reason"] == "SourceNotUsable", "{name}: {refused}");
        let message = refused["message"].as_str().unwrap_or_default();
        ensure!(message.contains(why), "{name}: {message}");
    }
    Ok(())
}

/// With buildMode Adopt an Environment goes on with the very image that serves, whatever is declared by now, and with the variables of today.
///
/// proves: DV-148, DV-149
pub async fn adopt_takes_the_image_that_serves(world: World) -> Result<()> {
    let app = SHOP.replace("replicas: 3", "replicas: 1");
    let stage = Stage::begin(&world, "adopts", &app, ", releasePolicy: Manual").await?;
    stage.ask("early", ", buildMode: Adopt").await?;
    let early = world
        .until("the first is refused", || async {
            let conditions = world
                .at("rel/early", &stage.ns, "/status/conditions")
                .await?;
            let text = conditions.to_string();
            Ok(text.contains("\"False\"").then_some(text))
        })
        .await?;
    ensure!(early.contains("NoImage"), "{early}");
    stage.release("first", "").await?;
    let image = |release: &'static str| world.at(release, &stage.ns, "/status/image");
    let first = image("rel/first").await?;
    ensure!(first.to_string().contains("@sha256:"), "{first}");
    stage
        .patch(json!({
            "image": "docker.io/acme/shop:never-built",
            "variables": [{"name": "GREETING", "value": "adopted"}],
        }))
        .await?;
    stage.release("adopting", ", buildMode: Adopt").await?;
    let adopted = image("rel/adopting").await?;
    ensure!(adopted == first, "{first} served, {adopted} was taken");
    stage.wait("Ready").await?;
    let words = format!("get secret adopting -n {}", stage.ns);
    let words = format!("{words} -o go-template={{{{.data.GREETING|base64decode}}}}");
    let greeting = world.kubectl(&words).await?;
    ensure!(greeting == "adopted", "its variables are {greeting}");
    stage.end().await
}

/// A pipeline with the rights of a Developer takes a Release out of use, and back into it, by an annotation; it writes no result, and
/// whoever only looks on does neither.
///
/// proves: DV-163, DV-164
pub async fn a_pipeline_marks_a_release_and_writes_no_result(world: World) -> Result<()> {
    let app = SHOP.replace("replicas: 3", "replicas: 1");
    let stage = Stage::ready(&world, "pipeline", &app, "").await?;
    let ns = stage.ns.clone();
    let access = r#"[{"kind":"User","name":"pipeline","role":"Developer"},{"kind":"User","name":"onlooker","role":"Viewer"}]"#;
    let patch = format!(r#"{{"spec":{{"access":{access}}}}}"#);
    let words = ["kubectl", "patch", "rinst/pipeline", "--type=merge", "-p"];
    let words: Vec<&str> = words.into_iter().chain([&*patch]).collect();
    world.run(&words, None).await?.ok("access")?;
    for (who, verb) in [("pipeline", "patch"), ("onlooker", "get")] {
        world
            .until(&format!("{who} may {verb}"), || async {
                let words = format!("auth can-i {verb} rel -n {ns} --as={who}");
                Ok((world.try_kubectl(&words).await?.code == 0).then_some(()))
            })
            .await?;
    }
    stage
        .patch(json!({"variables": [{"name": "GREETING", "value": "new"}]}))
        .await?;
    stage.wait("Ready").await?;

    let mark = async |what: &str, who: &str| {
        let words = format!("annotate rel toy-live-1 -n {ns} roadstead.dev/{what} --as={who}");
        world.try_kubectl(&words).await
    };
    mark("unusable=by-order", "onlooker")
        .await?
        .refused("cannot patch")?;
    mark("unusable=by-order", "pipeline").await?.ok("mark")?;
    let result = r#"{"status":{"phase":"Succeeded"}}"#;
    for who in ["pipeline", "onlooker"] {
        let who = format!("--as={who}");
        let words = ["kubectl", "patch", "rel/toy-live-1", "-n", &ns, &who];
        let status = ["--subresource=status", "--type=merge", "-p", result];
        let words: Vec<&str> = words.into_iter().chain(status).collect();
        let said = world.run(&words, None).await?;
        said.refused("resource \"releases/status\"")?;
    }
    let back = ", copyFrom: {releaseRef: {name: toy-live-1}}";
    stage.ask("refused", back).await?;
    world
        .until("going back is refused", || async {
            let conditions = world.at("rel/refused", &ns, "/status/conditions").await?;
            Ok(conditions.to_string().contains("by-order").then_some(()))
        })
        .await?;
    ensure!(stage.status("/currentRelease").await? == 2);
    mark("unusable-", "pipeline").await?.ok("unmark")?;
    stage.release("back", back).await?;
    stage.end().await
}
