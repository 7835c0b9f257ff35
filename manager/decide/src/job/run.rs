//! The runs of a job: when one begins, what is in its books, when it ends, and what is remembered of it.
//!
//! A scheduled job does not run when it is made, and a change of its spec counts from the next run on, unless it was forced. A moment that
//! nobody was there to see is made up for at once when a leader comes, however late; of several, once. The next moment is sought from the
//! later of now and the one that was due, so that a clock that goes back repeats none.

use std::collections::BTreeSet;
use std::sync::Arc;

use cluster_types::{
    Availability, JobRun, JobStatus, Node, NodeState, ObjectKey, Overlap, Service, ServiceMode, ServiceSpec, Timestamp, Version, limits,
};

use super::survey::{Survey, count};
use crate::constraint;
use crate::cron::Clock;
use crate::draft::Draft;
use crate::slots::Place;

/// What a run that was left out is called.
const LEFT_OUT: &str = "left out";

/// The status after this pass.
pub(super) fn next(draft: &mut Draft<'_>, service: &Service, survey: &Survey) -> JobStatus {
    let mut status = service.job.clone().unwrap_or_default();
    if status.is_on() {
        settle(draft, service, survey, &mut status);
    }
    let before = service.job.as_ref().and_then(|job| draft.view.spec(service.id, Version(job.cause))).cloned();
    let asked = is_asked(service, before.as_ref());
    let schedule = service.spec.schedule.as_ref();
    if before.is_none_or(|before| before.schedule.as_ref() != schedule) {
        status.next = schedule.and_then(|schedule| Clock::next(schedule, draft.now));
    }
    status.cause = service.spec_version.0;
    let due = status.next.filter(|at| *at <= draft.now);
    if let Some(at) = due {
        status.next = schedule.and_then(|schedule| Clock::next(schedule, draft.now.max(at)));
    }
    let replaces = schedule.is_some_and(|schedule| schedule.overlap == Overlap::Replace);
    if asked || (due.is_some() && (replaces || !status.is_on())) {
        return begin(draft, service, survey, status);
    }
    if let Some(at) = due {
        leave_out(draft, service, &mut status, at);
    }
    status
}

/// Whether the spec asks for a run: the first one, or another for what changed. `before` is the spec that was judged last.
fn is_asked(service: &Service, before: Option<&Arc<ServiceSpec>>) -> bool {
    let task = &service.spec.task;
    match (&service.spec.schedule, before) {
        (None, before) => {
            let is_first = service.job.as_ref().is_none_or(|job| job.iteration == 0);
            is_first || before.is_none_or(|before| before.task != *task)
        }
        (Some(_), before) => before.is_some_and(|before| before.task.force_update != task.force_update),
    }
}

/// Brings the books up to date, when it is time, and ends the run when nothing is left to do.
fn settle(draft: &mut Draft<'_>, service: &Service, survey: &Survey, status: &mut JobStatus) {
    status.wanted = wanted(draft, service, survey);
    let is_over = match service.spec.mode {
        ServiceMode::ReplicatedJob { max_concurrent, total } => keep_books(survey, status, max_concurrent, total),
        ServiceMode::GlobalJob => {
            let ended = |place: &Place| survey.completed.contains(place) || survey.failed.contains(place);
            survey.busy.is_empty() && survey.has_ended() && expected(draft, service).iter().all(ended)
        }
        ServiceMode::Replicated { .. } | ServiceMode::Global => false,
    };
    if is_over {
        status.ended = Some(draft.now);
        if service.spec.mode == ServiceMode::GlobalJob {
            status.completed = count(survey.completed.iter());
        }
        let text = format!("run {} {}: {} of {}", status.iteration, outcome(status), status.completed, status.wanted);
        draft.note(ObjectKey::Service(service.id), text);
    }
}

/// Whether all slots have had their last task.
fn keep_books(survey: &Survey, status: &mut JobStatus, max_concurrent: u64, total: u64) -> bool {
    let ended: Vec<&Place> = survey.completed.union(&survey.failed).collect();
    let counted = ended.iter().filter(|place| place.slot <= total);
    let is_over = status.settled.count_to(total).saturating_add(count(counted)) >= total;
    if is_over || count(ended.iter()) > max_concurrent.max(u64::try_from(limits::JOB_RECORDS).unwrap_or(u64::MAX)) {
        ended.iter().for_each(|place| status.settled.insert(place.slot));
        status.completed = status.completed.saturating_add(count(survey.completed.iter()));
    }
    is_over
}

/// How many are to complete. Those that did are among them, and those that the run waits for, though their node may take no tasks any more.
fn wanted(draft: &Draft<'_>, service: &Service, survey: &Survey) -> u64 {
    match service.spec.mode {
        ServiceMode::ReplicatedJob { total, .. } => total,
        ServiceMode::GlobalJob => count((&(&expected(draft, service) | &survey.completed) | &survey.busy).iter()),
        ServiceMode::Replicated { .. } | ServiceMode::Global => 0,
    }
}

/// The nodes on which a job of all nodes is to complete. One that is merely cut off is waited for; one that is down, or takes none, is not.
fn expected(draft: &Draft<'_>, service: &Service) -> BTreeSet<Place> {
    let there = |node: &&Arc<Node>| node.spec.availability == Availability::Active && node.status.state != NodeState::Down;
    let fits = |node: &&Arc<Node>| constraint::belongs(node, &service.spec.task.placement);
    draft.nodes().filter(there).filter(fits).map(|node| Place { slot: 0, node: Some(node.id) }).collect()
}

fn outcome(status: &JobStatus) -> &'static str {
    match status.ended {
        None => "replaced",
        Some(_) if status.completed >= status.wanted => "completed",
        Some(_) => "failed",
    }
}

/// The next run; what went on before is remembered.
fn begin(draft: &mut Draft<'_>, service: &Service, survey: &Survey, mut status: JobStatus) -> JobStatus {
    if status.iteration > 0 {
        if status.is_on() {
            status.completed = status.completed.saturating_add(count(survey.completed.iter()));
        }
        let past = JobRun {
            iteration: status.iteration,
            started: status.started,
            ended: status.ended.unwrap_or(draft.now),
            completed: status.completed,
            wanted: status.wanted,
            outcome: outcome(&status).to_owned(),
        };
        remember(&mut status.runs, past);
    }
    let iteration = status.iteration.saturating_add(1);
    draft.note(ObjectKey::Service(service.id), format!("run {iteration} begins"));
    JobStatus {
        iteration,
        started: draft.now,
        ended: None,
        wanted: wanted(draft, service, &Survey::default()),
        completed: 0,
        settled: cluster_types::SlotRanges::default(),
        ..status
    }
}

/// Several in a row are one entry, from the first to the last: they must not push the real runs out of the history.
fn leave_out(draft: &mut Draft<'_>, service: &Service, status: &mut JobStatus, at: Timestamp) {
    draft.note(ObjectKey::Service(service.id), format!("a run is left out: run {} goes on", status.iteration));
    match status.runs.last_mut().filter(|run| run.outcome == LEFT_OUT) {
        Some(last) => last.ended = at,
        None => {
            let (iteration, wanted) = (0, wanted(draft, service, &Survey::default()));
            remember(&mut status.runs, JobRun { iteration, started: at, ended: at, completed: 0, wanted, outcome: LEFT_OUT.to_owned() });
        }
    }
}

fn remember(runs: &mut Vec<JobRun>, run: JobRun) {
    runs.push(run);
    let superfluous = runs.len().saturating_sub(limits::JOB_RUNS);
    runs.drain(..superfluous);
}
