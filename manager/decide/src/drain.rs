//! Which tasks go on running for a moment though they are to stop: until every node has taken them out of its view, so that none still
//! sends them traffic. Called by the dispatcher before [`crate::assignment::wanted`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cluster_state::View;
use cluster_types::{DesiredState, NodeId, NodeState, Task, TaskId, TaskState, Timestamp, Version, bug};

use crate::enforce::is_lost;

/// What the leader knows: the version of the state that each node's data path has caught up with. A node whose view has not changed since
/// a version has caught up with that one too.
pub type Applied = BTreeMap<NodeId, Version>;

/// The tasks of a node that must not be told to stop yet, and when to look again though nothing is acknowledged.
///
/// A node that is down or has not come is not waited for, and nobody is waited for longer than `grace` after the task last changed.
#[must_use]
pub fn held(view: &View, node: NodeId, applied: &Applied, now: Timestamp, grace: Duration) -> (BTreeSet<TaskId>, Option<Timestamp>) {
    if is_lost(view.node(node)) || bug!(DrainSkipped) {
        return (BTreeSet::new(), None);
    }
    let mut waiting = view.tasks_on_node(node).filter(|task| drains(task) && is_recent(task, now, grace)).peekable();
    if waiting.peek().is_none() {
        return (BTreeSet::new(), None);
    }
    let reached = slowest(view, applied);
    let held: Vec<_> = waiting.filter(|task| reached.is_some_and(|reached| reached < task.meta.version)).collect();
    let look_again = held.iter().map(|task| task.meta.updated.plus(grace)).min();
    (held.into_iter().map(|task| task.id).collect(), look_again)
}

/// Whether other nodes may send it traffic until they know that it stops.
fn drains(task: &Task) -> bool {
    task.desired > DesiredState::Running && task.status.state == TaskState::Running && !task.addresses.is_empty()
}

/// A stamp far in the future is of a leader whose clock was wrong, and says nothing.
fn is_recent(task: &Task, now: Timestamp, grace: Duration) -> bool {
    now < task.meta.updated.plus(grace) && task.meta.updated <= now.plus(grace)
}

/// The version that all nodes have reached that may send traffic; none when there is no such node.
fn slowest(view: &View, applied: &Applied) -> Option<Version> {
    let sends = view.nodes().filter(|node| match node.status.state {
        NodeState::Ready | NodeState::Disconnected => true,
        NodeState::Unknown | NodeState::Down => false,
    });
    sends.map(|node| applied.get(&node.id).copied().unwrap_or_default()).min()
}

#[cfg(test)]
mod tests;
