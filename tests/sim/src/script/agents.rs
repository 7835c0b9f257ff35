//! Agents that obey at once: every ready node moves each of its tasks one step. What becomes of a task is in the name of its image.

use cluster_state::View;
use cluster_types::{Change, ContainerStatus, DesiredState, NodeState, Task, TaskState, TaskStep, Timestamp};

/// Images of this name fail as they run, as `broken:1`.
const BROKEN: &str = "broken:";
/// No registry has images of this name.
const MISSING: &str = "missing:";

/// What all agents report now.
pub(super) fn reports(view: &View, now: Timestamp) -> Vec<Change> {
    let is_there = |task: &Task| task.node.and_then(|node| view.node(node)).is_some_and(|node| node.status.state == NodeState::Ready);
    let tasks = view.tasks().filter(|task| is_there(task));
    tasks.filter_map(|task| report(task, next(view, task)?, now)).collect()
}

/// A task is in a state, and its container has ended accordingly.
pub(super) fn report(task: &Task, state: TaskState, now: Timestamp) -> Option<Change> {
    let (message, exit_code) = match state {
        TaskState::Complete => ("", Some(0)),
        TaskState::Failed => ("", Some(1)),
        TaskState::Rejected => ("no such image", None),
        _ => ("", None),
    };
    let container = exit_code.map(|code| ContainerStatus { exit_code: Some(code), ..ContainerStatus::default() });
    Some(Change::Task(task.id, TaskStep::report(task.node?, state, now, message, container)))
}

fn next(view: &View, task: &Task) -> Option<TaskState> {
    let state = task.status.state;
    if state < TaskState::Assigned || state.is_terminal() {
        return None;
    }
    let spec = view.spec_of(task)?;
    let image = &spec.task.container.image;
    match (task.desired, state) {
        (DesiredState::Shutdown | DesiredState::Remove, _) => Some(TaskState::Shutdown),
        (_, TaskState::Assigned) => Some(TaskState::Preparing),
        (_, TaskState::Preparing) if image.starts_with(MISSING) => Some(TaskState::Rejected),
        (_, TaskState::Preparing) => Some(TaskState::Ready),
        (DesiredState::Running, TaskState::Ready) => Some(TaskState::Running),
        (DesiredState::Running, TaskState::Running) if image.starts_with(BROKEN) => Some(TaskState::Failed),
        (DesiredState::Running, TaskState::Running) if spec.mode.is_job() => Some(TaskState::Complete),
        _ => None,
    }
}
