//! What nodes report on its way into the log: coalesced for each task, newest wins, and batched over all sessions.
//!
//! There is no fixed delay: whatever came in while the last proposal was under way goes with the next one. A burst of thousands of
//! statuses costs a few entries, a single one no wait.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cluster_types::limits::CHANGES_PER_ENTRY;
use cluster_types::{Change, NodeId, TaskId, TaskStatus, TaskStep};
use tokio::sync::Notify;

use crate::core::Core;
use crate::dispatcher::sessions::Handle;

/// What waits for the next proposal.
#[derive(Default)]
pub(crate) struct Reports {
    pending: Mutex<Pending>,
    filled: Notify,
}

#[derive(Default)]
struct Pending {
    /// Changes of nodes, in their order.
    nodes: Vec<Change>,
    /// The newest status of each task.
    tasks: BTreeMap<TaskId, (NodeId, TaskStatus)>,
    /// Sessions to tell how many of their statuses are in the log.
    acknowledge: BTreeMap<u64, (Arc<Handle>, u64)>,
}

impl Reports {
    /// A change of a node.
    pub(crate) fn node(&self, change: Change) {
        self.lock().nodes.push(change);
        self.filled.notify_one();
    }

    /// Statuses that a session reported. `received` is how many it has reported in all.
    pub(crate) fn tasks(&self, session: &Arc<Handle>, statuses: Vec<(TaskId, TaskStatus)>, received: u64) {
        let mut pending = self.lock();
        for (task, status) in statuses {
            pending.tasks.insert(task, (session.node, status));
        }
        pending.acknowledge.insert(session.number, (Arc::clone(session), received));
        drop(pending);
        self.filled.notify_one();
    }

    /// Proposes what comes in until it is dropped. Only the leader runs it.
    pub(crate) async fn run(&self, core: &Core) {
        loop {
            self.filled.notified().await;
            let pending = std::mem::take(&mut *self.lock());
            flush(core, pending).await;
        }
    }

    /// Forgets what waits: another manager leads now, and the agents report to it again.
    pub(crate) fn clear(&self) {
        *self.lock() = Pending::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Proposes a batch and tells the sessions. After a failure nothing is acknowledged: the session ends with the leadership, and its agent
/// reports again.
async fn flush(core: &Core, pending: Pending) {
    let mut changes = pending.nodes;
    changes.extend(pending.tasks.into_iter().map(|(task, (node, status))| Change::Task(task, TaskStep::Report(node, status))));
    let batches = changes.chunks(CHANGES_PER_ENTRY).map(|batch| core.propose_each(batch.to_vec()));
    if let Err(error) = futures::future::try_join_all(batches).await {
        tracing::warn!(%error, "what nodes reported did not get into the log");
        return;
    }
    for (session, received) in pending.acknowledge.into_values() {
        session.committed(received);
    }
}
