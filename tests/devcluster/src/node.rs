//! A real node: a network namespace with a container runtime, a kubelet and a service proxy of its own.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::{
    addresses::Addresses,
    cgroup,
    control_plane::Start,
    image::Archive,
    place::{Place, make_folder},
    process::Program,
    run,
    state::State,
    tools::{Tools, Upstream},
};

/// The image of the container that holds a pod's namespaces open.
pub const PAUSE: &str = "localhost/pause:1";

/// The name of a node.
pub fn name(node: u8) -> String {
    format!("node{node}")
}

/// The socket of a node's container runtime.
pub fn socket(place: &Place, node: u8) -> PathBuf {
    place.run.join(name(node)).join("containerd.sock")
}

/// Starts the container runtime of a node: it needs no API server.
pub fn start_runtime(
    start: &Start,
    addresses: &Addresses,
    state: &mut State,
    node: u8,
) -> Result<()> {
    let (data, run) = (data(start.place, node), start.place.run.join(name(node)));
    let network = data.join("cni");
    for folder in [&data, &run, &network] {
        make_folder(folder)?;
    }
    cgroup::make(&cgroup::of_node(&start.place.id, node))?;
    fs::write(
        network.join("10-devcluster.conflist"),
        pod_network(start.place, addresses, node).to_string(),
    )?;
    let config = data.join("containerd.toml");
    fs::write(&config, runtime_config(start, node)?).context("cannot configure containerd")?;
    let program = Program::new(
        format!("{}-containerd", name(node)),
        start.tools.file(Upstream::Containerd, "containerd")?,
    );
    state.start(
        start.place,
        &program
            .flag("config", &config)
            .within(&addresses.namespace(node)),
    )
}

/// Starts what makes a node of it, when the API server is there.
pub fn start_agents(
    start: &Start,
    addresses: &Addresses,
    state: &mut State,
    node: u8,
) -> Result<()> {
    let (name, place) = (name(node), start.place);
    let host = start.host();
    let kubeconfig = start.kubeconfig(
        state,
        &name,
        &format!("system:node:{name}"),
        &["system:nodes"],
        &host,
    )?;
    start
        .authority
        .server(&name, &[name.clone(), addresses.node(node).to_string()])?;
    let config = data(place, node).join("kubelet.yaml");
    fs::write(&config, kubelet_config(start, addresses, node).to_string())
        .context("cannot configure the kubelet")?;
    let kubelet = Program::new(
        format!("{name}-kubelet"),
        start.tools.file(Upstream::Kubernetes, "kubelet")?,
    )
    .flag("config", &config)
    .flag("kubeconfig", &kubeconfig)
    .flag("hostname-override", &name)
    .flag("node-ip", addresses.node(node).to_string())
    .flag("root-dir", kubelet_folder(place, node))
    .flag("cert-dir", data(place, node).join("kubelet/pki"))
    .within(&addresses.namespace(node));
    state.start(place, &kubelet)?;
    let kubeconfig = start.kubeconfig(
        state,
        &format!("{name}-proxy"),
        "system:kube-proxy",
        &[],
        &host,
    )?;
    let proxy = Program::new(
        format!("{name}-kube-proxy"),
        start.tools.file(Upstream::Kubernetes, "kube-proxy")?,
    )
    .flag("kubeconfig", &kubeconfig)
    .flag("hostname-override", &name)
    .flag("proxy-mode", "nftables")
    .flag("cluster-cidr", addresses.pods())
    // It may not write these on every machine, and a node of a test does not need them.
    .flag("conntrack-max-per-core", "0")
    .flag("conntrack-tcp-timeout-established", "0")
    .flag("conntrack-tcp-timeout-close-wait", "0")
    .within(&addresses.namespace(node));
    state.start(place, &proxy)
}

/// Brings an image into a node.
pub fn import(tools: &Tools, place: &Place, node: u8, image: &Archive) -> Result<()> {
    let ctr = tools.file(Upstream::Containerd, "ctr")?;
    let ctr = |arguments: &[&str]| {
        let socket = socket(place, node);
        let common = [
            "--address".as_ref(),
            socket.as_os_str(),
            "--namespace".as_ref(),
            "k8s.io".as_ref(),
            "images".as_ref(),
        ];
        run::run(
            &ctr,
            common
                .into_iter()
                .chain(arguments.iter().map(AsRef::as_ref)),
        )
    };
    let file = image.file.to_string_lossy();
    ctr(&["import", "--local", &file])
        .with_context(|| format!("cannot bring {} into {}", image.name, name(node)))?;
    // A digest is what a registry would report: with this name a pod can ask for it, and its status shows it.
    ctr(&["tag", "--force", "--local", &image.name, &image.reference()]).map(drop)
}

/// Waits until the container runtime of a node answers.
pub async fn runtime_ready(tools: &Tools, place: &Place, state: &State, node: u8) -> Result<()> {
    let ctr = tools.file(Upstream::Containerd, "ctr")?;
    let socket = socket(place, node);
    for _ in 0..600 {
        if let Some(dead) = state.dead() {
            bail!(
                "{} has ended:\n{}",
                dead.name,
                crate::process::tail(&dead.log, 20)
            );
        }
        if run::run(
            &ctr,
            ["--address".as_ref(), socket.as_os_str(), "version".as_ref()],
        )
        .is_ok()
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the container runtime of {} does not answer", name(node))
}

/// The folder of a node's kubelet.
pub fn kubelet_folder(place: &Place, node: u8) -> PathBuf {
    data(place, node).join("kubelet")
}

fn data(place: &Place, node: u8) -> PathBuf {
    place.state.join(name(node))
}

fn pod_network(place: &Place, addresses: &Addresses, node: u8) -> serde_json::Value {
    // Point-to-point links instead of a bridge: pods of one node, too, speak through the node's routing,
    // where service addresses and policies apply whatever the kernel does with bridges.
    json!({"cniVersion": "1.0.0", "name": "devcluster", "plugins": [
        {"type": "ptp", "ipMasq": false, "ipam": {
            "type": "host-local",
            "dataDir": place.run.join(name(node)).join("leases"),
            "ranges": [[{"subnet": addresses.node_pods(node)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        }},
        {"type": "portmap", "capabilities": {"portMappings": true}},
    ]})
}

fn runtime_config(start: &Start, node: u8) -> Result<String> {
    let (data, run) = (data(start.place, node), start.place.run.join(name(node)));
    let shim = start
        .tools
        .file(Upstream::Containerd, "containerd-shim-runc-v2")?;
    let runc = run::find("runc").context("runc is not here")?;
    Ok(format!(
        r#"version = 3
root = {root:?}
state = {state:?}

[grpc]
address = {socket:?}

# Its socket has one place on the machine, where the nodes would meet.
[plugins."io.containerd.nri.v1.nri"]
disable = true

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = {PAUSE:?}

[plugins."io.containerd.cri.v1.runtime"]
# Machines without CAP_SYS_RESOURCE cannot lower the score, and runc dies of it.
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = {cni:?}

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
runtime_path = {shim:?}

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = {runc:?}
Root = {runc_root:?}
SystemdCgroup = false
"#,
        root = data.join("containerd"),
        state = run.join("containerd"),
        socket = socket(start.place, node),
        cni = data.join("cni"),
        runc_root = run.join("runc"),
    ))
}

fn kubelet_config(start: &Start, addresses: &Addresses, node: u8) -> serde_json::Value {
    let (authority, data) = (start.authority, data(start.place, node));
    let socket = format!("unix://{}", socket(start.place, node).display());
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": authority.crt("ca")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": authority.crt(&name(node)),
        "tlsPrivateKeyFile": authority.key(&name(node)),
        "containerRuntimeEndpoint": socket,
        "imageServiceEndpoint": socket,
        "clusterDomain": "cluster.local",
        "clusterDNS": [addresses.dns_service()],
        "resolvConf": "",
        "podLogsDir": data.join("pod-logs"),
        "cgroupRoot": cgroup::of_node(&start.place.id, node),
        "cgroupDriver": "cgroupfs",
        // Without it the kubelet dies when a pod is resized in place.
        "cgroupsPerQOS": true,
        "enforceNodeAllocatable": [],
        "failCgroupV1": false,
        "failSwapOn": false,
        "oomScoreAdj": 0,
        // The host's disk and memory are everybody's: images are never collected, and pods go only when it gets serious.
        "evictionHard": {"memory.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,
        "nodeStatusUpdateFrequency": "5s",
        "syncFrequency": "10s",
        "serializeImagePulls": false,
    })
}
