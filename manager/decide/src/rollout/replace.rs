//! One place of an update: the old task goes, the new one comes, in which order, and how long one waits for the other.

use std::sync::Arc;

use cluster_types::{DesiredState, Node, PublishMode, Service, ServiceMode, Task, TaskState, UpdateConfig, UpdateOrder};

use super::survey::StalePlace;
use crate::constraint;
use crate::draft::{Draft, NewTask};
use crate::slots::{Place, Slot};
use crate::stopping;

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
    let waits = runs.is_none() && slot.0.iter().any(|task| stopping::may_run(draft, task));
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

/// Whether a new task waits for the old one of its place to end: no longer than [`stopping`] says, so the progress deadline does not run.
pub(super) fn is_held(task: &Task) -> bool {
    task.desired == DesiredState::Ready && task.not_before.is_none()
}

/// Lets a held task run once no other task of its place is left, or the last one has had its time to stop. Whether it did.
pub(super) fn release_held(draft: &mut Draft<'_>, service: &Service, slot: Slot<'_>) -> bool {
    let Some(held) = slot.wanted().find(|task| is_held(task)) else { return false };
    let others = slot.0.iter().filter(|task| task.id != held.id);
    match others.filter_map(|task| stopping::waited_for(draft, task)).max() {
        Some(at) => {
            draft.wake(at, service.id);
            false
        }
        None => {
            draft.desire(held, DesiredState::Running);
            true
        }
    }
}
