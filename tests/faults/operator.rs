//! The operator as a process: started, watched over as a kubelet would, killed when told.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context, Result};
use tokio::{
    process::{Child, Command},
    sync::oneshot,
    task::JoinHandle,
};

use crate::proxy::Proxy;

/// An operator behind a proxy.
pub struct Operator {
    /// What it talks through.
    pub proxy: Arc<Proxy>,
    starts: Arc<AtomicU32>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<()>>,
}

impl Operator {
    /// Starts one, and starts it again whenever it ends.
    pub fn begin(proxy: Proxy, folder: &Path) -> Result<Self> {
        let kubeconfig = folder.join("operator.yaml");
        let server = format!("http://{}", proxy.address);
        std::fs::write(&kubeconfig, kubeconfig_of(&server))?;
        let log = folder.join("operator.log");
        let proxy = Arc::new(proxy);
        let starts = Arc::new(AtomicU32::new(0));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(watch_over(
            kubeconfig,
            log,
            proxy.clone(),
            starts.clone(),
            stopped,
        ));
        Ok(Self {
            proxy,
            starts,
            stop,
            task,
        })
    }

    /// How often it was started.
    pub fn starts(&self) -> u32 {
        self.starts.load(Ordering::Relaxed)
    }

    /// Ends it in good order.
    pub async fn end(self) -> Result<()> {
        let _ = self.stop.send(());
        self.task.await?
    }
}

async fn watch_over(
    kubeconfig: PathBuf,
    log: PathBuf,
    proxy: Arc<Proxy>,
    starts: Arc<AtomicU32>,
    mut stopped: oneshot::Receiver<()>,
) -> Result<()> {
    loop {
        let mut child = start(&kubeconfig, &log)?;
        starts.fetch_add(1, Ordering::Relaxed);
        tokio::select! {
            ended = child.wait() => {
                ended?;
            }
            () = proxy.fell() => {
                child.start_kill()?;
                child.wait().await?;
            }
            _ = &mut stopped => {
                let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
                let pid = pid.context("it has ended by itself")?;
                rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
                child.wait().await?;
                return Ok(());
            }
        }
    }
}

/// A container keeps its name when it is started again; so does this.
fn start(kubeconfig: &Path, log: &Path) -> Result<Child> {
    let log = File::options().create(true).append(true).open(log)?;
    Command::new(env!("CARGO_BIN_EXE_roadstead"))
        .args(["--identity", "the-operator", "--listen", "127.0.0.1:0"])
        .env("KUBECONFIG", kubeconfig)
        .env("RUST_LOG", "info,roadstead=debug")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the operator")
}

fn kubeconfig_of(server: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: proxy\n\
         clusters: [{{name: proxy, cluster: {{server: \"{server}\"}}}}]\n\
         users: [{{name: proxy, user: {{}}}}]\n\
         contexts: [{{name: proxy, context: {{cluster: proxy, user: proxy}}}}]\n"
    )
}
