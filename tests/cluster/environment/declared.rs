//! What is declared, and what becomes of it when: pending, taken back, released.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Stage, TOY};
use crate::world::World;

const IDLE: &str = r#"---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: toy-idle}
spec: {applicationRef: {name: toy}, state: Stopped}
"#;

/// Edits of port and probe wait for a Release, are named, and are no longer pending once they are taken back or released; a Release that
/// changes nothing runs the same image again.
///
/// proves: DV-024, DV-026, DV-041, DV-109, DV-110, DV-111, DV-122, DV-147
pub async fn edits_wait_for_a_release_and_can_be_taken_back(world: World) -> Result<()> {
    let app = format!("{TOY}{IDLE}");
    let stage = Stage::begin(&world, "declares", &app, ", releasePolicy: Manual").await?;
    never_deployed_and_stopped(&stage).await?;
    stage.release("one", "").await?;
    let branch = world.at("rapp/toy", &stage.ns, "/status/defaultBranch");
    ensure!(branch.await? == "main");
    let pods = stage.pods().await?;
    ensure!(pending(&stage, &[]).await?.is_empty());

    application(
        &stage,
        json!({"startupProbe": {"path": "/group"}, "port": 8080}),
    )
    .await?;
    let waits = pending(&stage, &["port", "startupProbe"]).await?;
    ensure!(waits.iter().all(|c| c["impact"] == "Restart"), "{waits:?}");
    ensure!(stage.reason("PendingChanges").await? != "None");
    ensure!(stage.pods().await? == pods, "the pod was replaced");
    ensure!(probe(&stage).await? == "/passwd");
    application(
        &stage,
        json!({"startupProbe": {"path": "/passwd"}, "port": 8000}),
    )
    .await?;
    pending(&stage, &[]).await?;
    ensure!(stage.reason("PendingChanges").await? == "None");

    application(&stage, json!({"startupProbe": {"path": "/group"}})).await?;
    pending(&stage, &["startupProbe"]).await?;
    stage.release("two", "").await?;
    pending(&stage, &[]).await?;
    ensure!(stage.reason("PendingChanges").await? == "None");
    ensure!(probe(&stage).await? == "/group");
    stage.release("three", ", buildMode: Auto").await?;
    let image = |release: &'static str| world.at(release, &stage.ns, "/status/image");
    let (second, third) = (image("rel/two").await?, image("rel/three").await?);
    ensure!(second == third && second.is_string(), "{second} {third}");
    stage.end().await
}

/// One that was never deployed can be stopped: nothing is made, and nothing is wrong.
async fn never_deployed_and_stopped(stage: &Stage) -> Result<()> {
    let (world, ns) = (&stage.world, &stage.ns);
    world.condition("renv/toy-idle", ns, "Ready").await?;
    let state = world.at("renv/toy-idle", ns, "/status/state").await?;
    ensure!(state == "stopped", "{state}");
    let words =
        format!("get deploy,rel,pods -n {ns} -o name -l roadstead.dev/environment=toy-idle");
    let made = world.kubectl(&words).await?;
    ensure!(made.is_empty(), "{made}");
    Ok(())
}

async fn application(stage: &Stage, spec: Value) -> Result<()> {
    let patch = json!({ "spec": spec }).to_string();
    let words = ["kubectl", "patch", "rapp/toy", "-n", &stage.ns];
    let more = ["--type=merge", "-p", &patch];
    let words: Vec<&str> = words.into_iter().chain(more).collect();
    stage.world.run(&words, None).await?.ok("patch")?;
    Ok(())
}

/// Waits until exactly what begins with these is pending.
async fn pending(stage: &Stage, paths: &[&str]) -> Result<Vec<Value>> {
    stage
        .world
        .until(&format!("{paths:?} is pending"), || async {
            let all = stage.status("/pendingChanges").await?;
            let all = all.as_array().cloned().unwrap_or_default();
            let path = |change: &Value| change["path"].as_str().unwrap_or_default().to_owned();
            let found: Vec<String> = all.iter().map(path).collect();
            let known = |path: &&str| found.iter().any(|f| f.starts_with(path));
            let meant = |f: &String| paths.iter().any(|path| f.starts_with(path));
            let is_so = paths.iter().all(known) && found.iter().all(meant);
            Ok(is_so.then_some(all))
        })
        .await
}

/// The path of the startup probe that runs.
async fn probe(stage: &Stage) -> Result<String> {
    let pointer = "/spec/template/spec/containers/0/startupProbe/httpGet/path";
    let path = stage
        .world
        .at("deploy/toy-live-web", &stage.ns, pointer)
        .await?;
    Ok(path.as_str().unwrap_or_default().to_owned())
}

const BARE: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: toy}
spec:
  image: docker.io/library/busybox:1.36
  containers: [{name: web, kind: Web, command: [sh, -c, "trap 'exit 0' TERM; httpd -f -p $PORT -h /etc & wait"]}]
---
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: silent}
spec:
  image: docker.io/library/busybox:1.36
  containers: [{name: worker, kind: Worker, command: [sh, -c, "trap 'exit 0' TERM; sleep 1d & wait"]}]
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: silent-live}
spec: {applicationRef: {name: silent}}
---
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: cache}
spec: {classRef: {name: redis}}
---
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: late}
spec: {classRef: {name: none-of-ours}}
---
"#;

/// Without a port the Web container has 80, and without a Web container there is no address. A variable of the user's takes the place of
/// one of ours, and that is reported. What a Release is not to wait for is left alone. With a Service attached an Environment goes at
/// once, and the data stays.
///
/// proves: DV-036, DV-124, DV-132, DV-155
pub async fn what_is_left_out_and_what_is_overridden(world: World) -> Result<()> {
    let spec = ", releasePolicy: Manual, variables: [{name: ROADSTEAD_ENVIRONMENT, value: mine}], \
        services: [{name: cache, prefix: OWN}, {name: late, prefix: LATE}]";
    let stage = Stage::begin(&world, "leaves-out", BARE, spec).await?;
    let ns = &stage.ns;
    world.condition("msvc/cache", ns, "Ready").await?;
    stage.release("hasty", ", provisionServices: false").await?;
    let given = stage.variables().await?;
    let value = |name: &str| {
        given
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    ensure!(value("PORT") == Some("80"), "{given:?}");
    ensure!(value("ROADSTEAD_ENVIRONMENT") == Some("mine"), "{given:?}");
    ensure!(
        given.iter().any(|(n, _)| n.starts_with("OWN_")),
        "{given:?}"
    );
    ensure!(
        !given.iter().any(|(n, _)| n.starts_with("LATE_")),
        "{given:?}"
    );
    let late = world.at("msvc/late", ns, "/status/state").await?;
    ensure!(
        late != "running",
        "the Service that was not waited for is {late}"
    );
    ensure!(stage.reason("BuiltInOverridden").await? == "BuiltInOverridden");
    let port = world
        .at("svc/toy-live-web", ns, "/spec/ports/0/port")
        .await?;
    ensure!(port == 80, "its address has port {port}");

    world.condition("renv/silent-live", ns, "Ready").await?;
    let words = format!("get svc -n {ns} -o name -l roadstead.dev/environment=silent-live");
    let addresses = world.kubectl(&words).await?;
    ensure!(addresses.is_empty(), "{addresses}");
    let url = world.at("renv/silent-live", ns, "/status/url").await?;
    ensure!(url.is_null(), "{url}");

    let claims = world.kubectl(&format!("get pvc -n {ns} -o name")).await?;
    ensure!(claims.contains("cache"), "{claims}");
    world
        .kubectl(&format!("delete renv toy-live -n {ns} --timeout=60s"))
        .await?;
    world.condition("msvc/cache", ns, "Ready").await?;
    let left = world.kubectl(&format!("get pvc -n {ns} -o name")).await?;
    ensure!(left == claims, "{claims} became {left}");
    stage.end().await
}
