//! A cluster in which nothing changes, counted by the API server itself.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::world::{PATIENCE, World};

/// The API server counts what it lets through by FlowSchema: one for the operator's renewals of its Lease, one for all its other writes,
/// one for what it reads other than by a watch.
const COUNTERS: &str = r#"
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: story-renewals}
spec:
  matchingPrecedence: 90
  priorityLevelConfiguration: {name: workload-high}
  rules:
  - subjects: [{kind: ServiceAccount, serviceAccount: {name: roadstead, namespace: roadstead-system}}]
    resourceRules: [{verbs: [create, update, patch], apiGroups: [coordination.k8s.io], resources: [leases], namespaces: [roadstead-system]}]
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: story-writes}
spec:
  matchingPrecedence: 91
  priorityLevelConfiguration: {name: workload-high}
  rules:
  - subjects: [{kind: ServiceAccount, serviceAccount: {name: roadstead, namespace: roadstead-system}}]
    resourceRules: [{verbs: [create, update, patch, delete, deletecollection], apiGroups: ["*"], resources: ["*"], namespaces: ["*"], clusterScope: true}]
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: story-reads}
spec:
  matchingPrecedence: 92
  priorityLevelConfiguration: {name: workload-high}
  rules:
  - subjects: [{kind: ServiceAccount, serviceAccount: {name: roadstead, namespace: roadstead-system}}]
    resourceRules: [{verbs: [get, list], apiGroups: ["*"], resources: ["*"], namespaces: ["*"], clusterScope: true}]
    nonResourceRules: [{verbs: [get], nonResourceURLs: ["*"]}]
"#;

const CONTENT: &str = r#"
apiVersion: roadstead.dev/v1alpha1
kind: Service
metadata: {name: cache}
spec: {classRef: {name: redis}}
---
apiVersion: roadstead.dev/v1alpha1
kind: Application
metadata: {name: toy}
spec:
  image: docker.io/library/busybox:1.36
  containers: [{name: worker, kind: Worker, command: [busybox, sleep, "86400"]}]
---
apiVersion: roadstead.dev/v1alpha1
kind: Environment
metadata: {name: toy-live}
spec: {applicationRef: {name: toy}, services: [{name: cache, prefix: DEFAULT}]}
---
apiVersion: roadstead.dev/v1alpha1
kind: Cronjob
metadata: {name: nightly}
spec: {environmentRef: {name: toy-live}, command: [busybox, "true"], frequency: Daily, time: "03:00"}
"#;

/// How many renewals of the Lease, of which there is one in ten seconds, the quiet lasts; `RENEWALS=60` makes it ten minutes.
const RENEWALS: u64 = 6;
/// What one operator may hold in memory.
const MOST: u64 = 40 << 20;

/// Where nothing changes, the operator writes nothing but its Lease, asks for nothing, and stays small.
pub async fn where_nothing_changes_nothing_is_written(world: World) -> Result<()> {
    let renewals = match std::env::var("RENEWALS") {
        Ok(said) => said.parse().context("RENEWALS is no number")?,
        Err(_) => RENEWALS,
    };
    world.apply(COUNTERS).await?;
    let ns = world.instance("quiet").await?;
    world.apply_in(&ns, CONTENT).await?;
    for what in ["msvc/cache", "renv/toy-live", "acj/nightly"] {
        world.condition(what, &ns, "Ready").await?;
    }
    let mut quiet = Count::of(&world).await?.past(&world, 1).await?;
    let settled = tokio::time::Instant::now() + PATIENCE;
    loop {
        let before = quiet;
        quiet = quiet.past(&world, 1).await?;
        if (quiet.writes, quiet.reads) == (before.writes, before.reads) {
            break;
        }
        let late = tokio::time::Instant::now() > settled;
        ensure!(!late, "it writes or reads without end: {quiet:?}");
    }
    let after = quiet.past(&world, renewals).await?;
    ensure!(
        after.writes == quiet.writes,
        "{} writes while {renewals} renewals went by",
        after.writes - quiet.writes
    );
    ensure!(
        after.reads == quiet.reads,
        "{} reads besides its watches while {renewals} renewals went by",
        after.reads - quiet.reads
    );
    for (pod, bytes) in memory(&world).await? {
        println!("{pod} holds {:.1} MiB", bytes as f64 / f64::from(1 << 20));
        ensure!(bytes < MOST, "{pod} holds {bytes} bytes");
    }
    counts(&world, &ns, after).await?;
    world.remove("quiet").await?;
    world
        .kubectl("delete flowschema story-renewals story-writes story-reads")
        .await?;
    Ok(())
}

/// What is counted is what the operator does: after one change it writes, and one that starts lists.
async fn counts(world: &World, ns: &str, quiet: Count) -> Result<()> {
    let child = format!("delete cronjobs.batch nightly -n {ns}");
    world.kubectl(&child).await?;
    let one = "get pods -n roadstead-system -l app.kubernetes.io/name=roadstead -o jsonpath={.items[0].metadata.name}";
    let one = world.kubectl(one).await?;
    world
        .kubectl(&format!("delete pod {one} -n roadstead-system"))
        .await?;
    world
        .until("writes and reads are counted", || async {
            let now = Count::of(world).await?;
            Ok((now.writes > quiet.writes && now.reads > quiet.reads).then_some(()))
        })
        .await
}

/// What the API server has let through of the operator's requests.
#[derive(Clone, Copy, Debug)]
struct Count {
    renewals: u64,
    writes: u64,
    reads: u64,
}

impl Count {
    async fn of(world: &World) -> Result<Self> {
        let metrics = world.kubectl("get --raw /metrics").await?;
        let count = |schema: &str| {
            let label = format!("flow_schema=\"{schema}\"");
            let lines = metrics.lines().filter(|line| {
                line.starts_with("apiserver_flowcontrol_dispatched_requests_total{")
                    && line.contains(&label)
            });
            let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            counts.sum::<f64>() as u64
        };
        Ok(Self {
            renewals: count("story-renewals"),
            writes: count("story-writes"),
            reads: count("story-reads"),
        })
    }

    /// The count once so many more renewals have gone by.
    async fn past(self, world: &World, renewals: u64) -> Result<Self> {
        let patience = PATIENCE + Duration::from_secs(20 * renewals);
        let deadline = tokio::time::Instant::now() + patience;
        let mut beat = tokio::time::interval(Duration::from_secs(1));
        loop {
            beat.tick().await;
            let now = Self::of(world).await?;
            if now.renewals >= self.renewals + renewals {
                return Ok(now);
            }
            let late = tokio::time::Instant::now() > deadline;
            ensure!(!late, "the Lease is not renewed: {self:?}, then {now:?}");
        }
    }
}

/// What each operator holds in memory, as its kubelet has it.
async fn memory(world: &World) -> Result<Vec<(String, u64)>> {
    let label = "-l app.kubernetes.io/name=roadstead";
    let pods = world
        .kubectl(&format!("get pods -n roadstead-system {label} -o json"))
        .await?;
    let pods: Value = serde_json::from_str(&pods)?;
    let mut held = Vec::new();
    for pod in pods["items"].as_array().context("a list without items")? {
        let text = |pointer| pod.pointer(pointer).and_then(Value::as_str);
        let (name, node) = (text("/metadata/name"), text("/spec/nodeName"));
        let (name, node) = name.zip(node).context("a pod without a node")?;
        let stats = format!("get --raw /api/v1/nodes/{node}/proxy/stats/summary");
        let stats: Value = serde_json::from_str(&world.kubectl(&stats).await?)?;
        let mut all = stats["pods"].as_array().into_iter().flatten();
        let own = all.find(|p| p["podRef"]["name"] == name);
        let bytes = own.and_then(|p| p["containers"][0]["memory"]["workingSetBytes"].as_u64());
        held.push((
            name.to_owned(),
            bytes.context("its kubelet knows nothing of it")?,
        ));
    }
    ensure!(!held.is_empty(), "there is no operator");
    Ok(held)
}
