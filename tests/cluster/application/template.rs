//! What Applications start from: the platform team's templates.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{instance_with, live, next_second, patched, toy, until_blocked, until_condition};
use crate::world::World;

/// A template, with more lines of its spec.
fn template(name: &str, more: &str) -> String {
    format!(
        "---\napiVersion: roadstead.dev/v1alpha1\nkind: ApplicationTemplate\nmetadata: {{name: {name}}}\n\
         spec:\n  displayName: A story's template\n{more}\n"
    )
}

/// What a template of these stories says: a command, a tag and a Service.
const COMMANDS: &str =
    "  releaseCommands: [{name: hello, command: [busybox, echo, hello]}]\n  tags: [given]\n";
const SERVICES: &str =
    "  services: [{name: cache, classRef: {name: redis}, storage: {size: 1Gi}}]\n";
/// Where a Release says what its first step was.
const STEP: &str = "/status/steps/0/name";

/// A new Application takes from its template what it does not say itself.
///
/// proves: DV-032, DV-033, DV-034
pub async fn a_template_gives_what_an_application_leaves_out(world: World) -> Result<()> {
    let ns = world.instance("started").await?;
    let from = "  templateRef: {name: started}";
    let own = "  templateRef: {name: started-bare}\n  tags: [mine]\n  releaseCommands: [{name: own, command: [busybox, \"true\"]}]";
    let apps = toy("toy", from) + &live("toy", "") + &toy("own", own) + &live("own", "");
    world.apply_in(&ns, &apps).await?;
    until_blocked(&world, "rapp/toy", &ns, "TemplateMissing/started").await?;
    until_blocked(&world, "renv/toy-live", &ns, "TemplateMissing/started").await?;
    let whole = template("started", &format!("{COMMANDS}{SERVICES}"));
    world
        .apply(&(whole + &template("started-bare", COMMANDS)))
        .await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    world.condition("renv/own-live", &ns, "Ready").await?;
    ensure!(world.at("rel/toy-live-1", &ns, STEP).await? == "hello");
    ensure!(world.at("rel/own-live-1", &ns, STEP).await? == "own");
    let start = world.at("rapp/toy", &ns, "/status/start").await?;
    let expected = json!({
        "template": "started", "releaseCommands": ["hello"], "services": ["toy-cache"], "tags": ["given"],
    });
    ensure!(start == expected, "{start}");
    let tags = world.at("rapp/own", &ns, "/status/start/tags").await?;
    ensure!(tags == json!(["mine"]), "{tags}");
    let class = world
        .at("msvc/toy-cache", &ns, "/spec/classRef/name")
        .await?;
    ensure!(class == "redis");
    let written = world.at("rapp/toy", &ns, "/spec/releaseCommands").await?;
    ensure!(written == Value::Null, "the spec was written: {written}");
    world.kubectl("delete rtpl started started-bare").await?;
    world.remove("started").await
}

/// What was taken from a template stays as it was: neither what the template says later nor its end reaches the Application, and a
/// Service that the team deletes does not come back.
///
/// proves: DV-034, DV-057
pub async fn what_a_template_gave_is_the_teams(world: World) -> Result<()> {
    let ns = world.instance("taken").await?;
    world
        .apply(&template("taken", &format!("{COMMANDS}{SERVICES}")))
        .await?;
    let apps = toy("toy", "  templateRef: {name: taken}") + &live("toy", "");
    world.apply_in(&ns, &apps).await?;
    world.condition("rel/toy-live-1", &ns, "Succeeded").await?;
    let stop = r#"{"spec":{"deletionPolicy":"StopFirst"}}"#;
    patched(&world, "msvc/toy-cache", &ns, "", stop)
        .await?
        .ok("patch")?;
    world
        .kubectl(&format!("delete msvc/toy-cache -n {ns}"))
        .await?;
    let other = COMMANDS.replace("hello", "goodbye");
    world.apply(&template("taken", &other)).await?;
    let changed = "TemplateChanged";
    until_condition(&world, "rapp/toy", &ns, changed, changed).await?;
    world.kubectl("delete rtpl taken").await?;
    let change = r#"{"spec":{"variables":[{"name":"A","value":"b"}]}}"#;
    patched(&world, "rapp/toy", &ns, "", change)
        .await?
        .ok("change")?;
    world.condition("rel/toy-live-2", &ns, "Succeeded").await?;
    ensure!(world.at("rel/toy-live-2", &ns, STEP).await? == "hello");
    ensure!(world.get("msvc/toy-cache", &ns).await?.is_none());
    world.remove("taken").await
}

/// Everybody reads the templates, in their order, and the platform team alone changes them.
///
/// proves: DV-085, DV-087
pub async fn templates_are_read_by_all_and_changed_by_the_platform_team(
    world: World,
) -> Result<()> {
    instance_with(&world, "catalogue", &["dora"]).await?;
    let all = template("story-last", "  order: 7") + &template("story-first", "  order: -5");
    world.apply(&all).await?;
    let listed = "get rtpl -o name --sort-by=.spec.order --as=dora";
    let listed = world.kubectl(listed).await?;
    let lines = listed.lines().filter_map(|l| l.split("/story-").nth(1));
    let lines: Vec<&str> = lines.filter(|l| ["first", "last"].contains(l)).collect();
    ensure!(lines == ["first", "last"], "{listed}");
    let order = r#"{"spec":{"order":1}}"#;
    let by_dora = patched(&world, "rtpl/story-first", "default", "dora", order).await?;
    by_dora.refused("forbidden")?;
    patched(&world, "rtpl/story-first", "default", "", order)
        .await?
        .ok("order")?;
    world.kubectl("delete rtpl story-first story-last").await?;
    world.remove("catalogue").await
}

/// New Applications that name no template start from the default one. Those that were there before do not.
///
/// proves: DV-088
pub async fn the_default_template_counts_for_new_applications(world: World) -> Result<()> {
    let ns = world.instance("usual").await?;
    world.apply_in(&ns, &toy("before", "")).await?;
    world.condition("rapp/before", &ns, "Ready").await?;
    next_second(&world).await?;
    let default = template("usual", "  default: true\n  tags: [by-default]");
    world.apply(&(default + &template("unusual", ""))).await?;
    until_condition(&world, "rtpl/usual", "default", "Default", "Default").await?;
    let apps = toy("after", "") + &toy("named", "  templateRef: {name: unusual}");
    world.apply_in(&ns, &apps).await?;
    for (name, template) in [("after", "usual"), ("named", "unusual")] {
        let application = format!("rapp/{name}");
        world
            .until(&format!("{name} starts from {template}"), || async {
                let from = world.at(&application, &ns, "/status/start/template");
                Ok((from.await? == template).then_some(()))
            })
            .await?;
    }
    world
        .kubectl(&format!(
            "patch rapp/before -n {ns} --type=merge -p {{\"spec\":{{\"port\":81}}}}"
        ))
        .await?;
    world
        .kubectl(&format!(
            "wait rapp/before -n {ns} --for=jsonpath={{.status.observedGeneration}}=2 --timeout=60s"
        ))
        .await?;
    ensure!(world.at("rapp/before", &ns, "/status/start").await? == Value::Null);
    ensure!(world.get("secret/before-start", &ns).await?.is_none());
    world.kubectl("delete rtpl usual unusual").await?;
    world.remove("usual").await
}
