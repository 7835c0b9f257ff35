//! A small simulated cluster for tests: the real state, the real passes, and agents that move their tasks one step at a time.
//!
//! Each pass is checked: it equals a full pass, and no change of it is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use cluster_state::{State, View};
use cluster_types::*;

use crate::{Dirty, Plan, pass};

/// When every test begins.
pub(crate) const START: Timestamp = Timestamp(1_000_000);

/// Timers further away than this are none to a test: nodes are heard, and giving up lost tasks takes a day.
const HORIZON: Duration = Duration::from_secs(12 * 60 * 60);

pub(crate) fn node_id(number: u128) -> NodeId {
    NodeId::from_bits(number)
}

pub(crate) fn service_id(number: u128) -> ServiceId {
    ServiceId::from_bits(1_000_000 + number)
}

/// A ready worker with 4 CPUs and 8 GiB.
pub(crate) fn node(number: u128) -> Node {
    Node {
        meta: Meta::default(),
        id: node_id(number),
        spec: NodeSpec::default(),
        description: NodeDescription {
            hostname: format!("node-{number}"),
            capacity: Reservation { nano_cpus: 4_000_000_000, memory: 8 << 30 },
            data_address: Some(Ipv4Addr::from(0xC0A8_0000 + u32::try_from(number).unwrap())),
            ..NodeDescription::default()
        },
        status: NodeStatus { state: NodeState::Ready, ..NodeStatus::default() },
        manager: None,
        number: None,
        network: NodeNetwork::default(),
    }
}

/// A new task of service 1.
pub(crate) fn task(number: u128) -> Task {
    let meta = Meta { created: START, updated: START, ..Meta::default() };
    Task { meta, ..Task::new(TaskId::from_bits(number), service_id(1), Version(1), 1) }
}

/// A replicated service without restart delay.
pub(crate) fn spec(name: &str, replicas: u64) -> ServiceSpec {
    let mut spec = ServiceSpec {
        name: name.to_owned(),
        task: TaskSpec::default(),
        mode: ServiceMode::Replicated { replicas },
        ..ServiceSpec::default()
    };
    spec.task.container.image = "web:1".to_owned();
    spec
}

pub(crate) fn network_id(number: u128) -> NetworkId {
    NetworkId::from_bits(2_000_000 + number)
}

pub(crate) fn attachment(network: NetworkId) -> NetworkAttachment {
    NetworkAttachment { network, aliases: Vec::new() }
}

/// A cluster with the standard pool.
pub(crate) fn cluster() -> Cluster {
    let secret = JoinSecret { words: [1, 2], expires: None };
    Cluster {
        meta: Meta::default(),
        id: ClusterId::from_bits(1),
        name: "test".to_owned(),
        incarnation: 0,
        ca: CaRoot { certificate: String::new(), key: String::new() },
        join: JoinSecrets { worker: secret.clone(), manager: secret },
        network: NetworkPool::standard(),
    }
}

/// The network of services that name none.
pub(crate) fn default_network() -> Network {
    let spec = NetworkSpec { name: DEFAULT_NETWORK_NAME.to_owned(), ..NetworkSpec::default() };
    let subnet = NetworkPool::standard().default_network().unwrap();
    Network { meta: Meta::default(), id: DEFAULT_NETWORK, spec, subnet, blocks: BTreeMap::new() }
}

pub(crate) fn ingress_port(published: u16) -> PublishedPort {
    PublishedPort { mode: PublishMode::Ingress, ..host_port(published) }
}

pub(crate) fn host_port(published: u16) -> PublishedPort {
    PublishedPort { target: 80, published, protocol: Protocol::Tcp, mode: PublishMode::Host }
}

/// The cluster.
pub(crate) struct Testbed {
    pub(crate) state: State,
    pub(crate) now: Timestamp,
    pub(crate) dirty: Dirty,
    /// When the last plan wants another pass.
    pub(crate) wake_at: Option<Timestamp>,
    /// Images whose containers fail as soon as they run.
    pub(crate) broken: BTreeSet<String>,
    /// Images that no registry has.
    pub(crate) missing: BTreeSet<String>,
    /// Entries with plans that were not empty.
    pub(crate) writes: usize,
    /// All that happened.
    pub(crate) events: Vec<Event>,
}

impl Testbed {
    /// A cluster of ready nodes, numbered from 1.
    pub(crate) fn new(nodes: u128) -> Self {
        Self::with_pool(nodes, NetworkPool::standard())
    }

    pub(crate) fn with_pool(nodes: u128, network: NetworkPool) -> Self {
        let (state, dirty, broken, missing) = (State::new(), Dirty::all(), BTreeSet::new(), BTreeSet::new());
        let mut bed = Self { state, now: START, dirty, wake_at: None, broken, missing, writes: 0, events: Vec::new() };
        let default = Network { subnet: network.default_network().unwrap(), ..default_network() };
        let own = [Object::Cluster(Arc::new(Cluster { network, ..cluster() })), Object::Network(Arc::new(default))];
        let nodes = (1..=nodes).map(|number| Object::Node(Arc::new(node(number))));
        bed.apply(own.into_iter().chain(nodes).map(Change::Create).collect());
        bed
    }

    /// A network with a subnet of its own, or none.
    pub(crate) fn create_network(&mut self, number: u128, subnet: &str) -> NetworkId {
        let spec = NetworkSpec { name: format!("net-{number}"), ..NetworkSpec::default() };
        let (id, subnet) = (network_id(number), subnet.parse().unwrap());
        let network = Network { meta: Meta::default(), id, spec, subnet, blocks: BTreeMap::new() };
        self.apply(vec![Change::Create(Object::Network(Arc::new(network)))]);
        id
    }

    pub(crate) fn view(&self) -> View {
        self.state.view()
    }

    /// Applies changes as one entry; none may be refused.
    pub(crate) fn apply(&mut self, changes: Vec<Change>) {
        let index = self.state.index().0 + 1;
        let entry = Entry { request: RequestId::from_bits(u128::from(index)), at: self.now, mode: EntryMode::Each, changes };
        let applied = self.state.apply(index, &entry);
        for (change, outcome) in entry.changes.iter().zip(&applied.outcomes) {
            assert_eq!(outcome, &Ok(()), "{change:?}");
        }
        applied.events.iter().for_each(|event| self.dirty.note(event));
        self.events.extend(applied.events);
    }

    pub(crate) fn create(&mut self, number: u128, spec: ServiceSpec) -> ServiceId {
        let service = Service::new(service_id(number), spec, Author::default());
        self.apply(vec![Change::Create(Object::Service(Arc::new(service)))]);
        service_id(number)
    }

    pub(crate) fn update(&mut self, id: ServiceId, change: impl FnOnce(&mut ServiceSpec)) {
        let mut service = Service::clone(self.view().service(id).unwrap());
        let expect = service.meta.version;
        change(Arc::make_mut(&mut service.spec));
        self.apply(vec![Change::Update { object: Object::Service(Arc::new(service)), expect }]);
    }

    pub(crate) fn remove(&mut self, key: ObjectKey) {
        self.apply(vec![Change::Remove { key, expect: None }]);
    }

    pub(crate) fn update_node(&mut self, number: u128, change: impl FnOnce(&mut NodeSpec)) {
        let mut node = Node::clone(self.view().node(node_id(number)).unwrap());
        let expect = node.meta.version;
        change(&mut node.spec);
        self.apply(vec![Change::Update { object: Object::Node(Arc::new(node)), expect }]);
    }

    pub(crate) fn set_node(&mut self, number: u128, state: NodeState) {
        let status = NodeStatus { state, since: self.now, ..NodeStatus::default() };
        self.apply(vec![Change::Node(node_id(number), NodeStep::Status(status))]);
    }

    /// One pass, checked against a full one, and applied.
    pub(crate) fn pass(&mut self) -> Plan {
        let view = self.view();
        let plan = self.plan(&view, &self.dirty);
        assert_eq!(plan.changes, self.plan(&view, &Dirty::all()).changes, "a full pass decides otherwise than one for what changed");
        self.wake_at = plan.wake_at.filter(|at| at.since(self.now) < HORIZON);
        self.dirty = plan.carry.clone();
        if !plan.changes.is_empty() {
            self.writes += 1;
            self.apply(plan.changes.clone());
        }
        plan
    }

    /// A pass of whose plan only the first changes are applied: the leader lost its post in between.
    pub(crate) fn cut_pass(&mut self, keep: usize) {
        let mut plan = self.plan(&self.view(), &self.dirty);
        plan.changes.truncate(keep);
        self.dirty = Dirty::all();
        self.apply(plan.changes);
    }

    /// A pass of whose plan some changes were lost and the others not: its batches are proposed side by side.
    pub(crate) fn pass_without(&mut self, is_lost: impl Fn(&Change) -> bool) {
        let mut plan = self.plan(&self.view(), &self.dirty);
        plan.changes.retain(|change| !is_lost(change));
        self.dirty = Dirty::all();
        self.apply(plan.changes);
    }

    fn plan(&self, view: &View, dirty: &Dirty) -> Plan {
        pass(view, self.now, 7, dirty, &self.presence(view))
    }

    /// All nodes are heard, so that liveness leaves them as the test set them.
    fn presence(&self, view: &View) -> crate::liveness::Presence {
        let sessions = view.nodes().filter(|node| node.status.state == NodeState::Ready).map(|node| (node.id, self.now)).collect();
        crate::liveness::Presence { leader_since: self.now, sessions, grace: 2 * HORIZON }
    }

    /// Every ready node moves each of its tasks one step. Whether any moved.
    pub(crate) fn agents(&mut self) -> bool {
        let view = self.view();
        let ready = |task: &Task| task.node.and_then(|node| view.node(node)).is_some_and(|node| node.status.state == NodeState::Ready);
        let reports: Vec<Change> = view.tasks().filter(|task| ready(task)).filter_map(|task| self.report(&view, task)).collect();
        let moved = !reports.is_empty();
        if moved {
            self.apply(reports);
        }
        moved
    }

    fn report(&self, view: &View, task: &Task) -> Option<Change> {
        let state = task.status.state;
        if state < TaskState::Assigned || state.is_terminal() {
            return None;
        }
        let image = &view.spec_of(task)?.task.container.image;
        let next = match (task.desired, state) {
            (DesiredState::Shutdown | DesiredState::Remove, _) => TaskState::Shutdown,
            (DesiredState::Ready | DesiredState::Running, TaskState::Assigned) => TaskState::Preparing,
            (DesiredState::Ready | DesiredState::Running, TaskState::Preparing) if self.missing.contains(image) => TaskState::Rejected,
            (DesiredState::Ready | DesiredState::Running, TaskState::Preparing) => TaskState::Ready,
            (DesiredState::Running, TaskState::Ready) => TaskState::Running,
            (DesiredState::Running, TaskState::Running) if self.broken.contains(image) => TaskState::Failed,
            _ => return None,
        };
        Some(end_or_move(task, next, self.now))
    }

    /// The container of a task ends by itself.
    pub(crate) fn end(&mut self, task: TaskId, state: TaskState) {
        let task = Arc::clone(self.view().task(task).unwrap());
        self.apply(vec![end_or_move(&task, state, self.now)]);
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now = self.now.plus(by);
    }

    /// Passes and agents take turns, and time jumps to the next wake, until nothing moves.
    pub(crate) fn settle(&mut self) {
        self.settle_checked(|_| ());
    }

    /// The same, with a check after each pass.
    pub(crate) fn settle_checked(&mut self, mut check: impl FnMut(&Self)) {
        for _ in 0..10_000 {
            let plan = self.pass();
            check(self);
            let moved = self.agents();
            if moved || !plan.changes.is_empty() {
                self.advance(Duration::from_millis(10));
            } else if let Some(at) = self.wake_at {
                assert!(at > self.now, "a pass wants to be woken in the past");
                self.now = at;
            } else {
                return;
            }
        }
        panic!("the cluster does not settle");
    }

    /// The tasks of a service that are wanted, by slot.
    pub(crate) fn wanted(&self, service: ServiceId) -> Vec<Arc<Task>> {
        self.view().tasks_of_service(service).filter(|task| task.is_wanted()).cloned().collect()
    }

    /// How many tasks of a service run on each node.
    pub(crate) fn running(&self, service: ServiceId) -> BTreeMap<u128, usize> {
        let mut running = BTreeMap::new();
        for task in self.wanted(service).iter().filter(|task| task.status.state == TaskState::Running) {
            *running.entry(task.node.unwrap().bits()).or_default() += 1;
        }
        running
    }
}

fn end_or_move(task: &Task, state: TaskState, at: Timestamp) -> Change {
    let exit_code = match state {
        TaskState::Complete => Some(0),
        TaskState::Failed => Some(1),
        _ => None,
    };
    let container = ContainerStatus { exit_code, ..ContainerStatus::default() };
    Change::Task(task.id, TaskStep::report(task.node.unwrap(), state, at, "", Some(container)))
}
