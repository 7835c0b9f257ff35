//! Wakes the sessions that an event concerns, and no others: a thousand sessions look at the state only when something of theirs changed.

use std::collections::BTreeSet;

use cluster_types::{Change, Event, EventKind, NodeId, NodeState, NodeStatus, NodeStep, Object, Task};

use crate::core::Core;

/// Follows the events of one entry.
pub(crate) fn follow(core: &Core, events: &[Event]) {
    let mut wake = BTreeSet::new();
    for event in events {
        match (&event.object, event.kind) {
            (Object::Task(task), kind) => wake.extend(concerned(task, event.before.as_ref(), kind)),
            (Object::Node(node), EventKind::Removed) => core.sessions.forget(node.id),
            (Object::Node(node), EventKind::Created | EventKind::Updated) => {
                wake.insert(node.id);
                correct(core, node.id, &node.status);
            }
            (Object::Cluster(_) | Object::Service(_), _) => {}
        }
    }
    core.sessions.wake(wake);
}

/// The node whose assignments a change of a task changes. A mere report changes none.
fn concerned(task: &Task, before: Option<&Object>, kind: EventKind) -> Option<NodeId> {
    let before = match before {
        Some(Object::Task(before)) if kind == EventKind::Updated => before,
        Some(_) | None => return task.node,
    };
    let same = before.node == task.node && before.desired == task.desired && assigned(before) == assigned(task);
    if same { None } else { task.node }
}

/// Whether the scheduler has placed a task: one of a global service has a node before that.
fn assigned(task: &Task) -> bool {
    task.status.state >= cluster_types::TaskState::Assigned
}

/// A node that was called lost just as it came back: its open session says better.
fn correct(core: &Core, node: NodeId, status: &NodeStatus) {
    if status.state == NodeState::Ready || core.sessions.of(node).is_none() {
        return;
    }
    let status =
        NodeStatus { state: NodeState::Ready, message: "its session is open".to_owned(), since: core.clock.now(), ..status.clone() };
    core.reports.node(Change::Node(node, NodeStep::Status(status)));
}
