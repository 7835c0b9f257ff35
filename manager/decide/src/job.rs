//! Jobs: services whose tasks are to complete, a number of times or once on each node that fits; once, or by the clock.
//!
//! A run begins with the service, with another task spec, or when its schedule says so, and ends when each of its places has completed or
//! failed for good; then no task is made any more, on nodes that come later neither. Tasks name the run (`iteration`) that they belong to,
//! and those of another run are stopped. Tasks that failed are replaced by restart, this makes the others: each number from 1 to `total`
//! completes once, the lowest first, at most `max_concurrent` at a time. A task that was told to stop counts as long as it may run, so that
//! two runs never overlap.
//!
//! What completed must not be forgotten with its task. Until it is in the books of the job's status, a completed task stays wanted and is
//! not reaped; once they are in the log (not merely in this pass's plan) it becomes history. The books are written as a whole from one view
//! and never go back, so each slot counts once, whoever leads and whatever plan is lost. They are brought up to date when there are more
//! such tasks than may run at once, and at the end: so their size costs little, and tasks are few however large `total` is.

mod run;
mod survey;

use std::collections::BTreeSet;
use std::sync::Arc;

use cluster_state::View;
use cluster_types::{Change, JobStatus, Service, ServiceId, ServiceMode, ServiceStep, Task, TaskState};

use self::survey::Survey;
use crate::constraint;
use crate::draft::{Draft, NewTask};
use crate::slots::Place;

/// Jobs that changed or whose time has come; when nodes changed, also all that run on each node.
pub(crate) fn step(draft: &mut Draft<'_>) {
    let mut due: BTreeSet<ServiceId> = draft.services_due();
    if !draft.nodes_due().is_empty() {
        due.extend(draft.services().filter(|service| runs_on_nodes(service)).map(|service| service.id));
    }
    for id in due {
        if let Some(service) = draft.service(id).filter(|service| service.spec.mode.is_job()) {
            advance(draft, &service);
        }
    }
}

fn runs_on_nodes(service: &Service) -> bool {
    service.spec.mode == ServiceMode::GlobalJob && service.job.as_ref().is_some_and(JobStatus::is_on)
}

fn advance(draft: &mut Draft<'_>, service: &Service) {
    let survey = Survey::of(draft, service, &service.job.clone().unwrap_or_default());
    let status = run::next(draft, service, &survey);
    if service.job.as_ref() != Some(&status) {
        draft.push(Change::Service(service.id, ServiceStep::Job(status.clone())));
    }
    if let Some(at) = status.next {
        draft.wake(at, service.id);
    }
    let is_dismissed = dismiss(draft, service, &status);
    let is_same = !is_dismissed && service.job.as_ref().is_some_and(|job| job.iteration == status.iteration);
    if status.is_on() {
        let survey = if is_same { survey } else { Survey::of(draft, service, &status) };
        fill(draft, service, &status, &survey);
    }
}

/// Stops tasks of other runs, those whose end is in the books of the log, and those of slots that are too many now. Whether there were any.
fn dismiss(draft: &mut Draft<'_>, service: &Service, status: &JobStatus) -> bool {
    let stored = draft.view.service(service.id).and_then(|service| service.job.clone()).unwrap_or_default();
    let is_booked = |task: &Task| stored.iteration == task.iteration && (stored.ended.is_some() || stored.settled.contains(task.slot));
    let is_beyond = |task: &Task| match service.spec.mode {
        ServiceMode::ReplicatedJob { total, .. } => task.slot > total && !task.status.state.is_terminal(),
        ServiceMode::Replicated { .. } | ServiceMode::Global | ServiceMode::GlobalJob => false,
    };
    let slots = draft.slots(service.id);
    let is_over = |task: &Task| task.iteration != status.iteration || is_booked(task) || is_beyond(task);
    let over: Vec<&Arc<Task>> = slots.tasks().iter().filter(|task| task.is_wanted() && is_over(task)).collect();
    over.iter().for_each(|task| draft.stop(task));
    !over.is_empty()
}

/// Tasks for places that have none.
fn fill(draft: &mut Draft<'_>, service: &Service, status: &JobStatus, survey: &Survey) {
    match service.spec.mode {
        ServiceMode::ReplicatedJob { max_concurrent, total } => {
            let room = max_concurrent.saturating_sub(survey.at_work());
            for slot in vacant(status, survey, total).take(usize::try_from(room).unwrap_or(usize::MAX)).collect::<Vec<_>>() {
                create(draft, service, (status, survey), Place { slot, node: None });
            }
        }
        ServiceMode::GlobalJob => {
            let fits = |place: &Place| !survey.knows(*place);
            let open = draft.nodes().filter(|node| node.takes_tasks() && constraint::belongs(node, &service.spec.task.placement));
            for place in open.map(|node| Place { slot: 0, node: Some(node.id) }).filter(fits).collect::<Vec<_>>() {
                create(draft, service, (status, survey), place);
            }
        }
        ServiceMode::Replicated { .. } | ServiceMode::Global => {}
    }
}

/// The slots that have neither ended nor begun, the lowest first.
fn vacant<'a>(status: &'a JobStatus, survey: &'a Survey, total: u64) -> impl Iterator<Item = u64> + 'a {
    let free = move |from: u64| {
        let mut slot = from;
        loop {
            slot = status.settled.first_gap(slot);
            if slot > total {
                return None;
            }
            if !survey.knows(Place { slot, node: None }) {
                return Some(slot);
            }
            slot += 1;
        }
    };
    std::iter::successors(free(1), move |slot| free(slot + 1))
}

/// A crash loop goes on counting its failures when its task moves to another node.
fn create(draft: &mut Draft<'_>, service: &Service, (status, survey): (&JobStatus, &Survey), place: Place) {
    let failures = survey.failures(place);
    draft.create(service, NewTask { slot: place.slot, node: place.node, failures, iteration: status.iteration, ..NewTask::running() });
}

/// How far the current run of a job is, for users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobProgress {
    /// How many tasks completed.
    pub completed: u64,
    /// How many run.
    pub running: u64,
    /// How many are to complete.
    pub wanted: u64,
}

/// How far the current run of a job is, or how the last one ended; none for a service that is none, or has not begun.
#[must_use]
pub fn job_progress(view: &View, service: &Service) -> Option<JobProgress> {
    let status = service.job.as_ref()?;
    let mut progress = JobProgress { completed: status.completed, running: 0, wanted: status.wanted };
    for task in view.tasks_of_service(service.id).filter(|task| task.is_wanted() && task.iteration == status.iteration) {
        match task.status.state {
            TaskState::Running => progress.running += 1,
            TaskState::Complete if status.is_on() && !status.settled.contains(task.slot) => progress.completed += 1,
            _ => {}
        }
    }
    Some(progress)
}

#[cfg(test)]
mod tests;
