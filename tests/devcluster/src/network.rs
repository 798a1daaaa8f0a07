//! The wires: a bridge on the host and a network namespace for each node.

use std::{fs, net::TcpListener, path::Path};

use anyhow::{Context, Result, bail};

use crate::{
    addresses::{Addresses, Network},
    run::{run, words},
};

/// The networks that this machine uses already.
pub fn used() -> Result<Vec<Network>> {
    let routes = words("ip -4 route show table all")?;
    let addresses = words("ip -4 -o address show")?;
    let words = routes
        .split_whitespace()
        .chain(addresses.split_whitespace());
    Ok(words.filter_map(Network::parse).collect())
}

/// Makes the bridge.
pub fn add_bridge(plan: &Addresses) -> Result<()> {
    let bridge = plan.bridge();
    words(&format!("ip link add {bridge} type bridge"))?;
    words(&format!("ip address add {}/24 dev {bridge}", plan.host()))?;
    words(&format!("ip link set {bridge} up"))?;
    Ok(())
}

/// Makes the namespace of a node and its link to the bridge.
pub fn add_node(plan: &Addresses, node: u8) -> Result<()> {
    let (space, bridge) = (plan.namespace(node), plan.bridge());
    let (host, inner) = (plan.host_link(node), plan.node_link(node));
    words(&format!("ip netns add {space}"))?;
    words(&format!("ip link add {host} type veth peer name {inner}"))?;
    words(&format!("ip link set {host} master {bridge} up"))?;
    words(&format!("ip link set {inner} netns {space}"))?;
    let within = format!("ip -n {space}");
    words(&format!("{within} link set lo up"))?;
    words(&format!("{within} link set {inner} name eth0"))?;
    words(&format!(
        "{within} address add {}/24 dev eth0",
        plan.node(node)
    ))?;
    words(&format!("{within} link set eth0 up"))?;
    words(&format!("{within} route add default via {}", plan.host()))?;
    // Pods are routed, never translated: policies and access lists then see who really speaks.
    let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
    run(
        "nsenter",
        [
            format!("--net=/run/netns/{space}").as_str(),
            "sh",
            "-c",
            forward,
        ],
    )?;
    words(&format!(
        "ip route add {} via {}",
        plan.node_pods(node),
        plan.node(node)
    ))?;
    Ok(())
}

/// Lets each node know where the pods of the others are.
pub fn join_nodes(plan: &Addresses, nodes: u8) -> Result<()> {
    for (from, to) in (1..=nodes)
        .flat_map(|a| (1..=nodes).map(move |b| (a, b)))
        .filter(|(a, b)| a != b)
    {
        words(&format!(
            "ip -n {} route add {} via {}",
            plan.namespace(from),
            plan.node_pods(to),
            plan.node(to)
        ))?;
    }
    Ok(())
}

/// Removes what a cluster of this plan has, or a killed run has left. What is not there is no error.
pub fn remove(plan: &Addresses, nodes: u8) -> Result<()> {
    for node in 1..=nodes {
        let space = plan.namespace(node);
        if Path::new("/run/netns").join(&space).exists() {
            words(&format!("ip netns delete {space}"))?;
        }
        remove_link(&plan.host_link(node))?;
    }
    // Its addresses and routes go with it.
    remove_link(&plan.bridge())
}

/// The links and namespaces on this machine that carry the id of a cluster.
pub fn left(id: &str) -> Vec<String> {
    let names = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(folder)
            .map(|entries| entries.flatten().collect())
            .unwrap_or_else(|_| Vec::new());
        entries
            .iter()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    };
    let (links, spaces) = (names("/sys/class/net"), names("/run/netns"));
    let link = format!("rs{id}");
    let space = format!("roadstead-{id}-");
    let links = links.into_iter().filter(|name| name.starts_with(&link));
    links
        .chain(spaces.into_iter().filter(|name| name.starts_with(&space)))
        .collect()
}

fn remove_link(link: &str) -> Result<()> {
    if !Path::new("/sys/class/net").join(link).exists() {
        return Ok(());
    }
    let there = || Path::new("/sys/class/net").join(link).exists();
    match words(&format!("ip link delete {link}")) {
        // The end of a namespace takes its links along, a moment later.
        Err(error) if there() => Err(error),
        _ => Ok(()),
    }
}

/// Ports that nothing listens on, below those that the kernel gives to connections.
pub fn free_ports(count: usize) -> Result<Vec<u16>> {
    let seed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.subsec_nanos());
    let start = 20_000 + u16::try_from(seed % 10_000).unwrap_or(0);
    let free = |port: &u16| TcpListener::bind(("0.0.0.0", *port)).is_ok();
    let ports: Vec<u16> = (start..32_000).filter(free).take(count).collect();
    if ports.len() < count {
        bail!("there are not {count} free ports from {start} to 32000");
    }
    Ok(ports)
}

/// Says what keeps this machine from having nodes, where something does.
pub fn check() -> Result<()> {
    fs::metadata("/proc/sys/net/ipv4/ip_forward")
        .map(drop)
        .context("this machine has no IPv4 forwarding")
}
