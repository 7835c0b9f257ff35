//! What the status of an update says of a change that is waited for: whether it is over, and how that is told.

use cluster_types::{UpdateState, UpdateStatus};

use super::progress::{Goal, Step, Verdict};
use super::summary;
use crate::model::{ServiceView, TaskView};

/// The update that rolls the change out, or takes it back.
pub(super) fn of<'a>(service: &'a ServiceView, goal: &Goal) -> Option<&'a UpdateStatus> {
    let floor = goal.floor?;
    service.service.update.as_ref().filter(|update| update.target >= floor)
}

/// Whether a task is of the spec that is waited for. A finished rollout has judged that its tasks are; while the change is taken back, it is
/// all that is not of the change itself.
pub(super) fn counts(service: &ServiceView, goal: &Goal, view: &TaskView) -> bool {
    let Some(floor) = goal.floor else { return true };
    let version = view.task.spec_version;
    match of(service, goal) {
        Some(update) if update.state.is_completed() => true,
        Some(update) if update.state.is_rollback() => version < floor || version >= update.target,
        Some(_) | None => version >= floor,
    }
}

/// What a completed update says beside that it is complete: an order that it could not keep, places that do not run it.
pub(super) fn remark<'a>(service: &'a ServiceView, goal: &Goal) -> &'a str {
    let completed = of(service, goal).filter(|update| update.state == UpdateState::Completed);
    completed.and_then(|update| update.message.strip_prefix("update completed")).unwrap_or_default()
}

/// How it stands, when the status says so. Else it is for the tasks to say.
pub(super) fn verdict(service: &ServiceView, goal: &Goal, step: &Step) -> Option<Verdict> {
    let update = of(service, goal)?;
    let name = &goal.name;
    match update.state {
        UpdateState::Canary => {
            let next = format!("go on: cluster rollout promote {name}     or go back: cluster service rollback {name}");
            Some(Verdict::Ended(format!("{name} has its canaries: {}", update.message), Some(next)))
        }
        UpdateState::Paused | UpdateState::RollbackPaused => Some(Verdict::Cannot(summary::paused(name, update, step))),
        UpdateState::RollbackCompleted if !goal.rollback => Some(Verdict::Cannot(summary::rolled_back(&service.service, update, step))),
        UpdateState::Updating | UpdateState::Completed | UpdateState::RollbackStarted | UpdateState::RollbackCompleted => None,
    }
}
