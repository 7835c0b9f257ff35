//! Specs: what users ask for. Fields and defaults mirror Docker's `ServiceSpec` and swarm (`swarm-behaviour.md` 1.3 to 1.5); only what
//! is honoured has a field. Whether a spec makes sense is judged by `decide::validate`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    DEFAULT_NETWORK, EndpointSpec, GenericNeeds, HealthSpec, NetworkAttachment, NetworkId, NodeLoss, Placement, Schedule, Timestamp,
    UpdateConfig,
};

/// What a node is in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs tasks only.
    #[default]
    Worker,
    /// Also holds the replicated state.
    Manager,
}

/// Whether a node takes tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Availability {
    /// Takes new tasks.
    #[default]
    Active,
    /// Keeps its tasks, takes no new ones.
    Pause,
    /// Its tasks move away.
    Drain,
}

/// What users may set of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeSpec {
    /// The role that it should have; its certificate follows.
    pub role: Role,
    /// Whether it takes tasks.
    pub availability: Availability,
    /// Labels for constraints (`node.labels.*`).
    pub labels: BTreeMap<String, String>,
    /// How its tasks move away while it is drained.
    #[serde(default)]
    pub drain: DrainSpec,
}

/// How tasks move away from a node that is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DrainSpec {
    /// Most tasks of one service that move at the same time; at least 1.
    pub max_unavailable: u64,
    /// From then on, what has not moved is stopped all the same.
    pub deadline: Option<Timestamp>,
}

impl Default for DrainSpec {
    fn default() -> Self {
        Self { max_unavailable: 1, deadline: None }
    }
}

/// A service: one task template and how many of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// Unique name, a DNS label. Cannot change.
    pub name: String,
    /// Labels of the service object (not of its containers).
    pub labels: BTreeMap<String, String>,
    /// What each task is.
    pub task: TaskSpec,
    /// How many tasks. The variant cannot change.
    pub mode: ServiceMode,
    /// How a change is rolled out.
    pub update: UpdateConfig,
    /// How it is taken back.
    #[serde(default)]
    pub rollback: UpdateConfig,
    /// When it runs by itself; jobs only.
    #[serde(default)]
    pub schedule: Option<Schedule>,
    /// Published ports.
    pub ports: Vec<PublishedPort>,
    /// How clients reach it.
    pub endpoint: EndpointSpec,
}

/// How many tasks a service has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceMode {
    /// A number of tasks, spread over the nodes.
    Replicated {
        /// How many.
        replicas: u64,
    },
    /// One task on each node that fits.
    Global,
    /// Tasks that are to complete.
    #[serde(rename = "replicated-job")]
    ReplicatedJob {
        /// Most at the same time.
        max_concurrent: u64,
        /// How many are to complete in one run.
        total: u64,
    },
    /// One task on each node that fits, that is to complete.
    #[serde(rename = "global-job")]
    GlobalJob,
}

impl ServiceMode {
    /// Whether its tasks are to end.
    #[must_use]
    pub fn is_job(self) -> bool {
        matches!(self, Self::ReplicatedJob { .. } | Self::GlobalJob)
    }

    /// Whether its tasks belong to nodes, not to numbered slots.
    #[must_use]
    pub fn is_global(self) -> bool {
        matches!(self, Self::Global | Self::GlobalJob)
    }

    /// The word for users.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Replicated { .. } => "replicated",
            Self::Global => "global",
            Self::ReplicatedJob { .. } => "replicated-job",
            Self::GlobalJob => "global-job",
        }
    }
}

impl Default for ServiceSpec {
    fn default() -> Self {
        Self {
            name: String::new(),
            labels: BTreeMap::new(),
            task: TaskSpec::default(),
            mode: ServiceMode::Replicated { replicas: 1 },
            update: UpdateConfig::default(),
            rollback: UpdateConfig::default(),
            schedule: None,
            ports: Vec::new(),
            endpoint: EndpointSpec::default(),
        }
    }
}

/// What each task of a service is: its container and its place.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskSpec {
    /// The container.
    pub container: ContainerSpec,
    /// What must be free on a node, and is then kept for the task.
    pub reservation: Reservation,
    /// What the kernel holds the container to.
    pub limits: Limits,
    /// What happens when the container ends.
    pub restart: RestartPolicy,
    /// Where tasks may run.
    pub placement: Placement,
    /// The network namespace of the container.
    pub network: NetworkMode,
    /// The networks of a container that has a namespace of its own; the default one when none is named. The first is where its published
    /// ports and its way out are.
    pub networks: Vec<NetworkAttachment>,
    /// Bumped by `service update --force`: a difference restarts tasks though nothing else changed.
    pub force_update: u64,
    /// Generic resources that each task is given.
    #[serde(default)]
    pub generic: GenericNeeds,
    /// What happens when its node is lost.
    #[serde(default)]
    pub on_node_lost: NodeLoss,
}

impl TaskSpec {
    /// The networks that the container takes part in: none with the host's network or none at all.
    pub fn network_ids(&self) -> impl Iterator<Item = NetworkId> + '_ {
        let own = self.network == NetworkMode::Default;
        let default = (own && self.networks.is_empty()).then_some(DEFAULT_NETWORK);
        default.into_iter().chain(self.networks.iter().filter(move |_| own).map(|attachment| attachment.network))
    }
}

/// The container of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Image reference as the user gave it.
    pub image: String,
    /// Replaces the image's entrypoint, and drops its arguments, when given (`--entrypoint`).
    pub command: Option<Vec<String>>,
    /// Replaces the image's arguments (cmd) when not empty.
    pub args: Vec<String>,
    /// `KEY=VALUE`, later than the image's.
    pub env: Vec<String>,
    /// Working directory; the image's when absent.
    pub dir: Option<String>,
    /// `user[:group]`, names or numbers; the image's when absent.
    pub user: Option<String>,
    /// Supplementary groups, names or numbers.
    pub groups: Vec<String>,
    /// Host name; the task's short name when absent.
    pub hostname: Option<String>,
    /// Labels of the container.
    pub labels: BTreeMap<String, String>,
    /// Mounts.
    pub mounts: Vec<Mount>,
    /// Extra lines of `/etc/hosts`: `NAME:ADDRESS`.
    pub hosts: Vec<String>,
    /// Name servers; the host's when empty.
    pub dns: Vec<String>,
    /// Whether a small init is PID 1 (it reaps and forwards signals).
    pub init: bool,
    /// Whether the root file system is read-only.
    pub read_only: bool,
    /// Whether `no_new_privs` is set.
    pub no_new_privileges: bool,
    /// Capabilities beyond Docker's default set, such as `NET_ADMIN`.
    pub cap_add: Vec<String>,
    /// Capabilities taken from Docker's default set; `ALL` takes all.
    pub cap_drop: Vec<String>,
    /// Resource limits of the process.
    pub ulimits: Vec<Ulimit>,
    /// Kernel parameters of the container's namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Signal that asks it to stop; the image's, or SIGTERM, when absent.
    pub stop_signal: Option<String>,
    /// From the stop signal to SIGKILL. Swarm: 10 s.
    pub stop_grace: Duration,
    /// Whether it lives; one that does not is stopped and has failed.
    #[serde(default)]
    pub health: HealthSpec,
    /// Whether it takes traffic; one that does not stays, without traffic. Absent: the health check says.
    #[serde(default)]
    pub readiness: Option<HealthSpec>,
}

impl Default for ContainerSpec {
    fn default() -> Self {
        Self {
            image: String::new(),
            command: None,
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            user: None,
            groups: Vec::new(),
            hostname: None,
            labels: BTreeMap::new(),
            mounts: Vec::new(),
            hosts: Vec::new(),
            dns: Vec::new(),
            init: true,
            read_only: false,
            no_new_privileges: false,
            cap_add: Vec::new(),
            cap_drop: Vec::new(),
            ulimits: Vec::new(),
            sysctls: BTreeMap::new(),
            stop_signal: None,
            stop_grace: Duration::from_secs(10),
            health: HealthSpec::default(),
            readiness: None,
        }
    }
}

/// A resource limit of a process, as `setrlimit` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// Lower-case name without `RLIMIT_`, such as `nofile`.
    pub name: String,
    /// Soft limit; `u64::MAX` is unlimited.
    pub soft: u64,
    /// Hard limit.
    pub hard: u64,
}

/// A mount of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// Absolute path in the container.
    pub target: String,
    /// Whether it is read-only.
    pub read_only: bool,
}

/// What a mount shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A path of the host.
    Bind {
        /// Absolute path on the host; must exist.
        source: String,
    },
    /// An empty file system in memory.
    Tmpfs {
        /// Most bytes; half of the memory when absent.
        size: Option<u64>,
        /// Mode of its root; 0o1777 when absent.
        mode: Option<u32>,
    },
}

/// What a task keeps for itself on a node, whether it uses it or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reservation {
    /// Billionths of a CPU.
    pub nano_cpus: u64,
    /// Bytes.
    pub memory: u64,
}

/// What the kernel holds a container to; zero is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Billionths of a CPU.
    pub nano_cpus: u64,
    /// Bytes.
    pub memory: u64,
    /// Processes and threads.
    pub pids: u64,
}

/// When a task that ended gets a successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartCondition {
    /// Always.
    #[default]
    Any,
    /// When it failed.
    OnFailure,
    /// Never.
    None,
}

/// What happens when a container ends. Swarm's fields, plus a cap for the growing delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartPolicy {
    /// When.
    pub condition: RestartCondition,
    /// Delay before the first restart; doubles with each further failure in a row. Swarm: 5 s, no growth.
    pub delay: Duration,
    /// Cap of the growing delay.
    pub max_delay: Duration,
    /// Most restarts in the window; 0 is no limit.
    pub max_attempts: u64,
    /// Window in which attempts count; zero is for ever.
    pub window: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            condition: RestartCondition::Any,
            delay: Duration::from_secs(5),
            max_delay: Duration::from_secs(300),
            max_attempts: 0,
            window: Duration::ZERO,
        }
    }
}

/// The network namespace of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// Its own, with an address in each of its networks and egress through its host.
    #[default]
    Default,
    /// The host's.
    Host,
    /// Its own, with a loopback only.
    None,
}

/// Transport protocol of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

/// Where a published port is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PublishMode {
    /// On every host of the cluster.
    #[default]
    Ingress,
    /// On the task's host.
    Host,
}

/// A port of the containers that is opened outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PublishedPort {
    /// Port inside the container.
    pub target: u16,
    /// Port outside; 0 lets the cluster choose (30000 to 32767).
    pub published: u16,
    /// Protocol.
    pub protocol: Protocol,
    /// Where it is open.
    pub mode: PublishMode,
}
