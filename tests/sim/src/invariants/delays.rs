//! Of our own: a restart is not before its time. Judged by what the leader's pass saw: who shortens the delay of a service need not wait for
//! the one that its tasks were made with, so only a wait that its present policy could have made counts.

use cluster_decide::Plan;
use cluster_state::View;
use cluster_types::{Change, DesiredState, Task, TaskStep, Timestamp};

use super::Found;

/// The share of a delay that chance adds at most: one part in this many.
const JITTER_PARTS: u32 = 10;

pub(super) fn judge(view: &View, plan: &Plan, now: Timestamp) -> Found {
    let started = plan.changes.iter().filter_map(|change| match change {
        Change::Task(id, TaskStep::Due | TaskStep::Desire(DesiredState::Running)) => view.task(*id),
        _ => None,
    });
    match started.into_iter().find(|task| waits(task, view, now)) {
        Some(task) => Err(format!("task {} is to run before its restart delay is over", task.id.short())),
        None => Ok(()),
    }
}

fn waits(task: &Task, view: &View, now: Timestamp) -> bool {
    let (Some(until), Some(service)) = (task.not_before, view.service(task.service)) else { return false };
    let delay = service.spec.task.restart.delay;
    until > now && until.since(now) <= delay + delay / JITTER_PARTS
}
