//! What one Environment takes over from another.

use anyhow::{Result, ensure};

use super::SHOP;
use crate::{environment::Stage, world::World};

const TEST: &str = r#"---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: toy-test}
spec: {applicationRef: {name: toy}, image: "docker.io/acme/shop:1.5"}
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

    world
        .kubectl(&format!(
            "annotate rel toy-test-1 -n {} roadstead.dev/unusable=by-order",
            stage.ns
        ))
        .await?;
    stage.ask("again", adopt).await?;
    let refused = world
        .until("the second promotion is over", || async {
            let conditions = world
                .at("rel/again", &stage.ns, "/status/conditions")
                .await?;
            let conditions = conditions.to_string();
            Ok(conditions.contains("\"False\"").then_some(conditions))
        })
        .await?;
    ensure!(
        refused.contains("SourceNotUsable") && refused.contains("by-order"),
        "{refused}"
    );
    ensure!(stage.status("/currentRelease").await? == 2);
    stage.end().await
}
