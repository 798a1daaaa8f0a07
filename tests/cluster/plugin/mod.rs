//! The platform by hand: each verb of `kubectl roadstead` as people type it.

mod backups;
mod bulk;
mod copies;
mod daily;

use anyhow::{Result, ensure};
pub use backups::data_is_backed_up_put_back_and_that_undone;
pub use bulk::many_are_released_and_one_that_cannot_be_stops_nobody;
pub use copies::{
    an_application_is_retired_by_its_name_and_brought_back, copies_are_made_in_one_line,
};
pub use daily::{one_command_runs_beside_the_replicas, variables_differences_and_promotion};
use serde_json::Value;

use crate::world::{Said, World};

/// An Application that greets on its standard output and serves, and one Environment of it.
const TOY: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: toy}
spec:
  image: docker.io/library/busybox:1.36
  port: 8000
  containers:
  - {name: web, kind: Web, command: [busybox, sh, -c, "echo it serves; exec busybox httpd -f -p 8000 -h /etc"]}
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: toy-live}
spec: {applicationRef: {name: toy}}
"#;

const LACKING: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: lacking}
spec: {templateRef: {name: no-such-template}, image: docker.io/library/busybox:1.36, containers: [{name: web, kind: Web}]}
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: lacking-live}
spec: {applicationRef: {name: lacking}}
"#;

/// What waits is in the table, and `why` follows it to the missing class and says what to do.
pub async fn status_and_why_tell_what_is_waited_for(world: World) -> Result<()> {
    let ns = world.instance("plugin-why").await?;
    let waiting = r#"
---
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: toy-db}
spec: {classRef: {name: no-such-class}, tier: Development}
"#;
    let toy = TOY.replace(
        "applicationRef: {name: toy}}",
        "applicationRef: {name: toy}, services: [{name: toy-db, prefix: DEFAULT}]}",
    );
    world.apply_in(&ns, &format!("{toy}{waiting}")).await?;
    let why = world
        .until("the cause is known", async || {
            let said = roadstead(&world, "why renv/toy-live --instance plugin-why").await?;
            let known = said.out.contains("no-such-class");
            Ok((said.code == 0 && known).then_some(said.out))
        })
        .await?;
    ensure!(why.contains("\n  do: "), "no word on what to do: {why}");
    let table = roadstead(&world, "status --instance plugin-why").await?;
    let table = table.ok("status")?;
    ensure!(
        table.contains("toy-live") && table.contains("toy-db"),
        "{table}"
    );
    ensure!(table.lines().all(|l| l.chars().count() <= 80), "{table}");
    let json = roadstead(&world, "status --instance plugin-why -o json").await?;
    let json: Value = serde_json::from_str(&json.ok("status")?)?;
    ensure!(json["services"][0]["ready"] == false, "{json}");
    let missing = roadstead(&world, "why renv/nobody --instance plugin-why").await?;
    ensure!(missing.code == 4, "{missing:?}");
    missing.refused("there is no environment/nobody")?;
    for verb in ["status", "backups"] {
        let nowhere = roadstead(&world, &format!("{verb} --instance nowhere")).await?;
        ensure!(nowhere.code == 4, "{nowhere:?}");
        nowhere.refused("there is no instance/nowhere")?;
    }
    a_lacking_template_is_found(&world, &ns).await?;
    a_missing_image_and_a_lost_placeholder_are_named(&world, &ns).await?;
    world.remove("plugin-why").await
}

/// From the environment over its application to the template that is not there, and what to do about it.
async fn a_lacking_template_is_found(world: &World, ns: &str) -> Result<()> {
    world.apply_in(ns, LACKING).await?;
    let way = "environment/lacking-live waits for application/lacking, which waits for TemplateMissing/no-such-template.\n  \
        do: Ask the platform team for ApplicationTemplate no-such-template";
    world
        .until("the template is missed", async || {
            let said = roadstead(world, &format!("why renv/lacking-live -n {ns}")).await?;
            Ok((said.code == 0 && said.out.starts_with(way)).then_some(()))
        })
        .await
}

/// What holds a release up is named while it still goes on, and what a variable refers to in vain beside it.
async fn a_missing_image_and_a_lost_placeholder_are_named(world: &World, ns: &str) -> Result<()> {
    let variable = "variables: [{name: A, value: x $(NOWHERE), expand: true}]";
    let none = TOY
        .replace("toy", "none")
        .replace("docker.io/library/busybox:1.36", "docker.io/acme/none:1")
        .replace("{name: none}}", &format!("{{name: none}}, {variable}}}"));
    world.apply_in(ns, &none).await?;
    let why = world
        .until("it is known what holds it up", async || {
            let said = roadstead(world, &format!("why renv/none-live -n {ns}")).await?;
            Ok((said.code == 0 && said.out.contains("cannot be pulled")).then_some(said.out))
        })
        .await?;
    ensure!(why.contains("The image docker.io/acme/none:1 "), "{why}");
    ensure!(why.contains("$(NOWHERE) in A"), "{why}");
    let table = roadstead(world, &format!("status -n {ns}")).await?;
    let table = table.ok("status")?;
    ensure!(table.contains("$(NOWHERE) in A"), "{table}");
    ensure!(table.lines().all(|l| l.chars().count() <= 80), "{table}");
    let variables = roadstead(world, &format!("env none-live -n {ns}")).await?;
    ensure!(variables.err.contains("$(NOWHERE) in A"), "{variables:?}");
    Ok(())
}

/// A release and a rollback are waited for, and the rollback serves what the first release ran.
pub async fn release_and_rollback_wait_until_it_serves(world: World) -> Result<()> {
    let ns = world.instance("plugin-back").await?;
    world.apply_in(&ns, TOY).await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    let said = roadstead(&world, "release toy-live --instance plugin-back").await?;
    let said = said.ok("release")?;
    ensure!(said.contains("serves release 2"), "{said}");
    let said = roadstead(&world, "rollback toy-live --instance plugin-back").await?;
    ensure!(said.err.contains("back to what release 1"), "{said:?}");
    let said = said.ok("rollback")?;
    ensure!(said.contains("serves release 3"), "{said}");
    world.condition("renv/toy-live", &ns, "Ready").await?;
    let names = world.kubectl(&format!("get rel -n {ns} -o name")).await?;
    ensure!(names.contains("toy-live-back-"), "{names}");
    let unknown = roadstead(&world, "rollback toy-live --to 99 --instance plugin-back").await?;
    ensure!(unknown.code == 4, "{unknown:?}");
    world.remove("plugin-back").await
}

/// What is stopped has no pods, what is started serves again, and a suspended cronjob is resumed.
pub async fn stop_and_start_wait_until_it_is_so(world: World) -> Result<()> {
    let ns = world.instance("plugin-stop").await?;
    world.apply_in(&ns, TOY).await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    let said = roadstead(&world, "stop renv/toy-live --instance plugin-stop").await?;
    let said = said.ok("stop")?;
    ensure!(said.contains("environment/toy-live is stopped."), "{said}");
    world
        .until("no pod is left", async || {
            let pods = world.kubectl(&format!("get pods -n {ns} -o name")).await?;
            Ok(pods.trim().is_empty().then_some(()))
        })
        .await?;
    let said = roadstead(&world, "start renv/toy-live --instance plugin-stop").await?;
    let said = said.ok("start")?;
    ensure!(said.contains("environment/toy-live is running."), "{said}");
    let late = roadstead(
        &world,
        "stop renv/toy-live --instance plugin-stop --timeout 1ms",
    )
    .await?;
    ensure!(late.code == 3, "{late:?}");
    let managers = format!(
        "get renv/toy-live -n {ns} --show-managed-fields -o jsonpath={{.metadata.managedFields[*].manager}}"
    );
    let managers = world.kubectl(&managers).await?;
    ensure!(managers.contains("kubectl-roadstead"), "{managers}");
    world.remove("plugin-stop").await
}

/// A cronjob runs once, now; its exit code is told, and its lines can be read like those of replicas.
pub async fn run_tells_the_exit_code_and_logs_the_lines(world: World) -> Result<()> {
    let ns = world.instance("plugin-run").await?;
    let cronjob = r#"
---
apiVersion: roadstead.dev/v1alpha1
kind: Cronjob
metadata: {name: nightly}
spec:
  environmentRef: {name: toy-live}
  command: [busybox, sh, -c, "echo swept the floor; exit 3"]
  frequency: Daily
  time: "02:30"
"#;
    world.apply_in(&ns, &format!("{TOY}{cronjob}")).await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    let said = roadstead(&world, "run nightly --instance plugin-run").await?;
    ensure!(said.code == 1, "{said:?}");
    said.refused("ended with exit code 3")?;
    let lines = roadstead(&world, "logs acj/nightly --instance plugin-run").await?;
    let lines = lines.ok("logs")?;
    ensure!(lines.contains(" | swept the floor"), "{lines}");
    let lines = roadstead(&world, "logs toy-live -c web --instance plugin-run").await?;
    let lines = lines.ok("logs")?;
    ensure!(lines.contains(" | it serves"), "{lines}");
    let said = roadstead(&world, "stop acj/nightly --instance plugin-run").await?;
    said.ok("stop")?;
    let suspended = world.at("acj/nightly", &ns, "/spec/suspend").await?;
    ensure!(suspended == true, "{suspended}");
    world.remove("plugin-run").await
}

/// While an operator is there, `uninstall` touches nothing.
pub async fn uninstall_is_refused_while_an_operator_is_there(world: World) -> Result<()> {
    let said = roadstead(&world, "uninstall").await?;
    ensure!(said.code == 1, "{said:?}");
    said.refused("an operator is there")
}

/// The plugin as kubectl finds it; the words are split at spaces.
pub async fn roadstead(world: &World, words: &str) -> Result<Said> {
    let mut all = vec!["kubectl", "roadstead"];
    all.extend(words.split_whitespace());
    world.run(&all, None).await
}
