//! What a client may want, as data: the same when it is asked again.

use std::fmt;
use std::time::Duration;

use cluster_types::{
    Availability, DrainSpec, EndpointMode, HealthSpec, NetworkAttachment, NetworkSpec, NodeDescription, NodeId, NodeSpec, PublishedPort,
    ServiceMode, ServiceSpec, Steer, Timestamp, UpdateConfig,
};

/// See the module.
#[derive(Debug, Clone)]
pub(crate) enum Wish {
    Create(Box<ServiceSpec>),
    Update(String, SpecEdit),
    Remove(String),
    RollBack(String),
    Steer(String, Steer),
    CreateNetwork(NetworkSpec),
    RemoveNetwork(String),
    Node(NodeId, NodeEdit),
    RemoveNode(NodeId),
    /// Running tasks are to move until they are spread evenly.
    Rebalance,
    Join(NodeId, Box<NodeDescription>),
}

/// A change of a service's spec.
#[derive(Debug, Clone)]
pub(crate) enum SpecEdit {
    Replicas(u64),
    Image(String),
    Cpus(u64),
    Force,
    Ports(Vec<PublishedPort>),
    Networks(Vec<NetworkAttachment>),
    Mode(EndpointMode),
    Update(Box<UpdateConfig>),
    RestartDelay(Duration),
    Health(Box<HealthSpec>),
    Constraints(Vec<cluster_types::Constraint>),
}

/// A change of a node's spec.
#[derive(Debug, Clone)]
pub(crate) enum NodeEdit {
    Availability(Availability),
    /// Drained, so many tasks of a service at a time; what has not moved after so long is stopped.
    Drain(u64, Option<Duration>),
    Zone(Option<String>),
}

impl SpecEdit {
    pub(crate) fn apply(&self, spec: &mut ServiceSpec) {
        match self {
            Self::Replicas(count) => {
                if let ServiceMode::Replicated { replicas } = &mut spec.mode {
                    *replicas = *count;
                }
            }
            Self::Image(image) => spec.task.container.image.clone_from(image),
            Self::Cpus(nano_cpus) => spec.task.reservation.nano_cpus = *nano_cpus,
            Self::Force => spec.task.force_update += 1,
            Self::Ports(ports) => spec.ports.clone_from(ports),
            Self::Networks(networks) => spec.task.networks.clone_from(networks),
            Self::Mode(mode) => spec.endpoint.mode = *mode,
            Self::Update(update) => spec.update = **update,
            Self::RestartDelay(delay) => spec.task.restart.delay = *delay,
            Self::Health(health) => spec.task.container.health.clone_from(health),
            Self::Constraints(constraints) => spec.task.placement.constraints.clone_from(constraints),
        }
    }
}

impl NodeEdit {
    pub(crate) fn apply(&self, spec: &mut NodeSpec, now: Timestamp) {
        match self {
            Self::Availability(availability) => spec.availability = *availability,
            Self::Drain(max_unavailable, within) => {
                spec.availability = Availability::Drain;
                spec.drain = DrainSpec { max_unavailable: *max_unavailable, deadline: within.map(|within| now.plus(within)) };
            }
            Self::Zone(Some(zone)) => drop(spec.labels.insert("zone".to_owned(), zone.clone())),
            Self::Zone(None) => drop(spec.labels.remove("zone")),
        }
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(spec) => write!(f, "create {} {:?} {}", spec.name, spec.mode, spec.task.container.image),
            Self::Update(name, edit) => write!(f, "update {name} {edit:?}"),
            Self::Remove(name) => write!(f, "remove {name}"),
            Self::RollBack(name) => write!(f, "roll back {name}"),
            Self::Steer(name, steer) => write!(f, "{steer:?} {name}"),
            Self::CreateNetwork(spec) => write!(f, "create network {}", spec.name),
            Self::RemoveNetwork(name) => write!(f, "remove network {name}"),
            Self::Node(node, edit) => write!(f, "node {} {edit:?}", node.short()),
            Self::RemoveNode(node) => write!(f, "remove node {}", node.short()),
            Self::Rebalance => write!(f, "rebalance"),
            Self::Join(node, description) => write!(f, "join {} as {}", node.short(), description.hostname),
        }
    }
}
