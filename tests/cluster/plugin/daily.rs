//! What a developer asks for every day: one command, a shell, the variables, what waits, and the same image elsewhere.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{TOY, roadstead};
use crate::world::{Said, World};

const VARIABLES: &str = r#"
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {token: "it's ours"}
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: toy-test}
spec: {applicationRef: {name: toy}, releasePolicy: Manual}
"#;

/// A command runs beside the replicas with the environment's variables, its lines and its exit code come back, and nothing of it stays.
pub async fn one_command_runs_beside_the_replicas(world: World) -> Result<()> {
    let ns = world.instance("plugin-once").await?;
    let toy = TOY.replace(
        "applicationRef: {name: toy}}",
        "applicationRef: {name: toy}, variables: [{name: STAGE, value: live and well}]}",
    );
    world.apply_in(&ns, &toy).await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    let script = r#"echo "$STAGE"; busybox printf 'no newline'; exit 42"#;
    let said = in_shell(
        &world,
        &["run", "toy-live", "--instance", "plugin-once"],
        script,
    )
    .await?;
    ensure!(said.code == 42, "{said:?}");
    ensure!(said.out == "live and well\nno newline", "{said:?}");
    let fine = in_shell(
        &world,
        &["run", "toy-live", "--instance", "plugin-once"],
        "true",
    )
    .await?;
    ensure!(fine.code == 0 && fine.out.is_empty(), "{fine:?}");
    world
        .until("nothing of it is left", async || {
            let left = format!("get acj,jobs -n {ns} -o name");
            let left = world.kubectl(&left).await?;
            Ok(left.trim().is_empty().then_some(()))
        })
        .await?;
    let nowhere = in_shell(
        &world,
        &["run", "nobody", "--instance", "plugin-once"],
        "true",
    )
    .await?;
    ensure!(nowhere.code == 4, "{nowhere:?}");

    let shell = in_shell(
        &world,
        &["exec", "toy-live", "--instance", "plugin-once"],
        "echo $STAGE; exit 7",
    )
    .await?;
    ensure!(
        shell.code == 7 && shell.out == "live and well\n",
        "{shell:?}"
    );
    let none = "exec toy-live -c worker --instance plugin-once";
    let none = roadstead(&world, none).await?;
    none.refused("no replica of container worker")?;
    world.remove("plugin-once").await
}

/// Variables are listed with where they come from, what waits is named without a value, and another environment gets the same image.
///
/// proves: DV-133
pub async fn variables_differences_and_promotion(world: World) -> Result<()> {
    let ns = world.instance("plugin-daily").await?;
    world.apply_in(&ns, &format!("{TOY}{VARIABLES}")).await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    let nothing = roadstead(&world, "diff toy-live --exit-code --instance plugin-daily").await?;
    ensure!(nothing.ok("diff")?.contains("nothing waits"));
    let patch = r#"{"spec":{"releasePolicy":"Manual","variables":[
        {"name":"STAGE","value":"live"},{"name":"TOKEN","valueFrom":{"secretKeyRef":{"name":"keys","key":"token"}},"sensitive":true}]}}"#;
    world
        .run(
            &[
                "kubectl",
                "patch",
                "renv/toy-live",
                "-n",
                &ns,
                "--type=merge",
                "-p",
                patch,
            ],
            None,
        )
        .await?
        .ok("patch")?;
    let waits = world
        .until("the change is seen", async || {
            let said =
                roadstead(&world, "diff toy-live --exit-code --instance plugin-daily").await?;
            Ok((said.code == 1).then_some(said.out))
        })
        .await?;
    ensure!(
        waits.contains("STAGE") && waits.contains("TOKEN"),
        "{waits}"
    );
    ensure!(
        !waits.contains("ours") && !waits.contains("live\n"),
        "a value is told: {waits}"
    );
    let values = roadstead(&world, "diff toy-live --values --instance plugin-daily").await?;
    let values = values.ok("diff")?;
    ensure!(
        values.contains("- → live") && values.contains("secret/keys") && !values.contains("ours"),
        "{values}"
    );

    variables_are_listed_and_exported(&world).await?;
    another_one_gets_the_image(&world, &ns).await?;
    world.remove("plugin-daily").await
}

/// Without `--values` no value is told; with it a shell reads each as it is.
async fn variables_are_listed_and_exported(world: &World) -> Result<()> {
    roadstead(world, "release toy-live --instance plugin-daily")
        .await?
        .ok("release")?;
    let listed = roadstead(world, "env toy-live -o json --instance plugin-daily")
        .await?
        .ok("env")?;
    ensure!(!listed.contains("ours"), "a value is told: {listed}");
    let listed: Value = serde_json::from_str(&listed)?;
    let token = listed
        .as_array()
        .and_then(|all| all.iter().find(|v| v["name"] == "TOKEN"));
    ensure!(
        token.is_some_and(|t| t["sensitive"] == true && t["origin"] == "Environment"),
        "{listed}"
    );
    let export = roadstead(
        world,
        "env toy-live --values --export --instance plugin-daily",
    )
    .await?;
    let script = format!("{}\necho \"$STAGE:$TOKEN\"", export.ok("env")?);
    let read = world.run(&["sh", "-c", &script], None).await?.ok("sh")?;
    ensure!(read == "live:it's ours\n", "{read}");
    Ok(())
}

/// What one environment runs, another one runs by its digest.
async fn another_one_gets_the_image(world: &World, ns: &str) -> Result<()> {
    let before = world
        .at("renv/toy-test", ns, "/status/currentRelease")
        .await?;
    let said = roadstead(
        world,
        "promote toy-live --to toy-test --instance plugin-daily",
    )
    .await?;
    let said = said.ok("promote")?;
    ensure!(
        said.contains("environment/toy-test serves release"),
        "{said}"
    );
    let after = world
        .at("renv/toy-test", ns, "/status/currentRelease")
        .await?;
    ensure!(before != after, "{before} {after}");
    let image = "/spec/template/spec/containers/0/image";
    let test = world.at("deploy/toy-test-web", ns, image).await?;
    ensure!(
        test.to_string().contains("@sha256:"),
        "not by its digest: {test}"
    );
    promotions_that_cannot_be(world, ns).await
}

/// A promotion to itself, from nowhere, or of what is marked as unusable is refused, each with its exit code.
async fn promotions_that_cannot_be(world: &World, ns: &str) -> Result<()> {
    let promote = async |words: &str| roadstead(world, &format!("promote {words} -n {ns}")).await;
    let itself = promote("toy-live --to toy-live").await?;
    ensure!(itself.code == 2, "{itself:?}");
    let nobody = promote("nobody --to toy-test").await?;
    ensure!(nobody.code == 4, "{nobody:?}");
    let nowhere = promote("toy-live --to nobody").await?;
    ensure!(nowhere.code == 4, "{nowhere:?}");
    world
        .kubectl(&format!(
            "annotate rel toy-live-1 -n {ns} roadstead.dev/unusable=leaks"
        ))
        .await?;
    let marked = promote("rel/toy-live-1 --to toy-test").await?;
    ensure!(marked.code == 1, "{marked:?}");
    marked.refused("it is marked as unusable: leaks")
}

/// The plugin with a command for a shell at the other end.
async fn in_shell(world: &World, words: &[&str], script: &str) -> Result<Said> {
    let all = ["kubectl", "roadstead"].iter().chain(words);
    let end = ["--", "busybox", "sh", "-c", script];
    let all: Vec<&str> = all.copied().chain(end).collect();
    world.run(&all, None).await
}
