//! Of our own: the record of a task goes only when nothing of it can run on a member of the cluster.

use cluster_state::View;
use cluster_types::{Event, EventKind, Object, TaskState};

use super::Found;

pub(super) fn follow(event: &Event, view: &View) -> Found {
    let (Object::Task(task), EventKind::Removed) = (&event.object, event.kind) else { return Ok(()) };
    let placed = task.status.state >= TaskState::Assigned && !task.status.state.is_terminal();
    if placed && task.node.is_some_and(|node| view.node(node).is_some()) {
        return Err(format!("the record of task {} goes, which is {}", task.id.short(), task.status.state));
    }
    Ok(())
}
