//! What changed since the last pass, so that a pass costs in proportion to it.
//!
//! Built by the leader loop: it starts with [`Dirty::all`], then takes the `carry` of the last plan and notes each event that came after
//! the view of that plan; a plan that could not be proposed makes it `all` again. It may hold more than really changed, never less: a
//! property test compares each pass with a full one.

use std::collections::BTreeSet;

use cluster_types::{Event, EventKind, NodeId, Object, ServiceId, Task};

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
            Object::Cluster(_) => {}
            Object::Node(node) => {
                self.nodes.insert(node.id);
                self.room = true;
            }
            Object::Service(service) => {
                self.services.insert(service.id);
            }
            Object::Task(task) => {
                self.services.insert(task.service);
                let after = if event.kind == EventKind::Removed { (false, false) } else { weight(task) };
                let before = match &event.before {
                    Some(Object::Task(before)) => weight(before),
                    Some(Object::Cluster(_) | Object::Node(_) | Object::Service(_)) | None => (false, false),
                };
                self.room |= before != after;
            }
        }
    }
}

/// What a task takes from its node: its room, and one of the places of its service there.
fn weight(task: &Task) -> (bool, bool) {
    let holds = task.holds_resources();
    (holds, holds && task.is_wanted())
}
