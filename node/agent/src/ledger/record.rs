//! What the ledger's records mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_task::TaskMemory;
use cluster_types::{TaskAssignment, TaskId};
use serde::{Deserialize, Serialize};

/// One change of what the agent knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// The managers want a task here.
    Assigned(Arc<TaskAssignment>),
    /// They do not any more; its container may still be there.
    Unassigned(TaskId),
    /// How far a task has come.
    Remembered(TaskId, Box<TaskMemory>),
    /// Nothing is left of a task.
    Forgotten(TaskId),
    /// Where the managers are.
    Managers(Vec<String>),
    /// The highest (incarnation, term) that an assignment came from.
    Fence(u64, u64),
    /// In which life of the host this was written.
    Boot(String),
}

/// All records taken together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Contents {
    pub(crate) tasks: BTreeMap<TaskId, KnownTask>,
    pub(crate) managers: Vec<String>,
    pub(crate) fence: (u64, u64),
    pub(crate) boot_id: String,
}

/// A task that the ledger knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct KnownTask {
    pub(crate) assignment: Option<Arc<TaskAssignment>>,
    pub(crate) memory: TaskMemory,
}

impl Contents {
    pub(crate) fn apply(&mut self, record: Record) {
        match record {
            Record::Assigned(assignment) => {
                let known = self.tasks.entry(assignment.task).or_default();
                known.assignment = Some(assignment);
            }
            Record::Unassigned(task) => self.tasks.entry(task).or_default().assignment = None,
            Record::Remembered(task, memory) => self.tasks.entry(task).or_default().memory = *memory,
            Record::Forgotten(task) => drop(self.tasks.remove(&task)),
            Record::Managers(managers) => self.managers = managers,
            Record::Fence(incarnation, term) => self.fence = (incarnation, term),
            Record::Boot(boot_id) => self.boot_id = boot_id,
        }
    }

    /// The fewest records that say the same.
    pub(crate) fn records(&self) -> Vec<Record> {
        let mut records =
            vec![Record::Boot(self.boot_id.clone()), Record::Fence(self.fence.0, self.fence.1), Record::Managers(self.managers.clone())];
        for (task, known) in &self.tasks {
            records.push(known.assignment.clone().map_or(Record::Unassigned(*task), Record::Assigned));
            records.push(Record::Remembered(*task, Box::new(known.memory.clone())));
        }
        records
    }
}
