//! What nodes report on its way into the log: coalesced for each task, newest wins, and batched over all sessions.
//!
//! There is no fixed delay: whatever came in while the last proposal was under way goes with the next one. A burst of thousands of
//! statuses costs a few entries, a single one no wait.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cluster_raft::ProposeError;
use cluster_types::limits::CHANGES_PER_ENTRY;
use cluster_types::{Change, NodeId, TaskId, TaskStatus, TaskStep};
use futures::future::try_join_all;
use tokio::sync::Notify;

use crate::core::Core;
use crate::dispatcher::sessions::Handle;

/// After a proposal that did not get into the log in time.
const RETRY: Duration = Duration::from_millis(250);

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

/// Proposes a batch and tells the sessions.
async fn flush(core: &Core, pending: Pending) {
    let mut changes = pending.nodes;
    changes.extend(pending.tasks.into_iter().map(|(task, (node, status))| Change::Task(task, TaskStep::Report(node, status))));
    let propose = || try_join_all(changes.chunks(CHANGES_PER_ENTRY).map(|batch| core.propose_each(batch.to_vec())));
    if until_logged(propose).await.is_err() {
        return;
    }
    for (session, received) in pending.acknowledge.into_values() {
        session.committed(received);
    }
}

/// Proposes until it is in the log, or can never be. A proposal that took too long may be there twice then, which changes nothing: a status
/// does not go back. When another manager leads nobody waits any more: the sessions end, and their agents report to the next leader.
async fn until_logged<T, F>(propose: impl Fn() -> F) -> Result<T, ProposeError>
where
    F: Future<Output = Result<T, ProposeError>>,
{
    let mut is_told = false;
    loop {
        match propose().await {
            Err(error @ ProposeError::TooLarge { .. }) => {
                tracing::error!(%error, "what nodes reported can never get into the log");
                return Err(error);
            }
            Err(error) if !is_told => tracing::warn!(%error, "what nodes reported is not in the log yet; trying again"),
            Err(_) => {}
            Ok(logged) => return Ok(logged),
        }
        is_told = true;
        tokio::time::sleep(RETRY).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    async fn tried(mut answers: Vec<Result<(), ProposeError>>) -> (bool, usize) {
        answers.reverse();
        let left = RefCell::new(answers);
        let logged = until_logged(|| std::future::ready(left.borrow_mut().pop().unwrap())).await;
        (logged.is_ok(), left.into_inner().len())
    }

    #[tokio::test]
    async fn a_report_is_proposed_until_it_is_in_the_log() {
        let slow = || Err(ProposeError::Timeout);
        assert_eq!(tried(vec![slow(), slow(), Ok(()), Ok(())]).await, (true, 1));
        assert_eq!(tried(vec![Err(ProposeError::TooLarge { size: 2, limit: 1 }), Ok(())]).await, (false, 1));
    }
}
