//! Whole passes on the simulated cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use cluster_types::*;

use crate::testbed::{Testbed, host_port, node_id, spec};

/// The slots of the wanted tasks, in order.
fn slots(bed: &Testbed, service: ServiceId) -> Vec<u64> {
    let mut slots: Vec<u64> = bed.wanted(service).iter().map(|task| task.slot).collect();
    slots.sort_unstable();
    slots
}

fn no_delay(mut spec: ServiceSpec) -> ServiceSpec {
    spec.task.restart.delay = Duration::ZERO;
    spec
}

fn global(name: &str) -> ServiceSpec {
    ServiceSpec { mode: ServiceMode::Global, ..spec(name, 0) }
}

fn scale(bed: &mut Testbed, service: ServiceId, replicas: u64) {
    bed.update(service, |spec| spec.mode = ServiceMode::Replicated { replicas });
}

#[test]
fn a_new_service_is_spread_over_the_nodes_and_costs_one_change_for_each_task() {
    let mut bed = Testbed::new(3);
    let web = bed.create(1, spec("web", 7));
    let plan = bed.pass();
    let is_first = |change: &&Change| matches!(change, Change::Network(..) | Change::Node(..) | Change::Service(..));
    let rest = plan.changes.iter().filter(is_first).count();
    assert_eq!(rest, 4 + 3 + 1, "blocks of three nodes and of the services, three numbers, one endpoint: {:?}", plan.changes);
    assert_eq!(plan.changes.len(), 7 + rest, "{:?}", plan.changes);
    bed.settle();
    assert_eq!(slots(&bed, web), [1, 2, 3, 4, 5, 6, 7]);
    let running = bed.running(web);
    assert_eq!(running.values().sum::<usize>(), 7);
    assert_eq!((running.values().max(), running.values().min()), (Some(&3), Some(&2)));
}

#[test]
fn a_settled_cluster_gives_an_empty_plan() {
    let mut bed = Testbed::new(2);
    bed.create(1, spec("web", 3));
    bed.create(2, global("agent"));
    bed.settle();
    let plan = bed.pass();
    assert_eq!((plan.changes.len(), bed.wake_at), (0, None));
}

#[test]
fn scaling_down_takes_the_fullest_node_first_and_the_records_go() {
    let mut bed = Testbed::new(2);
    let web = bed.create(1, spec("web", 6));
    bed.settle();
    scale(&mut bed, web, 2);
    bed.settle();
    assert_eq!(bed.running(web).into_values().collect::<Vec<_>>(), [1, 1]);
    scale(&mut bed, web, 4);
    bed.settle();
    assert_eq!(slots(&bed, web), [1, 2, 3, 4]);
}

#[test]
fn a_removed_service_leaves_nothing() {
    let mut bed = Testbed::new(2);
    let web = bed.create(1, spec("web", 4));
    bed.settle();
    bed.remove(ObjectKey::Service(web));
    bed.settle();
    assert_eq!(bed.view().task_count(), 0);
}

#[test]
fn tasks_of_a_lost_node_are_replaced_at_once() {
    let mut bed = Testbed::new(3);
    let web = bed.create(1, spec("web", 6));
    bed.settle();
    bed.set_node(2, NodeState::Down);
    let plan = bed.pass();
    assert_eq!(plan.changes.iter().filter(|change| matches!(change, Change::Create(_))).count(), 2);
    assert!(bed.wanted(web).iter().all(|task| task.desired == DesiredState::Running && task.node != Some(node_id(2))));
    bed.settle();
    assert_eq!(bed.running(web).into_iter().collect::<Vec<_>>(), [(1, 3), (3, 3)]);
}

#[test]
fn a_disconnected_node_keeps_its_tasks() {
    let mut bed = Testbed::new(2);
    let web = bed.create(1, spec("web", 2));
    bed.settle();
    bed.set_node(2, NodeState::Disconnected);
    assert!(bed.pass().changes.is_empty());
    assert_eq!(bed.wanted(web).len(), 2);
}

#[test]
fn a_drained_node_is_emptied_and_a_paused_one_keeps_what_it_has() {
    let mut bed = Testbed::new(3);
    let (web, agent) = (bed.create(1, spec("web", 3)), bed.create(2, global("agent")));
    bed.settle();
    bed.update_node(1, |node| node.availability = Availability::Drain);
    bed.update_node(2, |node| node.availability = Availability::Pause);
    bed.settle();
    assert_eq!(bed.running(web).into_iter().collect::<Vec<_>>(), [(2, 1), (3, 2)]);
    assert_eq!(bed.running(agent).into_iter().collect::<Vec<_>>(), [(2, 1), (3, 1)]);
    bed.update_node(1, |node| node.availability = Availability::Active);
    bed.settle();
    assert_eq!(bed.running(agent).len(), 3);
}

#[test]
fn tasks_leave_a_node_whose_labels_no_longer_fit() {
    let mut bed = Testbed::new(2);
    bed.update_node(1, |node| drop(node.labels.insert("zone".into(), "a".into())));
    bed.update_node(2, |node| drop(node.labels.insert("zone".into(), "a".into())));
    let mut spec = spec("web", 2);
    spec.task.placement.constraints = vec!["node.labels.zone==a".parse().unwrap()];
    let web = bed.create(1, spec.clone());
    let agent = bed.create(2, ServiceSpec { mode: ServiceMode::Global, name: "agent".into(), ..spec });
    bed.settle();
    bed.update_node(2, |node| node.labels.clear());
    bed.settle();
    assert_eq!(bed.running(web).into_iter().collect::<Vec<_>>(), [(1, 2)]);
    assert_eq!(bed.running(agent).into_iter().collect::<Vec<_>>(), [(1, 1)]);
}

#[test]
fn a_machine_that_shrank_keeps_the_oldest_tasks_that_fit() {
    let mut bed = Testbed::new(2);
    let mut big = spec("big", 2);
    big.task.reservation.nano_cpus = 1_000_000_000;
    let first = bed.create(1, big.clone());
    bed.settle();
    let second = bed.create(2, ServiceSpec { name: "second".into(), ..big });
    bed.settle();
    let mut description = bed.view().node(node_id(2)).unwrap().description.clone();
    description.capacity.nano_cpus = 1_500_000_000;
    bed.apply(vec![Change::Node(node_id(2), NodeStep::Describe(description))]);
    bed.settle();
    assert_eq!(bed.running(first).into_iter().collect::<Vec<_>>(), [(1, 1), (2, 1)]);
    assert_eq!(bed.running(second).into_iter().collect::<Vec<_>>(), [(1, 2)]);
}

#[test]
fn a_task_without_a_fitting_node_says_why_and_runs_when_there_is_one() {
    let mut bed = Testbed::new(1);
    let mut big = spec("big", 3);
    big.task.reservation.nano_cpus = 2_000_000_000;
    let big = bed.create(1, big);
    bed.settle();
    let waiting: Vec<_> = bed.wanted(big).into_iter().filter(|task| task.node.is_none()).collect();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].status.error.as_deref(), Some("no suitable node: node-1 needs 2 CPUs, 0 free"));
    bed.apply(vec![Change::Create(Object::Node(std::sync::Arc::new(crate::testbed::node(2))))]);
    bed.settle();
    assert_eq!(bed.running(big).into_iter().collect::<Vec<_>>(), [(1, 2), (2, 1)]);
}

#[test]
fn room_that_another_service_frees_is_used() {
    let mut bed = Testbed::new(1);
    let mut first = spec("first", 2);
    first.task.reservation.memory = 4 << 30;
    let mut second = spec("second", 1);
    second.task.reservation.memory = 4 << 30;
    let first = bed.create(1, first);
    bed.settle();
    let second = bed.create(2, second);
    bed.settle();
    assert!(bed.running(second).is_empty());
    scale(&mut bed, first, 1);
    bed.settle();
    assert_eq!(bed.running(second).len(), 1);
}

#[test]
fn host_ports_and_the_limit_per_node_are_kept() {
    let mut bed = Testbed::new(3);
    let mut web = spec("web", 5);
    web.ports.push(host_port(80));
    let mut pair = spec("pair", 5);
    pair.task.placement.max_per_node = 1;
    let (web, pair) = (bed.create(1, web), bed.create(2, pair));
    bed.settle();
    assert_eq!((bed.running(web).len(), bed.running(web).values().max()), (3, Some(&1)));
    assert_eq!((bed.running(pair).len(), bed.running(pair).values().max()), (3, Some(&1)));
    let errors: BTreeSet<String> = bed.wanted(web).iter().filter_map(|task| task.status.error.clone()).collect();
    assert_eq!(errors.len(), 1);
    assert!(errors.first().unwrap().contains("node-2 port 80/tcp is taken"), "{errors:?}");
}

#[test]
fn a_container_that_ends_gets_a_successor_at_once_when_there_is_no_delay() {
    let mut bed = Testbed::new(2);
    let web = bed.create(1, no_delay(spec("web", 2)));
    bed.settle();
    let ended = bed.wanted(web)[0].id;
    bed.end(ended, TaskState::Failed);
    bed.pass();
    let successor = bed.wanted(web).into_iter().find(|task| task.slot == 1).unwrap();
    assert_ne!(successor.id, ended);
    assert_eq!((successor.desired, successor.failures), (DesiredState::Running, 1));
}

#[test]
fn a_successor_waits_its_delay_whichever_leader_decides() {
    let mut bed = Testbed::new(2);
    let web = bed.create(1, spec("web", 1));
    bed.settle();
    bed.end(bed.wanted(web)[0].id, TaskState::Failed);
    let ended = bed.now;
    bed.pass();
    while bed.agents() {
        bed.dirty = crate::Dirty::all();
        bed.pass();
    }
    let successor = bed.wanted(web).remove(0);
    assert_eq!((successor.desired, successor.status.state), (DesiredState::Ready, TaskState::Ready));
    bed.advance(Duration::from_millis(4_990));
    bed.dirty = crate::Dirty::all();
    assert!(bed.pass().changes.is_empty());
    bed.settle();
    let started = bed.view().task(successor.id).unwrap().status.at;
    assert!(started.since(ended) >= Duration::from_secs(5), "{:?}", started.since(ended));
    assert_eq!(bed.running(web).len(), 1);
}
