//! What NetworkPolicies mean for the pods of one node, as a table of nftables.
//!
//! Every packet to or from a pod is forwarded by the node, so one hook sees them all. A pod that a policy selects gets a chain for
//! the direction: each rule of each policy lets its packets return, and what is left is dropped, as most
//! networks do: who speaks before the rules know it is heard at the next try. Answers belong to their
//! connection and pass. What the node itself sends to its pods is not forwarded and passes, as Kubernetes demands of probes.

use std::{collections::BTreeMap, fmt::Write};

use k8s_openapi::{
    api::{
        core::v1::Pod,
        networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::selector::{Labels, matches};

/// The table's name.
pub const TABLE: &str = "devcluster-policy";

/// What the rules are made from.
#[derive(Default)]
pub struct World {
    /// Every pod of the cluster.
    pub pods: Vec<Pod>,
    /// The labels of every namespace, by its name.
    pub namespaces: BTreeMap<String, Labels>,
    /// Every policy.
    pub policies: Vec<NetworkPolicy>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Ingress,
    Egress,
}

/// The whole table for the pods of this node.
pub fn table(world: &World, node: &str) -> String {
    let mut base = String::new();
    let mut chains = String::new();
    let mut locals: Vec<&Pod> = world.pods.iter().filter(|p| on(p, node)).collect();
    locals.sort_by_key(|p| (p.metadata.namespace.clone(), p.metadata.name.clone()));
    for (direction, word, side) in [
        (Direction::Egress, "out", "saddr"),
        (Direction::Ingress, "in", "daddr"),
    ] {
        for pod in &locals {
            let Some(ip) = address(pod) else { continue };
            let policies = selecting(world, pod, direction);
            if policies.is_empty() {
                continue;
            }
            let chain = format!("{word}-{}", ip.replace('.', "-"));
            let _ = writeln!(base, "    ip {side} {ip} jump {chain}");
            let _ = writeln!(chains, "  chain {chain} {{");
            for policy in policies {
                allowed(world, policy, pod, direction, &mut chains);
            }
            let _ = writeln!(chains, "    drop\n  }}");
        }
    }
    format!(
        "table inet {TABLE} {{}}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n{chains}  chain forward {{\n    \
         type filter hook forward priority filter; policy accept;\n    ct state established,related accept\n{base}  }}\n}}\n"
    )
}

fn on(pod: &Pod, node: &str) -> bool {
    let here = pod.spec.as_ref().and_then(|s| s.node_name.as_deref()) == Some(node);
    here && pod.spec.as_ref().and_then(|s| s.host_network) != Some(true)
}

/// The pod's address, while it has one: the addresses of finished pods are given to others.
fn address(pod: &Pod) -> Option<&str> {
    let status = pod.status.as_ref()?;
    let over = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    status
        .pod_ip
        .as_deref()
        .filter(|ip| !over && !ip.contains(':'))
}

fn labels(pod: &Pod) -> Labels {
    pod.metadata.labels.clone().unwrap_or_default()
}

fn selecting<'a>(world: &'a World, pod: &Pod, direction: Direction) -> Vec<&'a NetworkPolicy> {
    let mut found: Vec<_> = world
        .policies
        .iter()
        .filter(|policy| {
            let Some(spec) = &policy.spec else {
                return false;
            };
            policy.metadata.namespace == pod.metadata.namespace
                && concerns(spec, direction)
                && spec
                    .pod_selector
                    .as_ref()
                    .is_none_or(|s| matches(s, &labels(pod)))
        })
        .collect();
    found.sort_by_key(|p| p.metadata.name.clone());
    found
}

fn concerns(spec: &NetworkPolicySpec, direction: Direction) -> bool {
    match (&spec.policy_types, direction) {
        (Some(types), Direction::Ingress) => types.iter().any(|t| t == "Ingress"),
        (Some(types), Direction::Egress) => types.iter().any(|t| t == "Egress"),
        (None, Direction::Ingress) => true,
        (None, Direction::Egress) => spec.egress.is_some(),
    }
}

fn allowed(
    world: &World,
    policy: &NetworkPolicy,
    pod: &Pod,
    direction: Direction,
    into: &mut String,
) {
    let Some(spec) = &policy.spec else { return };
    let own = policy.metadata.namespace.as_deref().unwrap_or_default();
    type Rule<'a> = (
        Option<&'a Vec<NetworkPolicyPeer>>,
        Option<&'a Vec<NetworkPolicyPort>>,
    );
    let rules: Vec<Rule<'_>> = match direction {
        Direction::Ingress => spec
            .ingress
            .iter()
            .flatten()
            .map(|r| (r.from.as_ref(), r.ports.as_ref()))
            .collect(),
        Direction::Egress => spec
            .egress
            .iter()
            .flatten()
            .map(|r| (r.to.as_ref(), r.ports.as_ref()))
            .collect(),
    };
    for (peers, ports) in rules {
        let peers = peers.filter(|p| !p.is_empty());
        let ports = ports.filter(|p| !p.is_empty());
        let Some(peers) = peers else {
            for port in port_matches(ports, &[pod]) {
                let _ = writeln!(into, "    {port}return");
            }
            continue;
        };
        for peer in peers {
            for (who, targets) in sources(world, peer, own, direction) {
                // A named port is a port of the pod that is spoken to: the selected one, or, outwards, its peer.
                let named: Vec<&Pod> = if direction == Direction::Ingress {
                    vec![pod]
                } else {
                    targets
                };
                for port in port_matches(ports, &named) {
                    let _ = writeln!(into, "    {who}{port}return");
                }
            }
        }
    }
}

/// What a peer stands for: matches of the address on the other side, with the pods behind each.
fn sources<'a>(
    world: &'a World,
    peer: &NetworkPolicyPeer,
    own: &str,
    direction: Direction,
) -> Vec<(String, Vec<&'a Pod>)> {
    let side = if direction == Direction::Ingress {
        "saddr"
    } else {
        "daddr"
    };
    if let Some(block) = &peer.ip_block {
        if block.cidr.contains(':') {
            return Vec::new();
        }
        let except: Vec<&str> = block
            .except
            .iter()
            .flatten()
            .map(String::as_str)
            .filter(|c| !c.contains(':'))
            .collect();
        let mut rule = format!("ip {side} {} ", block.cidr);
        if !except.is_empty() {
            let _ = write!(rule, "ip {side} != {{ {} }} ", except.join(", "));
        }
        return vec![(rule, Vec::new())];
    }
    let mut found: Vec<(String, Vec<&Pod>)> = world
        .pods
        .iter()
        .filter(|pod| {
            let ns = pod.metadata.namespace.as_deref().unwrap_or_default();
            let there = match &peer.namespace_selector {
                Some(selector) => world
                    .namespaces
                    .get(ns)
                    .is_some_and(|l| matches(selector, l)),
                None => ns == own,
            };
            let networked = pod.spec.as_ref().and_then(|s| s.host_network) != Some(true);
            there
                && networked
                && peer
                    .pod_selector
                    .as_ref()
                    .is_none_or(|s| matches(s, &labels(pod)))
        })
        .filter_map(|pod| address(pod).map(|ip| (format!("ip {side} {ip} "), vec![pod])))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// Matches of the ports; one empty match where every port is meant.
fn port_matches(ports: Option<&Vec<NetworkPolicyPort>>, named: &[&Pod]) -> Vec<String> {
    let Some(ports) = ports else {
        return vec![String::new()];
    };
    let mut found = Vec::new();
    for port in ports {
        let protocol = port.protocol.as_deref().unwrap_or("TCP").to_lowercase();
        match (&port.port, port.end_port) {
            (None, _) => found.push(format!("meta l4proto {protocol} ")),
            (Some(IntOrString::Int(from)), Some(to)) => {
                found.push(format!("{protocol} dport {from}-{to} "))
            }
            (Some(IntOrString::Int(number)), None) => {
                found.push(format!("{protocol} dport {number} "))
            }
            (Some(IntOrString::String(name)), _) => {
                found.extend(
                    numbers(name, &protocol, named)
                        .into_iter()
                        .map(|n| format!("{protocol} dport {n} ")),
                );
            }
        }
    }
    found
}

fn numbers(name: &str, protocol: &str, pods: &[&Pod]) -> Vec<i32> {
    let containers = pods
        .iter()
        .filter_map(|p| p.spec.as_ref())
        .flat_map(|s| &s.containers);
    containers
        .flat_map(|c| c.ports.iter().flatten())
        .filter(|p| {
            p.name.as_deref() == Some(name)
                && p.protocol.as_deref().unwrap_or("TCP").to_lowercase() == protocol
        })
        .map(|p| p.container_port)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(ns: &str, name: &str, node: &str, ip: &str, app: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": ns, "labels": {"app": app}},
            "spec": {"nodeName": node, "containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8000}]}]},
            "status": {"podIP": ip, "phase": "Running"},
        }))
        .unwrap()
    }

    fn world(policy: serde_json::Value) -> World {
        let team = |name: &str| {
            (
                name.to_owned(),
                [("team".to_owned(), name.to_owned())].into(),
            )
        };
        World {
            pods: vec![
                pod("a", "web", "n1", "10.0.1.2", "web"),
                pod("a", "db", "n1", "10.0.1.3", "db"),
                pod("b", "spy", "n2", "10.0.2.2", "spy"),
            ],
            namespaces: [team("a"), team("b")].into(),
            policies: vec![
                serde_json::from_value(
                    json!({"metadata": {"name": "p", "namespace": "a"}, "spec": policy}),
                )
                .unwrap(),
            ],
        }
    }

    #[test]
    fn a_pod_that_no_policy_selects_has_no_chain() {
        let table = table(
            &world(json!({"podSelector": {"matchLabels": {"app": "none"}}})),
            "n1",
        );
        assert!(!table.contains("jump"), "{table}");
    }

    #[test]
    fn a_policy_without_rules_drops_everything_inwards_only() {
        let table = table(
            &world(json!({"podSelector": {}, "policyTypes": ["Ingress"]})),
            "n1",
        );
        assert!(
            table.contains("ip daddr 10.0.1.2 jump in-10-0-1-2"),
            "{table}"
        );
        assert!(
            !table.contains("return") && !table.contains("jump out-"),
            "{table}"
        );
    }

    #[test]
    fn a_selector_without_namespaces_means_the_policys_own() {
        let table = table(
            &world(
                json!({"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{"from": [{"podSelector": {}}]}]}),
            ),
            "n1",
        );
        assert!(table.contains("ip saddr 10.0.1.2 return"), "{table}");
        assert!(!table.contains("ip saddr 10.0.2.2"), "{table}");
    }

    #[test]
    fn ports_by_name_number_and_range_are_those_of_the_pod_spoken_to() {
        let table = table(
            &world(
                json!({"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [
                {"ports": [{"port": "http"}, {"port": 53, "protocol": "UDP"}, {"port": 9000, "endPort": 9009}]}]}),
            ),
            "n1",
        );
        for rule in [
            "tcp dport 8000 return",
            "udp dport 53 return",
            "tcp dport 9000-9009 return",
        ] {
            assert!(table.contains(rule), "{table}");
        }
    }

    #[test]
    fn a_block_of_addresses_leaves_out_its_exceptions() {
        let table = table(
            &world(
                json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [
                {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}]}),
            ),
            "n1",
        );
        assert!(
            table.contains("ip daddr 0.0.0.0/0 ip daddr != { 10.0.0.0/8 } return"),
            "{table}"
        );
    }

    #[test]
    fn pods_of_other_nodes_are_left_to_those() {
        let table = table(&world(json!({"podSelector": {}})), "n2");
        assert!(!table.contains("10.0.1.2 jump"), "{table}");
    }
}
