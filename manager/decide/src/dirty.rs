//! What changed since the last pass, so that a pass costs in proportion to it.
//!
//! Built by the leader loop: it starts with [`Dirty::all`], then takes the `carry` of the last plan and notes each event that came after
//! the view of that plan; a plan that could not be proposed makes it `all` again. It may hold more than really changed, never less: a
//! property test compares each pass with a full one.

use std::collections::BTreeSet;

use cluster_types::{Event, EventKind, NodeId, Object, Service, ServiceId, Task, TaskAddress, TaskState, bug};

/// What a pass must look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dirty {
    /// Everything: a new leader knows nothing of what came before.
    pub(crate) all: bool,
    /// Services that changed, whose tasks changed, or whose timers run.
    pub(crate) services: BTreeSet<ServiceId>,
    /// Nodes that changed.
    pub(crate) nodes: BTreeSet<NodeId>,
    /// Whether what is free on the nodes changed.
    pub(crate) room: bool,
    /// Services that want tasks for which there was no room.
    pub(crate) starved: BTreeSet<ServiceId>,
    /// Services that lack an address or a port.
    pub(crate) lacking: BTreeSet<ServiceId>,
    /// Nodes for which there was no number.
    pub(crate) unnumbered: BTreeSet<NodeId>,
    /// Addresses that tasks gave back.
    pub(crate) freed: BTreeSet<TaskAddress>,
}

impl Dirty {
    /// Everything is to be looked at.
    #[must_use]
    pub fn all() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// One event that the next view includes.
    pub fn note(&mut self, event: &Event) {
        match &event.object {
            // Only its making and its pool of addresses matter, and the pool never changes.
            Object::Cluster(_) => self.all |= event.kind == EventKind::Created,
            Object::Node(node) => {
                self.nodes.insert(node.id);
                self.room = true;
            }
            Object::Service(service) => {
                self.services.insert(service.id);
                // Addresses may have been given back.
                let before = event.before.as_ref().and_then(service_of).map(|before| &before.endpoint.vips);
                self.room |= before.is_some_and(|before| event.kind == EventKind::Removed || *before != service.endpoint.vips);
            }
            Object::Task(task) => {
                if !bug!(ForgetsService) || task.status.state < TaskState::Complete {
                    self.services.insert(task.service);
                }
                let after = Some(&**task).filter(|_| event.kind != EventKind::Removed);
                let before = event.before.as_ref().and_then(task_of);
                self.room |= before.map(weight).unwrap_or_default() != after.map(weight).unwrap_or_default();
                if let Some(before) = before.filter(|before| before.holds_resources() && !after.is_some_and(Task::holds_resources)) {
                    self.freed.extend(&before.addresses);
                }
            }
            Object::Network(_) => self.room = true,
        }
    }
}

fn task_of(object: &Object) -> Option<&Task> {
    match object {
        Object::Task(task) => Some(task),
        Object::Cluster(_) | Object::Node(_) | Object::Service(_) | Object::Network(_) => None,
    }
}

fn service_of(object: &Object) -> Option<&Service> {
    match object {
        Object::Service(service) => Some(service),
        Object::Cluster(_) | Object::Node(_) | Object::Task(_) | Object::Network(_) => None,
    }
}

/// What a task takes from its node: its room, and one of the places of its service there.
fn weight(task: &Task) -> (bool, bool) {
    let holds = task.holds_resources();
    (holds, holds && task.is_wanted())
}
