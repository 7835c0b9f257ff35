//! The states of a task. Swarm's, with Docker's numbers (`swarm-behaviour.md` 1.6): they only move forward.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is known of a task. Ordered: a task never goes back to a smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Made, not yet allocated.
    #[default]
    New = 0,
    /// Waits for a node.
    Pending = 64,
    /// Has a node.
    Assigned = 192,
    /// The node's agent saved it.
    Accepted = 256,
    /// The image is fetched and the container made.
    Preparing = 320,
    /// May start.
    Ready = 384,
    /// Being started.
    Starting = 448,
    /// Runs.
    Running = 512,
    /// Ended by itself with exit code 0.
    Complete = 576,
    /// Ended because it was asked to.
    Shutdown = 640,
    /// Ended with an error, or could not start.
    Failed = 704,
    /// The node could not or would not run it.
    Rejected = 768,
    /// Its service or slot is gone.
    Remove = 800,
    /// Its node has been lost for too long.
    Orphaned = 832,
}

impl TaskState {
    /// All states in order.
    pub const ALL: [Self; 14] = [
        Self::New,
        Self::Pending,
        Self::Assigned,
        Self::Accepted,
        Self::Preparing,
        Self::Ready,
        Self::Starting,
        Self::Running,
        Self::Complete,
        Self::Shutdown,
        Self::Failed,
        Self::Rejected,
        Self::Remove,
        Self::Orphaned,
    ];

    /// Whether the task has ended for good.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        self > Self::Running
    }

    /// The word for users: lower case, as docker prints it (`node ps` capitalises it).
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Pending => "pending",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Shutdown => "shutdown",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Remove => "remove",
            Self::Orphaned => "orphaned",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for TaskState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|state| state.word() == text).ok_or_else(|| format!("`{text}` is no task state"))
    }
}

/// What the managers want of a task. Ordered: it only moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DesiredState {
    /// Prepared but not started: a restart delay runs, or a start-first replacement waits.
    Ready,
    /// Running.
    #[default]
    Running,
    /// Stopped, its record kept as history.
    Shutdown,
    /// Stopped and then forgotten.
    Remove,
}

impl DesiredState {
    /// The word for users.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Shutdown => "shutdown",
            Self::Remove => "remove",
        }
    }
}

impl fmt::Display for DesiredState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_parsed_back_and_the_order_holds() {
        for pair in TaskState::ALL.windows(2) {
            assert!(pair[0] < pair[1]);
        }
        for state in TaskState::ALL {
            assert_eq!(state.word().parse(), Ok(state));
        }
    }
}
