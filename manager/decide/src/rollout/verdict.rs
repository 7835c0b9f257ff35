//! Whether an update has failed: too many of its tasks ended too soon, or none has come to serve for too long; and what follows from it.

use cluster_types::{FailureAction, Service, UpdateConfig, UpdateState, UpdateStatus, Version};

use super::survey::Survey;
use super::{explain, replace};
use crate::draft::Draft;

/// What follows.
pub(super) enum Verdict {
    /// The next places may be taken on.
    GoOn,
    /// It stands still.
    Stop,
    /// The service goes back to an earlier spec.
    RollBack {
        /// That spec.
        to: Version,
        /// The failure that tipped the balance.
        why: String,
    },
}

/// Counts what is new in the survey into the status, and judges it. What is borne is no longer waited for.
pub(super) fn judge(
    draft: &mut Draft<'_>,
    service: &Service,
    config: UpdateConfig,
    status: &mut UpdateStatus,
    survey: &mut Survey<'_>,
) -> Verdict {
    if !status.state.is_running() && status.state != UpdateState::Canary {
        return Verdict::Stop;
    }
    status.progressed = status.progressed.max(survey.progressed);
    let failure = failure(draft, service, status, survey);
    let Some(why) = failure.or_else(|| overdue(draft, service, config, status, survey)) else { return Verdict::GoOn };
    let is_borne = !config.max_failure_ratio.is_exceeded(status.failed, status.places);
    match config.failure_action {
        FailureAction::Continue => bear(status, &why),
        FailureAction::Pause | FailureAction::Rollback if is_borne => bear(status, &why),
        FailureAction::Rollback if !status.state.is_rollback() => match way_back(draft, service, status) {
            Some(to) => Verdict::RollBack { to, why },
            None => pause(status, &format!("{why}; there is no earlier spec to go back to")),
        },
        FailureAction::Pause | FailureAction::Rollback => pause(status, &why),
    }
}

fn bear(status: &mut UpdateStatus, why: &str) -> Verdict {
    status.message = format!("{} goes on: {why}", noun(status.state));
    Verdict::GoOn
}

fn pause(status: &mut UpdateStatus, why: &str) -> Verdict {
    status.message = format!("{} paused: {why}", noun(status.state));
    status.state = if status.state.is_rollback() { UpdateState::RollbackPaused } else { UpdateState::Paused };
    Verdict::Stop
}

/// What messages begin with.
pub(super) fn noun(state: UpdateState) -> &'static str {
    if state.is_rollback() { "rollback" } else { "update" }
}

/// Counts the failures that nobody counted. The words for the last of them.
fn failure(draft: &Draft<'_>, service: &Service, status: &mut UpdateStatus, survey: &Survey<'_>) -> Option<String> {
    status.counted = status.counted.max(survey.counted);
    status.failed = status.failed.saturating_add(u64::try_from(survey.failures.len()).unwrap_or(u64::MAX));
    survey.failures.last().map(|task| explain::failure(draft, service, task))
}

/// Past the progress deadline each place that is waited for has failed. The words for the first of them.
fn overdue(
    draft: &mut Draft<'_>,
    service: &Service,
    config: UpdateConfig,
    status: &mut UpdateStatus,
    survey: &mut Survey<'_>,
) -> Option<String> {
    let first = survey.waiting.iter().find(|task| !replace::is_held(task)).filter(|_| status.state.is_running())?;
    let deadline = status.progressed.plus(config.progress_deadline);
    if deadline > draft.now {
        draft.wake(deadline, service.id);
        return None;
    }
    let why = explain::delay(draft, service, first, draft.now.since(status.progressed));
    status.failed = status.failed.saturating_add(u64::try_from(survey.waiting.len()).unwrap_or(u64::MAX));
    (status.given_up, status.progressed) = (draft.now, draft.now);
    survey.lost.append(&mut survey.waiting);
    Some(why)
}

/// The spec to go back to, if the history still has it.
fn way_back(draft: &Draft<'_>, service: &Service, status: &UpdateStatus) -> Option<Version> {
    let is_kept = service.history.iter().any(|revision| revision.spec_version == status.base);
    let spec = draft.view.spec(service.id, status.base).filter(|_| is_kept)?;
    (spec.task != service.spec.task || spec.ports != service.spec.ports).then_some(status.base)
}
