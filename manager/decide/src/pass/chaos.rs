//! Random lives of a small cluster: users change their minds, networks and nodes come and go, containers end, leaders change, proposals get
//! lost or are cut short. Whatever happens, each pass equals a full one (the testbed checks), and some things always hold; and when the trouble ends,
//! the cluster becomes what was asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cluster_state::View;
use cluster_types::*;
use proptest::prelude::*;

use crate::constraint;
use crate::network_view::tests::Watcher;
use crate::testbed::{Testbed, attachment, host_port, ingress_port, network_id, node, node_id, service_id, spec};
use crate::{Dirty, rebalance};

const SERVICES: u128 = 3;
const NODES: u128 = 4;
const NETWORKS: u128 = 2;
/// Four blocks of two addresses, and four blocks of four: fewer blocks than nodes and services want.
const SUBNETS: [&str; 2] = ["10.1.0.0/29", "10.2.0.0/28"];

#[derive(Debug, Clone)]
enum Act {
    Create(u128, Shape),
    Reshape(u128, Shape),
    /// Another constraint and nothing else: tasks of the spec before stay where it holds.
    Constrain(u128, bool),
    Remove(u128),
    NodeState(u128, NodeState),
    Availability(u128, Availability),
    Drain(u128, DrainSpec, Option<u64>),
    Rebalance,
    Label(u128, bool),
    NodeAdd(u128),
    NodeRemove(u128),
    NetworkCreate(u128),
    NetworkRemove(u128),
    End(usize, bool),
    Agents,
    Pass,
    LostPass,
    CutPass(usize),
    Election,
    Later(u64),
}

/// The port that a service opens, if any.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Port {
    None,
    Host,
    Ingress,
    Chosen,
}

/// The part of a service's spec that matters here.
#[derive(Debug, Clone)]
struct Shape {
    global: bool,
    replicas: u64,
    image: u8,
    cpus: u64,
    labelled: bool,
    port: Port,
    networks: u128,
    dnsrr: bool,
    max_per_node: u64,
    delay: u64,
    start_first: bool,
    parallelism: u64,
    auto_rebalance: bool,
}

fn shape() -> impl Strategy<Value = Shape> {
    let numbers = (0_u64..6, 0_u8..3, 0_u64..3, 0_u64..3, 0_u64..3, 0_u64..3);
    let flags = (prop::bool::weighted(0.3), prop::bool::weighted(0.3), any::<bool>(), prop::bool::weighted(0.3));
    let port = prop_oneof![5 => Just(Port::None), 2 => Just(Port::Host), 2 => Just(Port::Ingress), 1 => Just(Port::Chosen)];
    let network = (port, prop_oneof![4 => Just(0), 3 => 1..4_u128], prop::bool::weighted(0.2));
    (numbers, flags, network).prop_map(|(numbers, flags, (port, networks, dnsrr))| {
        let (replicas, image, cpus, max_per_node, delay, parallelism) = numbers;
        let (global, labelled, start_first, auto_rebalance) = flags;
        let auto_rebalance = auto_rebalance && networks == 0;
        Shape {
            global,
            replicas,
            image,
            cpus,
            labelled,
            port,
            networks,
            dnsrr,
            max_per_node,
            delay,
            start_first,
            parallelism,
            auto_rebalance,
        }
    })
}

fn act() -> impl Strategy<Value = Act> {
    let number = 1..=SERVICES;
    let on = 1..=NODES;
    let state = prop::sample::select(vec![NodeState::Ready, NodeState::Ready, NodeState::Disconnected, NodeState::Down]);
    let availability = prop::sample::select(vec![Availability::Active, Availability::Pause]);
    let drain = (0_u64..3, prop::option::weighted(0.5, 0_u64..20_000));
    prop_oneof![
        3 => (number.clone(), shape()).prop_map(|(number, shape)| Act::Create(number, shape)),
        4 => (number.clone(), shape()).prop_map(|(number, shape)| Act::Reshape(number, shape)),
        2 => (number.clone(), any::<bool>()).prop_map(|(number, labelled)| Act::Constrain(number, labelled)),
        1 => number.prop_map(Act::Remove),
        3 => (on.clone(), state).prop_map(|(node, state)| Act::NodeState(node, state)),
        2 => (on.clone(), availability).prop_map(|(node, availability)| Act::Availability(node, availability)),
        2 => (on.clone(), drain).prop_map(|(node, (most, after))| {
            Act::Drain(node, DrainSpec { max_unavailable: most, deadline: None }, after)
        }),
        1 => Just(Act::Rebalance),
        2 => (on.clone(), any::<bool>()).prop_map(|(node, label)| Act::Label(node, label)),
        1 => on.clone().prop_map(Act::NodeAdd),
        1 => on.prop_map(Act::NodeRemove),
        3 => (1..=NETWORKS).prop_map(Act::NetworkCreate),
        2 => (1..=NETWORKS).prop_map(Act::NetworkRemove),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(task, failed)| Act::End(task, failed)),
        12 => Just(Act::Agents),
        12 => Just(Act::Pass),
        1 => Just(Act::LostPass),
        1 => (0_usize..5).prop_map(Act::CutPass),
        1 => Just(Act::Election),
        3 => (1_u64..20_000).prop_map(Act::Later),
    ]
}

fn constrain(spec: &mut ServiceSpec, labelled: bool) {
    spec.task.placement.constraints = if labelled { vec!["node.labels.zone==a".parse().unwrap()] } else { Vec::new() };
}

fn write(spec: &mut ServiceSpec, shape: &Shape, view: &View) {
    spec.task.container.image = format!("web:{}", shape.image);
    spec.task.reservation.nano_cpus = shape.cpus * 1_000_000_000;
    constrain(spec, shape.labelled);
    spec.task.placement.max_per_node = shape.max_per_node;
    spec.task.placement.auto_rebalance = shape.auto_rebalance;
    spec.task.restart.delay = Duration::from_secs(shape.delay);
    spec.ports = match shape.port {
        Port::None => Vec::new(),
        Port::Host => vec![host_port(80)],
        Port::Ingress => vec![ingress_port(81)],
        Port::Chosen => vec![ingress_port(0)],
    };
    let networks = (1..=NETWORKS).filter(|number| shape.networks & (1 << (number - 1)) != 0).map(network_id);
    spec.task.networks = networks.filter(|network| view.network(*network).is_some()).map(attachment).collect();
    spec.endpoint.mode = if shape.dnsrr { EndpointMode::Dnsrr } else { EndpointMode::Vip };
    spec.update.parallelism = shape.parallelism;
    spec.update.failure_action = [FailureAction::Pause, FailureAction::Continue, FailureAction::Rollback][usize::from(shape.image % 3)];
    spec.update.order = if shape.start_first { UpdateOrder::StartFirst } else { UpdateOrder::StopFirst };
    if let ServiceMode::Replicated { replicas } = &mut spec.mode {
        *replicas = shape.replicas;
    }
}

fn live(bed: &mut Testbed, act: &Act) {
    let view = bed.view();
    let there = |number: u128| view.node(node_id(number)).is_some();
    match act {
        Act::Create(number, shape)
            if view.service(service_id(*number)).is_none() && view.tasks_of_service(service_id(*number)).next().is_none() =>
        {
            let mut new = spec(&format!("service-{number}"), 0);
            if shape.global {
                new.mode = ServiceMode::Global;
            }
            write(&mut new, shape, &view);
            bed.create(*number, new);
        }
        Act::Reshape(number, shape) if view.service(service_id(*number)).is_some() => {
            bed.update(service_id(*number), |spec| write(spec, shape, &view));
        }
        Act::Constrain(number, labelled) if view.service(service_id(*number)).is_some() => {
            bed.update(service_id(*number), |spec| constrain(spec, *labelled));
        }
        Act::Remove(number) if view.service(service_id(*number)).is_some() => bed.remove(ObjectKey::Service(service_id(*number))),
        Act::NodeState(number, state) if there(*number) => bed.set_node(*number, *state),
        Act::Availability(number, availability) if there(*number) => bed.update_node(*number, |node| node.availability = *availability),
        Act::Drain(number, spec, after) if there(*number) => {
            let deadline = after.map(|millis| bed.now.plus(Duration::from_millis(millis)));
            bed.update_node(*number, |node| {
                (node.availability, node.drain) = (Availability::Drain, DrainSpec { deadline, ..*spec });
            });
        }
        Act::Rebalance => {
            let moves = rebalance::plan(&view, bed.now, None);
            bed.apply(moves.iter().map(rebalance::Move::change).collect());
        }
        Act::Label(number, label) if there(*number) => bed.update_node(*number, |node| {
            node.labels = if *label { BTreeMap::from([("zone".into(), "a".into())]) } else { BTreeMap::new() };
        }),
        Act::NodeAdd(number) if !there(*number) => bed.apply(vec![Change::Create(Object::Node(Arc::new(node(*number))))]),
        Act::NodeRemove(number) if there(*number) => bed.remove(ObjectKey::Node(node_id(*number))),
        Act::NetworkCreate(number) if view.network(network_id(*number)).is_none() => {
            bed.create_network(*number, SUBNETS[usize::try_from(number - 1).unwrap()]);
        }
        Act::NetworkRemove(number) if is_unused(&view, network_id(*number)) => bed.remove(ObjectKey::Network(network_id(*number))),
        Act::End(number, failed) => end_one(bed, *number, *failed),
        Act::Agents => drop(bed.agents()),
        Act::Pass => drop(bed.pass()),
        Act::LostPass => bed.cut_pass(0),
        Act::CutPass(keep) => bed.cut_pass(*keep),
        Act::Election => bed.dirty = Dirty::all(),
        Act::Later(millis) => bed.advance(Duration::from_millis(*millis)),
        Act::Create(..)
        | Act::Reshape(..)
        | Act::Constrain(..)
        | Act::Remove(_)
        | Act::NodeState(..)
        | Act::Availability(..)
        | Act::Drain(..)
        | Act::Label(..)
        | Act::NodeAdd(_)
        | Act::NodeRemove(_)
        | Act::NetworkCreate(_)
        | Act::NetworkRemove(_) => {}
    }
}

fn is_unused(view: &View, network: NetworkId) -> bool {
    let in_use = |subnet| view.addresses_within(subnet).next().is_some() || view.services_in_network(network).next().is_some();
    view.network(network).is_some_and(|network| !in_use(network.subnet))
}

/// One container that runs on a reachable node ends.
fn end_one(bed: &mut Testbed, number: usize, failed: bool) {
    let view = bed.view();
    let ready = |id: NodeId| view.node(id).is_some_and(|node| node.status.state == NodeState::Ready);
    let runs = |task: &&Arc<Task>| task.status.state == TaskState::Running && task.node.is_some_and(ready);
    let running: Vec<TaskId> = view.tasks().filter(runs).map(|task| task.id).collect();
    if !running.is_empty() {
        bed.end(running[number % running.len()], if failed { TaskState::Failed } else { TaskState::Complete });
    }
}

/// What holds at any moment. `moves` says whether tasks may move from node to node, one beside the other.
fn always(bed: &Testbed, moves: bool) {
    let view = bed.view();
    assert_eq!(bed.state.check(), Vec::<String>::new());
    let mut ports = BTreeSet::new();
    let mut cpus: BTreeMap<NodeId, u64> = BTreeMap::new();
    for task in view.tasks().filter(|task| task.holds_resources()) {
        let (spec, node) = (view.spec_of(task).unwrap(), task.node.unwrap());
        *cpus.entry(node).or_default() += spec.task.reservation.nano_cpus;
        assert!(!has_host_port(spec) || ports.insert(node), "two tasks have the port of node {node}");
        assert!(task.addresses.iter().map(|has| has.network).eq(spec.task.network_ids()), "{task:?}");
    }
    assert!(cpus.values().all(|used| *used <= 4_000_000_000), "a node holds more than it has: {cpus:?}");
    for service in view.services() {
        let mut places: BTreeMap<_, usize> = BTreeMap::new();
        for task in bed.wanted(service.id) {
            *places.entry((task.slot, task.node.filter(|_| task.slot == 0))).or_default() += 1;
        }
        assert!(places.values().all(|tasks| *tasks <= 2), "{places:?}");
        if service.spec.update.order == UpdateOrder::StopFirst && service.history.len() == 1 && !moves {
            assert!(places.values().all(|tasks| *tasks == 1), "{places:?}");
        }
    }
}

fn has_host_port(spec: &ServiceSpec) -> bool {
    spec.ports.iter().any(|port| port.mode == PublishMode::Host)
}

/// What services and nodes were given: all of it, or the reason is said; and nothing is kept for nodes that are gone.
fn all_is_given(view: &View) {
    assert!(view.nodes().all(|node| node.number.is_some()));
    for service in view.services() {
        let (spec, endpoint) = (&service.spec, &service.endpoint);
        let wants_ports = spec.ports.iter().filter(|port| port.mode == PublishMode::Ingress).count();
        let wants_vips = if spec.endpoint.mode == EndpointMode::Vip { spec.task.network_ids().count() } else { 0 };
        let lacks = endpoint.vips.len() != wants_vips || endpoint.ports.len() != wants_ports;
        assert_eq!(lacks, endpoint.error.is_some(), "{service:?}");
        assert!(endpoint.vips.keys().all(|network| spec.task.network_ids().any(|id| id == *network)), "{service:?}");
        if endpoint.ports.len() != wants_ports {
            let holder = view.service_publishing(81, Protocol::Tcp).unwrap();
            assert!(holder.id != service.id && endpoint.error.as_ref().unwrap().contains(&holder.spec.name), "{service:?}");
        }
    }
    for network in view.networks() {
        let is_there = |owner: &BlockOwner| matches!(owner, BlockOwner::Node(node) if view.node(*node).is_some());
        assert!(network.blocks.values().all(|owner| *owner == BlockOwner::Services || is_there(owner)), "{network:?}");
    }
}

/// What holds once nothing moves any more.
fn at_the_end(bed: &mut Testbed) {
    assert!(bed.pass().changes.is_empty());
    let view = bed.view();
    for service in view.services() {
        let wanted = bed.wanted(service.id);
        let fits = |node: &&Arc<Node>| node.takes_tasks() && constraint::unmet(node, &service.spec.task.placement.constraints).is_none();
        let nodes = view.nodes().filter(fits).count();
        let expected = match service.spec.mode {
            ServiceMode::Replicated { replicas } => usize::try_from(replicas).unwrap(),
            ServiceMode::Global | ServiceMode::ReplicatedJob { .. } | ServiceMode::GlobalJob => nodes,
        };
        let places: BTreeSet<_> = wanted.iter().map(|task| (task.slot, task.node.filter(|_| task.slot == 0))).collect();
        let has_addresses = service.spec.task.networks.is_empty();
        let has_room = service.spec.task.reservation.nano_cpus == 0 && !has_host_port(&service.spec) && has_addresses && nodes > 0;
        assert!(wanted.len() == expected || is_held(service), "{} of {expected} tasks", wanted.len());
        assert!(places.len() == expected);
        for task in &wanted {
            let waits = task.status.state < TaskState::Assigned && task.status.error.is_some();
            assert!(task.status.state == TaskState::Running || waits, "{task:?}");
            assert!(!waits || !has_room || service.spec.task.placement.max_per_node > 0 || is_held(service), "{task:?}");
        }
    }
    all_is_given(&view);
    for task in view.tasks() {
        assert!(view.service(task.service).is_some(), "a task of a removed service is left: {task:?}");
    }
}

/// An update that waited for room in vain may have left old and new tasks side by side.
fn is_held(service: &Service) -> bool {
    service.update.as_ref().is_some_and(|update| !update.state.is_completed() || update.message.contains("do not run it"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn a_cluster_survives_and_becomes_what_was_asked_for(acts in prop::collection::vec(act(), 1..80)) {
        let mut bed = Testbed::new(NODES);
        let mut watcher = Watcher::new(&bed);
        let is_move = |act: &Act| matches!(act, Act::Drain(..) | Act::Rebalance | Act::Create(_, Shape { auto_rebalance: true, .. }));
        let moves = acts.iter().any(is_move);
        for act in &acts {
            live(&mut bed, act);
            always(&bed, moves);
            watcher.look(&bed);
        }
        let present: Vec<u128> = bed.view().nodes().map(|node| node.id.bits()).collect();
        for number in present {
            bed.set_node(number, NodeState::Ready);
            bed.update_node(number, |node| node.availability = Availability::Active);
        }
        bed.settle_checked(|bed| {
            always(bed, moves);
            watcher.look(bed);
        });
        at_the_end(&mut bed);
    }
}
