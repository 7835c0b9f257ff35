//! Proposals of the shell: a user's request is all or nothing, a plan or report each change for itself.

use std::sync::Arc;

use cluster_api::status::{ApiError, Kind, code};
use cluster_raft::ProposeError;
use cluster_state::View;
use cluster_types::{Change, Entry, EntryMode, Rejection, RequestId};

use super::Core;
use crate::request::Key;
use crate::seat;

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

    /// Whether a majority of the managers has answered lately.
    fn hears_majority(&self) -> bool {
        let (voters, reachable) = (self.raft.membership().voters, seat::reachable(self));
        voters.iter().filter(|voter| reachable.contains(&voter.id)).count() > voters.len() / 2
    }

    /// Why nothing could be written, for the one who asked.
    pub(crate) async fn refused(&self, error: ProposeError) -> ApiError {
        match error {
            ProposeError::NotLeader { .. } => self.no_leader().await,
            ProposeError::Unavailable(reason) => ApiError::unavailable(reason),
            ProposeError::Timeout if !self.hears_majority() => {
                let error = self.no_leader().await;
                ApiError { message: format!("{}; the request may still be applied when they are back", error.message), ..error }
            }
            ProposeError::Timeout => ApiError::new(Kind::Unavailable, code::TIMEOUT, error.to_string())
                .hint("too few managers answer, or a disk is slow; see `cluster node ls`"),
            ProposeError::TooLarge { .. } => ApiError::new(Kind::Invalid, code::INVALID, error.to_string()),
        }
    }
}
