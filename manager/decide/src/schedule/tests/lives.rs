//! Random lives of services that are choosy about their nodes, on nodes whose labels and generic resources change. Each pass equals a full
//! one and none of its changes is refused (the testbed checks); the state stays sound; in the end nothing waits that would fit.

use cluster_types::*;
use proptest::prelude::*;

use crate::Dirty;
use crate::draft::Draft;
use crate::schedule::{Demand, Fleet, Subject, Verdict, why};
use crate::testbed::{Testbed, host_port, node_id, service_id, spec};

const NODES: u128 = 3;

#[derive(Debug, Clone)]
enum Act {
    /// A service is made or becomes another.
    Service(u128, Shape),
    Remove(u128),
    Pool(u128, Option<GenericPool>),
    Zone(u128, u8),
    Node(u128, NodeState),
    End(usize),
    Agents,
    Pass,
}

#[derive(Debug, Clone)]
struct Shape {
    replicas: u64,
    gpus: u64,
    levels: bool,
    binpack: bool,
    wish: usize,
    only_amd64: bool,
    port: bool,
}

const WISHES: [&str; 4] = ["service==s1", "service!=s2:9", "node.labels.zone==z1:80", "service!=s3"];

fn shape() -> impl Strategy<Value = Shape> {
    let flags = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.3));
    (0_u64..5, 0_u64..3, flags, 0..WISHES.len()).prop_map(|(replicas, gpus, (levels, binpack, only_amd64, port), wish)| Shape {
        replicas,
        gpus,
        levels,
        binpack,
        wish,
        only_amd64,
        port,
    })
}

fn pool() -> impl Strategy<Value = Option<GenericPool>> {
    let named = prop::collection::btree_set("[a-c]", 0..4).prop_map(GenericPool::Named);
    prop::option::weighted(0.9, prop_oneof![named, (0_u64..4).prop_map(GenericPool::Count)])
}

fn act() -> impl Strategy<Value = Act> {
    let state = prop::sample::select(vec![NodeState::Ready, NodeState::Ready, NodeState::Down]);
    prop_oneof![
        4 => (1_u128..4, shape()).prop_map(|(number, shape)| Act::Service(number, shape)),
        1 => (1_u128..4).prop_map(Act::Remove),
        3 => (1..=NODES, pool()).prop_map(|(node, pool)| Act::Pool(node, pool)),
        2 => (1..=NODES, 0_u8..3).prop_map(|(node, zone)| Act::Zone(node, zone)),
        2 => (1..=NODES, state).prop_map(|(node, state)| Act::Node(node, state)),
        2 => any::<usize>().prop_map(Act::End),
        6 => Just(Act::Agents),
        6 => Just(Act::Pass),
    ]
}

fn write(spec: &mut ServiceSpec, shape: &Shape) {
    spec.mode = ServiceMode::Replicated { replicas: shape.replicas };
    spec.task.restart.delay = std::time::Duration::ZERO;
    spec.task.generic = (shape.gpus > 0).then(|| ("gpu".to_owned(), shape.gpus)).into_iter().collect();
    spec.task.reservation.memory = shape.gpus;
    spec.ports = shape.port.then(|| host_port(80)).into_iter().collect();
    spec.task.placement = Placement {
        preferences: shape.levels.then(|| "node.labels.zone".to_owned()).into_iter().collect(),
        affinities: vec![WISHES[shape.wish].parse().unwrap()],
        ranking: if shape.binpack { Ranking::Binpack } else { Ranking::Spread },
        platforms: shape.only_amd64.then(|| Platform { os: "linux".to_owned(), arch: "amd64".to_owned() }).into_iter().collect(),
        ..Placement::default()
    };
}

fn describe(bed: &mut Testbed, number: u128, edit: impl FnOnce(&mut NodeDescription)) {
    let mut description = bed.view().node(node_id(number)).unwrap().description.clone();
    edit(&mut description);
    bed.apply(vec![Change::Node(node_id(number), NodeStep::Describe(description))]);
}

fn live(bed: &mut Testbed, act: &Act) {
    let view = bed.view();
    match act {
        Act::Service(number, shape) if view.service(service_id(*number)).is_some() => {
            bed.update(service_id(*number), |spec| write(spec, shape));
        }
        Act::Service(number, shape) => {
            let mut new = spec(&format!("s{number}"), 0);
            write(&mut new, shape);
            if view.tasks_of_service(service_id(*number)).next().is_none() {
                bed.create(*number, new);
            }
        }
        Act::Remove(number) if view.service(service_id(*number)).is_some() => bed.remove(ObjectKey::Service(service_id(*number))),
        Act::Remove(_) => {}
        Act::Pool(number, pool) => {
            let generic = pool.clone().map(|pool| ("gpu".to_owned(), pool)).into_iter().collect();
            describe(bed, *number, |node| node.generic = generic);
        }
        Act::Zone(number, zone) => bed.update_node(*number, |node| {
            node.labels = (*zone > 0).then(|| ("zone".to_owned(), format!("z{zone}"))).into_iter().collect();
        }),
        Act::Node(number, state) => bed.set_node(*number, *state),
        Act::End(number) => {
            let ready = |task: &Task| task.node.and_then(|node| view.node(node)).is_some_and(|node| node.takes_tasks());
            let running: Vec<_> = view.tasks().filter(|task| task.status.state == TaskState::Running && ready(task)).collect();
            if let Some(task) = running.get(number % running.len().max(1)) {
                bed.end(task.id, TaskState::Failed);
            }
        }
        Act::Agents => drop(bed.agents()),
        Act::Pass => drop(bed.pass()),
    }
    the_fleet_knows_what_is_taken(bed);
    assert_eq!(bed.state.check(), Vec::<String>::new());
}

/// What the state keeps of each node's load is what a walk over the tasks there finds.
fn the_fleet_knows_what_is_taken(bed: &Testbed) {
    let (view, dirty) = (bed.view(), Dirty::default());
    let draft = Draft::new(&view, bed.now, 0, &dirty);
    let mut asks = spec("asks", 1);
    asks.ports.push(host_port(80));
    asks.task.generic.insert("gpu".to_owned(), 1);
    let mut fleet = Fleet::of(&draft);
    fleet.learn(&draft, &Demand::of(&asks));
    for room in &fleet.rooms {
        let there: Vec<_> = view.tasks_on_node(room.node.id).filter(|task| task.holds_resources()).collect();
        let specs: Vec<_> = there.iter().map(|task| view.spec_of(task).unwrap()).collect();
        let reserved: u64 = specs.iter().map(|spec| spec.task.reservation.memory).sum();
        assert_eq!(room.tasks, u32::try_from(there.len()).unwrap());
        assert_eq!(room.free.memory, room.node.description.capacity.memory.saturating_sub(reserved));
        assert_eq!(room.ports.contains(&(80, Protocol::Tcp)), specs.iter().any(|spec| !spec.ports.is_empty()));
        let gpus = there.iter().flat_map(|task| task.generic.values()).map(Vec::len).sum::<usize>() as u64;
        let all = GenericPool::Count(u64::MAX);
        assert_eq!(u64::MAX - room.generic.free("gpu", &all), gpus);
    }
    let down = view.nodes().filter(|node| node.status.state == NodeState::Down).map(|node| node.id);
    assert!(view.nodes_down().eq(down));
}

/// What a running task was given is what it asked for, and is there.
fn given_is_right(bed: &Testbed) {
    let view = bed.view();
    for task in view.tasks().filter(|task| task.is_wanted() && task.holds_resources()) {
        let needs = &view.spec_of(task).unwrap().task.generic;
        let given = task.generic.iter().map(|(kind, names)| (kind.clone(), names.len() as u64)).collect::<GenericNeeds>();
        assert_eq!(&given, needs);
        for (kind, names) in &task.generic {
            match &view.node(task.node.unwrap()).unwrap().description.generic[kind] {
                GenericPool::Named(has) => assert!(names.iter().all(|name| has.contains(name)), "{names:?} of {has:?}"),
                GenericPool::Count(count) => assert!(names.len() as u64 <= *count),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn choosy_services_end_where_they_fit(acts in prop::collection::vec(act(), 1..60)) {
        let mut bed = Testbed::new(NODES);
        describe(&mut bed, 1, |node| node.platform = Platform { os: "linux".to_owned(), arch: "x86_64".to_owned() });
        acts.iter().for_each(|act| live(&mut bed, act));
        (1..=NODES).for_each(|number| bed.set_node(number, NodeState::Ready));
        bed.settle();
        prop_assert_eq!(bed.state.check(), Vec::<String>::new());
        given_is_right(&bed);
        for task in bed.view().tasks().filter(|task| task.is_wanted() && task.node.is_none()) {
            let table = why(&bed.view(), bed.now, Subject::Task(task.id)).unwrap();
            prop_assert!(table.rows.iter().all(|row| matches!(row.verdict, Verdict::Refused(_))), "{:?}", table);
            prop_assert!(!table.remedies.is_empty());
        }
    }
}
