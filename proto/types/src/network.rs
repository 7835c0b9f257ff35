//! Networks: what users ask for, what the cluster gave, and what tasks and services have of it.
//!
//! A network owns a subnet of the cluster's pool. The subnet is cut into blocks; each block belongs to a node, whose tasks get their
//! addresses from it, or to the services, whose addresses (VIPs) come from it. So a host needs one route for each block of another host,
//! never one for each container (`network.md`).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{Meta, NetworkId, NodeId, Protocol, PublishedPort, Subnet};

/// Id of the network of services that name none. Made with the cluster; cannot be removed.
pub const DEFAULT_NETWORK: NetworkId = NetworkId::from_bits(1);
/// Its name.
pub const DEFAULT_NETWORK_NAME: &str = "default";

/// What users want of a network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Unique name, a DNS label. Cannot change.
    pub name: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The subnet that was asked for; none lets the cluster choose one of its pool.
    pub subnet: Option<Subnet>,
    /// Whether containers that belong to no service may be attached.
    pub attachable: bool,
    /// Whether it has no way out: no egress, no published ports, no names of the world.
    pub internal: bool,
}

/// A network of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Version and times.
    pub meta: Meta,
    /// Its id.
    pub id: NetworkId,
    /// What users want.
    pub spec: NetworkSpec,
    /// Its addresses. Chosen when it is made; never changes.
    pub subnet: Subnet,
    /// Who has which block, by the block's number. Written by allocate.
    pub blocks: BTreeMap<u32, BlockOwner>,
}

/// Whose a block of a network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BlockOwner {
    /// Addresses of tasks on a node.
    Node(NodeId),
    /// Addresses of services (VIPs).
    Services,
}

impl Network {
    /// Prefix of its blocks: half of the subnet's host bits, at most 64 addresses each.
    #[must_use]
    pub fn block_prefix(&self) -> u8 {
        block_prefix(self.subnet)
    }

    /// How many blocks it has.
    #[must_use]
    pub fn block_count(&self) -> u64 {
        self.subnet.parts(self.block_prefix())
    }

    /// Block number `number`.
    #[must_use]
    pub fn block(&self, number: u32) -> Option<Subnet> {
        self.subnet.part(self.block_prefix(), u64::from(number))
    }

    /// The number of the block that an address is in.
    #[must_use]
    pub fn block_of(&self, address: Ipv4Addr) -> Option<u32> {
        u32::try_from(self.subnet.index(address)? >> (32 - u32::from(self.block_prefix()))).ok()
    }

    /// The blocks of an owner, in order.
    pub fn blocks_of(&self, owner: BlockOwner) -> impl Iterator<Item = Subnet> + '_ {
        self.blocks.iter().filter(move |(_, has)| **has == owner).filter_map(|(number, _)| self.block(*number))
    }
}

/// Prefix of the blocks that a subnet is cut into.
#[must_use]
pub fn block_prefix(subnet: Subnet) -> u8 {
    let host_bits = 32 - subnet.prefix();
    32 - (host_bits / 2).min(6)
}

/// The addresses that a cluster may give, chosen at `init`; never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPool {
    /// All networks' subnets and the nodes' own overlay addresses are in it, unless a user asked for another subnet.
    pub pool: Subnet,
    /// Prefix of the subnet of a network that asks for none.
    pub network_prefix: u8,
    /// UDP port that carries the overlay between hosts.
    pub data_port: u16,
}

impl NetworkPool {
    /// What `init` takes where nobody chose: a quarter of 10.0.0.0/8, 16,384 addresses for each network.
    #[must_use]
    pub fn standard() -> Self {
        let pool = Subnet::around(Ipv4Addr::new(10, 192, 0, 0), 10);
        Self { pool: pool.unwrap_or_else(|| unreachable!("10 is a prefix")), network_prefix: 18, data_port: 4789 }
    }

    /// The part that holds the nodes' own overlay addresses: the first 64th of the pool, 65,536 at most.
    #[must_use]
    pub fn nodes(&self) -> Subnet {
        let prefix = (self.pool.prefix() + 6).clamp(16, 30);
        self.pool.part(prefix, 0).unwrap_or(self.pool)
    }

    /// The overlay address of the node with a number. Nodes are numbered from 1.
    #[must_use]
    pub fn node_address(&self, number: u16) -> Option<Ipv4Addr> {
        self.nodes().address(u64::from(number))
    }

    /// The subnet of the default network: the second 16th of the pool.
    #[must_use]
    pub fn default_network(&self) -> Option<Subnet> {
        self.pool.part(self.pool.prefix() + 4, 1)
    }
}

/// How a service takes part in a network.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NetworkAttachment {
    /// Which.
    pub network: NetworkId,
    /// Further names of the service there.
    pub aliases: Vec<String>,
}

/// What a service's name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointMode {
    /// One address, spread over the healthy tasks.
    #[default]
    Vip,
    /// The addresses of the healthy tasks.
    Dnsrr,
}

/// Which task a client's further connections go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointAffinity {
    /// The next one in turn.
    #[default]
    None,
    /// The same one, as long as the set of tasks stays the same.
    ClientIp,
}

/// How clients reach a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct EndpointSpec {
    /// What its name stands for.
    pub mode: EndpointMode,
    /// Which task a client's further connections go to.
    pub affinity: EndpointAffinity,
}

/// What a service was given. Written by allocate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its address in each of its networks (mode `vip`).
    pub vips: BTreeMap<NetworkId, Ipv4Addr>,
    /// Its ingress ports, with their real numbers.
    pub ports: Vec<PublishedPort>,
    /// Why something is missing, for people.
    pub error: Option<String>,
}

/// An address of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskAddress {
    /// In which network.
    pub network: NetworkId,
    /// The address.
    pub address: Ipv4Addr,
}

/// What a node says of its data path. Written by the dispatcher.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeNetwork {
    /// Ingress ports that are not open there, because another program has them.
    pub conflicts: Vec<(u16, Protocol)>,
    /// Why the data path is not as it should be; none when it is.
    pub trouble: Option<String>,
    /// How often something else had changed the kernel's rules, routes or links, and they were put right.
    pub repairs: u64,
    /// What was put right last, for people.
    pub repaired: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_pool_has_room_for_thousands_of_hosts() {
        let pool = NetworkPool::standard();
        assert_eq!(pool.nodes().to_string(), "10.192.0.0/16");
        let default = pool.default_network().unwrap();
        assert_eq!(default.to_string(), "10.196.0.0/14");
        assert!(!default.overlaps(pool.nodes()));
        assert_eq!(default.parts(block_prefix(default)), 4096);
        assert_eq!(pool.node_address(1).unwrap().to_string(), "10.192.0.1");
    }

    #[test]
    fn small_networks_have_small_blocks() {
        for (subnet, prefix) in [("10.1.0.0/24", 28), ("10.1.0.0/20", 26), ("10.1.0.0/29", 31), ("10.0.0.0/8", 26)] {
            assert_eq!(block_prefix(subnet.parse().unwrap()), prefix, "{subnet}");
        }
    }
}
