//! Changes of the replicated state: what a log entry holds.
//!
//! `cluster-state` applies them, the same everywhere. A change that meets another state than it expects is rejected: an outcome, not an
//! error, and nothing of it is applied. Each writer of a field has a step of its own, so that a node's report and a manager's wish for
//! the same task do not collide.

use serde::{Deserialize, Serialize};

use crate::{
    Author, BlockOwner, ContainerStatus, DesiredState, Endpoint, GenericGrant, JobStatus, ManagerSeat, NetworkId, NodeDescription, NodeId,
    NodeNetwork, NodeStatus, Object, ObjectKey, RequestId, ServiceId, Steer, TaskAddress, TaskId, TaskStatus, Timestamp, UpdateStatus,
    Version,
};

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Idempotency key: applied once however often it is proposed.
    pub request: RequestId,
    /// The proposer's clock: the only time that apply knows.
    pub at: Timestamp,
    /// What happens when one of the changes is rejected.
    pub mode: EntryMode,
    /// The changes, in order.
    pub changes: Vec<Change>,
}

/// What happens to an entry when one of its changes is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryMode {
    /// All or nothing: what a user asked for.
    Atomic,
    /// Each for itself: plans and reports, which look again anyway.
    Each,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A new object. Rejected when its id, or the name of a service, is taken.
    Create(Object),
    /// Another content of an object at version `expect`. Of services and nodes only the spec is taken, of the cluster
    /// all. Tasks are changed by steps only; the name of a service never changes.
    Update {
        /// The new content.
        object: Object,
        /// The version that the writer saw.
        expect: Version,
    },
    /// An object goes; a service takes nothing with it: its tasks are removed by the deciders.
    Remove {
        /// Which.
        key: ObjectKey,
        /// The version that the writer saw; none when it must go whatever it is.
        expect: Option<Version>,
    },
    /// One field of a task.
    Task(TaskId, TaskStep),
    /// One field of a node.
    Node(NodeId, NodeStep),
    /// One field of a service.
    Service(ServiceId, ServiceStep),
    /// One field of a network.
    Network(NetworkId, NetworkStep),
}

/// A change of one field of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskStep {
    /// The scheduler places it: node, addresses, generic resources and state `Assigned`. Rejected when it is placed already, no longer wanted, the node is
    /// gone, or an address is another's or not of a block of that node. A task of a global service has its node from the start (state
    /// `New`) and can be assigned to that one only.
    Assign(NodeId, Vec<TaskAddress>, GenericGrant),
    /// The scheduler says why it cannot be placed (state `Pending`, error text). Rejected when it is placed already.
    Explain(String),
    /// The managers want more of it; `not_before` is cleared. Rejected when that is backward.
    Desire(DesiredState),
    /// Its restart delay is over: `not_before` is cleared and desired `Running`. Rejected when it is no longer wanted.
    Due,
    /// Its node reports a state from `Accepted` on. Rejected when the node is not its own, the state goes back, or the task has ended in
    /// another state.
    Report(NodeId, TaskStatus),
    /// Its node has been lost for too long: state `Orphaned`.
    Orphan,
    /// A rebalance wants it on another node, or no longer does. Rejected when it is to be moved and no longer wanted.
    Relocate(bool),
}

/// A change of one field of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeStep {
    /// Its agent describes the machine.
    Describe(NodeDescription),
    /// It came, broke off or is lost.
    Status(NodeStatus),
    /// It takes or leaves a seat in the Raft group.
    Seat(Option<ManagerSeat>),
    /// Its number in the overlay. Rejected when it has one or the number is another node's.
    Number(u16),
    /// Its agent describes its data path.
    Network(NodeNetwork),
}

/// A change of one field of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceStep {
    /// The rollout's status. Rejected when its target is no longer the service's spec version.
    Update(UpdateStatus),
    /// What it was given. Rejected when an address or port is another service's, or an address is not of a block of services.
    Endpoint(Endpoint),
    /// Back to an earlier spec of its history, as a new revision, with the status of a rollback. Rejected when the spec is no longer `from`,
    /// or `to` is not in the history.
    RollBack {
        /// The spec version that is left.
        from: Version,
        /// The spec version that comes back.
        to: Version,
        /// Who, and why.
        author: Author,
    },
    /// A user pauses, resumes or promotes the update to that spec version. Rejected when the update is another or not in a state for it.
    Steer(Version, Steer),
    /// How a job goes. Rejected when the run goes back.
    Job(JobStatus),
}

/// A change of one field of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkStep {
    /// A block gets an owner. Rejected when it has one, does not exist, or the node is gone.
    Claim(u32, BlockOwner),
    /// A block is free again. Rejected while an address of it is in use.
    Release(u32),
}

/// Why a change was not applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Rejection {
    /// The id is taken.
    #[error("{0} exists already")]
    Exists(ObjectKey),
    /// The name is taken.
    #[error("the name `{name}` is taken by {holder}")]
    NameTaken {
        /// The name.
        name: String,
        /// Who has it.
        holder: ObjectKey,
    },
    /// There is no such object.
    #[error("{0} does not exist")]
    Missing(ObjectKey),
    /// Somebody else was faster.
    #[error("{key} is at version {found}, not {expected}: it changed meanwhile", found = found.0, expected = expected.0)]
    Conflict {
        /// Which object.
        key: ObjectKey,
        /// The version that the writer saw.
        expected: Version,
        /// The version that it has.
        found: Version,
    },
    /// The step would go back, or its precondition does not hold; the text says which.
    #[error("{key}: {reason}")]
    Refused {
        /// Which object.
        key: ObjectKey,
        /// Why.
        reason: String,
    },
    /// Another change of an atomic entry was rejected.
    #[error("not applied because another change of the same request was refused")]
    Aborted,
}

impl TaskStep {
    /// A report of a state with a few words.
    #[must_use]
    pub fn report(node: NodeId, state: crate::TaskState, at: Timestamp, message: &str, container: Option<ContainerStatus>) -> Self {
        Self::Report(node, TaskStatus { state, at, message: message.to_owned(), container, ..TaskStatus::default() })
    }
}
