//! The start of a cluster, in the order in which one part needs another.

use std::{
    fs::{self, File},
    future::Future,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::core::v1::{Namespace, Node, ServiceAccount};
use kube::{Api, Client, api::ListParams};

use crate::{
    addons,
    addresses::Addresses,
    cleanup, control_plane,
    control_plane::Start,
    debian, fake_nodes, guard,
    image::catalogue,
    kubeconfig, network, node,
    options::Options,
    pki::Authority,
    place::{Place, can_have_nodes, make_folder},
    process::{self, Identity},
    progress::Progress,
    state::State,
    tools::{self, Tools, Upstream},
};

/// How long a part may take to come up on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(180);

/// What this machine can have of what was asked for. What that leaves unproven is said.
pub fn possible(mut options: Options) -> Options {
    if options.nodes > 0 && !can_have_nodes() {
        eprintln!(
            "Real nodes need Linux and root: this cluster has none. What stays unproven: containers, images, networking,\n\
             network policies, storage, metrics, in-place resize. Pods run on {} nodes that exist in the API only.",
            options.fake_nodes.max(1)
        );
        options.nodes = 0;
        options.fake_nodes = options.fake_nodes.max(1);
    }
    options.nodes = options.nodes.min(9);
    options
}

/// Builds the programs that a cluster with these options needs.
pub fn tools(options: &Options) -> Result<Tools> {
    let mut upstreams = vec![Upstream::Kubernetes, Upstream::Etcd];
    if options.nodes > 0 {
        upstreams.extend([Upstream::Containerd, Upstream::Coredns]);
        if options.metrics {
            upstreams.push(Upstream::MetricsServer);
        }
        if options.snapshots {
            upstreams.extend([Upstream::CsiProvisioner, Upstream::Snapshotter]);
        }
    }
    if options.fake_nodes > 0 {
        upstreams.push(Upstream::Kwok);
    }
    tools::ensure(&upstreams)
}

/// Every kubelet watches files, and Linux lets a user do so 128 times in all by default: too few for a second cluster.
/// The limit is only ever raised. Where that is not allowed, the kubelet that finds no room says so.
fn make_room_for_watchers() {
    const LIMIT: &str = "/proc/sys/fs/inotify/max_user_instances";
    const ENOUGH: u32 = 2048;
    let now = fs::read_to_string(LIMIT).ok();
    let now = now.and_then(|text| text.trim().parse::<u32>().ok());
    if now.is_some_and(|now| now < ENOUGH) && fs::write(LIMIT, ENOUGH.to_string()).is_err() {
        eprintln!(
            "If a kubelet has too many open files: sysctl -w fs.inotify.max_user_instances={ENOUGH}"
        );
    }
}

/// Starts a cluster. The caller holds its lock.
pub async fn bring_up(place: &Place, options: &Options, tools: &Tools) -> Result<(State, Client)> {
    // Whatever an earlier run has left, however it ended.
    cleanup::remove(place)?;
    if options.nodes > 0 {
        debian::ensure_node_programs(options.snapshots)?;
        network::check()?;
        make_room_for_watchers();
    }
    place.make()?;
    let logs = fs::read_dir(place.logs())?.flatten();
    for entry in logs.filter(|entry| entry.file_name() != guard::LOG) {
        fs::remove_file(entry.path()).context("cannot remove an old log")?;
    }
    let progress = Progress::begin(format!("Starting the cluster {}", place.name));
    let mut state = State {
        nodes: options.nodes,
        fake_nodes: options.fake_nodes,
        ..State::default()
    };
    if !options.keep {
        state.owner = Identity::own();
    }
    let addresses = wire(place, &mut state)?;
    let authority = Authority::make(&place.pki())?;
    let start = Start {
        place,
        options,
        tools,
        authority: &authority,
        addresses: addresses.as_ref(),
    };
    let client = start_programs(&start, &mut state, &progress).await?;
    if options.controllers {
        progress.at("waiting for the nodes");
        nodes_ready(&client, &state).await?;
    }
    state.ready = true;
    state.save(place)?;
    progress.done();
    Ok((state, client))
}

/// Chooses ports and addresses and lays the links, one cluster at a time.
fn wire(place: &Place, state: &mut State) -> Result<Option<Addresses>> {
    let parent = place.run.parent().context("a folder without a parent")?;
    make_folder(parent)?;
    let lock = File::create(parent.join("wires.lock"))?;
    lock.lock().context("cannot lock the machine's networks")?;
    let ports = network::free_ports(control_plane::PORTS.len())?;
    state.ports = control_plane::PORTS
        .iter()
        .map(|name| (*name).to_owned())
        .zip(ports)
        .collect();
    if state.nodes == 0 {
        state.save(place)?;
        return Ok(None);
    }
    let addresses = Addresses::choose(&place.id, &network::used()?)?;
    state.slot = Some(addresses.slot());
    state.save(place)?;
    network::add_bridge(&addresses)?;
    for node in 1..=state.nodes {
        network::add_node(&addresses, node)?;
    }
    network::join_nodes(&addresses, state.nodes)?;
    Ok(Some(addresses))
}

async fn start_programs(
    start: &Start<'_>,
    state: &mut State,
    progress: &Progress,
) -> Result<Client> {
    let nodes = 1..=state.nodes;
    progress.at("waiting for the API server");
    control_plane::start_api(start, state)?;
    if let Some(addresses) = start.addresses {
        for node in nodes.clone() {
            node::start_runtime(start, addresses, state, node)?;
        }
    }
    let client = kubeconfig::client(&start.place.kubeconfig("admin"), None).await?;
    until(state, "the API server is ready", || api_ready(&client)).await?;
    if !start.options.controllers {
        return Ok(client);
    }
    control_plane::start_controllers(start, state)?;
    if let Some(addresses) = start.addresses {
        // The kubelet asks for this image as soon as it runs.
        let images = [catalogue::pause()?, catalogue::busybox()?];
        for node in nodes.clone() {
            node::runtime_ready(start.tools, start.place, state, node).await?;
            for image in &images {
                node::import(start.tools, start.place, node, image)?;
            }
            node::start_agents(start, addresses, state, node)?;
        }
        progress.at("starting names, storage and metrics");
        addons::start(start, addresses, state)?;
        if start.options.policy {
            nodes
                .clone()
                .try_for_each(|node| addons::start_policy(start, addresses, state, node))?;
        }
    }
    if state.fake_nodes > 0 {
        fake_nodes::start(start, state)?;
        fake_nodes::add(&client, state.fake_nodes, state.nodes > 0).await?;
    }
    Ok(client)
}

async fn api_ready(client: &Client) -> Result<bool> {
    // It says so once the roles are set up that the other programs need to start at all.
    let request = http::Request::get("/readyz").body(Vec::new())?;
    let ready = client
        .request_text(request)
        .await
        .is_ok_and(|said| said == "ok");
    let spaces: Api<Namespace> = Api::all(client.clone());
    Ok(ready && spaces.get_opt("kube-system").await?.is_some())
}

async fn nodes_ready(client: &Client, state: &State) -> Result<()> {
    let expected = usize::from(state.nodes) + state.fake_nodes as usize;
    let nodes: Api<Node> = Api::all(client.clone());
    until(state, "the nodes are ready", || async {
        let nodes = nodes.list(&ListParams::default()).await?;
        Ok(nodes.items.iter().filter(|node| is_ready(node)).count() >= expected)
    })
    .await?;
    // Until it exists, no pod can be created.
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    until(state, "the default service account exists", || async {
        Ok(accounts.get_opt("default").await?.is_some())
    })
    .await
}

fn is_ready(node: &Node) -> bool {
    let conditions = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        conditions
            .iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
    })
}

/// Waits for a condition. The end of a program of the cluster ends the wait, with the last of what it said.
async fn until<F: Future<Output = Result<bool>>>(
    state: &State,
    what: &str,
    mut holds: impl FnMut() -> F,
) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut last = anyhow!("it never became so");
    while Instant::now() < deadline {
        if let Some(dead) = state.dead() {
            bail!(
                "{} has ended, while waiting until {what}; the end of {}:\n{}",
                dead.name,
                dead.log.display(),
                process::tail(&dead.log, 20)
            );
        }
        match holds().await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => last = error,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(last.context(format!("waited {PATIENCE:?} until {what}")))
}
