//! The objects of the replicated state. Which component writes which field is the table in design.md ("How data moves").

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Author, ClusterId, DesiredState, Endpoint, GenericGrant, GenericPools, JobStatus, Network, NetworkId, NetworkPool, NodeId, NodeNetwork,
    NodeSpec, PublishedPort, Reservation, Revision, Role, ServiceId, ServiceSpec, TaskAddress, TaskHealth, TaskId, TaskState, Timestamp,
    UpdateStatus,
};

/// The log index at which an object last changed. Updates name the one they expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

/// What every object has. Set by apply alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Meta {
    /// Log index of the last change.
    pub version: Version,
    /// Time of the entry that made it.
    pub created: Timestamp,
    /// Time of the entry that last changed it.
    pub updated: Timestamp,
}

/// The cluster itself: one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Version and times.
    pub meta: Meta,
    /// Its id: organisation of every certificate.
    pub id: ClusterId,
    /// Its name, for people.
    pub name: String,
    /// Counts recoveries from a lost quorum; agents refuse a lower one (failures A15, A16).
    pub incarnation: u64,
    /// The certificate authority.
    pub ca: CaRoot,
    /// The secrets of the two join tokens.
    pub join: JoinSecrets,
    /// The addresses that it may give.
    pub network: NetworkPool,
}

/// The certificate authority of the cluster.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaRoot {
    /// Root certificate, PEM.
    pub certificate: String,
    /// Its private key, PKCS #8 PEM. Managers only.
    pub key: String,
}

/// Hides the key.
impl fmt::Debug for CaRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CaRoot")
    }
}

/// The secrets of the join tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinSecrets {
    /// Lets a node in as a worker.
    pub worker: JoinSecret,
    /// Lets a node in as a manager.
    pub manager: JoinSecret,
}

/// The secret of one join token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinSecret {
    /// 128 random bits as `[high, low]` words.
    pub words: [u64; 2],
    /// When it ends to be valid; none is never.
    pub expires: Option<Timestamp>,
}

impl JoinSecret {
    /// The secret as one number, as [`crate::JoinToken`] has it.
    #[must_use]
    pub fn bits(&self) -> u128 {
        (u128::from(self.words[0]) << 64) | u128::from(self.words[1])
    }
}

/// Hides the secret.
impl fmt::Debug for JoinSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinSecret")
    }
}

/// A host of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Version and times.
    pub meta: Meta,
    /// Its id.
    pub id: NodeId,
    /// What users set.
    pub spec: NodeSpec,
    /// What its agent says of the machine. Written by the dispatcher.
    pub description: NodeDescription,
    /// Whether it is there. Written by the dispatcher and liveness.
    pub status: NodeStatus,
    /// Its seat among the managers, when it has one.
    pub manager: Option<ManagerSeat>,
    /// Its number in the overlay, from 1; unique. Written once, by allocate.
    pub number: Option<u16>,
    /// What its agent says of its data path. Written by the dispatcher.
    pub network: NodeNetwork,
}

/// A node's place in the Raft group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagerSeat {
    /// Raft's id: the log index at which it was admitted, so never used twice (failures D3).
    pub raft_id: u64,
    /// Address of its gRPC port.
    pub address: SocketAddr,
}

/// Operating system and processor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Platform {
    /// Such as `linux`.
    pub os: String,
    /// Such as `x86_64`.
    pub arch: String,
}

/// What a node's agent says of its machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeDescription {
    /// Host name.
    pub hostname: String,
    /// Operating system and processor.
    pub platform: Platform,
    /// What the machine has in all.
    pub capacity: Reservation,
    /// Version of the daemon.
    pub version: String,
    /// Where other nodes send its overlay traffic to; none when it is not an IPv4 address.
    pub data_address: Option<Ipv4Addr>,
    /// Generic resources that its administrator configured.
    #[serde(default)]
    pub generic: GenericPools,
}

/// Whether a node is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// Has not come yet, or not since the leader changed.
    #[default]
    Unknown,
    /// Its session is open.
    Ready,
    /// Its session broke; the heartbeat grace runs. Nothing is stopped.
    Disconnected,
    /// It did not come back within the grace; its tasks are replaced.
    Down,
}

/// A node's presence, as the managers see it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Whether it is there.
    pub state: NodeState,
    /// Why, for people.
    pub message: String,
    /// Address that its session comes from.
    pub address: String,
    /// Since when the state holds.
    pub since: Timestamp,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Version and times.
    pub meta: Meta,
    /// Its id.
    pub id: ServiceId,
    /// What users want.
    pub spec: Arc<ServiceSpec>,
    /// Log index at which `spec` last became another, in whatever part. Tasks name the one they were made from; a task whose spec has the
    /// same task template and ports as the current one need not be replaced. Set by apply.
    pub spec_version: Version,
    /// The specs that it has had, the current one last; at most `limits::REVISIONS`. Set by apply.
    pub history: Vec<Revision>,
    /// Who wrote the current spec. A writer sets it along with the spec; apply takes it into the history.
    pub author: Author,
    /// How the last update goes. Written by the rollout.
    pub update: Option<UpdateStatus>,
    /// What it was given: addresses and ports. Written by allocate.
    pub endpoint: Endpoint,
    /// How its runs go, when it is a job. Written by the orchestrator.
    pub job: Option<JobStatus>,
}

/// One run of a service's container on one node. Made once, placed once, never moved: a replacement is another task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Version and times.
    pub meta: Meta,
    /// Its id.
    pub id: TaskId,
    /// Its service.
    pub service: ServiceId,
    /// Which of the service's specs it was made from; the state keeps that spec while a task names it.
    pub spec_version: Version,
    /// 1-based place among the replicas; 0 for a global service, whose tasks are told apart by node.
    pub slot: u64,
    /// Where it runs. Written once.
    pub node: Option<NodeId>,
    /// Its address in each of its networks, from its node's blocks. Written once, with the node; free again when it has ended.
    pub addresses: Vec<TaskAddress>,
    /// What is wanted of it.
    pub desired: DesiredState,
    /// What is known of it.
    pub status: TaskStatus,
    /// It stays at desired Ready until then (restart delay). Cleared once due.
    pub not_before: Option<Timestamp>,
    /// How many failures in a row this slot had when the task was made: the exponent of the restart delay.
    pub failures: u32,
    /// Which run of a job it belongs to; 0 when its service is none.
    #[serde(default)]
    pub iteration: u64,
    /// The generic resources that it was given. Written once, with the node.
    #[serde(default)]
    pub generic: GenericGrant,
    /// A rebalance wants it on another node. Written by the rebalance, and taken back when the move finds no room.
    #[serde(default)]
    pub relocate: bool,
    /// When it ran and ended, by the managers' clock. Set by apply.
    #[serde(default)]
    pub life: Lifetime,
}

/// When a task ran and ended, by the clock of the managers who wrote the entries: comparable with their other stamps, whatever a node's
/// clock says. Set by apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lifetime {
    /// When it was first reported to run.
    pub ran: Option<Timestamp>,
    /// When its end was reported while it was still wanted: it ended by itself.
    pub ended: Option<Timestamp>,
    /// The log index of that report.
    pub ended_at: Version,
}

/// What is known of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskStatus {
    /// Its state.
    pub state: TaskState,
    /// When it got there (the reporter's clock).
    pub at: Timestamp,
    /// A few words for people.
    pub message: String,
    /// Why it is not where it should be: the scheduler's or the node's words.
    pub error: Option<String>,
    /// The container, once it exists.
    pub container: Option<ContainerStatus>,
    /// Its health, when it is checked.
    #[serde(default)]
    pub health: Option<TaskHealth>,
    /// The last lines that it printed, when it failed; at most `limits::OUTPUT_BYTES`.
    #[serde(default)]
    pub output: Option<String>,
}

impl TaskStatus {
    /// Whether it takes traffic: it runs and no check says otherwise.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.state == TaskState::Running && self.health.as_ref().is_none_or(|health| health.ready)
    }
}

/// What a node says of a task's container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContainerStatus {
    /// PID of the container's first process on its host, while it runs.
    pub pid: Option<u32>,
    /// How it ended: 0 to 255; 128 + signal when a signal ended it.
    pub exit_code: Option<i32>,
    /// Whether the kernel ended it for want of memory.
    pub oom_killed: bool,
    /// Address on its host's container network.
    pub address: Option<String>,
    /// Host-mode ports that are open for it.
    pub ports: Vec<PortBinding>,
}

/// A published port as it really is on the task's host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortBinding {
    /// What was asked; `published` is filled in.
    pub port: PublishedPort,
}

/// Names one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ObjectKey {
    /// The cluster.
    Cluster(ClusterId),
    /// A node.
    Node(NodeId),
    /// A service.
    Service(ServiceId),
    /// A task.
    Task(TaskId),
    /// A network.
    Network(NetworkId),
}

/// The kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ObjectKind {
    /// The cluster.
    Cluster,
    /// Nodes.
    Node,
    /// Services.
    Service,
    /// Tasks.
    Task,
    /// Networks.
    Network,
}

/// Any object, shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Object {
    /// The cluster.
    Cluster(Arc<Cluster>),
    /// A node.
    Node(Arc<Node>),
    /// A service.
    Service(Arc<Service>),
    /// A task.
    Task(Arc<Task>),
    /// A network.
    Network(Arc<Network>),
}

impl Object {
    /// Its key.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        match self {
            Self::Cluster(cluster) => ObjectKey::Cluster(cluster.id),
            Self::Node(node) => ObjectKey::Node(node.id),
            Self::Service(service) => ObjectKey::Service(service.id),
            Self::Task(task) => ObjectKey::Task(task.id),
            Self::Network(network) => ObjectKey::Network(network.id),
        }
    }

    /// Its version and times.
    #[must_use]
    pub fn meta(&self) -> Meta {
        match self {
            Self::Cluster(cluster) => cluster.meta,
            Self::Node(node) => node.meta,
            Self::Service(service) => service.meta,
            Self::Task(task) => task.meta,
            Self::Network(network) => network.meta,
        }
    }
}

impl ObjectKey {
    /// Its kind.
    #[must_use]
    pub fn kind(self) -> ObjectKind {
        match self {
            Self::Cluster(_) => ObjectKind::Cluster,
            Self::Node(_) => ObjectKind::Node,
            Self::Service(_) => ObjectKind::Service,
            Self::Task(_) => ObjectKind::Task,
            Self::Network(_) => ObjectKind::Network,
        }
    }
}

impl ObjectKind {
    /// The noun for people.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Node => "node",
            Self::Service => "service",
            Self::Task => "task",
            Self::Network => "network",
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = self.kind().noun();
        match self {
            Self::Cluster(id) => write!(f, "{noun} {id}"),
            Self::Node(id) => write!(f, "{noun} {id}"),
            Self::Service(id) => write!(f, "{noun} {id}"),
            Self::Task(id) => write!(f, "{noun} {id}"),
            Self::Network(id) => write!(f, "{noun} {id}"),
        }
    }
}

impl Node {
    /// Whether new tasks may be placed here: it is there and takes them.
    #[must_use]
    pub fn takes_tasks(&self) -> bool {
        self.status.state == NodeState::Ready && self.spec.availability == crate::Availability::Active
    }

    /// Whether it holds a seat in the Raft group.
    #[must_use]
    pub fn is_manager(&self) -> bool {
        self.spec.role == Role::Manager
    }
}

impl Service {
    /// One that has been asked for and is not in the state yet.
    #[must_use]
    pub fn new(id: ServiceId, spec: ServiceSpec, author: Author) -> Self {
        Self {
            meta: Meta::default(),
            id,
            spec: Arc::new(spec),
            spec_version: Version::default(),
            history: Vec::new(),
            author,
            update: None,
            endpoint: Endpoint::default(),
            job: None,
        }
    }

    /// The spec of a successor in the place of a task. While an update waits for a user, nothing else brings its spec further.
    #[must_use]
    pub fn successor_version(&self, of: &Task) -> Version {
        let is_held = self.update.as_ref().is_some_and(|update| update.state.is_held());
        if is_held { of.spec_version } else { self.spec_version }
    }
}

impl Task {
    /// One of a service's spec that is wanted and has no node yet.
    #[must_use]
    pub fn new(id: TaskId, service: ServiceId, spec_version: Version, slot: u64) -> Self {
        Self {
            meta: Meta::default(),
            id,
            service,
            spec_version,
            slot,
            node: None,
            addresses: Vec::new(),
            desired: DesiredState::Running,
            status: TaskStatus::default(),
            not_before: None,
            failures: 0,
            iteration: 0,
            generic: GenericGrant::new(),
            relocate: false,
            life: Lifetime::default(),
        }
    }

    /// Whether the managers want it to run (or to be ready to).
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.desired <= DesiredState::Running
    }

    /// Whether it may still use a node's resources: placed and not ended. A task of a global service that was not let in yet holds none.
    #[must_use]
    pub fn holds_resources(&self) -> bool {
        self.node.is_some() && self.status.state >= TaskState::Assigned && !self.status.state.is_terminal()
    }

    /// `web.3`, or `web.<node id>` for a global service.
    #[must_use]
    pub fn name(&self, service_name: &str) -> String {
        match (self.slot, self.node) {
            (0, Some(node)) => format!("{service_name}.{node}"),
            (slot, _) => format!("{service_name}.{slot}"),
        }
    }
}

/// Labels and the like.
pub type Labels = BTreeMap<String, String>;
