//! Proposing entries, and reading exactly.
//!
//! A proposal is tried again here while this manager leads or nobody is known to; that is safe, because an atomic entry with the same
//! request id is applied once. When another manager leads, the caller is told where.

use std::time::Duration;

use cluster_types::{Entry, Rejection, Version};
use openraft::ReadPolicy;
use openraft::errors::{ClientWriteError, ForwardToLeader, LinearizableReadError, RaftError};
use tokio::time::{Instant, sleep, timeout_at};

use super::Raft;
use super::error::ProposeError;
use crate::log::store::ENTRIES_BYTES;
use crate::types::{Command, Types};

/// Time between two tries, while there is no leader.
const RETRY: Duration = Duration::from_millis(20);

/// A committed and applied entry. It is in every view that this manager shows from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its log index.
    pub index: Version,
    /// What became of each change, in their order.
    pub outcomes: Vec<Result<(), Rejection>>,
}

/// What to do after a failed try.
enum Failed {
    /// The leader may be here again soon.
    Again,
    /// There is no use in trying here.
    GiveUp(ProposeError),
}

impl Raft {
    /// Proposes an entry and waits until it is committed and applied here.
    ///
    /// # Errors
    /// See [`ProposeError`]; each variant says whether the entry may have been applied.
    pub async fn propose(&self, entry: &Entry) -> Result<Committed, ProposeError> {
        let command = Command::encode(entry).map_err(|error| ProposeError::Unavailable(error.to_string()))?;
        let (size, limit) = (command.size(), ENTRIES_BYTES - 1024);
        if size > limit {
            return Err(ProposeError::TooLarge { size, limit });
        }
        if *self.inner.log.full().borrow() {
            return Err(ProposeError::Unavailable("the disk of this manager is full: free some space; writes go on by themselves".into()));
        }
        let deadline = Instant::now() + self.inner.config.timing.propose;
        let mut tried = false;
        loop {
            match timeout_at(deadline, self.inner.raft.client_write(command.clone())).await {
                Ok(Ok(written)) => return written.data.0.ok_or_else(|| ProposeError::Unavailable("raft gave no answer".into())),
                Ok(Err(error)) => self.after_write(error, deadline, &mut tried)?,
                Err(_) => return Err(ProposeError::Timeout),
            }
            sleep(RETRY).await;
        }
    }

    /// Waits until this manager, which must lead, has applied everything that was committed when it was called (Raft's `ReadIndex`): a
    /// view taken afterwards is exact. Gives the log index.
    ///
    /// # Errors
    /// `NotLeader` and `Timeout`; asking again is always safe.
    pub async fn barrier(&self) -> Result<Version, ProposeError> {
        let deadline = Instant::now() + self.inner.config.timing.propose;
        loop {
            match timeout_at(deadline, self.inner.raft.ensure_linearizable(ReadPolicy::ReadIndex)).await {
                Ok(Ok(read)) => return Ok(Version(read.index())),
                Ok(Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)))) => match self.forwarded(&forward) {
                    Failed::GiveUp(error) => return Err(error),
                    Failed::Again if Instant::now() + RETRY >= deadline => return Err(ProposeError::NotLeader { leader: None }),
                    Failed::Again => {}
                },
                Ok(Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)))) => {}
                Ok(Err(RaftError::Fatal(fatal))) => return Err(ProposeError::Unavailable(format!("raft has stopped: {fatal}"))),
                Err(_) => return Err(ProposeError::Timeout),
            }
            sleep(RETRY).await;
        }
    }

    /// Whether a failed write is tried again. `tried` remembers that an earlier try may have been committed.
    fn after_write(
        &self,
        error: RaftError<Types, ClientWriteError<Types>>,
        deadline: Instant,
        tried: &mut bool,
    ) -> Result<(), ProposeError> {
        let forward = match error {
            RaftError::Fatal(fatal) => return Err(ProposeError::Unavailable(format!("raft has stopped: {fatal}"))),
            RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => forward,
            RaftError::APIError(ClientWriteError::LogEntryDiscarded(forward)) => {
                *tried = true;
                forward
            }
            RaftError::APIError(error @ (ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_))) => {
                return Err(ProposeError::Unavailable(error.to_string()));
            }
        };
        match self.forwarded(&forward) {
            Failed::GiveUp(error) => Err(error),
            Failed::Again if Instant::now() + RETRY < deadline => Ok(()),
            Failed::Again if *tried => Err(ProposeError::Timeout),
            Failed::Again => Err(ProposeError::NotLeader { leader: None }),
        }
    }

    fn forwarded(&self, forward: &ForwardToLeader<Types>) -> Failed {
        match (forward.leader_id, &forward.leader_node) {
            (Some(leader), Some(node)) if leader != self.inner.config.raft_id => {
                Failed::GiveUp(ProposeError::NotLeader { leader: node.addr.parse().ok() })
            }
            // Nobody leads, or this manager does and waits for its lease.
            _ => Failed::Again,
        }
    }
}
