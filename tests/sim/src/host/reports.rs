//! What is still to be told to the managers: of each task the newest status, until it is in their log. As `reports.rs` of the agent.

use std::collections::{BTreeMap, VecDeque};

use cluster_types::{TaskId, TaskState, TaskStatus};

/// Statuses in one report.
const MOST: usize = 200;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    waiting: BTreeMap<TaskId, TaskStatus>,
    sent: VecDeque<(TaskId, TaskStatus)>,
    committed: u64,
}

impl Reports {
    pub(crate) fn put(&mut self, task: TaskId, status: &TaskStatus) {
        self.waiting.insert(task, status.clone());
    }

    pub(crate) fn forget(&mut self, task: TaskId) {
        self.waiting.remove(&task);
    }

    pub(crate) fn take(&mut self) -> Vec<(TaskId, TaskStatus)> {
        let mut batch = Vec::new();
        while batch.len() < MOST
            && let Some(next) = self.waiting.pop_first()
        {
            batch.push(next);
        }
        self.sent.extend(batch.iter().cloned());
        batch
    }

    pub(crate) fn committed(&mut self, count: u64) {
        while self.committed < count && self.sent.pop_front().is_some() {
            self.committed += 1;
        }
    }

    /// A new session begins: what the last one left unconfirmed is sent again, unless there is something newer.
    pub(crate) fn restart(&mut self) {
        self.committed = 0;
        while let Some((task, status)) = self.sent.pop_back() {
            self.waiting.entry(task).or_insert(status);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.sent.len()
    }

    pub(crate) fn has_news(&self) -> bool {
        !self.waiting.is_empty()
    }
}

/// How long a status waits for the next: a task in some states goes on by itself at once.
pub(crate) fn patience(state: TaskState) -> u64 {
    match state {
        TaskState::Assigned | TaskState::Accepted | TaskState::Preparing | TaskState::Starting => 250,
        _ => 2,
    }
}
