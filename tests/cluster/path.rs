//! The whole path, once: from manifests to pods that answer.

use anyhow::{Result, ensure};

use crate::world::World;

/// An Application and an Environment become a Release, a Deployment and Ready pods.
pub async fn an_environment_goes_from_manifest_to_pods(world: World) -> Result<()> {
    let ns = world.instance("path").await?;
    world
        .apply_in(
            &ns,
            r#"
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: toy}
spec:
  image: docker.io/library/busybox:1.36
  port: 8000
  containers: [{name: web, kind: Web, command: [busybox, httpd, -f, -p, "8000", -h, /etc]}]
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: toy-live}
spec: {applicationRef: {name: toy}, variables: [{name: STAGE, value: live}]}
"#,
        )
        .await?;
    world.condition("renv/toy-live", &ns, "Ready").await?;
    ensure!(
        world
            .at("renv/toy-live", &ns, "/status/currentRelease")
            .await?
            == 1
    );
    world.remove("path").await
}
