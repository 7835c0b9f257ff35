//! What can go wrong, as callers see it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::log::LogError;

/// Why a manager's Raft cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory cannot be used.
    #[error("the raft directory {path} cannot be used")]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The directory is another manager's.
    #[error("the raft directory belongs to {found}, but this manager is {wanted}: a manager that was made anew needs an empty directory")]
    Identity {
        /// Who wrote the directory.
        found: String,
        /// Who wants to use it.
        wanted: String,
    },
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The timing makes no sense.
    #[error("the raft timing is not usable: {0}")]
    Timing(String),
    /// openraft refused.
    #[error("raft did not start: {0}")]
    Stopped(String),
}

impl StartError {
    pub(crate) fn directory(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Directory { path, source }
    }
}

/// Why a proposal or barrier has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Another manager leads, or nobody does. Nothing was applied, except when an earlier try of the same request was: propose it there,
    /// with the same request id.
    #[error("this manager is not the leader{}", .leader.map_or_else(String::new, |leader| format!(": {leader} is")))]
    NotLeader {
        /// Where the leader is, when that is known.
        leader: Option<SocketAddr>,
    },
    /// This manager cannot take writes now; the text says why. Nothing was applied.
    #[error("writes are not possible now: {0}")]
    Unavailable(String),
    /// No answer in time: it may or may not be applied later. Proposing it again with the same request id is safe.
    #[error("not committed in time; it may still be: repeat it with the same request id")]
    Timeout,
    /// The entry is too large.
    #[error("the request takes {size} bytes and at most {limit} are possible: split it")]
    TooLarge {
        /// Encoded size, in bytes.
        size: usize,
        /// Largest size, in bytes.
        limit: usize,
    },
}

/// Why a membership change did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// Another manager leads, or nobody does.
    #[error("this manager is not the leader{}", .leader.map_or_else(String::new, |leader| format!(": {leader} is")))]
    NotLeader {
        /// Where the leader is, when that is known.
        leader: Option<SocketAddr>,
    },
    /// Another change is under way: try again when it is done.
    #[error("another change of the managers is under way")]
    Busy,
    /// It makes no sense: not a member, the last voter, and so on.
    #[error("{0}")]
    Refused(String),
    /// Not done in time; it may still be.
    #[error("the change of the managers is not committed in time; it may still be")]
    Timeout,
    /// Raft has stopped.
    #[error("raft has stopped: {0}")]
    Stopped(String),
}
