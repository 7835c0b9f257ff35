//! The words of the product.
//!
//! Ids, times, specs, objects, task states, changes of the replicated state, events and assignments: plain data with its parsing and
//! printing. It decides nothing and reaches nothing: no clock, no I/O, no async. Every other crate speaks in these types; the wire
//! (`cluster-api`) converts to and from them at the edge.

pub mod assignment;
#[cfg(feature = "bugs")]
pub mod bug;
pub mod bytes;
pub mod change;
pub mod constraint;
pub mod container;
pub mod event;
pub mod health;
pub mod id;
pub mod image;
pub mod job;
pub mod limits;
pub mod linux;
pub mod network;
pub mod network_view;
pub mod object;
pub mod placement;
pub mod rollout;
pub mod spec;
pub mod subnet;
pub mod task_state;
pub mod time;
pub mod token;

pub use assignment::{AssignmentDiff, SessionStamp, TaskAssignment};
pub use change::{Change, Entry, EntryMode, NetworkStep, NodeStep, Rejection, ServiceStep, TaskStep};
pub use constraint::Constraint;
pub use container::{Check, Checks, ContainerPhase, Observed};
pub use event::{Event, EventKind};
pub use health::{HealthCheck, HealthSpec, HealthState, HealthTest, TaskHealth};
pub use id::{ClusterId, Id, IdStream, NetworkId, NodeId, RequestId, ServiceId, TaskId};
pub use image::{DEFAULT_REGISTRY, ImageRef, InvalidImageRef, is_digest};
pub use job::{JobRun, JobStatus, Overlap, Schedule, SlotRanges};
pub use network::{
    BlockOwner, DEFAULT_NETWORK, DEFAULT_NETWORK_NAME, Endpoint, EndpointAffinity, EndpointMode, EndpointSpec, Network, NetworkAttachment,
    NetworkPool, NetworkSpec, NodeNetwork, TaskAddress,
};
pub use network_view::{
    EndpointView, NetworkView, OwnView, PeerView, ServiceNetworkView, ServiceView, ViewDiff, ViewItem, ViewItems, ViewKey,
};
pub use object::{
    CaRoot, Cluster, ContainerStatus, JoinSecret, JoinSecrets, Lifetime, ManagerSeat, Meta, Node, NodeDescription, NodeState, NodeStatus,
    Object, ObjectKey, ObjectKind, Platform, PortBinding, Service, Task, TaskStatus, Version,
};
pub use placement::{Affinity, AffinityTarget, GenericGrant, GenericNeeds, GenericPool, GenericPools, NodeLoss, Placement, Ranking};
pub use rollout::{Author, FailureAction, Ratio, Revision, Steer, UpdateConfig, UpdateOrder, UpdateState, UpdateStatus};
pub use spec::{
    Availability, ContainerSpec, DrainSpec, Limits, Mount, MountKind, NetworkMode, NodeSpec, Protocol, PublishMode, PublishedPort,
    Reservation, RestartCondition, RestartPolicy, Role, ServiceMode, ServiceSpec, TaskSpec, Ulimit,
};
pub use subnet::{InvalidSubnet, Subnet};
pub use task_state::{DesiredState, TaskState};
pub use time::{Steady, Timestamp};
pub use token::JoinToken;

/// Whether a planted bug is to show itself here: never, but for simulations that are built with the feature `bugs` (`bug.rs`).
#[cfg(feature = "bugs")]
#[macro_export]
macro_rules! bug {
    ($name:ident) => {
        $crate::bug::is_planted($crate::bug::Bug::$name)
    };
}

/// Whether a planted bug is to show itself here: never.
#[cfg(not(feature = "bugs"))]
#[macro_export]
macro_rules! bug {
    ($name:ident) => {
        false
    };
}
