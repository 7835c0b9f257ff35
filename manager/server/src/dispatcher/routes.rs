//! Wakes the sessions that an event concerns, and no others: a thousand sessions look at the state only when something of theirs changed.

use std::collections::BTreeSet;

use cluster_api::pb;
use cluster_api::pb::manager_message::Item;
use cluster_decide::liveness;
use cluster_decide::network_view::{self, Concerned};
use cluster_types::{Change, Event, EventKind, ManagerSeat, NodeId, NodeState, NodeStatus, NodeStep, Object, Task, TaskState, Version};

use crate::control::cluster::manager_addresses;
use crate::core::Core;

/// Follows the events of the entry at `index`.
pub(crate) fn follow(core: &Core, index: Version, events: &[Event]) {
    let mut wake = BTreeSet::new();
    if events.iter().any(|event| seat(Some(&event.object)) != seat(event.before.as_ref()) || is_manager_gone(event)) {
        tell_managers(core);
    }
    for event in events {
        match (&event.object, event.kind) {
            (Object::Task(task), kind) => wake.extend(concerned(task, event.before.as_ref(), kind)),
            (Object::Node(node), EventKind::Removed) => core.sessions.forget(node.id),
            (Object::Node(node), EventKind::Created | EventKind::Updated) => {
                wake.insert(node.id);
                correct(core, node.id, &node.status);
            }
            (Object::Cluster(_) | Object::Service(_) | Object::Network(_), _) => {}
        }
    }
    if shows(core, events, &mut wake) { core.sessions.wake_all(index) } else { core.sessions.wake(wake, index) }
}

/// Adds the nodes whose network views may change. Whether it may be those of all nodes, or a task drains: then each session looks, if only
/// to find that its node has it out already.
fn shows(core: &Core, events: &[Event], nodes: &mut BTreeSet<NodeId>) -> bool {
    let view = core.raft.view();
    for event in events {
        match network_view::concerns(event, &view) {
            Concerned::All => return true,
            Concerned::Nodes(concerned) => nodes.extend(concerned),
        }
    }
    events.iter().any(is_draining)
}

/// Whether a task runs that is wanted no longer. Each change of it counts: the nodes are to have seen the last one.
fn is_draining(event: &Event) -> bool {
    match &event.object {
        Object::Task(task) => event.kind != EventKind::Removed && task.status.state == TaskState::Running && !task.is_wanted(),
        Object::Cluster(_) | Object::Node(_) | Object::Service(_) | Object::Network(_) => false,
    }
}

/// The seat of a manager, when the object is one.
fn seat(object: Option<&Object>) -> Option<&ManagerSeat> {
    match object {
        Some(Object::Node(node)) => node.manager.as_ref(),
        Some(Object::Cluster(_) | Object::Service(_) | Object::Task(_) | Object::Network(_)) | None => None,
    }
}

fn is_manager_gone(event: &Event) -> bool {
    event.kind == EventKind::Removed && seat(Some(&event.object)).is_some()
}

/// Says to every node where the managers are now: one that knew only those that are gone would find nobody.
fn tell_managers(core: &Core) {
    let view = core.raft.view();
    let period = liveness::heartbeat_period(view.node_count());
    let heartbeat_period_ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
    let welcome = pb::Welcome { heartbeat_period_ms, manager_addresses: manager_addresses(&view) };
    for handle in core.sessions.nodes().into_iter().filter_map(|node| core.sessions.of(node)) {
        handle.send(Item::Welcome(welcome.clone()));
    }
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
