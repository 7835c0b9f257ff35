//! What a runtime sees of a container: the observation that the task machine judges.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{ContainerStatus, HealthCheck, Timestamp};

/// Where a container is in its life on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum ContainerPhase {
    /// The runtime has nothing of it.
    #[default]
    Absent,
    /// Image and root file system are ready; nothing runs.
    Prepared,
    /// Its process runs.
    Running,
    /// Its process ended; files and logs are still there.
    Exited,
}

/// A container as its runtime sees it now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Observed {
    /// Where it is.
    pub phase: ContainerPhase,
    /// PID and address while it runs, exit code after.
    pub container: ContainerStatus,
    /// Since when, by the host's clock.
    pub at: Timestamp,
    /// Why it could not start, or how it ended, when there is more to say than the exit code.
    pub error: Option<String>,
    /// How it is asked for its health while it runs, the image's part included.
    #[serde(default)]
    pub checks: Arc<Checks>,
}

/// The checks of a container, as its spec and its image say together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Checks {
    /// Whether it lives.
    pub health: Option<HealthCheck>,
    /// Whether it takes traffic.
    pub readiness: Option<HealthCheck>,
}

/// One of the two checks that a container may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// Whether it lives; one that does not is stopped.
    Health,
    /// Whether it takes traffic; one that does not stays.
    Readiness,
}

impl Checks {
    /// One of them, where the container has it.
    #[must_use]
    pub fn of(&self, check: Check) -> Option<&HealthCheck> {
        match check {
            Check::Health => self.health.as_ref(),
            Check::Readiness => self.readiness.as_ref(),
        }
    }
}
