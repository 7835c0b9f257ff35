//! Of our own: an agent acts on nothing that its disk does not have. A container that was started is known there as one, hence a host that
//! loses its power knows afterwards all that it had started, and starts none of it again.

use cluster_types::{TaskId, TaskState};

use super::Found;
use crate::host::Known;

pub(super) fn found(host: usize, task: TaskId, known: Option<&Known>) -> Found {
    match known.map(|known| known.memory.status.state) {
        Some(state) if state >= TaskState::Starting => Ok(()),
        Some(state) => Err(format!("host {host} has started task {}, which is {state} on its disk", task.short())),
        None => Err(format!("host {host} has started task {}, which is not on its disk", task.short())),
    }
}
