//! Notices followers that lost what they had acknowledged: a disk that was set back, a directory from a backup.
//!
//! A leader cannot repair such a follower: it may have voted and promised what it no longer knows, and openraft takes the answer for a
//! defect of the leader. So the answer is turned into "unreachable": the follower stays out until it is removed and joins anew, and the
//! leader goes on with the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use openraft::raft::{StreamAppendError, StreamAppendResult};

use crate::types::Types;

/// What each follower has acknowledged to this leader. A clone is the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Matched {
    followers: Arc<Mutex<HashMap<u64, Follower>>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Follower {
    term: u64,
    index: Option<u64>,
}

/// A follower lacks entries that it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it lost entries that it had acknowledged: remove this manager, empty its state directory and let it join anew")]
pub(crate) struct Reverted;

impl Matched {
    /// This manager sends as the leader of `term`. What was acknowledged to it in earlier terms may rightly have been taken back since.
    pub(crate) fn lead(&self, target: u64, term: u64) {
        let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        let follower = followers.entry(target).or_default();
        if follower.term < term {
            *follower = Follower { term, index: None };
        }
    }

    /// Takes an answer in.
    ///
    /// # Errors
    /// When the follower says that it lacks what it had.
    pub(crate) fn check(&self, target: u64, answer: &StreamAppendResult<Types>) -> Result<(), Reverted> {
        let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        let follower = followers.entry(target).or_default();
        match answer {
            Ok(matched) => follower.index = follower.index.max(matched.map(|id| id.index)),
            Err(StreamAppendError::Conflict(lacking)) if Some(lacking.index) <= follower.index => return Err(Reverted),
            Err(StreamAppendError::Conflict(_) | StreamAppendError::HigherVote(_)) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use openraft::impls::leader_id_adv::LeaderId;

    use super::*;
    use crate::types::LogId;

    fn id(index: u64) -> LogId {
        LogId::new(LeaderId { term: 1, node_id: 1 }, index)
    }

    #[test]
    fn only_what_was_acknowledged_in_the_same_term_can_be_lost() {
        let matched = Matched::default();
        matched.lead(2, 1);
        let lacks = |index| Err(StreamAppendError::Conflict(id(index)));
        assert_eq!(matched.check(2, &lacks(5)), Ok(()), "the leader looks for where the logs part");
        assert_eq!(matched.check(2, &Ok(Some(id(5)))), Ok(()));
        assert_eq!(matched.check(2, &lacks(6)), Ok(()));
        assert_eq!(matched.check(2, &lacks(5)), Err(Reverted));
        assert_eq!(matched.check(3, &lacks(5)), Ok(()), "another follower");
        matched.lead(2, 2);
        assert_eq!(matched.check(2, &lacks(5)), Ok(()), "another term");
    }
}
