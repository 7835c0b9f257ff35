//! What the worker holds of one task.

use std::sync::Arc;

use cluster_runtime::ContainerConfig;
use cluster_task::{Action, TaskMemory};
use cluster_types::{NodeId, Observed, TaskAssignment, TaskId, TaskState, Timestamp};

use crate::ledger::{KnownTask, Record};

#[derive(Debug, Default)]
pub(super) struct Slot {
    /// None when nobody wants the task any more.
    pub(super) assignment: Option<Arc<TaskAssignment>>,
    pub(super) memory: TaskMemory,
    /// What was last seen of its container.
    pub(super) observed: Observed,
    /// The container must be looked at before the next step.
    pub(super) stale: bool,
    /// What the runtime is doing for it now.
    pub(super) busy: Option<Busy>,
    /// The memory changed since it was last reported and written.
    pub(super) changed: bool,
    pub(super) wake_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    Looking,
    Acting(Action),
}

impl Slot {
    /// A task that has no container: none can have been made, since the worker makes them.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A task that may have a container.
    pub(super) fn unseen() -> Self {
        Self { stale: true, ..Self::default() }
    }

    /// A task of an earlier life of the agent.
    pub(super) fn adopted(known: KnownTask, present: bool) -> Self {
        Self { assignment: known.assignment, memory: known.memory, stale: present, ..Self::default() }
    }

    /// Remembers that the host restarted; whether that matters to the task.
    pub(super) fn mark_rebooted(&mut self) -> bool {
        let ran = (TaskState::Starting..=TaskState::Running).contains(&self.memory.status.state);
        self.memory.rebooted |= ran;
        ran
    }

    /// Whether its end could be a failure, which would be told with the last lines of its log.
    pub(super) fn may_fail(&self) -> bool {
        !self.memory.status.state.is_terminal() && (!self.memory.stop_asked || self.memory.is_unhealthy())
    }

    pub(super) fn record(&self, task: TaskId) -> Record {
        Record::Remembered(task, Box::new(self.memory.clone()))
    }

    /// What its container is made from.
    pub(super) fn config(&self, node: NodeId) -> Option<ContainerConfig> {
        let assignment = self.assignment.as_ref()?;
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
}
