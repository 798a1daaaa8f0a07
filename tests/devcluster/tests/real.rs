//! What a real cluster promises: it works, several run side by side, and each leaves nothing behind, however it ends.

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
use tokio::sync::Mutex;

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

/// One test at a time: each starts clusters of its own.
static TURN: Mutex<()> = Mutex::const_new(());

/// Set in a process that holds a cluster until it is killed.
const HOLD: &str = "DEVCLUSTER_TEST_HOLD";

#[tokio::test]
async fn two_clusters_run_at_once_and_one_whose_test_is_killed_is_removed() -> Result<()> {
    if std::env::var_os(HOLD).is_some() {
        let _cluster = Cluster::start(Options::named("killed").without_metrics()).await?;
        return std::future::pending().await;
    }
    let _turn = TURN.lock().await;
    let (place, killed) = (Place::new("self")?, Place::new("killed")?);
    let this = "two_clusters_run_at_once_and_one_whose_test_is_killed_is_removed";
    let mut test = Command::new(std::env::current_exe()?)
        .args(["--exact", this])
        .env(HOLD, "1")
        .spawn()?;
    let owner = Identity::of(test.id());
    let cluster = Cluster::start(Options::named("self").without_metrics()).await?;
    let ready = |state: &State| state.ready && state.owner == owner;
    let up = || matches!(State::load(&killed), Ok(Some(state)) if ready(&state));
    eventually("the other cluster is up", up).await?;

    test.kill()?;
    test.wait()?;
    eventually("nothing of the other is left", || nothing_is_left(&killed)).await?;
    names_are_resolved_in_a_pod(&cluster).await?;
    let stranger: Api<Secret> =
        Api::default_namespaced(cluster.client_as("stranger", &["guests"]).await?);
    let seen = stranger.list(&ListParams::default()).await;
    assert!(matches!(seen, Err(kube::Error::Api(status)) if status.code == 403));
    assert!(cluster.kubeconfig_as("stranger", &["a", "b"])?.is_file());
    assert!(!nothing_is_left(&place));
    cluster.stop()?;
    assert!(nothing_is_left(&place));
    Ok(())
}

/// A pod of an image by its digest runs and finds the API server by its name.
async fn names_are_resolved_in_a_pod(cluster: &Cluster) -> Result<()> {
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
    let status = pod.and_then(|pod| pod.status);
    let phase = status.context("a pod without a status")?.phase;
    let said = pods.logs("one-shot", &Default::default()).await?;
    assert_eq!(phase.as_deref(), Some("Succeeded"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_start_clears_up_after_one_that_was_killed_half_way() -> Result<()> {
    let _turn = TURN.lock().await;
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
    let next = tokio::spawn(Cluster::start(Options::named("killed-early").api_only()));
    let stopped = tokio::task::spawn_blocking(move || cluster.stop());
    let stopped = tokio::time::timeout(PATIENCE, stopped).await;
    stopped.context("it waits for the end of who comes next")???;
    next.await??.stop()?;
    assert!(nothing_is_left(&place));
    Ok(())
}
