//! Which task records go: history beyond its bound, and tasks whose slot or service is gone once nothing of them can run.
//!
//! It never touches a task that may still run on a node that is a member, be it down: its record holds its addresses until the node itself
//! says that it ended (decision 8). Its removal also ends the container's files and logs on the node (see [`crate::assignment`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cluster_state::View;
use cluster_types::{Change, DesiredState, JobStatus, NodeId, ObjectKey, ServiceId, Task, TaskState, bug, limits};

use crate::draft::Draft;

/// The step of a pass: services that changed or had tasks on a node that is gone. A task that the same pass changes is judged by the next.
pub(crate) fn step(draft: &mut Draft<'_>) {
    let gone = draft.nodes_due().into_iter().filter(|node| draft.node(*node).is_none());
    let bereft: BTreeSet<ServiceId> = gone.flat_map(|node| draft.tasks_on(node)).map(|task| task.service).collect();
    for service in draft.services_due().union(&bereft).copied() {
        for change in of_service(draft.view, service) {
            if !matches!(change, Change::Remove { key: ObjectKey::Task(task), .. } if draft.changes(task)) {
                draft.push(change);
            }
        }
    }
}

/// The records to remove, of all services, those that are gone included.
#[must_use]
pub fn reap(view: &View) -> Vec<Change> {
    let services: BTreeSet<ServiceId> = view.tasks().map(|task| task.service).collect();
    services.into_iter().flat_map(|service| of_service(view, service)).collect()
}

/// The records to remove of one service, which may be gone. They change only when its tasks, its spec or one of their nodes does.
#[must_use]
pub fn of_service(view: &View, service: ServiceId) -> Vec<Change> {
    let history = history(view, service);
    let job = view.service(service).and_then(|service| service.job.as_ref());
    let mut ended: BTreeMap<Place, Vec<&Arc<Task>>> = BTreeMap::new();
    let mut changes = Vec::new();
    for task in view.tasks_of_service(service) {
        match fate(view, task) {
            Fate::Stays => {}
            Fate::Goes => changes.push(removal(task)),
            Fate::History => ended.entry(place(task, job)).or_default().push(task),
        }
    }
    for (place, mut tasks) in ended {
        tasks.sort_by_key(|task| (task.meta.version, task.id));
        let kept = if place == Place::Done { limits::JOB_RECORDS } else { history };
        let beyond = tasks.len().saturating_sub(kept);
        changes.extend(tasks.into_iter().take(beyond).map(|task| removal(task)));
    }
    changes
}

/// What a record is for.
enum Fate {
    /// It runs, or is going to, or another decider has not yet seen that it ended.
    Stays,
    /// Users may look at it, restarts are counted by it.
    History,
    /// Nothing.
    Goes,
}

fn fate(view: &View, task: &Task) -> Fate {
    let state = task.status.state;
    match task.desired {
        DesiredState::Ready | DesiredState::Running => Fate::Stays,
        // Never sent to any node.
        DesiredState::Shutdown | DesiredState::Remove if state < TaskState::Assigned => Fate::Goes,
        // The place of a global service's task is its node.
        DesiredState::Shutdown if state.is_terminal() && task.slot == 0 && !has_node(view, task) => Fate::Goes,
        DesiredState::Shutdown if state.is_terminal() => Fate::History,
        DesiredState::Shutdown => Fate::Stays,
        DesiredState::Remove if state.is_terminal() || !has_node(view, task) || bug!(ReaperRunning) => Fate::Goes,
        DesiredState::Remove => Fate::Stays,
    }
}

/// Whether somebody may yet report its end. What a node that was removed had is nobody's: its agent is refused, and stops all.
fn has_node(view: &View, task: &Task) -> bool {
    task.node.is_some_and(|node| view.node(node).is_some())
}

/// What shares a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Slot(u64),
    /// Of a global service.
    Node(Option<NodeId>),
    /// All that a job no longer works at: slots are not used again in a run, so a history of each would never end.
    Done,
}

fn place(task: &Task, job: Option<&JobStatus>) -> Place {
    let is_done = |job: &JobStatus| !job.is_on() || task.iteration != job.iteration || job.settled.contains(task.slot);
    match task.slot {
        _ if job.is_some_and(is_done) => Place::Done,
        0 => Place::Node(task.node),
        slot => Place::Slot(slot),
    }
}

/// How many ended tasks are kept for each place: the user's history, and as many as counting the restarts takes.
fn history(view: &View, service: ServiceId) -> usize {
    let attempts = view.service(service).map_or(0, |service| service.spec.task.restart.max_attempts);
    let counted = usize::try_from(attempts.min(limits::RESTART_ATTEMPTS)).unwrap_or(0);
    if bug!(HistoryUnbounded) {
        return usize::MAX;
    }
    if counted == 0 { limits::TASK_HISTORY } else { limits::TASK_HISTORY.max(counted + 1) }
}

/// At the version that was judged: a task that changed meanwhile is judged again.
fn removal(task: &Task) -> Change {
    Change::Remove { key: ObjectKey::Task(task.id), expect: Some(task.meta.version) }
}

#[cfg(test)]
mod tests;
