//! What the worker asks of a task's slot beyond its turns: what is written of it, and what its container is made from.

use std::sync::Arc;

use cluster_runtime::ContainerConfig;
use cluster_task::Slot;
use cluster_types::{NodeId, TaskId};

use crate::ledger::Record;

pub(super) fn record(slot: &Slot, task: TaskId) -> Record {
    Record::Remembered(task, Box::new(slot.memory.clone()))
}

/// Whether its end could be a failure, which would be told with the last lines of its log.
pub(super) fn may_fail(slot: &Slot) -> bool {
    !slot.memory.status.state.is_terminal() && (!slot.memory.stop_asked || slot.memory.is_unhealthy())
}

/// What its container is made from.
pub(super) fn config(slot: &Slot, node: NodeId) -> Option<ContainerConfig> {
    let assignment = slot.assignment.as_ref()?;
    let name = match assignment.slot {
        0 => format!("{}.{node}", assignment.service_name),
        slot => format!("{}.{slot}", assignment.service_name),
    };
    Some(ContainerConfig {
        task: assignment.task,
        service: assignment.service,
        name,
        spec: Arc::clone(&assignment.spec),
        ports: assignment.ports.clone(),
        addresses: assignment.addresses.clone(),
        generic: assignment.generic.clone(),
    })
}
