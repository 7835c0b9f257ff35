//! Assignments: what a node is told to run. Made by `decide::assignment`, sent by the dispatcher, kept by the agent's ledger.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{DesiredState, GenericGrant, PublishedPort, ServiceId, TaskAddress, TaskId, TaskSpec};

/// One task as its node needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskAssignment {
    /// The task.
    pub task: TaskId,
    /// Its service.
    pub service: ServiceId,
    /// The service's name: for host names, cgroups people look at, and logs.
    pub service_name: String,
    /// 1-based slot; 0 for a global service.
    pub slot: u64,
    /// What is wanted.
    pub desired: DesiredState,
    /// What to run.
    pub spec: Arc<TaskSpec>,
    /// Host-mode ports to open.
    pub ports: Vec<PublishedPort>,
    /// Its address in each of its networks.
    pub addresses: Vec<TaskAddress>,
    /// The generic resources that it is given.
    #[serde(default)]
    pub generic: GenericGrant,
}

/// Old set to new set. `full` replaces the whole set by `put`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AssignmentDiff {
    /// Whether `put` is the whole set.
    pub full: bool,
    /// New or changed tasks.
    pub put: Vec<Arc<TaskAssignment>>,
    /// Tasks to forget: their container is stopped if it still runs, and removed.
    pub remove: Vec<TaskId>,
}

/// Orders what a node is told. An agent refuses a lower incarnation or term and resyncs on a gap in the sequence (failures A17, D1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct SessionStamp {
    /// Of the cluster: counts recoveries.
    pub incarnation: u64,
    /// Raft term of the leader that sent it.
    pub term: u64,
    /// 1, 2, 3 … within a session; 1 is a full set.
    pub sequence: u64,
}
