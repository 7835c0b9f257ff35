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
        match replacement {
            _ if !task.is_wanted() => progress.moving += 1,
            Some(replacement) => match obstacle(view, replacement) {
                Some(reason) => progress.cannot_move.push((name(view, task), reason)),
                None => progress.moving += 1,
            },
            None => {}
        }
    }
    progress
}

fn is_replacement(task: &Task, other: &Arc<Task>) -> bool {
    task.slot > 0 && other.id != task.id && other.node != task.node && other.is_wanted() && !other.status.state.is_terminal()
}

/// Why a replacement does not come: no room, or the ones before it failed.
fn obstacle(view: &View, replacement: &Task) -> Option<String> {
    if replacement.status.state < TaskState::Assigned && replacement.status.error.is_some() {
        return replacement.status.error.clone();
    }
    let failed = |task: &&Arc<Task>| matches!(task.status.state, TaskState::Failed | TaskState::Rejected);
    let slot = view.tasks_of_slot(replacement.service, replacement.slot);
    let last = slot.filter(failed).max_by_key(|task| (task.meta.created, task.id)).filter(|_| replacement.failures > 0)?;
    let words = last.status.error.clone().unwrap_or_else(|| last.status.message.clone());
    Some(format!(
        "its replacement failed {} times: {}",
        replacement.failures,
        if words.is_empty() { "no reason was given" } else { &words }
    ))
}

fn name(view: &View, task: &Task) -> String {
    view.service(task.service).map_or_else(|| task.id.to_string(), |service| task.name(&service.spec.name))
}
