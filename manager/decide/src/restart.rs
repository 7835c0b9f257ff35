//! Successors for tasks that ended though they are wanted, and the end of restart delays.
//!
//! The successor is made at once with desired state ready, so that it has its node and image when the delay is over; the moment is stored
//! in it, so any leader continues. The service's current policy counts, whatever spec the task is of. A task that gets no successor stays
//! wanted and ended: its place is filled for good.
//!
//! A successor may also end while it waits, when its image is not to be had: the next one is not made before that wait is over, or a
//! missing image would be asked for without a pause.

pub(crate) mod policy;

use std::sync::Arc;

use cluster_types::{Change, DesiredState, ObjectKey, RestartCondition, Service, Task, TaskStep, Timestamp, bug};

use crate::constraint;
use crate::draft::{Draft, NewTask};
use crate::slots::{Place, Slot};

/// Looks at each service that changed or has a delay running.
pub(crate) fn step(draft: &mut Draft<'_>) {
    for id in draft.services_due() {
        let Some(service) = draft.service(id) else { continue };
        for slot in draft.slots(id).iter() {
            slot.wanted().for_each(|task| end_delay(draft, &service, task));
            succeed(draft, &service, slot);
        }
    }
}

fn end_delay(draft: &mut Draft<'_>, service: &Service, task: &Task) {
    match waits_until(service, task, draft.now) {
        _ if task.not_before.is_none() => {}
        Some(at) if !bug!(RestartDelayLost) => draft.wake(at, task.service),
        Some(_) | None => draft.push(Change::Task(task.id, TaskStep::Due)),
    }
}

/// Until when a task is not to start; none when it has no delay, or that is over.
pub(crate) fn waits_until(service: &Service, task: &Task, now: Timestamp) -> Option<Timestamp> {
    policy::ahead(&service.spec.task.restart, task.failures, task.not_before?, now)
}

/// A place whose wanted tasks all ended gets a successor for the last of them, if the policy wants one; of several, only that one counts.
fn succeed(draft: &mut Draft<'_>, service: &Service, slot: Slot<'_>) {
    let Some(last) = slot.wanted().rfind(|task| task.status.state.is_terminal()) else { return };
    let lives = slot.wanted().any(|task| !task.status.state.is_terminal());
    for other in slot.wanted().filter(|task| task.status.state.is_terminal() && (lives || task.id != last.id)) {
        draft.desire(other, DesiredState::Shutdown);
    }
    let waits = waits_until(service, last, draft.now).is_some();
    if !lives && !waits && is_allowed(draft, service, slot, last) {
        replace(draft, service, last);
    }
}

/// Judged at the time of the end, not now: what was refused once stays refused.
fn is_allowed(draft: &Draft<'_>, service: &Service, slot: Slot<'_>, ended: &Task) -> bool {
    let policy = &service.spec.task.restart;
    policy::wants_successor(condition(service), ended.status.state)
        && (policy.max_attempts == 0 || attempts(service, slot, ended) < policy.max_attempts)
        && Place::of(ended).node.is_none_or(|node| {
            let placement = &service.spec.task.placement;
            draft.node(node).is_some_and(|node| node.takes_tasks() && constraint::belongs(node, placement))
        })
}

/// A task of a job that completed is done, whatever the policy says. Swarm: the same.
fn condition(service: &Service) -> RestartCondition {
    match service.spec.task.restart.condition {
        RestartCondition::Any if service.spec.mode.is_job() => RestartCondition::OnFailure,
        condition => condition,
    }
}

/// Restarts so far, in this run of a job. The history that is kept may be shorter than the attempts allowed; without a window the task's counter helps out.
fn attempts(service: &Service, slot: Slot<'_>, ended: &Task) -> u64 {
    let window = service.spec.task.restart.window;
    let of_spec = slot.0.iter().filter(|task| (task.spec_version, task.iteration) == (ended.spec_version, ended.iteration));
    let created: Vec<_> = of_spec.map(|task| task.meta.created).collect();
    let counted = policy::attempts(window, ended.meta.updated, &created);
    if window.is_zero() { counted.max(u64::from(ended.failures)) } else { counted }
}

fn replace(draft: &mut Draft<'_>, service: &Service, ended: &Arc<Task>) {
    let policy = &service.spec.task.restart;
    // Another spec may have mended what failed.
    let spec_version = service.successor_version(ended);
    let failures = if ended.spec_version == spec_version { policy::failures_after(policy, ended) } else { 1 };
    let chance = draft.chance();
    let not_before = policy::delayed(policy, failures, draft.now, chance);
    let desired = if not_before.is_some() { DesiredState::Ready } else { DesiredState::Running };
    draft.desire(ended, DesiredState::Shutdown);
    draft.create_of(
        service,
        spec_version,
        NewTask { slot: ended.slot, node: Place::of(ended).node, desired, not_before, failures, iteration: ended.iteration },
    );
    if let Some(at) = not_before {
        draft.wake(at, service.id);
    }
    let delay = not_before.map_or(0, |at| at.since(draft.now).as_millis());
    draft.note(ObjectKey::Task(ended.id), format!("it ended ({}); a successor starts in {delay} ms", ended.status.state));
}

#[cfg(test)]
mod tests;
