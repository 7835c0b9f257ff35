//! Proposals of the shell: a user's request is all or nothing, a plan or report each change for itself.

use std::sync::Arc;

use cluster_api::status::{ApiError, Kind, code};
use cluster_raft::ProposeError;
use cluster_state::View;
use cluster_types::{Change, Entry, EntryMode, Rejection, RequestId};

use super::Core;
use crate::request::Key;

impl Core {
    /// Proposes a request, all or nothing. Gives the state with it.
    ///
    /// # Errors
    /// The first change that was refused, or why nothing could be written.
    pub(crate) async fn propose(&self, key: Key, changes: Vec<Change>) -> Result<Arc<View>, ApiError> {
        let entry = Entry { request: key.request(), at: self.clock.now(), mode: EntryMode::Atomic, changes };
        let committed = match self.raft.propose(&entry).await {
            Ok(committed) => committed,
            Err(error) => return Err(self.refused(error).await),
        };
        let refused = committed.outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        match refused.min_by_key(|rejection| **rejection == Rejection::Aborted) {
            Some(rejection) => Err(rejection.into()),
            None => Ok(self.raft.view()),
        }
    }

    /// Proposes changes that each stand for themselves. Gives what became of them.
    ///
    /// # Errors
    /// Why nothing could be written.
    pub(crate) async fn propose_each(&self, changes: Vec<Change>) -> Result<Vec<Result<(), Rejection>>, ProposeError> {
        let request = RequestId::from_bits(rand::random());
        let entry = Entry { request, at: self.clock.now(), mode: EntryMode::Each, changes };
        self.raft.propose(&entry).await.map(|committed| committed.outcomes)
    }

    /// A log index that no other call of this cluster's life gives.
    pub(crate) async fn unique_index(&self) -> Result<u64, ApiError> {
        let request = RequestId::from_bits(rand::random());
        let entry = Entry { request, at: self.clock.now(), mode: EntryMode::Each, changes: Vec::new() };
        match self.raft.propose(&entry).await {
            Ok(committed) => Ok(committed.index.0),
            Err(error) => Err(self.refused(error).await),
        }
    }

    /// Why nothing could be written, for the one who asked.
    pub(crate) async fn refused(&self, error: ProposeError) -> ApiError {
        match error {
            ProposeError::NotLeader { .. } => self.no_leader().await,
            ProposeError::Unavailable(reason) => ApiError::unavailable(reason),
            ProposeError::Timeout => ApiError::new(Kind::Unavailable, code::TIMEOUT, error.to_string())
                .hint("too few managers answer, or a disk is slow; see `cluster node ls`"),
            ProposeError::TooLarge { .. } => ApiError::new(Kind::Invalid, code::INVALID, error.to_string()),
        }
    }
}
