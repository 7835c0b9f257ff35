//! What the tasks on each node reserve. Follows every event, so that a decider that places one task need not walk over all others.

use cluster_types::{Event, EventKind, NodeId, Object, Reservation, Task};
use imbl::OrdMap;

use crate::revisions::Revisions;

/// What tasks take of a node: those placed there that have not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// How many.
    pub tasks: u32,
    /// What they reserve together.
    pub reserved: Reservation,
}

/// The loads of all nodes that have one.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Loads(OrdMap<NodeId, Load>);

impl Loads {
    pub(crate) fn get(&self, node: NodeId) -> Load {
        self.0.get(&node).copied().unwrap_or_default()
    }

    /// Takes an event in. The revisions that its tasks name must still be there.
    pub(crate) fn follow(&mut self, event: &Event, revisions: &Revisions) {
        let after = if event.kind == EventKind::Removed { None } else { held(&event.object, revisions) };
        let before = event.before.as_ref().and_then(|before| held(before, revisions));
        if before == after {
            return;
        }
        if let Some((node, reserved)) = before {
            self.release(node, reserved);
        }
        if let Some((node, reserved)) = after {
            self.add(node, reserved);
        }
    }

    /// A task of a snapshot.
    pub(crate) fn restore(&mut self, task: &Task, revisions: &Revisions) {
        if let Some((node, reserved)) = held_by(task, revisions) {
            self.add(node, reserved);
        }
    }

    fn add(&mut self, node: NodeId, reserved: Reservation) {
        let load = self.0.entry(node).or_default();
        load.tasks = load.tasks.saturating_add(1);
        load.reserved.nano_cpus = load.reserved.nano_cpus.saturating_add(reserved.nano_cpus);
        load.reserved.memory = load.reserved.memory.saturating_add(reserved.memory);
    }

    fn release(&mut self, node: NodeId, reserved: Reservation) {
        let Some(load) = self.0.get_mut(&node) else { return };
        load.tasks = load.tasks.saturating_sub(1);
        load.reserved.nano_cpus = load.reserved.nano_cpus.saturating_sub(reserved.nano_cpus);
        load.reserved.memory = load.reserved.memory.saturating_sub(reserved.memory);
        if load.tasks == 0 {
            self.0.remove(&node);
        }
    }
}

fn held(object: &Object, revisions: &Revisions) -> Option<(NodeId, Reservation)> {
    match object {
        Object::Task(task) => held_by(task, revisions),
        Object::Cluster(_) | Object::Node(_) | Object::Service(_) | Object::Network(_) => None,
    }
}

fn held_by(task: &Task, revisions: &Revisions) -> Option<(NodeId, Reservation)> {
    let node = task.node.filter(|_| task.holds_resources())?;
    let spec = revisions.get(task.service, task.spec_version);
    Some((node, spec.map(|spec| spec.task.reservation).unwrap_or_default()))
}
