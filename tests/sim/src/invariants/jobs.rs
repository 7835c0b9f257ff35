//! Of our own: a run of a job begins in no place while a task of the run before may still work there. Judged by what the leader's pass saw: a
//! node that was down then may be back when the plan is applied.

use std::sync::Arc;
use std::time::Duration;

use cluster_decide::Plan;
use cluster_state::View;
use cluster_types::{Change, NodeState, Object, Task, TaskState, Timestamp};

use super::Found;

/// So long after its grace period a task that was told to stop is waited for: as the deciders have it.
const STOP_LIMIT: Duration = Duration::from_secs(60);

pub(super) fn judge(view: &View, plan: &Plan, now: Timestamp) -> Found {
    for change in &plan.changes {
        let Change::Create(Object::Task(task)) = change else { continue };
        if view.service(task.service).is_none_or(|service| !service.spec.mode.is_job()) {
            continue;
        }
        let here = |other: &&Arc<Task>| task.slot != 0 || other.node == task.node;
        let others = || view.tasks_of_slot(task.service, task.slot).filter(here);
        // What a node that was lost has when it comes back was waited for, if at all, by the run's first task of the place.
        if others().any(|other| other.iteration == task.iteration) {
            continue;
        }
        // A node that is called down by this plan is no longer waited for.
        let is_judged =
            |other: &Task| plan.changes.iter().any(|change| matches!(change, Change::Node(node, _) if other.node == Some(*node)));
        if let Some(other) = others().find(|other| may_run(other, now, view) && !is_judged(other)) {
            let (new, old) = (task.id.short(), other.id.short());
            return Err(format!("job task {new} of run {} begins beside {old} of run {}", task.iteration, other.iteration));
        }
    }
    Ok(())
}

fn may_run(task: &Task, now: Timestamp, view: &View) -> bool {
    let is_placed = task.status.state >= TaskState::Assigned && !task.status.state.is_terminal();
    let is_there = task.node.and_then(|node| view.node(node)).is_some_and(|node| node.status.state == NodeState::Ready);
    let grace = view.spec_of(task).map(|spec| spec.task.container.stop_grace).unwrap_or_default();
    let is_overdue = !task.is_wanted() && now.since(task.meta.updated) >= grace + STOP_LIMIT;
    is_placed && is_there && !is_overdue
}
