//! What is remembered of a task between two steps: the part that survives a restart of the agent, and the part that does not need to.

use std::time::Duration;

use cluster_types::{TaskState, TaskStatus, Timestamp};
use serde::{Deserialize, Serialize};

use crate::probe::Probing;
use crate::{Action, Outcome};

/// Pause after a first attempt that did not bring the task on; doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// A stop is asked for again after this long: the runtime's own grace timer may have died with an earlier agent.
const STOP_AGAIN: Duration = Duration::from_secs(30);

/// What is remembered of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskMemory {
    /// The status last told.
    pub status: TaskStatus,
    /// Whether a running container was asked to stop: its end is then no failure.
    pub stop_asked: bool,
    /// The host has restarted since the container was started: whatever ran then is gone. Set by the agent when it loads the memory.
    #[serde(default)]
    pub rebooted: bool,
    /// The last action since the task last made progress. Forgotten by a restart, so that a restarted agent tries at once.
    #[serde(skip)]
    pub(crate) attempt: Option<Attempt>,
    /// How the probes of its container stand. Forgotten by a restart, so that a restarted agent probes at once.
    #[serde(skip)]
    pub(crate) probing: Probing,
    /// The last lines that the container printed, which a failure takes into its status. Set by the agent before the step that sees the end.
    #[serde(skip)]
    pub last_lines: Option<String>,
}

/// Attempts of one action, without progress between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) action: Action,
    pub(crate) count: u32,
    /// Not tried again before.
    pub(crate) not_before: Timestamp,
}

impl Default for TaskMemory {
    fn default() -> Self {
        let status = TaskStatus { state: TaskState::Assigned, ..TaskStatus::default() };
        Self { status, stop_asked: false, rebooted: false, attempt: None, probing: Probing::default(), last_lines: None }
    }
}

impl TaskMemory {
    /// Takes in how an action went. A failed preparation or start ends the task: the managers decide on another. A failed stop or removal
    /// is tried again, later each time.
    pub fn record(&mut self, action: Action, outcome: Outcome, now: Timestamp) {
        let count = match self.attempt {
            Some(attempt) if attempt.action == action => attempt.count.saturating_add(1),
            Some(_) | None => 1,
        };
        let pause = if action == Action::Stop && outcome == Outcome::Done { STOP_AGAIN } else { pause(count) };
        self.attempt = Some(Attempt { action, count, not_before: now.plus(pause) });
        match (action, outcome) {
            (Action::Prepare | Action::Start, Outcome::Rejected(error)) => self.end(TaskState::Rejected, "rejected", Some(error), now),
            (Action::Prepare | Action::Start, Outcome::Failed(error)) => self.end(TaskState::Failed, "failed to start", Some(error), now),
            (Action::Stop | Action::Remove, Outcome::Rejected(_) | Outcome::Failed(_)) | (_, Outcome::Done) => {}
        }
    }

    /// Moves the status forward to `state`; one that is already there or further stays as it is.
    pub(crate) fn advance(&mut self, state: TaskState, message: &str, at: Timestamp) {
        if self.status.state < state {
            self.status.state = state;
            self.status.at = at;
            message.clone_into(&mut self.status.message);
            self.attempt = None;
        }
    }

    /// Ends the task, unless it has ended before.
    pub(crate) fn end(&mut self, state: TaskState, message: &str, error: Option<String>, at: Timestamp) {
        if !self.status.state.is_terminal() {
            self.advance(state, message, at);
            self.status.error = error;
            let lines = self.last_lines.take().filter(|_| state == TaskState::Failed);
            self.status.output = lines.or_else(|| self.status.output.take());
            if let Some(container) = &mut self.status.container {
                container.pid = None;
            }
        }
    }
}

fn pause(count: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << count.saturating_sub(1).min(16)).min(MAX_PAUSE)
}
