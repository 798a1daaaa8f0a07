//! What to ask of a cluster.

/// What a cluster should have.
///
/// The defaults are those of a test: one real node, names, storage and metrics, and an etcd that does not wait for the disk.
#[derive(Clone, Debug)]
pub struct Options {
    /// Tells the clusters of one checkout apart: `test`, `demo`.
    pub name: String,
    /// How many real nodes. 0 is a control plane alone.
    pub nodes: u8,
    /// How many nodes that exist in the API only.
    pub fake_nodes: u32,
    /// Whether controllers and a scheduler run. Without them, only what asks for it changes anything: for measurements.
    pub controllers: bool,
    /// Whether metrics.k8s.io is served. Needs a real node.
    pub metrics: bool,
    /// Whether NetworkPolicy is enforced on the real nodes.
    pub policy: bool,
    /// Whether volumes come from a CSI driver that can take snapshots. Needs a real node.
    pub snapshots: bool,
    /// Whether etcd waits for the disk, as it must where a crash is what is tested.
    pub fsync: bool,
    /// Further flags of the API server, such as an audit log.
    pub api_server_flags: Vec<String>,
    /// Whether the cluster outlives the process that starts it.
    pub keep: bool,
}

impl Options {
    /// Options of a cluster with this name and the defaults of a test.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            nodes: 1,
            fake_nodes: 0,
            controllers: true,
            metrics: true,
            policy: true,
            snapshots: false,
            fsync: false,
            api_server_flags: Vec::new(),
            keep: std::env::var_os("KEEP").is_some_and(|v| v == "1"),
        }
    }

    /// Asks for this many real nodes.
    pub fn nodes(mut self, nodes: u8) -> Self {
        self.nodes = nodes;
        self
    }

    /// Asks for this many nodes that exist in the API only.
    pub fn fake_nodes(mut self, fake_nodes: u32) -> Self {
        self.fake_nodes = fake_nodes;
        self
    }

    /// Leaves controllers, scheduler and nodes out: an API server and etcd alone.
    pub fn api_only(mut self) -> Self {
        self.nodes = 0;
        self.controllers = false;
        self
    }

    /// Leaves metrics.k8s.io out.
    pub fn without_metrics(mut self) -> Self {
        self.metrics = false;
        self
    }

    /// Leaves the enforcement of NetworkPolicy out.
    pub fn without_policy(mut self) -> Self {
        self.policy = false;
        self
    }

    /// Asks for storage that can take snapshots.
    pub fn snapshots(mut self) -> Self {
        self.snapshots = true;
        self
    }

    /// Makes etcd wait for the disk.
    pub fn fsync(mut self) -> Self {
        self.fsync = true;
        self
    }

    /// Adds a flag to the API server.
    pub fn api_server_flag(mut self, flag: impl Into<String>) -> Self {
        self.api_server_flags.push(flag.into());
        self
    }

    /// Lets the cluster outlive the process that starts it.
    pub fn keep(mut self) -> Self {
        self.keep = true;
        self
    }
}
