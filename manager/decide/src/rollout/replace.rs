//! One place of an update: the old task goes, the new one comes, in which order, and how long one waits for the other.

use std::sync::Arc;
use std::time::Duration;

use cluster_types::{DesiredState, Node, PublishMode, Service, ServiceMode, Task, TaskState, Timestamp, UpdateConfig, UpdateOrder};

use super::survey::StalePlace;
use crate::constraint;
use crate::draft::{Draft, NewTask};
use crate::enforce;
use crate::slots::{Place, Slot};

/// How much longer than its grace period a task may take to stop before its successor starts all the same. Swarm: 1 min.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Takes a place on: with stop-first the new task waits, image at hand, for the old one to end; with start-first the old one stays until
/// the new one serves, if it does. Where that failed once and was borne, the old one goes first.
pub(super) fn replace(draft: &mut Draft<'_>, service: &Service, config: UpdateConfig, place: &StalePlace<'_>) {
    let slot = place.slot;
    let Place { slot: number, node } = slot.place();
    let start_first = config.order == UpdateOrder::StartFirst && !place.has_failed && why_stop_first(draft, service, config).is_none();
    let runs = slot.wanted().rfind(|task| task.status.state == TaskState::Running).filter(|_| start_first);
    for task in slot.wanted().filter(|task| runs.is_none_or(|runs| runs.id != task.id)) {
        draft.stop(task);
    }
    let waits = runs.is_none() && slot.0.iter().any(|task| still_there(draft, task));
    let desired = if waits { DesiredState::Ready } else { DesiredState::Running };
    draft.create(service, NewTask { slot: number, node, desired, ..NewTask::running() });
}

/// Why a new task cannot be beside the old one though that is wished: the two would wait for each other for ever.
pub(super) fn why_stop_first(draft: &Draft<'_>, service: &Service, config: UpdateConfig) -> Option<String> {
    let (spec, placement) = (&service.spec, &service.spec.task.placement);
    if config.order == UpdateOrder::StopFirst {
        return None;
    }
    if let Some(port) = spec.ports.iter().find(|port| port.mode == PublishMode::Host && port.published != 0) {
        return Some(format!("a node has host port {} once", port.published));
    }
    let ServiceMode::Replicated { replicas } = spec.mode else { return None };
    if placement.max_per_node == 0 {
        return None;
    }
    let takes = |node: &&Arc<Node>| node.takes_tasks() && constraint::belongs(node, placement);
    let nodes = u64::try_from(draft.nodes().filter(takes).count()).unwrap_or(u64::MAX);
    let is_full = nodes.saturating_mul(placement.max_per_node) <= replicas;
    is_full.then(|| format!("each node has its {} tasks of the service", placement.max_per_node))
}

/// Whether a new task waits for the old one of its place to end: no longer than [`stop_limit`], so the progress deadline does not run.
pub(super) fn is_held(task: &Task) -> bool {
    task.desired == DesiredState::Ready && task.not_before.is_none()
}

/// Lets a held task run once no other task of its place is left, or the last one has had its time to stop. Whether it did.
pub(super) fn release_held(draft: &mut Draft<'_>, service: &Service, slot: Slot<'_>) -> bool {
    let Some(held) = slot.wanted().find(|task| is_held(task)) else { return false };
    let others = slot.0.iter().filter(|task| task.id != held.id && still_there(draft, task));
    match others.map(|task| stop_limit(draft, task)).max() {
        Some(at) if at > draft.now => {
            draft.wake(at, service.id);
            false
        }
        Some(_) | None => {
            draft.desire(held, DesiredState::Running);
            true
        }
    }
}

/// Whether a task may still run: its node has it, has not reported its end and can be reached.
fn still_there(draft: &Draft<'_>, task: &Task) -> bool {
    let placed = task.status.state >= TaskState::Assigned && !task.status.state.is_terminal();
    placed && task.node.is_some_and(|node| !enforce::is_lost(draft.node(node)))
}

/// When waiting for a task to stop ends. It was last changed when it was told to, or later.
fn stop_limit(draft: &Draft<'_>, task: &Arc<Task>) -> Timestamp {
    let grace = draft.spec_of(task).map(|spec| spec.task.container.stop_grace).unwrap_or_default();
    task.meta.updated.plus(grace).plus(STOP_LIMIT)
}
