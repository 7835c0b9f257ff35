//! Of our own: a place of a job gets no task while another of its tasks may still run there: of this run, or of one that was replaced.

use std::time::Duration;

use cluster_state::{Applied, View};
use cluster_types::{Entry, EventKind, NodeState, Object, Task, TaskState};

use super::Found;

/// So long after its grace period a task that was told to stop is waited for: as the deciders have it, less what clocks of leaders differ.
const STOP_LIMIT: Duration = Duration::from_secs(30);

pub(super) fn follow(applied: &Applied, entry: &Entry, view: &View) -> Found {
    let made = applied.events.iter().filter(|event| event.kind == EventKind::Created);
    for event in made {
        let Object::Task(task) = &event.object else { continue };
        if view.service(task.service).is_none_or(|service| !service.spec.mode.is_job()) {
            continue;
        }
        let here = |other: &&std::sync::Arc<Task>| other.id != task.id && (task.slot != 0 || other.node == task.node);
        let mut others = view.tasks_of_slot(task.service, task.slot).filter(here);
        if let Some(other) = others.find(|other| may_run(other, entry, view)) {
            let (new, old) = (task.id.short(), other.id.short());
            return Err(format!("job task {new} of run {} begins beside {old} of run {}", task.iteration, other.iteration));
        }
    }
    Ok(())
}

fn may_run(task: &Task, entry: &Entry, view: &View) -> bool {
    let is_placed = task.status.state >= TaskState::Assigned && !task.status.state.is_terminal();
    let is_there = task.node.and_then(|node| view.node(node)).is_some_and(|node| node.status.state == NodeState::Ready);
    let grace = view.spec_of(task).map(|spec| spec.task.container.stop_grace).unwrap_or_default();
    let is_overdue = !task.is_wanted() && entry.at.since(task.meta.updated) >= grace + STOP_LIMIT;
    is_placed && is_there && !is_overdue
}
