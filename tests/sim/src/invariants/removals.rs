//! Of our own: the record of a task goes only when nothing of it can run on a member of the cluster, and a restart is not before its time.

use std::time::Duration;

use cluster_state::View;
use cluster_types::{DesiredState, Entry, Event, EventKind, Object, TaskState};

use super::Found;

/// A restart that is further away than this and any delay is by the stamp of a leader whose clock was wrong: it is promised to come sooner.
const CLOCKS_APART: Duration = Duration::from_secs(60);

pub(super) fn follow(event: &Event, entry: &Entry, view: &View) -> Found {
    match (&event.object, &event.before, event.kind) {
        (Object::Task(task), _, EventKind::Removed) => {
            let placed = task.status.state >= TaskState::Assigned && !task.status.state.is_terminal();
            if placed && task.node.is_some_and(|node| view.node(node).is_some()) {
                return Err(format!("the record of task {} goes, which is {}", task.id.short(), task.status.state));
            }
        }
        (Object::Task(task), Some(Object::Task(before)), EventKind::Updated) => {
            let early = before.not_before.is_some_and(|at| at > entry.at && at.since(entry.at) <= CLOCKS_APART);
            if early && task.desired == DesiredState::Running {
                return Err(format!("task {} is to run before its restart delay is over", task.id.short()));
            }
        }
        _ => {}
    }
    Ok(())
}
