//! Of our own: an update that bears no failure does not go on, let alone complete, over one that it was to watch for. Judged by what the
//! leader's pass saw: what is reported meanwhile is for the next one.

use cluster_decide::Plan;
use cluster_state::View;
use cluster_types::{Change, FailureAction, Ratio, Service, ServiceStep, Task, TaskState, UpdateConfig, UpdateStatus};

use super::Found;

pub(super) fn judge(view: &View, plan: &Plan) -> Found {
    for change in &plan.changes {
        let Change::Service(id, ServiceStep::Update(status)) = change else { continue };
        let Some((service, before)) = view.service(*id).and_then(|service| Some((service, service.update.as_ref()?))) else { continue };
        // What had failed when an update began, or was resumed, is not its affair.
        let is_same = before.forgiven == status.forgiven;
        if is_same && (status.state.is_running() || status.state.is_completed()) {
            goes_on(service, before, status, view)?;
        }
    }
    Ok(())
}

fn goes_on(service: &Service, before: &UpdateStatus, status: &UpdateStatus, view: &View) -> Found {
    let config = status.config.unwrap_or(service.spec.update);
    if config.failure_action == FailureAction::Continue || config.max_failure_ratio != Ratio(0) {
        return Ok(());
    }
    let is_failure = |task: &&std::sync::Arc<Task>| {
        let is_of_update = task.spec_version == status.target && task.spec_version > status.base;
        is_of_update && has_failed(task, config) && task.life.ended_at > before.counted && !is_repeated(task, before, view)
    };
    match view.tasks_of_service(service.id).find(is_failure) {
        Some(task) => Err(format!("the update of {} goes on, and its task {} failed", service.spec.name, task.id.short())),
        None => Ok(()),
    }
}

fn has_failed(task: &Task, config: UpdateConfig) -> bool {
    let by_itself = matches!(task.status.state, TaskState::Failed | TaskState::Rejected | TaskState::Complete);
    by_itself && task.life.ended.is_some_and(|ended| task.life.ran.is_none_or(|ran| ended.since(ran) < config.monitor))
}

/// Whether its place has failed before: that counted once, and may have been borne before the user said otherwise.
fn is_repeated(task: &Task, before: &UpdateStatus, view: &View) -> bool {
    let is_here = |other: &Task| other.slot == task.slot && (task.slot != 0 || other.node == task.node);
    let is_counted = |other: &Task| other.life.ended_at > before.forgiven && other.life.ended_at <= before.counted;
    view.tasks_of_service(task.service).any(|other| is_here(other) && is_counted(other))
}
