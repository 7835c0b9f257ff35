//! Placement decisions per second: 100,000 waiting tasks on 1,000 nodes (performance.md P6), as one service, a hundred or a thousand; and
//! what one pass costs when a single task of a full cluster has ended. Figures are CPU time.

#![expect(clippy::expect_used, reason = "a benchmark that cannot set up its cluster has nothing to measure")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use cluster_decide::liveness::Presence;
use cluster_decide::{Dirty, pass, schedule};
use cluster_state::State;
use cluster_types::{
    Change, DesiredState, Entry, EntryMode, IdStream, Meta, Node, NodeDescription, NodeId, NodeSpec, NodeState, NodeStatus, Object,
    RequestId, Reservation, Service, ServiceId, ServiceMode, ServiceSpec, Task, TaskId, TaskSpec, TaskState, TaskStatus, TaskStep,
    Timestamp, UpdateConfig, Version,
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
        spec: NodeSpec::default(),
        description: NodeDescription {
            hostname: format!("node-{number}"),
            capacity: Reservation { nano_cpus: 64_000_000_000, memory: 512 << 30 },
            ..NodeDescription::default()
        },
        status: NodeStatus { state: NodeState::Ready, ..NodeStatus::default() },
        manager: None,
    })))
}

fn service(number: u64, replicas: u64) -> Change {
    let spec = ServiceSpec {
        name: format!("service-{number}"),
        labels: BTreeMap::new(),
        task: TaskSpec { reservation: Reservation { nano_cpus: 100_000_000, memory: 64 << 20 }, ..TaskSpec::default() },
        mode: ServiceMode::Replicated { replicas },
        update: UpdateConfig::default(),
        ports: Vec::new(),
    };
    Change::Create(Object::Service(Arc::new(Service {
        meta: Meta::default(),
        id: ServiceId::from_bits(u128::from(number)),
        spec: Arc::new(spec),
        spec_version: Version(0),
        previous_version: None,
        update: None,
    })))
}

/// Tasks of a service that wait for a node.
fn tasks(state: &State, number: u64, replicas: u64) -> Vec<Change> {
    let service = Arc::clone(state.view().service(ServiceId::from_bits(u128::from(number))).expect("made before"));
    let mut ids = IdStream::new(number, 0);
    let task = |slot| Task {
        meta: Meta::default(),
        id: ids.next_id(),
        service: service.id,
        spec_version: service.spec_version,
        slot,
        node: None,
        desired: DesiredState::Running,
        status: TaskStatus::default(),
        not_before: None,
        failures: 0,
    };
    (1..=replicas).map(task).map(|task| Change::Create(Object::Task(Arc::new(task)))).collect()
}

fn cluster(services: u64) -> State {
    let (mut state, mut dirty) = (State::new(), Dirty::default());
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

/// All tasks run, and one has just ended.
fn one_ended(services: u64) -> (State, Dirty) {
    let mut state = cluster(services);
    let mut dirty = Dirty::default();
    let placed = schedule::place_waiting(&state.view(), NOW);
    let moves = placed.iter().filter_map(|decision| Some((decision.task, *decision.outcome.as_ref().ok()?)));
    let run = |task: TaskId, node, state| Change::Task(task, TaskStep::report(node, state, NOW, "", None));
    let changes = moves.flat_map(|(task, node)| [Change::Task(task, TaskStep::Assign(node)), run(task, node, TaskState::Running)]);
    apply(&mut state, &mut dirty, changes.collect());
    let ended = placed.first().expect("tasks were placed");
    let mut dirty = Dirty::default();
    apply(&mut state, &mut dirty, vec![run(ended.task, *ended.outcome.as_ref().expect("there is room"), TaskState::Failed)]);
    (state, dirty)
}

fn passes(bench: &mut Criterion<CpuTime>) {
    let mut group = bench.benchmark_group("pass");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    let (state, dirty) = one_ended(1_000);
    let view = state.view();
    let presence =
        Presence { leader_since: NOW, sessions: view.nodes().map(|node| (node.id, NOW)).collect(), grace: Duration::from_secs(3) };
    for (name, dirty) in [("one_task_ended_of_100000", dirty), ("full_of_100000", Dirty::all())] {
        group.bench_function(name, |bench| {
            bench.iter_batched(|| dirty.clone(), |dirty| black_box(pass(&view, NOW, 1, &dirty, &presence)), BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = place, passes
}
criterion_main!(benches);
