//! What an agent has saved: records in order, of which the first ones are synced. What was written and not synced survives the agent, not
//! the power.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_seeds::Chance;
use cluster_task::{Fence, TaskMemory};
use cluster_types::{TaskAssignment, TaskId};

/// One thing that is saved.
#[derive(Debug, Clone)]
pub(crate) enum Record {
    Boot(u64),
    Fence(Fence),
    Assigned(Arc<TaskAssignment>),
    Unassigned(TaskId),
    Remembered(TaskId, Box<TaskMemory>),
    Forgotten(TaskId),
}

/// What the records come to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    pub(crate) boot: u64,
    pub(crate) fence: Fence,
    pub(crate) tasks: BTreeMap<TaskId, Known>,
}

/// What is known of a task.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) assignment: Option<Arc<TaskAssignment>>,
    pub(crate) memory: TaskMemory,
}

impl Contents {
    fn apply(&mut self, record: Record) {
        match record {
            Record::Boot(boot) => self.boot = boot,
            Record::Fence(fence) => self.fence = fence,
            Record::Assigned(assignment) => {
                let task = assignment.task;
                self.tasks.entry(task).or_default().assignment = Some(assignment);
            }
            Record::Unassigned(task) => {
                if let Some(known) = self.tasks.get_mut(&task) {
                    known.assignment = None;
                }
            }
            Record::Remembered(task, memory) => self.tasks.entry(task).or_default().memory = *memory,
            Record::Forgotten(task) => drop(self.tasks.remove(&task)),
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    synced: Contents,
    tail: Vec<Record>,
}

impl Ledger {
    /// Writes records, and syncs all that was written when they must be `durable`.
    pub(crate) fn append(&mut self, records: impl IntoIterator<Item = Record>, durable: bool) {
        self.tail.extend(records);
        if durable {
            self.tail.drain(..).for_each(|record| self.synced.apply(record));
        }
    }

    /// Some of what was not synced is gone.
    pub(crate) fn lose_power(&mut self, chance: &mut Chance) {
        let survive = chance.index(self.tail.len() + 1);
        self.tail.drain(..).take(survive).for_each(|record| self.synced.apply(record));
    }

    /// All that was written, as a new agent reads it: what is only of use to the process that wrote it is left out.
    pub(crate) fn read(&mut self) -> Contents {
        self.tail.drain(..).for_each(|record| self.synced.apply(record));
        let mut contents = self.synced.clone();
        for known in contents.tasks.values_mut() {
            known.memory = restored(&known.memory);
        }
        contents
    }

    /// What of a task survives a power cut.
    pub(crate) fn saved(&self, task: TaskId) -> Option<&Known> {
        self.synced.tasks.get(&task)
    }

    /// The fence that survives a power cut.
    pub(crate) fn saved_fence(&self) -> Fence {
        self.synced.fence
    }

    pub(crate) fn fence(&mut self) -> Fence {
        self.read().fence
    }

    /// The disk is new: the node has joined again.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The part of a memory that survives a restart.
fn restored(memory: &TaskMemory) -> TaskMemory {
    let mut restored = TaskMemory::default();
    restored.status = memory.status.clone();
    restored.stop_asked = memory.stop_asked;
    restored.rebooted = memory.rebooted;
    restored
}
