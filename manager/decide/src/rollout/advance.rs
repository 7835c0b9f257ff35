//! How many places an update takes on next, and when it has come to its end or to the end of its canaries.

use cluster_types::{Service, Timestamp, UpdateConfig, UpdateState, UpdateStatus, bug};

use super::survey::Survey;
use super::verdict::noun;
use super::{explain, replace};
use crate::draft::Draft;

/// The number of places to take on now, and the status as it is then.
pub(super) fn batch(
    draft: &mut Draft<'_>,
    service: &Service,
    config: UpdateConfig,
    status: &mut UpdateStatus,
    survey: &Survey<'_>,
) -> usize {
    let room = canary_room(config, status, survey).min(survey.stale.len());
    if room == 0 && survey.waiting.is_empty() {
        rest(draft, service, config, status, survey);
        return 0;
    }
    let batch = if status.state.is_running() { seats(draft, service, config, status, survey).min(room) } else { 0 };
    if batch > 0 {
        (status.not_before, status.progressed) = (None, draft.now);
        say_order(draft, service, config, status);
    } else if survey.waiting.is_empty() && status.not_before.is_none() && !config.delay.is_zero() {
        let at = draft.now.plus(config.delay);
        status.not_before = Some(at);
        draft.wake(at, service.id);
    }
    batch
}

/// How many more places may be taken on before the canaries are promoted.
fn canary_room(config: UpdateConfig, status: &UpdateStatus, survey: &Survey<'_>) -> usize {
    if config.canary == 0 || status.promoted || status.state.is_rollback() {
        return usize::MAX;
    }
    usize::try_from(config.canary.saturating_sub(survey.taken)).unwrap_or(usize::MAX)
}

/// How many places may be taken on now. With a delay, a batch begins when the one before has ended and the delay is over.
fn seats(draft: &mut Draft<'_>, service: &Service, config: UpdateConfig, status: &UpdateStatus, survey: &Survey<'_>) -> usize {
    let most = if config.parallelism == 0 { usize::MAX } else { usize::try_from(config.parallelism).unwrap_or(usize::MAX) };
    if bug!(ParallelismIgnored) {
        return usize::MAX;
    }
    if config.delay.is_zero() {
        return most.saturating_sub(survey.waiting.len());
    }
    match status.not_before {
        Some(at) if at > draft.now => {
            draft.wake(at, service.id);
            0
        }
        Some(_) if survey.waiting.is_empty() => most,
        Some(_) | None => 0,
    }
}

/// Nothing is left to take on: once the last monitor period is over, that is the end, or the canaries wait for their user.
fn rest(draft: &mut Draft<'_>, service: &Service, config: UpdateConfig, status: &mut UpdateStatus, survey: &Survey<'_>) {
    if status.state == UpdateState::Canary && !survey.stale.is_empty() {
        return;
    }
    match survey.watched_until {
        Some(at) => draft.wake(at, service.id),
        None if survey.stale.is_empty() => complete(draft.now, draft, service, config, status, survey),
        None => {
            status.state = UpdateState::Canary;
            status.message = format!("{} of {} places are updated: waiting to be promoted", survey.taken, status.places);
        }
    }
}

fn complete(now: Timestamp, draft: &Draft<'_>, service: &Service, config: UpdateConfig, status: &mut UpdateStatus, survey: &Survey<'_>) {
    let shortfall = survey.lost.first().map(|task| {
        let (lost, name) = (survey.lost.len(), task.name(&service.spec.name));
        format!(", but {lost} of {} places do not run it, such as {name}", status.places.max(1))
    });
    let order = replace::why_stop_first(draft, service, config).map(|why| format!("; old tasks stopped first, because {why}"));
    let cause = Some(&service.author.message).filter(|why| status.state.is_rollback() && !why.is_empty()).map(|why| format!(": {why}"));
    let extras = [shortfall, cause, order].into_iter().flatten().collect::<String>();
    status.message = explain::cut(format!("{} completed{extras}", noun(status.state)));
    status.state = if status.state.is_rollback() { UpdateState::RollbackCompleted } else { UpdateState::Completed };
    (status.completed, status.not_before) = (Some(now), None);
}

/// Says once that the wished order is not kept.
fn say_order(draft: &Draft<'_>, service: &Service, config: UpdateConfig, status: &mut UpdateStatus) {
    const WORDS: &str = "; old tasks stop first, because ";
    match replace::why_stop_first(draft, service, config) {
        Some(why) if !status.message.contains(WORDS) => status.message = format!("{}{WORDS}{why}", status.message),
        Some(_) | None => {}
    }
}
