//! The plan of a cluster's addresses: a whole /16 that nothing else on the machine uses.

use std::net::Ipv4Addr;

use anyhow::{Result, bail};

const FIRST: u8 = 100;
const SLOTS: u8 = 100;

/// An IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: Ipv4Addr,
    bits: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, or an address alone.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
        let bits = bits.parse().ok().filter(|bits| *bits <= 32)?;
        Some(Self {
            address: address.parse().ok()?,
            bits,
        })
    }

    fn overlaps(self, other: Self) -> bool {
        let bits = u32::from(self.bits.min(other.bits));
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        u32::from(self.address) & mask == u32::from(other.address) & mask
    }
}

/// The addresses and names of links of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    slot: u8,
    id: String,
}

impl Addresses {
    /// The plan in a slot that was chosen before.
    pub fn at(slot: u8, id: &str) -> Self {
        Self {
            slot,
            id: id.to_owned(),
        }
    }

    /// The first plan that meets no network in use, looking from a place that depends on the id.
    pub fn choose(id: &str, used: &[Network]) -> Result<Self> {
        let start = u8::from_str_radix(id.get(..2).unwrap_or("0"), 16).unwrap_or(0) % SLOTS;
        for step in 0..SLOTS {
            let plan = Self::at((start + step) % SLOTS, id);
            let whole = Network {
                address: plan.address(0, 0),
                bits: 16,
            };
            // A default route overlaps everything and takes nothing.
            if !used
                .iter()
                .any(|network| network.bits > 0 && network.overlaps(whole))
            {
                return Ok(plan);
            }
        }
        bail!(
            "every network from 10.{FIRST}.0.0/16 to 10.{}.0.0/16 is in use on this machine",
            FIRST + SLOTS - 1
        )
    }

    /// The number by which the plan is remembered.
    pub fn slot(&self) -> u8 {
        self.slot
    }

    /// The bridge that joins the host and the nodes.
    pub fn bridge(&self) -> String {
        format!("rs{}", self.id)
    }

    /// The host on the bridge: where nodes and pods reach the API server.
    pub fn host(&self) -> Ipv4Addr {
        self.address(0, 1)
    }

    /// The host's end of a node's link.
    pub fn host_link(&self, node: u8) -> String {
        format!("rs{}h{node}", self.id)
    }

    /// The node's end of its link, before it is moved and renamed.
    pub fn node_link(&self, node: u8) -> String {
        format!("rs{}n{node}", self.id)
    }

    /// The network namespace of a node.
    pub fn namespace(&self, node: u8) -> String {
        format!("roadstead-{}-node{node}", self.id)
    }

    /// The address of a node. Nodes count from 1.
    pub fn node(&self, node: u8) -> Ipv4Addr {
        self.address(0, 10 + node)
    }

    /// The network of a node's pods.
    pub fn node_pods(&self, node: u8) -> String {
        format!("{}/24", self.address(64 + node, 0))
    }

    /// The network of all pods.
    pub fn pods(&self) -> String {
        format!("{}/18", self.address(64, 0))
    }

    /// The network of the ClusterIPs.
    pub fn services(&self) -> String {
        format!("{}/18", self.address(128, 0))
    }

    /// The ClusterIP of the API server.
    pub fn api_service(&self) -> Ipv4Addr {
        self.address(128, 1)
    }

    /// The ClusterIP of the name server.
    pub fn dns_service(&self) -> Ipv4Addr {
        self.address(128, 10)
    }

    fn address(&self, third: u8, fourth: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, FIRST + self.slot, third, fourth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_keeps_away_from_networks_in_use() {
        let id = "00beef";
        let free = Addresses::choose(id, &[]).unwrap();
        assert_eq!(free.slot(), 0);
        let used = ["0.0.0.0/0", "10.100.3.0/24", "10.101.7.9", "10.96.0.0/12"]
            .map(|n| Network::parse(n).unwrap());
        assert_eq!(Addresses::choose(id, &used).unwrap().slot(), 12);
        assert!(Addresses::choose(id, &[Network::parse("10.0.0.0/8").unwrap()]).is_err());
    }

    #[test]
    fn the_networks_of_a_plan_do_not_meet() {
        let plan = Addresses::at(7, "abcdef");
        let networks = [format!("{}/24", plan.host()), plan.pods(), plan.services()]
            .map(|n| Network::parse(&n).unwrap());
        for (i, a) in networks.iter().enumerate() {
            assert!(networks[i + 1..].iter().all(|b| !a.overlaps(*b)));
        }
        for node in 1..=9 {
            let pods = Network::parse(&plan.node_pods(node)).unwrap();
            assert!(pods.overlaps(networks[1]) && !pods.overlaps(networks[2]));
        }
    }

    #[test]
    fn link_names_fit_the_kernel() {
        let plan = Addresses::at(7, "abcdef");
        for name in [plan.bridge(), plan.host_link(9), plan.node_link(9)] {
            assert!(name.len() <= 15, "{name}");
        }
    }
}
