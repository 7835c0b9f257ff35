//! Takes tasks off nodes where they can no longer be: lost, removed or drained nodes, and nodes that no longer meet the task's constraints
//! or have less than is reserved or was given.
//!
//! It only ends them; orchestrate fills the places again, without restart delay. Paused nodes keep what they have. Replicas on a drained
//! node that can be reached are left to [`crate::moving`]. On a node that is down a task stays for as long as its service says
//! (`on_node_lost`): if the node comes back before, it was never away.

use std::collections::BTreeSet;
use std::sync::Arc;

use cluster_types::{Availability, Node, NodeId, NodeLoss, NodeState, ObjectKey, Reservation, ServiceMode, Task, TaskState, Timestamp};

use crate::constraint;
use crate::draft::Draft;
use crate::schedule::Kept;

/// Looks at each node that changed or whose time has come.
pub(crate) fn step(draft: &mut Draft<'_>) {
    for id in nodes_due(draft) {
        let tasks = draft.tasks_on(id);
        match draft.node(id).cloned() {
            None => clear(draft, id, &tasks, "was removed"),
            Some(node) if node.status.state == NodeState::Down => lose(draft, &node, &tasks),
            Some(node) => match node.spec.availability {
                Availability::Drain => leave(draft, id, &tasks),
                Availability::Active => evict_misfits(draft, &node, &tasks),
                Availability::Pause => {}
            },
        }
        // A full pass looks at all services anyway.
        let is_full = draft.is_full();
        for task in &tasks {
            if !is_full && depends_on_node(draft, id, task) {
                draft.touch(task.service);
            }
        }
    }
}

/// Whether what runs on a node can no longer be reached: it is gone or called down.
pub(crate) fn is_lost(node: Option<&Arc<Node>>) -> bool {
    node.is_none_or(|node| node.status.state == NodeState::Down)
}

/// Also those that are down and have tasks of a service that changed: it may say otherwise now how long they are waited for. Those that went
/// down in this pass are due anyway.
fn nodes_due(draft: &mut Draft<'_>) -> BTreeSet<NodeId> {
    let mut due = draft.nodes_due();
    let down: BTreeSet<NodeId> = draft.view.nodes_down().filter(|node| !due.contains(node)).collect();
    let services = if down.is_empty() { BTreeSet::new() } else { draft.services_due() };
    for service in services {
        let slots = draft.slots(service);
        let nodes = slots.tasks().iter().filter(|task| task.is_wanted()).filter_map(|task| task.node);
        due.extend(nodes.filter(|node| down.contains(node)));
    }
    due
}

/// When a task on a node that is down since then is given up; none is never. Not waiting at all does not depend on the stamp, which may be
/// of a leader whose clock was ahead.
pub(crate) fn given_up_at(policy: NodeLoss, since: Timestamp) -> Option<Timestamp> {
    match policy {
        NodeLoss::Keep => None,
        NodeLoss::Replace { after } if after.is_zero() => Some(Timestamp::default()),
        NodeLoss::Replace { after } => Some(since.plus(after)),
    }
}

/// Gives up what is on a node that is down, each task when its service's current spec says so.
fn lose(draft: &mut Draft<'_>, node: &Node, tasks: &[Arc<Task>]) {
    let mut lost = Vec::new();
    for task in tasks {
        let policy = draft.service(task.service).map(|service| service.spec.task.on_node_lost).unwrap_or_default();
        match given_up_at(policy, node.status.since) {
            Some(at) if at > draft.now && is_live(task) => draft.wake_node(at, node.id),
            None if is_live(task) => {}
            Some(_) | None => lost.push(Arc::clone(task)),
        }
    }
    clear(draft, node.id, &lost, "is down");
}

fn clear(draft: &mut Draft<'_>, node: NodeId, tasks: &[Arc<Task>], why: &str) {
    let mut moved = 0;
    let gone = draft.node(node).is_none();
    for task in tasks.iter().filter(|task| is_live(task) || is_given_up(task, gone)) {
        draft.stop(task);
        moved += 1;
    }
    if moved > 0 {
        draft.note(ObjectKey::Node(node), format!("the node {why}: {moved} tasks are replaced"));
    }
}

/// Empties a drained node: moving looks at the replicas, all others end here. Those of a service that is gone are removed anyway.
fn leave(draft: &mut Draft<'_>, node: NodeId, tasks: &[Arc<Task>]) {
    let moves = |draft: &Draft<'_>, task: &Task| {
        is_live(task) && draft.service(task.service).is_none_or(|service| matches!(service.spec.mode, ServiceMode::Replicated { .. }))
    };
    let (replicas, others): (Vec<_>, Vec<_>) = tasks.iter().cloned().partition(|task| moves(draft, task));
    clear(draft, node, &others, "is drained");
    replicas.iter().for_each(|task| draft.touch(task.service));
}

/// Whether a decider of the task's service may go by what became of the task's node.
fn depends_on_node(draft: &Draft<'_>, node: NodeId, task: &Task) -> bool {
    // A restart or the update of a global service may have waited for the node to take tasks again, and another update for a task that will
    // not end there any more.
    let is_waited_for = task.slot == 0 || task.is_wanted() == task.status.state.is_terminal();
    // A move goes by the nodes of both tasks.
    let moves = || task.relocate || has_company(draft, task);
    is_waited_for || (is_live(task) && (moves() || is_for_update(draft, node, task)))
}

/// Whether a task of an older spec is on a node where the current one does not want it, or an update waits that had it to move.
fn is_for_update(draft: &Draft<'_>, node: NodeId, task: &Task) -> bool {
    let Some(service) = draft.service(task.service).filter(|service| service.spec_version != task.spec_version) else { return false };
    let placement = &service.spec.task.placement;
    let goes_on = service.update.as_ref().is_some_and(|update| !update.state.is_completed()) && !placement.constraints.is_empty();
    goes_on || draft.node(node).is_some_and(|node| !constraint::belongs(node, placement))
}

/// Whether another task of its slot is wanted.
fn has_company(draft: &Draft<'_>, task: &Task) -> bool {
    task.slot > 0 && draft.view.tasks_of_slot(task.service, task.slot).filter(|other| other.is_wanted()).nth(1).is_some()
}

/// Ends tasks whose constraints do not hold or whose generic resources are gone, and the youngest of those that together reserve more than
/// there is.
fn evict_misfits(draft: &mut Draft<'_>, node: &Node, tasks: &[Arc<Task>]) {
    let mut live: Vec<&Arc<Task>> = tasks.iter().filter(|task| is_live(task)).collect();
    live.sort_by_key(|task| (task.meta.created, task.id));
    let mut reserved = Reservation::default();
    let mut kept = Kept::default();
    for task in live {
        let Some(spec) = draft.spec_of(task).cloned() else { continue };
        let with = sum(reserved, spec.task.reservation);
        let unmet = constraint::unmet(node, &spec.task.placement.constraints);
        let placed = task.status.state >= TaskState::Assigned;
        if let Some(unmet) = unmet {
            draft.note(ObjectKey::Task(task.id), format!("its node no longer meets {unmet}"));
            draft.stop(task);
        } else if placed && exceeds(with, node.description.capacity) {
            draft.note(ObjectKey::Task(task.id), "its node has less than is reserved".to_owned());
            draft.stop(task);
        } else if let Err(kind) = kept.keep(&node.description.generic, &task.generic) {
            draft.note(ObjectKey::Task(task.id), format!("its node no longer has the {kind} that it was given"));
            draft.stop(task);
        } else if placed {
            reserved = with;
        }
    }
}

fn is_live(task: &Task) -> bool {
    task.is_wanted() && !task.status.state.is_terminal()
}

/// Whether a task ended only because its node is lost, or its place was that very node.
fn is_given_up(task: &Task, node_is_gone: bool) -> bool {
    task.is_wanted() && (task.status.state == TaskState::Orphaned || (node_is_gone && task.slot == 0))
}

fn sum(one: Reservation, other: Reservation) -> Reservation {
    Reservation { nano_cpus: one.nano_cpus.saturating_add(other.nano_cpus), memory: one.memory.saturating_add(other.memory) }
}

/// Nothing reserved exceeds nothing, so that tasks without reservations stay on a node that has not described itself.
fn exceeds(reserved: Reservation, capacity: Reservation) -> bool {
    reserved.nano_cpus > capacity.nano_cpus || reserved.memory > capacity.memory
}

#[cfg(test)]
mod tests;
