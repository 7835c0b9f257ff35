//! The secondary indexes: what objects are found by besides their id. Kept by the tables; never written by anybody else.

use std::fmt::Debug;
use std::ops::Bound;

use cluster_types::{Cluster, Node, NodeId, Service, ServiceId, Task, TaskId};
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

/// Nodes by host name, which need not be unique.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Hostnames(OrdMap<String, OrdSet<NodeId>>);

impl Hostnames {
    /// The nodes with a host name, in the order of their ids.
    pub(crate) fn get(&self, hostname: &str) -> impl Iterator<Item = NodeId> {
        self.0.get(hostname).into_iter().flatten().copied()
    }
}

impl Index<Node> for Hostnames {
    fn insert(&mut self, node: &Node) {
        self.0.entry(node.description.hostname.clone()).or_default().insert(node.id);
    }

    fn remove(&mut self, node: &Node) {
        let hostname = &node.description.hostname;
        let Some(nodes) = self.0.get_mut(hostname) else { return };
        nodes.remove(&node.id);
        if nodes.is_empty() {
            self.0.remove(hostname);
        }
    }

    fn moves(before: &Node, after: &Node) -> bool {
        before.description.hostname != after.description.hostname
    }
}

/// Services by name, which is unique.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Names(OrdMap<String, ServiceId>);

impl Names {
    /// The service with a name.
    pub(crate) fn get(&self, name: &str) -> Option<ServiceId> {
        self.0.get(name).copied()
    }
}

impl Index<Service> for Names {
    fn insert(&mut self, service: &Service) {
        self.0.insert(service.spec.name.clone(), service.id);
    }

    fn remove(&mut self, service: &Service) {
        self.0.remove(&service.spec.name);
    }

    fn moves(before: &Service, after: &Service) -> bool {
        before.spec.name != after.spec.name
    }
}

/// Tasks by service and slot, and by node.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Places {
    slots: OrdSet<(ServiceId, u64, TaskId)>,
    nodes: OrdSet<(NodeId, TaskId)>,
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

    /// Every node that has a task, each once. Jumps from node to node.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        let first = self.nodes.get_min().map(|(node, _)| *node);
        let beyond = |node: NodeId| (Bound::Excluded((node, LAST)), Bound::Unbounded);
        std::iter::successors(first, move |node| self.nodes.range(beyond(*node)).next().map(|(node, _)| *node))
    }
}

impl Index<Task> for Places {
    fn insert(&mut self, task: &Task) {
        self.slots.insert((task.service, task.slot, task.id));
        if let Some(node) = task.node {
            self.nodes.insert((node, task.id));
        }
    }

    fn remove(&mut self, task: &Task) {
        self.slots.remove(&(task.service, task.slot, task.id));
        if let Some(node) = task.node {
            self.nodes.remove(&(node, task.id));
        }
    }

    fn moves(before: &Task, after: &Task) -> bool {
        (before.service, before.slot, before.node) != (after.service, after.slot, after.node)
    }
}
