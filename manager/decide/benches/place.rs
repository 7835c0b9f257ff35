//! Placement decisions per second: 100,000 waiting tasks on 1,000 nodes (performance.md P6), as one service, a hundred or a thousand; what a
//! whole pass costs that places them, with their addresses; what one costs when a single task of a full cluster has ended, or a single one
//! is made; what an explanation and a preview cost; and what a node's network view costs. Figures are CPU time.

#![expect(clippy::expect_used, reason = "a benchmark that cannot set up its cluster has nothing to measure")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use cluster_decide::liveness::Presence;
use cluster_decide::network_view::{self, Fabric};
use cluster_decide::plan::{self, Wish};
use cluster_decide::schedule::{self, Subject};
use cluster_decide::{Dirty, pass};
use cluster_state::{State, View};
use cluster_types::{
    Author, CaRoot, Change, Cluster, ClusterId, DEFAULT_NETWORK, DEFAULT_NETWORK_NAME, Entry, EntryMode, GenericPool, GenericPools,
    IdStream, JoinSecret, JoinSecrets, Meta, Network, NetworkPool, NetworkSpec, Node, NodeDescription, NodeId, NodeNetwork, NodeSpec,
    NodeState, NodeStatus, Object, Protocol, PublishMode, PublishedPort, RequestId, Reservation, Service, ServiceId, ServiceMode,
    ServiceSpec, Task, TaskSpec, TaskState, TaskStep, Timestamp,
};
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const NODES: u128 = 1_000;
const TASKS: u64 = 100_000;
const NOW: Timestamp = Timestamp(1_000_000);

/// Time on a processor: machines that run this are shared. From the scheduler's statistics, as of the last tick.
struct CpuTime;

impl CpuTime {
    fn now() -> Duration {
        let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel keeps scheduler statistics");
        let nanos = statistics.split(' ').next().and_then(|first| first.parse().ok()).expect("it begins with nanoseconds");
        Duration::from_nanos(nanos)
    }
}

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Self::now()
    }

    fn end(&self, start: Duration) -> Duration {
        Self::now().saturating_sub(start)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn apply(state: &mut State, dirty: &mut Dirty, changes: Vec<Change>) {
    let index = state.index().0 + 1;
    let entry = Entry { request: RequestId::from_bits(u128::from(index)), at: NOW, mode: EntryMode::Each, changes };
    state.apply(index, &entry).events.iter().for_each(|event| dirty.note(event));
}

fn node(number: u128) -> Change {
    Change::Create(Object::Node(Arc::new(Node {
        meta: Meta::default(),
        id: NodeId::from_bits(number),
        spec: NodeSpec {
            labels: [("zone", number % 3), ("rack", number % 20)].map(|(key, value)| (key.to_owned(), value.to_string())).into(),
            ..NodeSpec::default()
        },
        description: NodeDescription {
            hostname: format!("node-{number}"),
            capacity: Reservation { nano_cpus: 64_000_000_000, memory: 512 << 30 },
            generic: GenericPools::from([("gpu".to_owned(), GenericPool::Count(8))]),
            ..NodeDescription::default()
        },
        status: NodeStatus { state: NodeState::Ready, ..NodeStatus::default() },
        manager: None,
        number: None,
        network: NodeNetwork::default(),
    })))
}

fn service(number: u64, replicas: u64) -> Change {
    create(number, spec(number, replicas))
}

fn create(number: u64, spec: ServiceSpec) -> Change {
    let id = ServiceId::from_bits(u128::from(number));
    Change::Create(Object::Service(Arc::new(Service::new(id, spec, Author::default()))))
}

/// With everything that makes placing dear.
fn choosy(number: u64, replicas: u64) -> ServiceSpec {
    let mut spec = spec(number, replicas);
    let wishes = ["service!=service-2", "node.labels.rack==7:20", "node.labels.zone!=1"];
    spec.task.placement.preferences = ["node.labels.zone", "node.labels.rack"].map(str::to_owned).to_vec();
    spec.task.placement.affinities = wishes.map(|wish| wish.parse().expect("it is one")).to_vec();
    spec.task.generic.insert("gpu".to_owned(), 1);
    spec
}

fn with_port(number: u64, replicas: u64) -> ServiceSpec {
    let port = PublishedPort { target: 80, published: 80, protocol: Protocol::Tcp, mode: PublishMode::Host };
    ServiceSpec { ports: vec![port], ..spec(number, replicas) }
}

fn spec(number: u64, replicas: u64) -> ServiceSpec {
    ServiceSpec {
        name: format!("service-{number}"),
        task: TaskSpec { reservation: Reservation { nano_cpus: 100_000_000, memory: 64 << 20 }, ..TaskSpec::default() },
        mode: ServiceMode::Replicated { replicas },
        ..ServiceSpec::default()
    }
}

/// Tasks of a service that wait for a node.
fn tasks(state: &State, number: u64, replicas: u64) -> Vec<Change> {
    let service = Arc::clone(state.view().service(ServiceId::from_bits(u128::from(number))).expect("made before"));
    let mut ids = IdStream::new(number, u128::from(state.index().0));
    let task = |slot| Task::new(ids.next_id(), service.id, service.spec_version, slot);
    (1..=replicas).map(task).map(|task| Change::Create(Object::Task(Arc::new(task)))).collect()
}

/// The cluster itself with its default network.
fn beginning() -> Vec<Change> {
    let (meta, network, secret) = (Meta::default(), NetworkPool::standard(), JoinSecret { words: [1, 2], expires: None });
    let cluster = Cluster {
        meta,
        id: ClusterId::from_bits(1),
        name: "bench".to_owned(),
        incarnation: 0,
        ca: CaRoot { certificate: String::new(), key: String::new() },
        join: JoinSecrets { worker: secret.clone(), manager: secret },
        network,
    };
    let spec = NetworkSpec { name: DEFAULT_NETWORK_NAME.to_owned(), ..NetworkSpec::default() };
    let subnet = network.default_network().expect("the standard pool has one");
    let default = Network { meta, id: DEFAULT_NETWORK, spec, subnet, blocks: BTreeMap::new() };
    [Object::Cluster(Arc::new(cluster)), Object::Network(Arc::new(default))].map(Change::Create).to_vec()
}

fn cluster(services: u64) -> State {
    let (mut state, mut dirty) = (State::new(), Dirty::default());
    apply(&mut state, &mut dirty, beginning());
    apply(&mut state, &mut dirty, (1..=NODES).map(node).collect());
    apply(&mut state, &mut dirty, (1..=services).map(|number| service(number, TASKS / services)).collect());
    for number in 1..=services {
        let tasks = tasks(&state, number, TASKS / services);
        apply(&mut state, &mut dirty, tasks);
    }
    state
}

fn place(bench: &mut Criterion<CpuTime>) {
    let mut group = bench.benchmark_group("place");
    group.throughput(Throughput::Elements(TASKS)).sample_size(10).measurement_time(Duration::from_secs(5));
    for services in [1, 100, 1_000] {
        let view = cluster(services).view();
        group.bench_function(format!("{services}_services"), |bench| bench.iter(|| black_box(schedule::place_waiting(&view, NOW))));
    }
    group.finish();
}

fn presence(view: &View) -> Presence {
    Presence { leader_since: NOW, sessions: view.nodes().map(|node| (node.id, NOW)).collect(), grace: Duration::from_secs(3) }
}

/// All tasks run.
fn running(services: u64) -> State {
    let mut state = cluster(services);
    let view = state.view();
    let plan = pass(&view, NOW, 1, &Dirty::all(), &presence(&view));
    apply(&mut state, &mut Dirty::default(), plan.changes);
    let run = |task: &Arc<Task>| Some(Change::Task(task.id, TaskStep::report(task.node?, TaskState::Running, NOW, "", None)));
    let reports = state.view().tasks().filter_map(run).collect();
    apply(&mut state, &mut Dirty::default(), reports);
    state
}

/// One task has just ended.
fn end_one(state: &mut State) -> Dirty {
    let task = state.view().tasks().next().cloned().expect("there are tasks");
    let mut dirty = Dirty::default();
    let failed = TaskStep::report(task.node.expect("it runs"), TaskState::Failed, NOW, "", None);
    apply(state, &mut dirty, vec![Change::Task(task.id, failed)]);
    dirty
}

/// A choosy service of one task, where another has 2,000 and with them a quarter of all generic resources.
fn beside_2000(running: &State) -> (State, Dirty) {
    let (mut state, mut dirty) = (running.clone(), Dirty::default());
    apply(&mut state, &mut dirty, vec![create(1_001, choosy(1_001, 2_000))]);
    let view = state.view();
    let plan = pass(&view, NOW, 1, &dirty, &presence(&view));
    let mut dirty = Dirty::default();
    apply(&mut state, &mut Dirty::default(), plan.changes);
    apply(&mut state, &mut dirty, vec![create(1_002, choosy(1_002, 1))]);
    (state, dirty)
}

fn passes(bench: &mut Criterion<CpuTime>) {
    let mut group = bench.benchmark_group("pass");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    let mut running = running(1_000);
    let dirty = end_one(&mut running);
    let mut few = running.clone();
    let waiting = tasks(&few, 1, 1_000);
    let mut thousand = Dirty::default();
    apply(&mut few, &mut thousand, waiting);
    let all = cluster(1_000);
    let made = |spec: ServiceSpec| {
        let (mut state, mut dirty) = (running.clone(), Dirty::default());
        apply(&mut state, &mut dirty, vec![create(1_001, spec)]);
        (state, dirty)
    };
    let (plain, wishing, opening) = (made(spec(1_001, 1)), made(choosy(1_001, 1)), made(with_port(1_001, 1)));
    let beside = beside_2000(&running);
    for (name, state, dirty) in [
        ("one_task_ended_of_100000", &running, dirty),
        ("makes_and_places_1_of_100001", &plain.0, plain.1),
        ("makes_and_places_1_choosy_of_100001", &wishing.0, wishing.1),
        ("makes_and_places_1_choosy_beside_2000", &beside.0, beside.1),
        ("makes_and_places_1_with_a_host_port_of_100001", &opening.0, opening.1),
        ("full_of_100000", &running, Dirty::all()),
        ("places_1000_of_101000", &few, thousand),
        ("places_100000", &all, Dirty::all()),
    ] {
        let view = state.view();
        let presence = presence(&view);
        group.bench_function(name, |bench| {
            bench.iter_batched(|| dirty.clone(), |dirty| black_box(pass(&view, NOW, 1, &dirty, &presence)), BatchSize::SmallInput);
        });
    }
    group.finish();
}

/// What users ask for now and then.
fn questions(bench: &mut Criterion<CpuTime>) {
    let mut group = bench.benchmark_group("questions");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    let view = running(1_000).view();
    let service = ServiceId::from_bits(1);
    group.bench_function("why_service_on_1000_nodes", |bench| {
        bench.iter(|| black_box(schedule::why(&view, NOW, Subject::Service(service))))
    });
    let wish = Wish::Update(service, spec(1, 110));
    group.bench_function("preview_of_10_more_of_100000", |bench| bench.iter(|| black_box(plan::preview(&view, NOW, &wish))));
    group.finish();
}

fn views(bench: &mut Criterion<CpuTime>) {
    let mut group = bench.benchmark_group("network_view");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    let view = running(1_000).view();
    let fabric = Fabric::of(&view);
    let node = NodeId::from_bits(1);
    let sent = fabric.wanted(&view, node);
    group.bench_function("fabric_of_100000", |bench| bench.iter(|| black_box(Fabric::of(&view))));
    group.bench_function("node_of_1000_with_1000_services", |bench| bench.iter(|| black_box(fabric.wanted(&view, node))));
    group.bench_function("diff_of_2000_items", |bench| {
        bench.iter(|| black_box(network_view::diff(&sent, &fabric.wanted(&view, node), view.index())));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = place, passes, questions, views
}
criterion_main!(benches);
