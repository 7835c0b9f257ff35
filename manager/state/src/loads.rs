//! What the tasks on each node have of it: how many they are, what they reserve, and ports of the host. Follows every event, so that a
//! decider that places one task need not walk over all others.

use cluster_types::{Event, EventKind, NodeId, Object, Protocol, PublishMode, Reservation, ServiceSpec, Task};
use imbl::OrdMap;

use crate::revisions::{RevisionKey, Revisions};

/// What tasks take of a node: those placed there that have not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// How many.
    pub tasks: u32,
    /// What they reserve together.
    pub reserved: Reservation,
}

/// A port of a host.
type HostPort = (u16, Protocol);

/// The loads of all nodes that have one.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Loads {
    nodes: OrdMap<NodeId, Load>,
    /// By how many tasks each port is held. Nothing here keeps it to one: the scheduler does.
    ports: OrdMap<(NodeId, HostPort), u32>,
}

impl Loads {
    /// The nodes that have one, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (NodeId, Load)> {
        self.nodes.iter().map(|(node, load)| (*node, *load))
    }

    /// The ports of hosts that are taken, by node.
    pub(crate) fn ports(&self) -> impl Iterator<Item = (NodeId, HostPort)> {
        self.ports.keys().copied()
    }

    /// Takes an event in. The revisions that its tasks name must still be there.
    pub(crate) fn follow(&mut self, event: &Event, revisions: &Revisions) {
        let after = if event.kind == EventKind::Removed { None } else { held(&event.object) };
        let before = event.before.as_ref().and_then(held);
        if before == after {
            return;
        }
        if let Some((node, spec)) = before {
            self.release(node, spec_of(spec, revisions));
        }
        if let Some((node, spec)) = after {
            self.add(node, spec_of(spec, revisions));
        }
    }

    /// A task of a snapshot.
    pub(crate) fn restore(&mut self, task: &Task, revisions: &Revisions) {
        if let Some((node, spec)) = held_by(task) {
            self.add(node, spec_of(spec, revisions));
        }
    }

    fn add(&mut self, node: NodeId, spec: Option<&ServiceSpec>) {
        let load = self.nodes.entry(node).or_default();
        load.tasks = load.tasks.saturating_add(1);
        let Some(spec) = spec else { return };
        let reserved = spec.task.reservation;
        load.reserved.nano_cpus = load.reserved.nano_cpus.saturating_add(reserved.nano_cpus);
        load.reserved.memory = load.reserved.memory.saturating_add(reserved.memory);
        host_ports(spec).for_each(|port| *self.ports.entry((node, port)).or_default() += 1);
    }

    fn release(&mut self, node: NodeId, spec: Option<&ServiceSpec>) {
        let Some(load) = self.nodes.get_mut(&node) else { return };
        let reserved = spec.map(|spec| spec.task.reservation).unwrap_or_default();
        load.tasks = load.tasks.saturating_sub(1);
        load.reserved.nano_cpus = load.reserved.nano_cpus.saturating_sub(reserved.nano_cpus);
        load.reserved.memory = load.reserved.memory.saturating_sub(reserved.memory);
        if load.tasks == 0 {
            self.nodes.remove(&node);
        }
        spec.into_iter().flat_map(host_ports).for_each(|port| self.release_port((node, port)));
    }

    fn release_port(&mut self, port: (NodeId, HostPort)) {
        match self.ports.get_mut(&port) {
            Some(holders) if *holders > 1 => *holders -= 1,
            Some(_) | None => drop(self.ports.remove(&port)),
        }
    }
}

/// The ports that a task opens on its host. One that is chosen there is not known.
fn host_ports(spec: &ServiceSpec) -> impl Iterator<Item = HostPort> + '_ {
    let host = spec.ports.iter().filter(|port| port.mode == PublishMode::Host && port.published != 0);
    host.map(|port| (port.published, port.protocol))
}

fn spec_of((service, version): RevisionKey, revisions: &Revisions) -> Option<&ServiceSpec> {
    revisions.get(service, version).map(|spec| &**spec)
}

fn held(object: &Object) -> Option<(NodeId, RevisionKey)> {
    match object {
        Object::Task(task) => held_by(task),
        Object::Cluster(_) | Object::Node(_) | Object::Service(_) | Object::Network(_) => None,
    }
}

/// Where a task is and what it was made from, while it holds something.
fn held_by(task: &Task) -> Option<(NodeId, RevisionKey)> {
    let node = task.node.filter(|_| task.holds_resources())?;
    Some((node, (task.service, task.spec_version)))
}
