//! What containers are told.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Stage, TOY};
use crate::world::World;

/// Nothing in it may change on its way into the pod.
const RAW: &str = "$(STAGE) $$(STAGE) $$ \"q\" 'x' \\n `id` $HOME é 日本\n\tend ";

const SECRET: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {key: kept-to-itself}
---"#;

/// Variables reach the pod byte for byte and in their order; a pattern is replaced, what names nothing stays and is reported.
///
/// proves: DV-112, DV-127, DV-133, DV-134, DV-135, DV-136, DV-138, DV-139
pub async fn variables_reach_the_pod_as_they_are_said(world: World) -> Result<()> {
    let stage = Stage::ready(&world, "variables", &format!("{SECRET}{TOY}"), "").await?;
    let key = json!({"secretKeyRef": {"name": "keys", "key": "key"}});
    let variables = json!([
        {"name": "ZULU", "value": ""},
        {"name": "RAW", "value": RAW},
        {"name": "PATTERN", "value": "$(STAGE)-x $$(STAGE) $(NOBODY) $(KEY)", "expand": true},
        {"name": "STAGE", "value": "live"},
        {"name": "KEY", "sensitive": true, "valueFrom": key},
    ]);
    stage.patch(json!({"variables": variables})).await?;
    stage.wait("Ready").await?;
    let mine = ["ZULU", "RAW", "PATTERN", "STAGE", "KEY"];
    let seen = stage.variables().await?;
    let said = order(&stage, &mine).await?;
    ensure!(said == mine, "{said:?}");
    let value = |name: &str| {
        let found = seen.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str()).unwrap_or("nothing")
    };
    ensure!(value("RAW") == RAW, "{:?}", value("RAW"));
    ensure!(value("ZULU").is_empty(), "{:?}", value("ZULU"));
    ensure!(
        value("PATTERN") == "live-x $(STAGE) $(NOBODY) kept-to-itself",
        "{:?}",
        value("PATTERN")
    );
    ensure!(value("ROADSTEAD_ENVIRONMENT") == "toy-live");
    ensure!(value("PORT") == "8000");
    let told = stage.reason("UnresolvedPlaceholder").await?;
    ensure!(!told.is_empty(), "nobody tells of $(NOBODY)");

    listed(&stage).await?;

    let mut moved = variables;
    if let Some(list) = moved.as_array_mut() {
        list.rotate_left(1);
    }
    stage.patch(json!({"variables": moved})).await?;
    stage.wait("Ready").await?;
    let said = order(&stage, &mine).await?;
    ensure!(
        said == ["RAW", "PATTERN", "STAGE", "KEY", "ZULU"],
        "{said:?}"
    );
    stage.end().await
}

/// Those of these names, in the order in which the pod lists them. What the container runtime hands on has none.
async fn order(stage: &Stage, names: &[&str]) -> Result<Vec<String>> {
    let words = format!(
        "get deploy toy-live-web -n {} -o jsonpath={{.spec.template.spec.containers[0].env[*].name}}",
        stage.ns
    );
    let all = stage.world.kubectl(&words).await?;
    let mine = all.split_whitespace().filter(|name| names.contains(name));
    Ok(mine.map(str::to_owned).collect())
}

/// That the Environment lists them with who says them, and which are kept out of sight.
async fn listed(stage: &Stage) -> Result<()> {
    let rows = stage.status("/variables").await?;
    let row = |name: &str| {
        let all = rows.as_array().cloned().unwrap_or_default();
        let found = all.into_iter().find(|row| row["name"] == name);
        found.unwrap_or_default()
    };
    ensure!(row("PORT")["origin"] == "Roadstead", "{rows}");
    ensure!(row("STAGE")["origin"] == "Environment", "{rows}");
    ensure!(
        row("KEY")["sensitive"] == true && row("PATTERN")["sensitive"] == true,
        "{rows}"
    );
    Ok(())
}

/// A sensitive value stands in Secrets alone, for those who may read them; variables that need themselves stop nothing that runs.
///
/// proves: DV-129, DV-137, DV-161
pub async fn a_sensitive_value_is_for_those_who_may_read_secrets(world: World) -> Result<()> {
    let spec = ", variables: [{name: KEY, sensitive: true, valueFrom: {secretKeyRef: {name: keys, key: key}}}]";
    let stage = Stage::ready(&world, "sensitive", &format!("{SECRET}{TOY}"), spec).await?;
    let access = r#"{"spec":{"access":[{"kind":"User","name":"sees","role":"Viewer"},{"kind":"User","name":"does","role":"Developer"}]}}"#;
    let words = ["kubectl", "patch", "rinst/sensitive", "--type=merge", "-p"];
    world
        .run(&[&words[..], &[access]].concat(), None)
        .await?
        .ok("access")?;
    let read = |who: &'static str, what: &'static str| {
        let words = format!("get {what} -n {} -o yaml --as={who}", stage.ns);
        let world = world.clone();
        async move { world.try_kubectl(&words).await }
    };
    world
        .until("the viewer may look", || async {
            Ok((read("sees", "renv,rel").await?.code == 0).then_some(()))
        })
        .await?;
    let seen = read("sees", "renv,rel").await?.ok("get")?;
    ensure!(!seen.contains("kept-to-itself"), "a viewer sees the key");
    read("sees", "secret/toy-live-1")
        .await?
        .refused("Forbidden")?;
    let mut words = format!("get secret toy-live-1 -n {}", stage.ns);
    words += " -o go-template={{.data.KEY|base64decode}}";
    let whole = world.kubectl(&words).await?;
    ensure!(whole == "kept-to-itself", "{whole}");

    let before = stage.pods().await?;
    stage
        .patch(json!({"variables": [
            {"name": "A", "value": "$(B)", "expand": true}, {"name": "B", "value": "$(A)", "expand": true},
        ]}))
        .await?;
    stage.wait("Stalled").await?;
    ensure!(stage.reason("Ready").await? == "VariableCycle");
    ensure!(stage.pods().await? == before, "the pod was replaced");
    stage.end().await
}
