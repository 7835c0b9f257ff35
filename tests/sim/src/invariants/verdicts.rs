//! Of our own: an update that bears no failure does not complete over one that it was to watch for.

use cluster_state::{Applied, View};
use cluster_types::{EventKind, FailureAction, Object, Ratio, Service, Task, TaskState, UpdateConfig, UpdateState, UpdateStatus};

use super::Found;

/// Entries for which the plan that completes an update may be under way: what is reported meanwhile it cannot know.
const UNDER_WAY: u64 = 100;

pub(super) fn follow(applied: &Applied, view: &View) -> Found {
    for event in applied.events.iter().filter(|event| event.kind == EventKind::Updated) {
        let (Object::Service(service), Some(Object::Service(before))) = (&event.object, &event.before) else { continue };
        let Some(status) = service.update.as_ref().filter(|status| status.state == UpdateState::Completed) else { continue };
        if before.update.as_ref().is_some_and(|before| before.state == UpdateState::Updating && before.target == status.target) {
            judge(service, status, view)?;
        }
    }
    Ok(())
}

fn judge(service: &Service, status: &UpdateStatus, view: &View) -> Found {
    let config = status.config.unwrap_or(service.spec.update);
    if config.failure_action == FailureAction::Continue || config.max_failure_ratio != Ratio(0) {
        return Ok(());
    }
    match view.tasks_of_service(service.id).find(|task| is_failure(task, config, status, view.index().0)) {
        Some(task) => Err(format!("the update of {} completes, and its task {} failed", service.spec.name, task.id.short())),
        None => Ok(()),
    }
}

fn is_failure(task: &Task, config: UpdateConfig, status: &UpdateStatus, index: u64) -> bool {
    let is_of_update = task.spec_version == status.target && task.spec_version > status.base && task.life.ended_at > status.forgiven;
    let is_known = task.life.ended_at.0 + UNDER_WAY < index;
    let has_failed = matches!(task.status.state, TaskState::Failed | TaskState::Rejected);
    let is_early = task.life.ended.is_some_and(|ended| task.life.ran.is_none_or(|ran| ended.since(ran) < config.monitor));
    is_of_update && is_known && has_failed && is_early
}
