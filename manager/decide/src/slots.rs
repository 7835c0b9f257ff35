//! The tasks of a service by the place that they fill: a slot of a replicated service, a node for a global one.
//!
//! A place has at most one task that is wanted; two within a start-first step of a rollout, or while it moves to another node. The others are its history.

use std::sync::Arc;

use cluster_types::{NodeId, Task};

/// What tells apart the tasks of a service that run at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// 1-based slot; 0 for a global service.
    pub(crate) slot: u64,
    /// The node of a global service's task.
    pub(crate) node: Option<NodeId>,
}

impl Place {
    pub(crate) fn of(task: &Task) -> Self {
        Self { slot: task.slot, node: task.node.filter(|_| task.slot == 0) }
    }
}

/// All places of a service that have or had a task, in order.
pub(crate) struct Slots(Vec<Arc<Task>>);

impl Slots {
    pub(crate) fn new(mut tasks: Vec<Arc<Task>>) -> Self {
        tasks.sort_by_cached_key(|task| (Place::of(task), task.meta.created, task.id));
        Self(tasks)
    }

    /// All tasks, by place, the oldest of each place first.
    pub(crate) fn tasks(&self) -> &[Arc<Task>] {
        &self.0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Slot<'_>> {
        self.0.chunk_by(|one, other| Place::of(one) == Place::of(other)).map(Slot)
    }
}

/// The tasks of one place, oldest first. Never empty.
#[derive(Clone, Copy)]
pub(crate) struct Slot<'a>(pub(crate) &'a [Arc<Task>]);

impl<'a> Slot<'a> {
    pub(crate) fn place(self) -> Place {
        Place::of(&self.0[0])
    }

    /// The tasks that are wanted, oldest first.
    pub(crate) fn wanted(self) -> impl DoubleEndedIterator<Item = &'a Arc<Task>> {
        self.0.iter().filter(|task| task.is_wanted())
    }

    /// Whether some task is wanted: one that ended counts, its successor is the restart policy's affair.
    pub(crate) fn is_filled(self) -> bool {
        self.wanted().next().is_some()
    }

    /// The task made last.
    pub(crate) fn newest(self) -> &'a Arc<Task> {
        &self.0[self.0.len() - 1]
    }
}
