//! Preconditions of everything that gives or takes addresses, blocks, ports and numbers: none is given twice, whoever proposes it.
//! Called by [`crate::apply`] before a change; which one to give is for `cluster-decide`.

use std::net::Ipv4Addr;

use cluster_types::{
    BlockOwner, DEFAULT_NETWORK, Endpoint, Network, NetworkId, NetworkStep, NodeId, NodeState, NodeStep, ObjectKey, Rejection, ServiceId,
    ServiceSpec, TaskAddress, TaskId, bug,
};

use crate::State;
use crate::addresses::Holder;

type Checked = Result<(), Rejection>;

fn refuse(key: ObjectKey, reason: impl Into<String>) -> Checked {
    Err(Rejection::Refused { key, reason: reason.into() })
}

impl State {
    /// Whose the block is that an address is in.
    pub(crate) fn owner(&self, network: NetworkId, address: Ipv4Addr) -> Option<BlockOwner> {
        let network = self.networks.get(network)?;
        network.blocks.get(&network.block_of(address)?).copied()
    }

    /// A new network has a name and a subnet of its own.
    pub(crate) fn check_new_network(&self, network: &Network) -> Checked {
        let (key, name) = (ObjectKey::Network(network.id), &network.spec.name);
        if let Some(holder) = self.networks.index().get(name).filter(|holder| *holder != network.id) {
            return Err(Rejection::NameTaken { name: name.clone(), holder: ObjectKey::Network(holder) });
        }
        match self.networks.rows().find(|other| other.id != network.id && other.subnet.overlaps(network.subnet)) {
            Some(other) => {
                refuse(key, format!("its subnet {} meets {}, the subnet of network {}", network.subnet, other.subnet, other.spec.name))
            }
            None => Ok(()),
        }
    }

    /// A network goes when nothing uses it.
    pub(crate) fn check_unused_network(&self, id: NetworkId) -> Checked {
        let key = ObjectKey::Network(id);
        let network = self.networks.get(id).ok_or(Rejection::Missing(key))?;
        if id == DEFAULT_NETWORK {
            return refuse(key, "the default network cannot be removed");
        }
        if let Some(service) = self.services.index().in_network(id).next().and_then(|service| self.services.get(service)) {
            return refuse(key, format!("service {} uses it", service.spec.name));
        }
        match self.addresses.within(network.subnet).next() {
            Some((_, Holder::Task(task))) => refuse(key, format!("task {} has not ended yet{}", task.short(), self.whereabouts(task))),
            Some((_, Holder::Service(service))) => refuse(key, format!("an address of service {} is not given back yet", service.short())),
            None => Ok(()),
        }
    }

    /// Where a task is, for people, and what to do when that does not answer.
    fn whereabouts(&self, task: TaskId) -> String {
        let node = self.tasks.get(task).and_then(|task| self.nodes.get(task.node?));
        let Some(node) = node else { return String::new() };
        let advice = if node.status.state == NodeState::Down { ", which is down: remove the node if it will not come back" } else { "" };
        format!(" on node {}{advice}", node.description.hostname)
    }

    /// A spec names networks that exist. The default one is made with the cluster.
    pub(crate) fn check_spec_networks(&self, spec: &ServiceSpec) -> Checked {
        let missing = spec.task.networks.iter().find(|attachment| self.networks.get(attachment.network).is_none());
        missing.map_or(Ok(()), |attachment| Err(Rejection::Missing(ObjectKey::Network(attachment.network))))
    }

    /// The addresses of a task are nobody else's, each from a block of its node.
    pub(crate) fn check_task_addresses(&self, task: TaskId, node: NodeId, addresses: &[TaskAddress]) -> Checked {
        let key = ObjectKey::Task(task);
        for (place, has) in addresses.iter().enumerate() {
            if addresses[..place].contains(has) {
                return refuse(key, format!("the address {} is given to it twice", has.address));
            }
            if self.owner(has.network, has.address) != Some(BlockOwner::Node(node)) {
                return refuse(key, format!("the address {} is of no block of node {node}", has.address));
            }
            if self.addresses.get(has.address).is_some_and(|holder| holder != Holder::Task(task)) && !bug!(AddressTwice) {
                return refuse(key, format!("the address {} is taken", has.address));
            }
        }
        Ok(())
    }

    /// The addresses and ports of a service are nobody else's, each address from a block of services.
    pub(crate) fn check_endpoint(&self, service: ServiceId, endpoint: &Endpoint) -> Checked {
        let key = ObjectKey::Service(service);
        for (network, vip) in &endpoint.vips {
            if self.owner(*network, *vip) != Some(BlockOwner::Services) {
                return refuse(key, format!("the address {vip} is of no block of services"));
            }
            if self.addresses.get(*vip).is_some_and(|holder| holder != Holder::Service(service)) {
                return refuse(key, format!("the address {vip} is taken"));
            }
        }
        let taken = endpoint.ports.iter().find_map(|port| {
            let holder = self.services.index().publishing(port.published, port.protocol)?;
            (holder != service && !bug!(PortTwice)).then_some(port.published)
        });
        taken.map_or(Ok(()), |port| refuse(key, format!("port {port} is published by another service")))
    }

    /// A node's number is given once.
    pub(crate) fn check_number(&self, node: NodeId, step: &NodeStep) -> Checked {
        let NodeStep::Number(number) = step else { return Ok(()) };
        match self.nodes.index().numbered(*number) {
            Some(holder) if holder != node && !bug!(NumberTwice) => {
                refuse(ObjectKey::Node(node), format!("the number {number} is taken by node {holder}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A block is claimed for a node that exists, and released when no address of it is in use.
    pub(crate) fn check_block(&self, id: NetworkId, step: &NetworkStep) -> Checked {
        let key = ObjectKey::Network(id);
        let network = self.networks.get(id).ok_or(Rejection::Missing(key))?;
        match step {
            NetworkStep::Claim(number, _) if network.block(*number).is_none() => refuse(key, format!("it has no block {number}")),
            NetworkStep::Claim(_, BlockOwner::Node(node)) if self.nodes.get(*node).is_none() => {
                Err(Rejection::Missing(ObjectKey::Node(*node)))
            }
            NetworkStep::Claim(..) => Ok(()),
            NetworkStep::Release(number) => {
                let used = network.block(*number).and_then(|block| self.addresses.within(block).next());
                used.map_or(Ok(()), |(address, _)| refuse(key, format!("block {number} is in use: {address}")))
            }
        }
    }
}
