//! The rolling update: replaces tasks of an older spec by tasks of the current one, a bounded number of places at a time.
//!
//! All that it knows is in the replicated state: tasks name their spec, the service holds the status. So any leader goes on where the last
//! one was, and a new spec simply takes over from one in flight. It counts a place as in flight until its new task runs; a new task that
//! never does holds the update there. Monitoring, pausing and rolling back are not decided here.

mod stale;

use std::sync::Arc;
use std::time::Duration;

use cluster_types::{
    DesiredState, Node, ObjectKey, PublishMode, Service, ServiceMode, Task, TaskState, Timestamp, UpdateOrder, UpdateState, UpdateStatus,
};

use self::stale::Staleness;
use crate::constraint;
use crate::draft::{Draft, NewTask};
use crate::enforce;
use crate::slots::{Place, Slot};

/// How much longer than its grace period a task may take to stop before its successor starts all the same. Swarm: 1 min.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Looks at each service that changed or waits for a delay.
pub(crate) fn step(draft: &mut Draft<'_>) {
    for id in draft.services_due() {
        if let Some(service) = draft.service(id).filter(|service| !service.spec.mode.is_job()) {
            advance(draft, &service);
        }
    }
}

/// The places of a service as an update sees them.
#[derive(Default)]
struct Survey<'a> {
    /// Those with tasks of an older spec only; the ones that do not run come first.
    stale: Vec<Slot<'a>>,
    /// How many have a new task that does not run yet.
    in_flight: usize,
}

fn advance(draft: &mut Draft<'_>, service: &Service) {
    let slots = draft.slots(service.id);
    let mut staleness = Staleness::new(service);
    let mut survey = Survey::default();
    for slot in slots.iter() {
        release_held(draft, service, slot);
        survey.add(draft, &mut staleness, service, slot);
    }
    let Some(status) = current_status(draft, service, &survey) else { return };
    survey.stale.sort_by_key(|slot| (slot.wanted().any(|task| task.status.state == TaskState::Running), slot.place()));
    let batch = batch_size(draft, service, &status, &survey).min(survey.stale.len());
    let next = next_status(draft, service, status, &survey, batch);
    if service.update.as_ref() != Some(&next) {
        draft.update(service.id, next);
    }
    // After the status: a plan that is cut short must not leave tasks of an update that nobody knows of.
    for slot in survey.stale.iter().take(batch) {
        replace(draft, service, *slot);
    }
}

impl<'a> Survey<'a> {
    fn add(&mut self, draft: &mut Draft<'_>, staleness: &mut Staleness, service: &Service, slot: Slot<'a>) {
        let Some(newest) = slot.wanted().rfind(|task| !staleness.is_stale(draft, task)) else {
            if slot.is_filled() && takes_successor(draft, slot) {
                self.stale.push(slot);
            }
            return;
        };
        let arrived = matches!(newest.status.state, TaskState::Running | TaskState::Complete);
        if arrived {
            let old = slot.wanted().filter(|task| task.id != newest.id);
            old.for_each(|task| draft.stop(task));
        } else if made_by_update(draft, staleness, service, slot) {
            self.in_flight += 1;
        }
    }
}

/// The node of a global service's task may be away or closed: it is updated when it takes tasks again.
fn takes_successor(draft: &Draft<'_>, slot: Slot<'_>) -> bool {
    slot.place().node.is_none_or(|node| draft.node(node).is_some_and(|node| node.takes_tasks()))
}

/// Whether the update waits for a task: it took the place of one that a node had, or its place loops through failures since the update
/// began, which outlasts the history of what was there before. For a place that never had a node, room may never come: it does not hold up
/// the others.
fn made_by_update(draft: &Draft<'_>, staleness: &mut Staleness, service: &Service, slot: Slot<'_>) -> bool {
    let placed = |task: &Task| task.status.state >= TaskState::Assigned;
    let since_start = |task: &Task| service.update.as_ref().is_none_or(|update| task.meta.created >= update.started);
    slot.0.iter().any(|task| placed(task) && (since_start(task) || staleness.is_stale(draft, task)))
}

/// The status to go on from; none when there is nothing to update and nothing to finish.
fn current_status(draft: &Draft<'_>, service: &Service, survey: &Survey<'_>) -> Option<UpdateStatus> {
    let of_target = service.update.clone().filter(|update| update.target == service.spec_version);
    let unfinished = service.update.as_ref().is_some_and(|update| update.state == UpdateState::Updating);
    match of_target {
        Some(update) if update.state == UpdateState::Updating || survey.stale.is_empty() => {
            (update.state == UpdateState::Updating).then_some(update)
        }
        Some(_) | None if !survey.stale.is_empty() || unfinished => Some(started(draft.now, service)),
        Some(_) | None => None,
    }
}

fn started(now: Timestamp, service: &Service) -> UpdateStatus {
    UpdateStatus {
        state: UpdateState::Updating,
        target: service.spec_version,
        started: now,
        message: "update in progress".to_owned(),
        progressed: now,
        ..UpdateStatus::default()
    }
}

/// How many places may be taken on now. With a delay, a batch begins when the one before has ended and the delay is over.
fn batch_size(draft: &mut Draft<'_>, service: &Service, status: &UpdateStatus, survey: &Survey<'_>) -> usize {
    let config = &service.spec.update;
    let most = if config.parallelism == 0 { usize::MAX } else { usize::try_from(config.parallelism).unwrap_or(usize::MAX) };
    if config.delay.is_zero() || is_new(service, status) {
        return most.saturating_sub(survey.in_flight);
    }
    match status.not_before {
        Some(at) if at > draft.now => {
            draft.wake(at, service.id);
            0
        }
        Some(_) if survey.in_flight == 0 => most,
        Some(_) | None => 0,
    }
}

/// Whether this pass begins the update.
fn is_new(service: &Service, status: &UpdateStatus) -> bool {
    service.update.as_ref().is_none_or(|update| update.target != status.target || update.state != status.state)
}

/// What is to be stored: the end, or the delay that begins when a batch has ended.
fn next_status(draft: &mut Draft<'_>, service: &Service, mut status: UpdateStatus, survey: &Survey<'_>, batch: usize) -> UpdateStatus {
    if survey.stale.is_empty() && survey.in_flight == 0 {
        draft.note(ObjectKey::Service(service.id), "the update is complete".to_owned());
        let message = "update completed".to_owned();
        return UpdateStatus { state: UpdateState::Completed, completed: Some(draft.now), not_before: None, message, ..status };
    }
    let delay = service.spec.update.delay;
    let batch_ended = survey.in_flight == 0 && batch == 0;
    if batch > 0 {
        status.not_before = None;
    } else if batch_ended && status.not_before.is_none() && !delay.is_zero() {
        let at = draft.now.plus(delay);
        status.not_before = Some(at);
        draft.wake(at, service.id);
    }
    status
}

/// Takes a place on: with stop-first the new task waits, image at hand, for the old one to end; with start-first the old one stays until
/// the new one runs, if it does run.
fn replace(draft: &mut Draft<'_>, service: &Service, slot: Slot<'_>) {
    let Place { slot: number, node } = slot.place();
    let runs = slot.wanted().rfind(|task| task.status.state == TaskState::Running).filter(|_| may_start_first(draft, service));
    for task in slot.wanted().filter(|task| runs.is_none_or(|runs| runs.id != task.id)) {
        draft.stop(task);
    }
    let waits = runs.is_none() && slot.0.iter().any(|task| still_there(draft, task));
    let desired = if waits { DesiredState::Ready } else { DesiredState::Running };
    draft.create(service, NewTask { slot: number, node, desired, ..NewTask::running() });
}

/// Whether a new task can be beside the old one: with host ports, or when each node has as many tasks as it may, the two would wait for
/// each other for ever.
fn may_start_first(draft: &Draft<'_>, service: &Service) -> bool {
    let (spec, placement) = (&service.spec, &service.spec.task.placement);
    let is_wished = match spec.update.order {
        UpdateOrder::StopFirst => false,
        UpdateOrder::StartFirst => spec.ports.iter().all(|port| port.mode != PublishMode::Host || port.published == 0),
    };
    let takes = |node: &&Arc<Node>| node.takes_tasks() && constraint::unmet(node, &placement.constraints).is_none();
    let has_place = match spec.mode {
        ServiceMode::Replicated { replicas } if placement.max_per_node > 0 => {
            let nodes = u64::try_from(draft.nodes().filter(takes).count()).unwrap_or(u64::MAX);
            nodes.saturating_mul(placement.max_per_node) > replicas
        }
        ServiceMode::Replicated { .. } | ServiceMode::Global | ServiceMode::ReplicatedJob { .. } | ServiceMode::GlobalJob => true,
    };
    is_wished && has_place
}

/// Lets a held task run once no other task of its place is left, or the last one has had its time to stop.
fn release_held(draft: &mut Draft<'_>, service: &Service, slot: Slot<'_>) {
    let Some(held) = slot.wanted().find(|task| task.desired == DesiredState::Ready && task.not_before.is_none()) else { return };
    let others = slot.0.iter().filter(|task| task.id != held.id && still_there(draft, task));
    let limit = others.map(|task| stop_limit(draft, task)).max();
    match limit {
        Some(at) if at > draft.now => draft.wake(at, service.id),
        Some(_) | None => draft.desire(held, DesiredState::Running),
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

#[cfg(test)]
mod tests;
