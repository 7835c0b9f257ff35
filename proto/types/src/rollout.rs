//! Updates of services: how they are asked for, how they go, and which specs a service has had.
//!
//! Defaults are swarm's (`swarm-behaviour.md` 1.5), plus a progress deadline and canaries. What follows from them is decided in
//! `cluster-decide`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Timestamp, Version};

/// In which order an update replaces a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateOrder {
    /// The old task stops, then the new one starts.
    #[default]
    StopFirst,
    /// The new task runs, then the old one stops.
    StartFirst,
}

/// What happens when more tasks of an update fail than it allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureAction {
    /// It stops where it is.
    #[default]
    Pause,
    /// It goes on.
    Continue,
    /// The service goes back to the spec before. Of a rollback: it pauses.
    Rollback,
}

/// A share in thousandths, 0 to 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ratio(pub u32);

impl Ratio {
    /// Whether `part` of `whole` is more than this share.
    #[must_use]
    pub fn is_exceeded(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 1000 > u128::from(whole) * u128::from(self.0)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.0) / 1000.0)
    }
}

/// How a change of the task spec is rolled out, or taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateConfig {
    /// Slots replaced at the same time; 0 is all.
    pub parallelism: u64,
    /// Pause between two batches.
    pub delay: Duration,
    /// Order within a slot.
    pub order: UpdateOrder,
    /// A new task that ends within this time after it ran has failed. Swarm: 5 s.
    pub monitor: Duration,
    /// What happens on too many failures.
    pub failure_action: FailureAction,
    /// Failures that are borne, as a share of the places that the update replaces.
    pub max_failure_ratio: Ratio,
    /// An update that makes no progress for this long has failed. Kubernetes: 10 min.
    pub progress_deadline: Duration,
    /// The first so many places are updated, then the update waits to be promoted; 0 does not wait.
    pub canary: u64,
}

impl Default for UpdateConfig {
    fn default() -> Self {
        Self {
            parallelism: 1,
            delay: Duration::ZERO,
            order: UpdateOrder::StopFirst,
            monitor: Duration::from_secs(5),
            failure_action: FailureAction::Pause,
            max_failure_ratio: Ratio(0),
            progress_deadline: Duration::from_secs(600),
            canary: 0,
        }
    }
}

/// How an update goes. Written by the rollout, and by users who pause, resume or promote it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UpdateStatus {
    /// Where it is.
    pub state: UpdateState,
    /// The spec version that it rolls out.
    pub target: Version,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub completed: Option<Timestamp>,
    /// The next batch starts no earlier (the delay between batches).
    pub not_before: Option<Timestamp>,
    /// For people.
    pub message: String,
    /// How many places it replaces: the whole that the failure ratio is a share of.
    #[serde(default)]
    pub places: u64,
    /// How many of its tasks failed within the monitor time.
    #[serde(default)]
    pub failed: u64,
    /// When it last made progress: from there the progress deadline runs.
    #[serde(default)]
    pub progressed: Timestamp,
    /// Whether its canaries were promoted.
    #[serde(default)]
    pub promoted: bool,
    /// The last spec version that ran everywhere before it: where its rollback goes. What is newer and of the target's template, it made.
    #[serde(default)]
    pub base: Version,
    /// What it goes by when that is not `update` of its spec: a rollback goes by `rollback` of the spec that it leaves.
    #[serde(default)]
    pub config: Option<UpdateConfig>,
    /// Tasks whose end was reported up to this log index are counted: none counts twice, whoever leads.
    #[serde(default)]
    pub counted: Version,
    /// Failures up to this log index are forgiven: where it began, or was resumed.
    #[serde(default)]
    pub forgiven: Version,
    /// Tasks made before that do not run are no longer waited for: the progress deadline passed, and that was borne.
    #[serde(default)]
    pub given_up: Timestamp,
    /// The log index at which a user last steered it. Set by apply, which refuses a status that has not seen it.
    #[serde(default)]
    pub steered: Version,
}

impl UpdateStatus {
    /// What the message adds for a reader who is told the state: `update completed` says nothing more, `update paused: why` says why.
    #[must_use]
    pub fn detail(&self) -> &str {
        let word = match self.state {
            UpdateState::Updating => "in progress",
            UpdateState::Completed | UpdateState::RollbackCompleted => "completed",
            UpdateState::Paused | UpdateState::RollbackPaused => "paused",
            UpdateState::Canary | UpdateState::RollbackStarted => return &self.message,
        };
        let noun = if self.state.is_rollback() { "rollback " } else { "update " };
        let said = self.message.strip_prefix(noun).unwrap_or(&self.message);
        said.strip_prefix(word).map_or(&self.message, |rest| rest.trim_start_matches([':', ',', ' ']))
    }
}

/// Where an update is. Swarm's states, and one for canaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateState {
    /// Tasks are being replaced.
    #[default]
    Updating,
    /// Its canaries run; it waits to be promoted.
    Canary,
    /// It stopped, by its failure action or by a user.
    Paused,
    /// All tasks are of the new spec.
    Completed,
    /// Tasks are being replaced by those of an earlier spec.
    RollbackStarted,
    /// The rollback stopped.
    RollbackPaused,
    /// All tasks are of the earlier spec.
    RollbackCompleted,
}

impl UpdateState {
    /// The word for users, as docker's `UpdateStatus.State` has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Updating => "updating",
            Self::Canary => "canary",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::RollbackStarted => "rollback_started",
            Self::RollbackPaused => "rollback_paused",
            Self::RollbackCompleted => "rollback_completed",
        }
    }

    /// Whether it goes back to an earlier spec.
    #[must_use]
    pub fn is_rollback(self) -> bool {
        matches!(self, Self::RollbackStarted | Self::RollbackPaused | Self::RollbackCompleted)
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_completed(self) -> bool {
        matches!(self, Self::Completed | Self::RollbackCompleted)
    }

    /// Whether it waits for a user.
    #[must_use]
    pub fn is_held(self) -> bool {
        matches!(self, Self::Paused | Self::Canary | Self::RollbackPaused)
    }

    /// Whether tasks are being replaced now.
    #[must_use]
    pub fn is_running(self) -> bool {
        matches!(self, Self::Updating | Self::RollbackStarted)
    }
}

/// What a user tells a running update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Steer {
    /// Stop where it is.
    Pause,
    /// Go on; failures so far are forgiven.
    Resume,
    /// The canaries are good: go on with the rest.
    Promote,
}

/// Who changed a service, and why: words of the user, taken into the history.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Author {
    /// Who, such as `operator` or `rollout`.
    pub by: String,
    /// Why (`--message`); empty when nothing was said.
    pub message: String,
}

/// One spec that a service had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// 1, 2, 3 … within the service.
    pub number: u64,
    /// Names the spec; the state keeps it while it is in the history.
    pub spec_version: Version,
    /// When it was written.
    pub at: Timestamp,
    /// Who wrote it.
    pub author: Author,
    /// The number of the revision whose spec it repeats, when it is a rollback.
    pub restores: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_exceeded_by_strictly_more() {
        assert!(!Ratio(250).is_exceeded(1, 4));
        assert!(Ratio(250).is_exceeded(2, 4));
        assert!(Ratio(0).is_exceeded(1, 100_000));
        assert!(!Ratio(0).is_exceeded(0, 0));
        assert_eq!(Ratio(250).to_string(), "0.25");
    }

    #[test]
    fn the_state_is_not_said_twice() {
        let of = |state, message: &str| UpdateStatus { state, message: message.to_owned(), ..UpdateStatus::default() }.detail().to_owned();
        assert_eq!(of(UpdateState::Completed, "update completed"), "");
        assert_eq!(of(UpdateState::Completed, "update completed, but 1 of 4 places do not run it"), "but 1 of 4 places do not run it");
        assert_eq!(of(UpdateState::RollbackCompleted, "rollback completed: web.1 failed"), "web.1 failed");
        assert_eq!(of(UpdateState::Updating, "update in progress"), "");
        assert_eq!(of(UpdateState::Updating, "update goes on: web.1 failed"), "update goes on: web.1 failed");
        assert_eq!(of(UpdateState::Paused, "update paused: web.1 failed"), "web.1 failed");
        assert_eq!(of(UpdateState::RollbackPaused, "paused by a user"), "by a user");
        assert_eq!(of(UpdateState::RollbackStarted, "rolling back to revision 1"), "rolling back to revision 1");
    }
}
