//! The secondary indexes: what objects are found by besides their id. Kept by the tables; never written by anybody else.

use std::fmt::Debug;
use std::ops::Bound;

use cluster_types::{Availability, Cluster, Network, NetworkId, Node, NodeId, NodeState, Protocol, Service, ServiceId, Task, TaskId};
use imbl::{OrdMap, OrdSet};

/// A secondary index over the rows of one table.
pub(crate) trait Index<R>: Clone + Default + PartialEq + Debug {
    /// A row is in the table now.
    fn insert(&mut self, row: &R);
    /// A row is no longer in the table. It is the very row that was inserted.
    fn remove(&mut self, row: &R);
    /// Whether a row that takes another's place is found by other keys. Most changes move nothing.
    fn moves(before: &R, after: &R) -> bool;
}

/// For kinds that are found by id alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct NoIndex;

impl Index<Cluster> for NoIndex {
    fn insert(&mut self, _: &Cluster) {}
    fn remove(&mut self, _: &Cluster) {}

    fn moves(_: &Cluster, _: &Cluster) -> bool {
        false
    }
}

/// Nodes by host name, which need not be unique, and by their number in the overlay, which is; and the few that are down or drained, which
/// passes ask about at every turn.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct NodeKeys {
    hostnames: OrdMap<String, OrdSet<NodeId>>,
    numbers: OrdMap<u16, NodeId>,
    down: OrdSet<NodeId>,
    drained: OrdSet<NodeId>,
}

impl NodeKeys {
    /// The nodes with a host name, in the order of their ids.
    pub(crate) fn get(&self, hostname: &str) -> impl Iterator<Item = NodeId> {
        self.hostnames.get(hostname).into_iter().flatten().copied()
    }

    /// The node with a number.
    pub(crate) fn numbered(&self, number: u16) -> Option<NodeId> {
        self.numbers.get(&number).copied()
    }

    /// The nodes that are called down.
    pub(crate) fn down(&self) -> impl Iterator<Item = NodeId> {
        self.down.iter().copied()
    }

    /// Whether a node is being emptied.
    pub(crate) fn is_drained(&self, node: NodeId) -> bool {
        self.drained.contains(&node)
    }

    /// The numbers that are taken, in order.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u16> {
        self.numbers.keys().copied()
    }
}

impl Index<Node> for NodeKeys {
    fn insert(&mut self, node: &Node) {
        self.hostnames.entry(node.description.hostname.clone()).or_default().insert(node.id);
        if let Some(number) = node.number {
            self.numbers.insert(number, node.id);
        }
        if is_down(node) {
            self.down.insert(node.id);
        }
        if is_drained(node) {
            self.drained.insert(node.id);
        }
    }

    fn remove(&mut self, node: &Node) {
        if let Some(number) = node.number {
            self.numbers.remove(&number);
        }
        self.down.remove(&node.id);
        self.drained.remove(&node.id);
        let hostname = &node.description.hostname;
        let Some(nodes) = self.hostnames.get_mut(hostname) else { return };
        nodes.remove(&node.id);
        if nodes.is_empty() {
            self.hostnames.remove(hostname);
        }
    }

    fn moves(before: &Node, after: &Node) -> bool {
        before.description.hostname != after.description.hostname
            || before.number != after.number
            || is_down(before) != is_down(after)
            || is_drained(before) != is_drained(after)
    }
}

fn is_down(node: &Node) -> bool {
    node.status.state == NodeState::Down
}

fn is_drained(node: &Node) -> bool {
    node.spec.availability == Availability::Drain
}

/// Services by name and by the ingress ports that they were given, which are unique; and those that take part in a network.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Names {
    names: OrdMap<String, ServiceId>,
    ports: OrdMap<(u16, Protocol), ServiceId>,
    networks: OrdSet<(NetworkId, ServiceId)>,
}

impl Names {
    /// The service with a name.
    pub(crate) fn get(&self, name: &str) -> Option<ServiceId> {
        self.names.get(name).copied()
    }

    /// The service with an ingress port.
    pub(crate) fn publishing(&self, port: u16, protocol: Protocol) -> Option<ServiceId> {
        self.ports.get(&(port, protocol)).copied()
    }

    /// The services of a network, by id.
    pub(crate) fn in_network(&self, network: NetworkId) -> impl Iterator<Item = ServiceId> {
        let (first, last) = (ServiceId::from_bits(0), ServiceId::from_bits(u128::MAX));
        self.networks.range((network, first)..=(network, last)).map(|&(_, service)| service)
    }
}

impl Index<Service> for Names {
    fn insert(&mut self, service: &Service) {
        self.names.insert(service.spec.name.clone(), service.id);
        self.ports.extend(service.endpoint.ports.iter().map(|port| ((port.published, port.protocol), service.id)));
        self.networks.extend(service.spec.task.network_ids().map(|network| (network, service.id)));
    }

    fn remove(&mut self, service: &Service) {
        self.names.remove(&service.spec.name);
        for port in &service.endpoint.ports {
            self.ports.remove(&(port.published, port.protocol));
        }
        for network in service.spec.task.network_ids() {
            self.networks.remove(&(network, service.id));
        }
    }

    fn moves(before: &Service, after: &Service) -> bool {
        before.spec.name != after.spec.name
            || before.endpoint.ports != after.endpoint.ports
            || !before.spec.task.network_ids().eq(after.spec.task.network_ids())
    }
}

/// Networks by name, which is unique.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct NetworkNames(OrdMap<String, NetworkId>);

impl NetworkNames {
    /// The network with a name.
    pub(crate) fn get(&self, name: &str) -> Option<NetworkId> {
        self.0.get(name).copied()
    }
}

impl Index<Network> for NetworkNames {
    fn insert(&mut self, network: &Network) {
        self.0.insert(network.spec.name.clone(), network.id);
    }

    fn remove(&mut self, network: &Network) {
        self.0.remove(&network.spec.name);
    }

    fn moves(before: &Network, after: &Network) -> bool {
        before.spec.name != after.spec.name
    }
}

/// Tasks by service and slot, and by node.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Places {
    slots: OrdSet<(ServiceId, u64, TaskId)>,
    nodes: OrdSet<(NodeId, TaskId)>,
    /// How many tasks each node has: every pass asks which nodes there are, and jumping through the tasks would cost it most of its time.
    counts: OrdMap<NodeId, u32>,
}

const FIRST: TaskId = TaskId::from_bits(0);
const LAST: TaskId = TaskId::from_bits(u128::MAX);

impl Places {
    /// The tasks of a service, in the order of slots, then ids.
    pub(crate) fn of_service(&self, service: ServiceId) -> impl Iterator<Item = TaskId> {
        self.slots.range((service, 0, FIRST)..=(service, u64::MAX, LAST)).map(|&(_, _, task)| task)
    }

    /// The tasks of one slot of a service, in the order of their ids.
    pub(crate) fn of_slot(&self, service: ServiceId, slot: u64) -> impl Iterator<Item = TaskId> {
        self.slots.range((service, slot, FIRST)..=(service, slot, LAST)).map(|&(_, _, task)| task)
    }

    /// The tasks on a node, in the order of their ids.
    pub(crate) fn on_node(&self, node: NodeId) -> impl Iterator<Item = TaskId> {
        self.nodes.range((node, FIRST)..=(node, LAST)).map(|&(_, task)| task)
    }

    /// Every service that has a task, each once. Jumps from service to service.
    pub(crate) fn services(&self) -> impl Iterator<Item = ServiceId> {
        let first = self.slots.get_min().map(|(service, _, _)| *service);
        let beyond = |service: ServiceId| (Bound::Excluded((service, u64::MAX, LAST)), Bound::Unbounded);
        std::iter::successors(first, move |service| self.slots.range(beyond(*service)).next().map(|(service, _, _)| *service))
    }

    /// Every node that has a task, each once.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.counts.keys().copied()
    }

    fn release(&mut self, node: NodeId) {
        match self.counts.get_mut(&node) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(self.counts.remove(&node)),
        }
    }
}

impl Index<Task> for Places {
    fn insert(&mut self, task: &Task) {
        self.slots.insert((task.service, task.slot, task.id));
        if let Some(node) = task.node {
            self.nodes.insert((node, task.id));
            *self.counts.entry(node).or_default() += 1;
        }
    }

    fn remove(&mut self, task: &Task) {
        self.slots.remove(&(task.service, task.slot, task.id));
        if let Some(node) = task.node {
            self.nodes.remove(&(node, task.id));
            self.release(node);
        }
    }

    fn moves(before: &Task, after: &Task) -> bool {
        (before.service, before.slot, before.node) != (after.service, after.slot, after.node)
    }
}
