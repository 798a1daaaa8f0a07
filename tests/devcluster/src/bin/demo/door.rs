//! The shop's door: a port of this machine that leads to a pod of its Web container, whichever runs just now.
//!
//! Until there are domains an Environment's address is known inside the cluster only. The door outlives the command that opens
//! it, and finds the next pod when one goes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use devcluster::{place::Place, process::Identity, state::write_whole};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::ListParams};
use tokio::net::{TcpListener, TcpStream};

/// The port that the shop's page is on.
const PORT: u16 = 8700;
/// The namespace, and the pods behind the door.
const NAMESPACE: &str = "instance-acme";
const PODS: &str = "roadstead.dev/environment=shop-live,roadstead.dev/container=web";

/// Opens the door, after closing one that an earlier run has left.
pub fn open(kubeconfig: &Path) -> Result<u16> {
    close()?;
    let port = (PORT..PORT + 100)
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no port is free for the shop's page")?;
    let child = Command::new(std::env::current_exe()?)
        .args(["--door", &port.to_string()])
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot open the shop's door")?;
    let process = Identity::of(child.id()).context("the shop's door did not stay open")?;
    write_whole(&note()?, &serde_json::to_vec(&process)?)?;
    Ok(port)
}

/// Closes the door, if it is open; says whether it was.
pub fn close() -> Result<bool> {
    let note = note()?;
    let Ok(bytes) = fs::read(&note) else {
        return Ok(false);
    };
    let process: Identity =
        serde_json::from_slice(&bytes).context("a damaged note of the shop's door")?;
    devcluster::process::end(&[process], std::time::Duration::from_secs(5))?;
    fs::remove_file(note).context("cannot forget the shop's door")?;
    Ok(true)
}

fn note() -> Result<PathBuf> {
    let state = Place::new(super::NAME)?.state;
    let folder = state.parent().context("a folder without a parent")?;
    devcluster::place::make_folder(folder)?;
    Ok(state.with_extension("door"))
}

/// Passes every connection on to a ready pod, until it is ended.
pub async fn keep_open(port: u16) -> Result<()> {
    let client = Client::try_default().await?;
    let pods: Api<Pod> = Api::namespaced(client, NAMESPACE);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (guest, _) = listener.accept().await?;
        let pods = pods.clone();
        // A guest whose pod has just gone is turned away, and comes again.
        tokio::spawn(async move { pass(guest, &pods).await });
    }
}

async fn pass(mut guest: TcpStream, pods: &Api<Pod>) -> Result<()> {
    let ready = pods.list(&ListParams::default().labels(PODS)).await?;
    let pod = ready
        .items
        .iter()
        .find(|p| is_ready(p))
        .context("no pod is ready")?;
    let name = pod
        .metadata
        .name
        .as_deref()
        .context("a pod without a name")?;
    let containers = pod.spec.iter().flat_map(|s| &s.containers);
    let port = containers
        .flat_map(|c| c.ports.iter().flatten())
        .map(|p| p.container_port)
        .next()
        .context("a pod without a port")?;
    let mut forward = pods.portforward(name, &[port.try_into()?]).await?;
    let mut stream = forward
        .take_stream(port.try_into()?)
        .context("the port is not forwarded")?;
    tokio::io::copy_bidirectional(&mut guest, &mut stream).await?;
    Ok(())
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_ref());
    pod.metadata.deletion_timestamp.is_none()
        && conditions
            .is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
}
