//! The rolling update: replaces tasks of an older spec by tasks of the current one, a bounded number of places at a time, watches them, and
//! stops, goes on or goes back when too many fail.
//!
//! All that it knows is in the replicated state, so any leader goes on where the last one was: tasks name their spec and carry the stamps
//! of their life, the service holds the status. A pass takes these steps, one module each: [`course`] finds the status to go on from,
//! [`survey`] looks at the places, [`verdict`] counts failures and judges them, [`advance`] takes on the next places or finds the end, and
//! [`replace`] changes one place.
//!
//! Counting is exact, whoever leads and whatever the reaper takes: a failure is counted when the log index of its report is above the
//! status's `counted`, which is then moved up to it in the same write. A pass sees every task whose end it may count, for the reaper takes
//! none in the pass that first sees its end. The first failure of a place counts; its further ones are those of the restart policy.
//!
//! A place is in flight, and keeps one of the `parallelism` seats, until its new task serves. A place whose failure is borne gives its seat
//! up: the update goes on without it. A place that the update before had in flight is taken on first, or keeps its seat too while its node is
//! closed. Jobs have no rolling update.

mod advance;
mod course;
mod explain;
mod replace;
mod stale;
mod survey;
mod verdict;

use cluster_types::{Author, ObjectKey, Service, ServiceId, UpdateConfig, UpdateStatus, Version};

use self::course::Course;
pub(crate) use self::stale::Staleness;
use self::survey::Survey;
use self::verdict::Verdict;
use crate::draft::Draft;

/// Looks at each service that changed or waits for a moment.
pub(crate) fn step(draft: &mut Draft<'_>) {
    for id in draft.services_due() {
        match draft.service(id) {
            Some(service) if !service.spec.mode.is_job() => look(draft, &service),
            Some(_) | None => {}
        }
    }
}

fn look(draft: &mut Draft<'_>, service: &Service) {
    let slots = draft.slots(service.id);
    let Course { mut status, kind } = Course::of(draft, service);
    let config = config(service, &status);
    let mut survey = Survey::new(&status, config);
    let mut staleness = Staleness::new(service);
    for slot in slots.iter() {
        if replace::release_held(draft, service, slot) {
            survey.progressed = draft.now;
        }
        survey.add(draft, &mut staleness, slot);
    }
    if !kind.is_live(!survey.stale.is_empty()) {
        return;
    }
    survey.sort();
    if status.places == 0 {
        status.places = survey.open_places();
    }
    match verdict::judge(draft, service, config, &mut status, &mut survey) {
        Verdict::RollBack { to, why } => roll_back(draft, service, to, why),
        Verdict::Stop => store(draft, service, status),
        Verdict::GoOn => {
            let batch = advance::batch(draft, service, config, &mut status, &survey);
            store(draft, service, status);
            // After the status: a plan that is cut short must not leave tasks of an update that nobody knows of.
            for place in survey.stale.iter().take(batch) {
                replace::replace(draft, service, config, place);
            }
        }
    }
}

/// What the update goes by.
fn config(service: &Service, status: &UpdateStatus) -> UpdateConfig {
    status.config.unwrap_or(service.spec.update)
}

fn store(draft: &mut Draft<'_>, service: &Service, status: UpdateStatus) {
    let Some(before) = &service.update else { return draft.update(service.id, status) };
    if before.state != status.state {
        note(draft, service.id, status.message.clone());
    }
    if *before != status {
        draft.update(service.id, status);
    }
}

fn roll_back(draft: &mut Draft<'_>, service: &Service, to: Version, why: String) {
    note(draft, service.id, format!("the update is rolled back: {why}"));
    let author = Author { by: "rollout".to_owned(), message: why };
    draft.roll_back(service, to, author);
}

fn note(draft: &mut Draft<'_>, service: ServiceId, text: String) {
    draft.note(ObjectKey::Service(service), text);
}

#[cfg(test)]
mod tests;
