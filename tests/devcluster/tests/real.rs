//! What a real cluster promises. They take minutes and root, so they run when asked: `cargo test --test real -- --ignored --test-threads=1`.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use devcluster::{
    Cluster, Options,
    image::{Image, catalogue},
    network,
    place::Place,
    process::{self, Identity},
    state::State,
};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{Api, api::ListParams, api::PostParams, runtime::wait};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(180);

/// Polls until a condition holds.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > deadline {
            bail!("never: {what}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn nothing_is_left(place: &Place) -> bool {
    let processes = process::mentioning(&[&place.state, &place.run]);
    processes.is_empty()
        && network::left(&place.id).is_empty()
        && !place.run.exists()
        && matches!(State::load(place), Ok(None))
}

fn pod(image: &str, script: &str) -> Result<Pod> {
    Ok(serde_json::from_value(json!({
        "metadata": {"name": "one-shot"},
        "spec": {
            "restartPolicy": "Never",
            "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "one-shot",
                "image": image,
                "command": ["sh", "-c", script],
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    }))?)
}

#[tokio::test]
#[ignore = "starts a cluster"]
async fn a_pod_by_digest_resolves_names_and_nothing_is_left_when_the_cluster_ends() -> Result<()> {
    let place = Place::new("self")?;
    let cluster = Cluster::start(Options::named("self")).await?;
    let mut image = Image::named("docker.io/acme/toy:1").user(1000);
    let busybox = devcluster::debian::unpacked(&["busybox-static"])?.join("bin/busybox");
    image.layer.file("/bin/sh", 0o755, &busybox)?;
    image.layer.file("/bin/nslookup", 0o755, &busybox)?;
    let archive = cluster.load_image(&image)?;
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    let script = "nslookup kubernetes.default.svc.cluster.local";
    pods.create(&PostParams::default(), &pod(&archive.reference(), script)?)
        .await?;
    let ended = |pod: Option<&Pod>| {
        let phase = pod.and_then(|pod| pod.status.as_ref()?.phase.clone());
        phase.is_some_and(|phase| phase == "Succeeded" || phase == "Failed")
    };
    let pod = tokio::time::timeout(
        PATIENCE,
        wait::await_condition(pods.clone(), "one-shot", ended),
    )
    .await??;
    let status = pod
        .and_then(|pod| pod.status)
        .context("a pod without a status")?;
    assert_eq!(
        status.phase.as_deref(),
        Some("Succeeded"),
        "{}",
        pods.logs("one-shot", &Default::default()).await?
    );

    let stranger: Api<Secret> =
        Api::default_namespaced(cluster.client_as("stranger", &["guests"]).await?);
    assert!(
        matches!(stranger.list(&ListParams::default()).await, Err(kube::Error::Api(status)) if status.code == 403)
    );
    assert!(cluster.kubeconfig_as("stranger", &["a", "b"])?.is_file());

    cluster.stop()?;
    assert!(nothing_is_left(&place));
    Ok(())
}

/// Not a test of its own: what the next one kills.
#[tokio::test]
#[ignore = "is started by another test"]
async fn holder() -> Result<()> {
    if std::env::var_os("HOLD").is_some() {
        let _cluster = Cluster::start(Options::named("killed").without_metrics()).await?;
        std::future::pending::<()>().await;
    }
    Ok(())
}

#[tokio::test]
#[ignore = "starts a cluster"]
async fn the_cluster_of_a_killed_test_is_removed() -> Result<()> {
    let place = Place::new("killed")?;
    let mut test = Command::new(std::env::current_exe()?)
        .args(["--ignored", "--exact", "holder"])
        .env("HOLD", "1")
        .spawn()?;
    let owner = Identity::of(test.id());
    let ready = |state: &State| state.ready && state.owner == owner;
    let guarded = || matches!(State::load(&place), Ok(Some(state)) if ready(&state));
    eventually("the cluster is up", guarded).await?;
    test.kill()?;
    test.wait()?;
    eventually("nothing of it is left", || nothing_is_left(&place)).await
}

#[tokio::test]
#[ignore = "starts a cluster"]
async fn a_start_clears_up_after_one_that_was_killed_half_way() -> Result<()> {
    let place = Place::new("killed-early")?;
    let program = env!("CARGO_BIN_EXE_devcluster");
    let mut up = Command::new(program)
        .args(["--name", "killed-early", "up", "--no-metrics"])
        .spawn()?;
    let begun = || matches!(State::load(&place), Ok(Some(state)) if state.programs.len() >= 3);
    eventually("some programs run", begun).await?;
    up.kill()?;
    up.wait()?;
    let first: Vec<Identity> = State::load(&place)?
        .context("no state")?
        .programs
        .into_iter()
        .map(|program| program.process)
        .collect();
    let cluster = Cluster::start(Options::named("killed-early").without_metrics()).await?;
    assert!(!first.iter().any(Identity::alive));
    cluster.load(&catalogue::busybox()?)?;
    cluster.stop()?;
    assert!(nothing_is_left(&place));
    Ok(())
}
