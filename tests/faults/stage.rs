//! Where the runs play: a control plane without nodes of iron, with everything of the product but a running operator.

use std::path::{Path, PathBuf};

use anyhow::Result;
use devcluster::{Cluster, Options, product};
use kube::Client;

use crate::story::until;

/// A cluster with the product's kinds, rights and guards.
pub struct Stage {
    /// The administrator's client.
    pub client: Client,
    /// The kubeconfig of the operator's account.
    pub account: PathBuf,
    cluster: Cluster,
}

impl Stage {
    /// Starts the cluster.
    pub async fn begin() -> Result<Self> {
        let options = Options::named("faults").nodes(0).fake_nodes(1);
        let cluster = Cluster::start(options).await?;
        Ok(Self {
            client: cluster.client(),
            account: product::without_operator(&cluster).await?,
            cluster,
        })
    }

    /// Kills a program of the control plane, which is started again; then waits until the API server answers.
    pub async fn outage(&mut self, program: &str) -> Result<()> {
        self.cluster.crash(program)?;
        let client = self.client.clone();
        until("the API server is ready again", || async {
            let request = axum::http::Request::get("/readyz").body(Vec::new())?;
            let said = client.request_text(request).await;
            Ok(said.is_ok_and(|said| said == "ok").then_some(()))
        })
        .await
    }

    /// Where the logs of a run are.
    pub fn folder(&self, run: &str) -> Result<PathBuf> {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults");
        let folder = all.join(run);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Ends the cluster.
    pub fn end(self) -> Result<()> {
        self.cluster.stop()
    }
}
