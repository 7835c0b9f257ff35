//! How long the managers wait for a task that was told to stop, before its place is another's all the same. Rollouts and jobs ask.

use std::time::Duration;

use cluster_types::{Task, TaskState, Timestamp};

use crate::draft::Draft;
use crate::enforce;

/// How much longer than its grace period a task may take to stop. Swarm: 1 min.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Whether a task may still run: its node has it, has not reported its end and can be reached.
pub(crate) fn may_run(draft: &Draft<'_>, task: &Task) -> bool {
    let placed = task.status.state >= TaskState::Assigned && !task.status.state.is_terminal();
    placed && task.node.is_some_and(|node| !enforce::is_lost(draft.node(node)))
}

/// Until when the end of a task that may run is waited for; none when it cannot run, or that is over. It was last changed when it was told
/// to stop, or later.
pub(crate) fn waited_for(draft: &Draft<'_>, task: &Task) -> Option<Timestamp> {
    let grace = draft.spec_of(task).map(|spec| spec.task.container.stop_grace).unwrap_or_default();
    let until = task.meta.updated.plus(grace).plus(STOP_LIMIT);
    (may_run(draft, task) && until > draft.now).then_some(until)
}
