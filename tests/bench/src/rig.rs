//! A fresh API server with its etcd, an operator beside it, and what both use.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use devcluster::{Cluster, Options, manifest, place::checkout, product};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use kube::{
    Client, Config,
    client::{Body, ConfigExt},
    config::{KubeConfigOptions, Kubeconfig},
};
use tower::{BoxError, ServiceBuilder, ServiceExt};

use crate::mix;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(3600);
/// For so long nothing is written once all is done.
const QUIET: Duration = Duration::from_secs(3);

/// Rights everywhere at once: how soon the rights of a new Instance work is the API server's affair, and would blur what is measured.
const RIGHTS: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: measured}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: roadstead-instance}
subjects: [{kind: ServiceAccount, name: roadstead, namespace: roadstead-system}]
"#;

/// A cluster to measure on.
pub struct Rig {
    /// The administrator's client, which asks again where the API server is not ready yet.
    pub client: Client,
    /// The same, for what is timed.
    pub quick: Client,
    /// The kubeconfig of the operator's account.
    pub account: PathBuf,
    cluster: Cluster,
}

impl Rig {
    /// A fresh one; with nodes, it has volumes for so many sets.
    pub async fn begin(full: bool, sets: usize) -> Result<Self> {
        let options = Options::named("bench");
        let options = match full {
            true => options.nodes(0).fake_nodes(20),
            false => options.api_only(),
        };
        let cluster = Cluster::start(options.fsync()).await?;
        let account = product::without_operator(&cluster).await?;
        let (client, quick) = (cluster.client(), bare_client(cluster.kubeconfig()).await?);
        manifest::apply(&client, RIGHTS, None).await?;
        if full {
            mix::volumes(&client, sets).await?;
        }
        Ok(Self {
            client,
            quick,
            account,
            cluster,
        })
    }

    /// A client of the operator's account that retries nothing by itself.
    pub async fn bare_client(&self) -> Result<Client> {
        bare_client(&self.account).await
    }

    /// CPU seconds that API server and etcd have used.
    pub fn cpu(&self) -> Result<f64> {
        let programs = &self.cluster.state().context("not our cluster")?.programs;
        let servers = programs
            .iter()
            .filter(|p| ["etcd", "kube-apiserver"].contains(&p.name.as_str()));
        servers.map(|p| cpu(p.process.pid())).sum()
    }

    /// Ends it.
    pub fn end(self) -> Result<()> {
        self.cluster.stop()
    }
}

/// A client that retries nothing by itself, and sends at once what kube's own holds back until the last packet was acknowledged: 40 ms.
async fn bare_client(kubeconfig: &Path) -> Result<Client> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    let https = config.rustls_https_connector_with_connector(connector)?;
    let http = legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(https);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(
        service.boxed(),
        config.default_namespace.clone(),
    ))
}

/// Rights to everything, for the peer: nobody has worked out which it needs.
const ALL_RIGHTS: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: peer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: roadstead, namespace: roadstead-system}]
"#;

/// Who is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The operator, in this program.
    Operator(PathBuf),
    /// The peer, in this one.
    Peer(PathBuf),
}

impl Subject {
    /// Gives it the rights that the product's manifest does not.
    pub async fn allow(&self, rig: &Rig) -> Result<()> {
        match self {
            Self::Operator(_) => Ok(()),
            Self::Peer(_) => manifest::apply(&rig.client, ALL_RIGHTS, None).await,
        }
    }

    /// Whether a change of an Environment goes through a Release, which is more than a change of a Deployment.
    pub fn makes_releases(&self) -> bool {
        matches!(self, Self::Operator(_))
    }

    fn command(&self) -> Command {
        match self {
            Self::Operator(program) => {
                let mut command = Command::new(program);
                command.args(["--leader-elect", "false"]);
                command
            }
            Self::Peer(program) => Command::new(program),
        }
    }
}

/// An operator that runs, ours or the peer.
pub struct Operator {
    child: Child,
    address: SocketAddr,
    /// When it was started.
    pub begun: Instant,
}

impl Operator {
    /// Starts it, working through this kubeconfig.
    pub fn begin(subject: &Subject, kubeconfig: &Path) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = checkout().join("target/tmp");
        fs::create_dir_all(&log)?;
        let log = fs::File::create(log.join("bench-operator.log"))?;
        let child = subject
            .command()
            .args(["--listen", &address.to_string()])
            .env("KUBECONFIG", kubeconfig)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start the operator")?;
        Ok(Self {
            child,
            address,
            begun: Instant::now(),
        })
    }

    /// CPU seconds that it has used.
    pub fn cpu(&self) -> Result<f64> {
        cpu(self.pid()?)
    }

    /// Bytes that it holds in memory.
    pub fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        Ok(kib.context("no VmRSS")? << 10)
    }

    /// How many requests it has sent, by method.
    pub async fn requests(&self) -> Result<Requests> {
        let text = self.ask("/metrics").await?;
        let mut requests = Requests::default();
        for line in text.lines() {
            let under_way = ["workqueue_depth ", "controller_runtime_active_workers "];
            if under_way.iter().any(|name| line.starts_with(name)) {
                requests.passes += value(line)?;
            }
        }
        let lines = text.lines();
        for line in lines.filter(|l| l.starts_with("rest_client_requests_total{")) {
            let count = value(line)?;
            match line.contains("method=\"GET\"") {
                true => requests.reads += count,
                false => requests.writes += count,
            }
            if line.contains("code=\"409\"") {
                requests.conflicts += count;
            }
        }
        Ok(requests)
    }

    /// Waits until it has nothing more to write and looks at nothing any more; `watch` is called after each write.
    pub async fn at_rest(&self, mut watch: impl FnMut() -> Result<()>) -> Result<Rest> {
        let deadline = Instant::now() + PATIENCE;
        let (mut last, mut writes) = (Instant::now(), 0);
        let (mut done, mut used) = (last, 0.0);
        let (mut polls, mut asked) = (0, 0);
        while Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(50)).await;
            polls += 1;
            let now = self.requests().await.unwrap_or_default();
            let ready = self.ask("/readyz").await.is_ok_and(|a| a.contains(" 200 "));
            let wrote = now.writes != writes || !ready;
            if wrote {
                (last, writes) = (Instant::now(), now.writes);
                watch()?;
            }
            if wrote || now.passes > 0 {
                (done, used, asked) = (Instant::now(), self.cpu()?, polls);
                continue;
            }
            if done.elapsed() > QUIET {
                // Since then it does nothing but answer us, and that is no work of its own.
                let answers = f64::from(asked) * (self.cpu()? - used) / f64::from(polls - asked);
                let cpu = (used - answers).max(0.0);
                return Ok(Rest { last, done, cpu });
            }
        }
        bail!("it never came to rest")
    }

    /// What it does in so long, where nothing happens.
    pub async fn still(&self, watched: Duration) -> Result<Still> {
        let (cpu, requests) = (self.cpu()?, self.requests().await?);
        tokio::time::sleep(watched).await;
        let (used, now) = (self.cpu()? - cpu, self.requests().await?);
        Ok(Still {
            seconds: watched.as_secs_f64(),
            cpu: used,
            reads: now.reads - requests.reads,
            writes: now.writes - requests.writes,
        })
    }

    async fn ask(&self, path: &str) -> Result<String> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket = tokio::net::TcpStream::connect(self.address).await?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: operator\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    fn pid(&self) -> Result<i32> {
        Ok(i32::try_from(self.child.id())?)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An operator that has come to rest.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    /// When its last write was.
    pub last: Instant,
    /// When it last looked at something.
    pub done: Instant,
    /// CPU seconds that it had used by then, without those that our questions cost.
    pub cpu: f64,
}

/// What an operator does while nothing happens.
#[derive(Clone, Copy, Debug, serde::Deserialize, serde::Serialize)]
pub struct Still {
    /// For how long it was watched.
    pub seconds: f64,
    /// CPU seconds that it used.
    pub cpu: f64,
    /// Watches that it renewed, and whatever else it read.
    pub reads: u64,
    /// What it wrote.
    pub writes: u64,
}

/// Requests of an operator.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize, serde::Serialize)]
pub struct Requests {
    /// Lists and watches; it gets nothing one by one.
    pub reads: u64,
    /// Everything else, Events too.
    pub writes: u64,
    /// Answers that somebody else was faster.
    pub conflicts: u64,
    /// Objects that wait, and passes that are under way.
    #[serde(skip)]
    pub passes: u64,
}

/// The value of a metric.
fn value(line: &str) -> Result<u64> {
    let value: f64 = line.rsplit(' ').next().context("no value")?.parse()?;
    Ok(value as u64)
}

/// CPU seconds that a process has used.
pub fn cpu(pid: i32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after = stat.rsplit(") ").next().context("a strange stat")?;
    let mut fields = after.split(' ').skip(11);
    let mut next = || fields.next().and_then(|f| f.parse::<f64>().ok());
    let ticks = next().zip(next()).map(|(user, system)| user + system);
    // Linux tells programs of time in hundredths of a second, whatever its own clock does.
    Ok(ticks.context("a strange stat")? / 100.0)
}
