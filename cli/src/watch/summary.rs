//! The words of progress: one line for a task, and the errors when a service cannot get where it should.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster_types::{Service, TaskId, TaskState, UpdateState, UpdateStatus};

use super::progress::{Goal, Step};
use crate::failure::{Exit, Failure};
use crate::model::TaskView;
use crate::render::age::took;
use crate::render::row::task_error;

/// Most causes that an error lists.
const CAUSES: usize = 5;

/// `web.3 on n2: running`. States that last a moment only have no line.
pub(super) fn line(view: &TaskView) -> Option<String> {
    let error = task_error(view).lines().collect::<Vec<_>>().join("; ");
    let state = view.task.status.state;
    match state {
        TaskState::New | TaskState::Assigned | TaskState::Accepted | TaskState::Ready | TaskState::Remove => None,
        TaskState::Pending if error.is_empty() => None,
        TaskState::Pending => Some(format!("{}: pending: {error}", view.name())),
        TaskState::Running if !view.task.status.is_serving() => Some(format!("{}: {state}, not ready", place(view))),
        TaskState::Preparing | TaskState::Starting | TaskState::Running | TaskState::Complete | TaskState::Shutdown => {
            Some(format!("{}: {state}", place(view)))
        }
        TaskState::Failed | TaskState::Rejected | TaskState::Orphaned if error.is_empty() => Some(format!("{}: {state}", place(view))),
        TaskState::Failed | TaskState::Rejected | TaskState::Orphaned => Some(format!("{}: {state}: {error}", place(view))),
    }
}

/// What the live line says beside the count: the first task that is not there yet.
pub(super) fn now(wanted: &[&TaskView], pending: &[String]) -> String {
    let late = wanted.iter().filter(|view| view.task.status.state <= TaskState::Running && !view.task.status.is_serving());
    let late = late.max_by_key(|view| view.task.status.state);
    match (late, pending.first()) {
        (Some(view), _) if view.task.status.state > TaskState::Pending => format!("{}: {}", place(view), words(view)),
        (_, Some(reason)) => reason.clone(),
        (Some(view), None) => format!("{}: {}", view.name(), view.task.status.state),
        (None, None) => String::new(),
    }
}

fn words(view: &TaskView) -> String {
    let status = &view.task.status;
    if let Some(health) = status.health.as_ref().filter(|_| status.state == TaskState::Running) {
        return format!("running, not ready{}", quoted(&health.output));
    }
    if status.message.is_empty() { status.state.to_string() } else { format!("{}, {}", status.state, status.message) }
}

/// `web.3 on n2`.
fn place(view: &TaskView) -> String {
    if view.node_hostname.is_empty() { view.name() } else { format!("{} on {}", view.name(), view.node_hostname) }
}

/// Why tasks wait for a node, each reason once.
pub(super) fn pending(wanted: &[&TaskView]) -> Vec<String> {
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for view in wanted.iter().filter(|view| view.task.status.state == TaskState::Pending) {
        if let Some(error) = &view.task.status.error {
            reasons.entry(error.clone()).or_default().push(view.name());
        }
    }
    reasons.iter().map(|(reason, names)| format!("{}: {reason}", some(names))).collect()
}

/// How the tasks of this command ended, each way once, with how often, and what the last of them printed.
pub(super) fn ended(tasks: &[TaskView], failures: &BTreeMap<String, Vec<TaskId>>) -> Vec<String> {
    let mut ways: BTreeMap<String, (usize, Option<&str>)> = BTreeMap::new();
    for view in tasks.iter().filter(|view| failures.get(&view.name()).is_some_and(|ended| ended.contains(&view.task.id))) {
        let error = task_error(view);
        let how = if error.is_empty() { view.task.status.state.to_string() } else { format!("{}: {error}", view.task.status.state) };
        let way = ways.entry(format!("{}: {how}", place(view))).or_default();
        *way = (way.0 + 1, view.task.status.output.as_deref().or(way.1));
    }
    let text = |(way, (times, output)): (String, (usize, Option<&str>))| {
        let times = if times == 1 { String::new() } else { format!(" ({times} times)") };
        format!("{way}{times}{}", output.map(quoted).unwrap_or_default())
    };
    ways.into_iter().map(text).collect()
}

/// Lines that a container printed, below what is said of it.
fn quoted(output: &str) -> String {
    output.trim_end().lines().map(|line| format!("\n  | {line}")).collect()
}

/// `web.3, web.4 and 6 more`.
fn some(names: &[String]) -> String {
    let shown = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > 3 { format!("{shown} and {} more", names.len() - 3) } else { shown }
}

fn causes(failure: Failure, causes: &[String]) -> Failure {
    let more = causes.len().saturating_sub(CAUSES);
    let failure = causes.iter().take(CAUSES).fold(failure, |failure, cause| failure.cause(cause.clone()));
    if more == 0 { failure } else { failure.cause(format!("and {more} more")) }
}

/// No node can take some tasks.
pub(super) fn unplaceable(name: &str, (running, goal): (u64, u64), reasons: &[String]) -> Failure {
    let failure = Failure::new("E0302", format!("{name} is at {running}/{goal}: no node can take the other tasks")).exit(Exit::Placement);
    causes(failure, reasons)
        .fix("make room or add a node, or change what the service needs: cluster service update")
        .note("The change stays: the tasks start as soon as a node can take them.")
}

/// The tasks end, and others follow.
pub(super) fn failing(name: &str, count: (u64, u64), ended: &[String]) -> Failure {
    ending(name, count, ended).note("The change stays, and the managers go on trying.")
}

/// The run of a job is over, and not all of its tasks completed.
pub(super) fn run_failed(name: &str, count: (u64, u64), ended: &[String]) -> Failure {
    ending(name, count, ended).note(format!("The run is over. Run it again: cluster service restart {name}"))
}

fn ending(name: &str, (running, goal): (u64, u64), ended: &[String]) -> Failure {
    let failure = Failure::new("E0301", format!("{name} is at {running}/{goal}: its tasks fail")).exit(Exit::Tasks);
    causes(failure, ended).fix(format!("see what they wrote: cluster service logs {name}     and all of them: cluster service ps {name}"))
}

/// The line when an update comes into another state; none for what the count says.
pub(super) fn update(goal: &Goal, update: &UpdateStatus) -> Option<String> {
    match update.state {
        UpdateState::RollbackStarted => Some(format!("{}: goes back: {}", goal.name, update.message)),
        UpdateState::Canary | UpdateState::Paused | UpdateState::RollbackPaused => Some(format!("{}: {}", goal.name, update.message)),
        UpdateState::Updating | UpdateState::Completed | UpdateState::RollbackCompleted => None,
    }
}

/// The update, or the rollback, stands still: by failures, for want of a node, or by a user.
pub(super) fn paused(name: &str, update: &UpdateStatus, step: &Step) -> Failure {
    let by_user = update.failed == 0 && step.ended.is_empty() && step.pending.is_empty();
    let exit = match (by_user, step.ended.is_empty() && !step.pending.is_empty()) {
        (true, _) => Exit::Error,
        (false, true) => Exit::Placement,
        (false, false) => Exit::Tasks,
    };
    let all: Vec<String> = step.ended.iter().chain(&step.pending).cloned().collect();
    let failure = Failure::new("E0306", format!("{name} is at {}/{}: {}", step.running, step.goal, update.message)).exit(exit);
    let back = if update.state.is_rollback() { String::new() } else { format!("     or go back: cluster service rollback {name}") };
    causes(failure, &all).fix(format!("go on: cluster rollout resume {name}{back}")).note("The tasks that run go on running.")
}

/// The change was taken back.
pub(super) fn rolled_back(service: &Service, update: &UpdateStatus, step: &Step) -> Failure {
    let name = &service.spec.name;
    let why = service.author.message.as_str();
    let why = if why.is_empty() { &update.message } else { why };
    let failure = Failure::new("E0305", format!("{name} was rolled back: {why}")).exit(Exit::RolledBack);
    let now = service.history.last().and_then(|revision| Some((revision.number, revision.restores?)));
    let now = now.map(|(number, restores)| format!(" with the spec of revision {restores}, as revision {number}")).unwrap_or_default();
    causes(failure, &step.ended)
        .fix(format!("see what they wrote: cluster service logs {name}     and its revisions: cluster service history {name}"))
        .note(format!("{name} is at {}/{}{now}.", step.running, step.goal))
}

/// It takes longer than the caller waits.
pub(super) fn timeout(name: &str, (running, goal): (u64, u64), now: &str, elapsed: Duration) -> Failure {
    let failure = Failure::new("E0303", format!("{name} is at {running}/{goal} after {}", took(elapsed))).exit(Exit::Timeout);
    let failure = if now.is_empty() { failure } else { failure.cause(now) };
    failure.fix(format!("look again: cluster service ps {name}     or wait longer: --timeout")).note("The change stays and goes on.")
}
