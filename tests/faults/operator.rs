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
use rustix::process::{Pid, Signal, kill_process};
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
    life: Life,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<()>>,
}

/// How often it was started, and which process it is now.
#[derive(Clone, Default)]
struct Life {
    starts: Arc<AtomicU32>,
    process: Arc<AtomicU32>,
}

impl Operator {
    /// Starts one, and starts it again whenever it ends.
    pub fn begin(proxy: Proxy, folder: &Path) -> Result<Self> {
        Self::called("the-operator", proxy, folder, Vec::new())
    }

    /// The same, under a name of its own, and told this besides.
    pub fn called(
        name: &str,
        proxy: Proxy,
        folder: &Path,
        told: Vec<(String, String)>,
    ) -> Result<Self> {
        let kubeconfig = folder.join("operator.yaml");
        let server = format!("http://{}", proxy.address);
        std::fs::write(&kubeconfig, kubeconfig_of(&server))?;
        let program = Program {
            name: name.to_owned(),
            kubeconfig,
            log: folder.join("operator.log"),
            told,
        };
        let proxy = Arc::new(proxy);
        let life = Life::default();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(watch_over(program, proxy.clone(), life.clone(), stopped));
        Ok(Self {
            proxy,
            life,
            stop,
            task,
        })
    }

    /// How often it was started.
    pub fn starts(&self) -> u32 {
        self.life.starts.load(Ordering::Relaxed)
    }

    /// Has it stand still, as one whose machine is overloaded does.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Has it go on.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = self.life.process.load(Ordering::Relaxed);
        let pid = Pid::from_raw(id.cast_signed()).context("it does not run")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Ends it in good order.
    pub async fn end(self) -> Result<()> {
        let _ = self.stop.send(());
        self.task.await?
    }
}

async fn watch_over(
    program: Program,
    proxy: Arc<Proxy>,
    life: Life,
    mut stopped: oneshot::Receiver<()>,
) -> Result<()> {
    loop {
        let mut child = program.start()?;
        life.process
            .store(child.id().unwrap_or(0), Ordering::Relaxed);
        life.starts.fetch_add(1, Ordering::Relaxed);
        tokio::select! {
            ended = child.wait() => {
                ended?;
            }
            () = proxy.fell() => {
                child.start_kill()?;
                child.wait().await?;
            }
            _ = &mut stopped => {
                let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
                let pid = pid.context("it has ended by itself")?;
                kill_process(pid, Signal::TERM)?;
                child.wait().await?;
                return Ok(());
            }
        }
    }
}

/// What is started, and started again.
struct Program {
    name: String,
    kubeconfig: PathBuf,
    log: PathBuf,
    told: Vec<(String, String)>,
}

impl Program {
    /// A container keeps its name when it is started again; so does this.
    fn start(&self) -> Result<Child> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        Command::new(env!("CARGO_BIN_EXE_roadstead"))
            .args(["--identity", &self.name, "--listen", "127.0.0.1:0"])
            .env("KUBECONFIG", &self.kubeconfig)
            .env("RUST_LOG", "info,roadstead=debug")
            .envs(self.told.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the operator")
    }
}

fn kubeconfig_of(server: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: proxy\n\
         clusters: [{{name: proxy, cluster: {{server: \"{server}\"}}}}]\n\
         users: [{{name: proxy, user: {{}}}}]\n\
         contexts: [{{name: proxy, context: {{cluster: proxy, user: proxy}}}}]\n"
    )
}
