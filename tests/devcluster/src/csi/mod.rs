//! A CSI driver with real bytes: volumes that move between nodes, and snapshots that are atomic and instant.
//!
//! Test equipment, but nothing of it is faked: the provisioner, the snapshotter and the kubelet are Kubernetes' own. All nodes
//! are on this machine, so one pool serves them all, and one program answers on a socket for each of them.

mod driver;
mod group;
mod messages;
mod pool;
mod registration;

use std::{
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixListener;

use crate::place::make_folder;
use driver::Driver;
use pool::Pool;

/// The name of the driver, as storage classes write it.
pub const NAME: &str = "csi.devcluster.roadstead.dev";

/// Where the driver stands on a node: the node's name and the folder of its kubelet.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The folder of its kubelet.
    pub kubelet: PathBuf,
}

impl Node {
    /// Reads `NAME=FOLDER`.
    pub fn parse(word: &str) -> Result<Self> {
        let (name, kubelet) = word.split_once('=').context("a node is NAME=FOLDER")?;
        Ok(Self {
            name: name.to_owned(),
            kubelet: kubelet.into(),
        })
    }
}

/// The socket that the sidecars speak to, in the folder of the cluster's sockets.
pub fn socket(run: &Path) -> PathBuf {
    run.join("csi.sock")
}

/// Serves a pool in this folder to the sidecars and to these nodes, until it is ended.
pub async fn serve(folder: &Path, run: &Path, nodes: &[Node]) -> Result<()> {
    make_folder(folder)?;
    let pool = Arc::new(Pool::open(folder)?);
    let mut all = tokio::task::JoinSet::new();
    for node in nodes {
        let endpoint = run.join(&node.name).join("csi.sock");
        let driver = Driver::new(pool.clone(), node.name.clone());
        all.spawn(answer(listen(&endpoint)?, Arc::new(driver)));
        // The kubelet finds it there, and asks where the driver itself answers.
        let registry = node.kubelet.join("plugins_registry");
        make_folder(&registry)?;
        let found = listen(&registry.join("csi.sock"))?;
        all.spawn(registration::answer(found, endpoint));
    }
    let driver = Driver::new(pool, String::new());
    all.spawn(answer(listen(&socket(run))?, Arc::new(driver)));
    while let Some(ended) = all.join_next().await {
        ended??;
    }
    Ok(())
}

fn listen(socket: &Path) -> Result<UnixListener> {
    if let Some(folder) = socket.parent() {
        make_folder(folder)?;
    }
    if socket.exists() {
        fs::remove_file(socket)?;
    }
    UnixListener::bind(socket).with_context(|| format!("cannot listen at {}", socket.display()))
}

async fn answer(listener: UnixListener, driver: Arc<Driver>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let driver = driver.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let driver = driver.clone();
                async move { Ok::<_, Infallible>(driver.answer(request).await) }
            });
            let connection = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service);
            // How it ends tells nothing: whoever asks hangs up when it has heard.
            connection.await.ok();
        });
    }
}
