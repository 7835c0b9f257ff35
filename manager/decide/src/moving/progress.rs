//! How far the drain of a node is, for people who wait for it. Read by the control service; it decides nothing.

use std::sync::Arc;

use cluster_state::View;
use cluster_types::{NodeId, Task, TaskState};

/// How far a drain is. It is over when nothing is left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DrainProgress {
    /// Tasks that the node still has.
    pub left: usize,
    /// How many of those stop, or have a replacement on its way.
    pub moving: usize,
    /// Those whose replacement comes to nothing for now: the task's name, and why.
    pub cannot_move: Vec<(String, String)>,
}

/// Looks at the tasks that a node has.
#[must_use]
pub fn drain_progress(view: &View, node: NodeId) -> DrainProgress {
    let mut progress = DrainProgress::default();
    for task in view.tasks_on_node(node).filter(|task| task.holds_resources()) {
        progress.left += 1;
        let replacement = view.tasks_of_slot(task.service, task.slot).find(|other| is_replacement(task, other));
        if !task.is_wanted() {
            progress.moving += 1;
        } else if let Some(reason) = obstacle(view, task, replacement) {
            progress.cannot_move.push((name(view, task), reason));
        } else {
            progress.moving += usize::from(replacement.is_some());
        }
    }
    progress
}

fn is_replacement(task: &Task, other: &Arc<Task>) -> bool {
    task.slot > 0 && other.id != task.id && other.node != task.node && other.is_wanted() && !other.status.state.is_terminal()
}

/// Why no replacement comes: no room, or the last one failed.
fn obstacle(view: &View, task: &Task, replacement: Option<&Arc<Task>>) -> Option<String> {
    if let Some(waiting) = replacement.filter(|task| task.status.state < TaskState::Assigned && task.status.error.is_some()) {
        return waiting.status.error.clone();
    }
    let failed = |other: &&Arc<Task>| matches!(other.status.state, TaskState::Failed | TaskState::Rejected);
    let later = |other: &&Arc<Task>| (other.meta.created, other.id) > (task.meta.created, task.id);
    let slot = view.tasks_of_slot(task.service, task.slot).filter(|_| task.slot > 0);
    let last = slot.filter(failed).filter(later).max_by_key(|task| (task.meta.created, task.id))?;
    let words = last.status.error.as_ref().unwrap_or(&last.status.message);
    Some(format!("its replacement failed: {}", if words.is_empty() { last.status.state.word() } else { words }))
}

fn name(view: &View, task: &Task) -> String {
    view.service(task.service).map_or_else(|| task.id.to_string(), |service| task.name(&service.spec.name))
}
