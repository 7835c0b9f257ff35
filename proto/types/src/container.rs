//! What a runtime sees of a container: the observation that the task machine judges.

use serde::{Deserialize, Serialize};

use crate::{ContainerStatus, Timestamp};

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
}
