//! Updates of services: their configuration, how they go, and the history of specs. What only the rollout needs to count stays with the
//! managers.

use std::time::Duration;

use cluster_types::{
    Author, FailureAction, Ratio, Revision, Steer, Timestamp, UpdateConfig, UpdateOrder, UpdateState, UpdateStatus, Version,
};

use super::{FieldError, millis, same_values, stamp, variant};
use crate::pb;

same_values!(UpdateOrder, pb::UpdateOrder: StopFirst = StopFirst, StartFirst = StartFirst);
same_values!(FailureAction, pb::FailureAction: Pause = PauseUpdate, Continue = Continue, Rollback = RollBack);
same_values!(Steer, pb::Steer: Pause = PauseRollout, Resume = Resume, Promote = Promote);
same_values!(
    UpdateState, pb::UpdateState: Updating = Updating, Canary = Canary, Paused = Paused, Completed = UpdateCompleted,
    RollbackStarted = RollbackStarted, RollbackPaused = RollbackPaused, RollbackCompleted = RollbackCompleted,
);

impl From<&UpdateConfig> for pb::UpdateConfig {
    fn from(config: &UpdateConfig) -> Self {
        Self {
            parallelism: config.parallelism,
            delay_ms: millis(config.delay),
            order: pb::UpdateOrder::from(config.order).into(),
            monitor_ms: millis(config.monitor),
            failure_action: pb::FailureAction::from(config.failure_action).into(),
            max_failure_ratio: config.max_failure_ratio.0,
            progress_deadline_ms: millis(config.progress_deadline),
            canary: config.canary,
        }
    }
}

impl TryFrom<pb::UpdateConfig> for UpdateConfig {
    type Error = FieldError;

    fn try_from(config: pb::UpdateConfig) -> Result<Self, FieldError> {
        Ok(Self {
            parallelism: config.parallelism,
            delay: Duration::from_millis(config.delay_ms),
            order: variant::<pb::UpdateOrder, _>("order", config.order)?,
            monitor: Duration::from_millis(config.monitor_ms),
            failure_action: variant::<pb::FailureAction, _>("failure_action", config.failure_action)?,
            max_failure_ratio: Ratio(config.max_failure_ratio),
            progress_deadline: Duration::from_millis(config.progress_deadline_ms),
            canary: config.canary,
        })
    }
}

impl From<&UpdateStatus> for pb::UpdateStatus {
    fn from(status: &UpdateStatus) -> Self {
        Self {
            state: pb::UpdateState::from(status.state).into(),
            target: status.target.0,
            started_ms: status.started.0,
            completed_ms: status.completed.map(|at| at.0),
            message: status.message.clone(),
            not_before_ms: status.not_before.map(|at| at.0),
            places: status.places,
            failed: status.failed,
            progressed_ms: status.progressed.0,
            promoted: status.promoted,
        }
    }
}

impl TryFrom<pb::UpdateStatus> for UpdateStatus {
    type Error = FieldError;

    fn try_from(status: pb::UpdateStatus) -> Result<Self, FieldError> {
        Ok(Self {
            state: variant::<pb::UpdateState, _>("state", status.state)?,
            target: Version(status.target),
            started: Timestamp(status.started_ms),
            completed: stamp(status.completed_ms),
            not_before: stamp(status.not_before_ms),
            message: status.message,
            places: status.places,
            failed: status.failed,
            progressed: Timestamp(status.progressed_ms),
            promoted: status.promoted,
            ..Self::default()
        })
    }
}

impl From<&Author> for pb::Author {
    fn from(author: &Author) -> Self {
        Self { by: author.by.clone(), message: author.message.clone() }
    }
}

impl From<pb::Author> for Author {
    fn from(author: pb::Author) -> Self {
        Self { by: author.by, message: author.message }
    }
}

impl From<&Revision> for pb::Revision {
    fn from(revision: &Revision) -> Self {
        Self {
            number: revision.number,
            spec_version: revision.spec_version.0,
            at_ms: revision.at.0,
            author: Some((&revision.author).into()),
            restores: revision.restores,
            image: String::new(),
        }
    }
}

impl TryFrom<pb::Revision> for Revision {
    type Error = FieldError;

    fn try_from(revision: pb::Revision) -> Result<Self, FieldError> {
        Ok(Self {
            number: revision.number,
            spec_version: Version(revision.spec_version),
            at: Timestamp(revision.at_ms),
            author: revision.author.unwrap_or_default().into(),
            restores: revision.restores,
        })
    }
}
