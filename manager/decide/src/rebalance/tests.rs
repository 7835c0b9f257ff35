//! Plans against a search through all ways to spread, and what becomes of them on the simulated cluster.

use std::sync::Arc;
use std::time::Duration;

use cluster_types::*;
use proptest::prelude::*;

use super::*;
use crate::testbed::{Testbed, host_port, node, node_id, spec};

/// A service `web` that runs so many tasks on each node.
fn lopsided(counts: &[u64], change: impl FnOnce(&mut ServiceSpec)) -> (Testbed, ServiceId) {
    let mut bed = Testbed::new(u128::try_from(counts.len()).unwrap());
    let mut web = spec("web", counts.iter().sum());
    change(&mut web);
    let web = bed.create(1, web);
    let (version, mut slot) = (bed.view().service(web).unwrap().spec_version, 0);
    for (number, count) in (1..).zip(counts) {
        for _ in 0..*count {
            slot += 1;
            let id = TaskId::from_bits(u128::from(slot));
            bed.apply(vec![
                Change::Create(Object::Task(Arc::new(Task::new(id, web, version, slot)))),
                Change::Task(id, TaskStep::Assign(node_id(number), Vec::new(), GenericGrant::new())),
                Change::Task(id, TaskStep::report(node_id(number), TaskState::Running, bed.now, "", None)),
            ]);
        }
    }
    (bed, web)
}

fn planned(bed: &Testbed) -> Vec<Move> {
    plan(&bed.view(), bed.now, None)
}

fn ways(moves: &[Move]) -> Vec<(u128, u128)> {
    moves.iter().map(|step| (step.from.bits(), step.to.bits())).collect()
}

fn carry_out(bed: &mut Testbed) {
    let moves = planned(bed);
    bed.apply(moves.iter().map(Move::change).collect());
}

fn serving(bed: &Testbed, service: ServiceId) -> usize {
    bed.wanted(service).iter().filter(|task| task.status.is_serving()).count()
}

fn each(bed: &Testbed, service: ServiceId) -> Vec<usize> {
    bed.running(service).into_values().collect()
}

fn zone(bed: &mut Testbed, number: u128, name: &str) {
    bed.update_node(number, |node| drop(node.labels.insert("zone".into(), name.into())));
}

fn automatic(spec: &mut ServiceSpec) {
    spec.task.placement.auto_rebalance = true;
}

#[test]
fn a_node_that_joined_gets_its_share_with_the_fewest_moves_and_no_gap() {
    let (mut bed, web) = lopsided(&[4, 3, 0], |_| ());
    bed.settle();
    assert_eq!(ways(&planned(&bed)), [(1, 3), (1, 3)]);
    assert_eq!(each(&bed, web), [4, 3], "a plan alone moves nothing");
    carry_out(&mut bed);
    assert!(planned(&bed).is_empty(), "what moves already is not planned again");
    bed.settle_checked(|bed| {
        assert!(serving(bed, web) >= 7);
        assert!(bed.wanted(web).len() <= 8, "one at a time, as the update's parallelism says");
    });
    assert_eq!(each(&bed, web), [2, 3, 2]);
    assert!(planned(&bed).is_empty());
}

#[test]
fn only_the_service_that_was_named_is_looked_at() {
    let (mut bed, web) = lopsided(&[4, 0], |_| ());
    bed.settle();
    let view = bed.view();
    assert_eq!(plan(&view, bed.now, Some(web)).len(), 2);
    assert_eq!(plan(&view, bed.now, Some(ServiceId::from_bits(7))), []);
}

#[test]
fn zones_are_evened_out_before_nodes() {
    let (mut bed, web) = lopsided(&[2, 2, 2, 0], |spec| spec.task.placement.preferences.push("node.labels.zone".into()));
    for (number, name) in [(1, "a"), (2, "b"), (3, "b"), (4, "b")] {
        zone(&mut bed, number, name);
    }
    bed.settle();
    assert_eq!(ways(&planned(&bed)), [(2, 1), (3, 4)]);
    assert!(bed.wanted(web).iter().all(|task| !task.relocate));
}

#[test]
fn constraints_ports_closed_nodes_and_other_wishes_are_respected() {
    let moves = |change: &dyn Fn(&mut ServiceSpec), state: &dyn Fn(&mut Testbed)| {
        let (mut bed, _) = lopsided(&[3, 0], change);
        state(&mut bed);
        planned(&bed).len()
    };
    assert_eq!(moves(&|_| (), &|_| ()), 1);
    assert_eq!(moves(&|spec| spec.task.placement.constraints.push("node.hostname==node-1".parse().unwrap()), &|_| ()), 0);
    assert_eq!(moves(&|spec| spec.task.placement.ranking = Ranking::Binpack, &|_| ()), 0);
    assert_eq!(moves(&|spec| spec.task.placement.affinities.push("node.labels.disk==ssd".parse().unwrap()), &|_| ()), 0);
    assert_eq!(moves(&|_| (), &|bed| bed.update_node(2, |node| node.availability = Availability::Pause)), 0);
    assert_eq!(moves(&|_| (), &|bed| bed.set_node(2, NodeState::Disconnected)), 0);
    let (mut bed, _) = lopsided(&[2, 0], |_| ());
    bed.update(crate::testbed::service_id(1), |spec| spec.ports.push(host_port(80)));
    assert_eq!(planned(&bed).len(), 1);
}

#[test]
fn a_rebalance_that_finds_no_room_is_taken_back() {
    let (mut bed, web) = lopsided(&[2, 0], |spec| spec.task.placement.max_per_node = 2);
    bed.settle();
    let before: Vec<_> = bed.wanted(web).iter().map(|task| task.id).collect();
    carry_out(&mut bed);
    assert!(planned(&bed).is_empty());
    bed.apply(vec![Change::Task(before[0], TaskStep::Relocate(true))]);
    bed.update_node(2, |node| node.availability = Availability::Pause);
    bed.settle();
    assert_eq!(bed.wanted(web).iter().map(|task| task.id).collect::<Vec<_>>(), before);
    assert!(bed.wanted(web).iter().all(|task| !task.relocate));
}

#[test]
fn a_service_that_asks_for_it_moves_to_a_node_that_joined_and_stayed() {
    let (mut bed, web) = lopsided(&[3, 3], automatic);
    bed.settle();
    let joined = bed.now;
    let mut third = node(3);
    third.status.since = joined;
    bed.apply(vec![Change::Create(Object::Node(Arc::new(third)))]);
    bed.settle_checked(|bed| assert!(bed.now >= joined.plus(QUIET) || bed.wanted(web).len() == 6));
    assert_eq!(each(&bed, web), [2, 2, 2]);
}

#[test]
fn a_node_that_comes_and_goes_gets_nothing() {
    let (mut bed, web) = lopsided(&[2, 2, 0], automatic);
    for _ in 0..20 {
        bed.set_node(3, NodeState::Ready);
        for _ in 0..3 {
            bed.pass();
            bed.agents();
            bed.advance(Duration::from_secs(9));
        }
        bed.set_node(3, NodeState::Disconnected);
        bed.pass();
    }
    assert_eq!(each(&bed, web), [2, 2]);
    bed.set_node(3, NodeState::Ready);
    bed.settle();
    assert_eq!(bed.running(web).len(), 3);
}

#[test]
fn a_service_that_does_not_ask_for_it_stays() {
    let (mut bed, web) = lopsided(&[3, 0], |_| ());
    bed.settle();
    assert_eq!(each(&bed, web), [3]);
}

#[test]
fn room_that_another_service_frees_is_used_for_a_rebalance() {
    let cpus = |count: u64| move |spec: &mut ServiceSpec| spec.task.reservation.nano_cpus = count * 1_000_000_000;
    let (mut bed, web) = lopsided(&[3, 0], |spec| {
        cpus(1)(spec);
        automatic(spec);
    });
    let mut big = spec("big", 1);
    cpus(4)(&mut big);
    let big = bed.create(2, big);
    bed.pass();
    bed.settle();
    assert_eq!((each(&bed, web), each(&bed, big)), (vec![3], vec![1]));
    bed.remove(ObjectKey::Service(big));
    bed.settle();
    assert_eq!(each(&bed, web), [2, 1]);
}

/// Whether no move would even out anything: `least` has room for the next one, or not.
fn is_even(counts: &[u64], caps: &[u64]) -> bool {
    counts.iter().all(|most| counts.iter().zip(caps).all(|(least, cap)| *most < least + 2 || least >= cap))
}

/// The fewest moves to an even spread, by trying all spreads.
fn fewest(counts: &[u64], caps: &[u64]) -> u64 {
    fn all(left: u64, caps: &[u64]) -> Vec<Vec<u64>> {
        let [cap, rest @ ..] = caps else { return if left == 0 { vec![Vec::new()] } else { Vec::new() } };
        let with = |first: u64| all(left - first, rest).into_iter().map(move |others| [vec![first], others].concat());
        (0..=left.min(*cap)).flat_map(with).collect()
    }
    let moves = |to: &Vec<u64>| counts.iter().zip(to).map(|(from, to)| from.saturating_sub(*to)).sum();
    all(counts.iter().sum(), caps).iter().filter(|to| is_even(to, caps)).map(moves).min().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_plan_has_the_fewest_moves_and_carrying_it_out_evens_the_service_without_a_gap(
        nodes in prop::collection::vec((0_u64..6, 0_u64..6), 1..5), parallelism in 0_u64..3, automatic: bool, cuts: u64,
    ) {
        let (counts, caps): (Vec<u64>, Vec<u64>) = nodes.iter().map(|(count, spare)| (*count, count + spare)).unzip();
        let total = usize::try_from(counts.iter().sum::<u64>()).unwrap();
        let (mut bed, web) = lopsided(&counts, |spec| {
            spec.task.reservation.nano_cpus = 1_000_000_000;
            spec.update.parallelism = parallelism;
            spec.task.placement.auto_rebalance = automatic;
        });
        for (number, cap) in (1..).zip(&caps) {
            let mut description = bed.view().node(node_id(number)).unwrap().description.clone();
            description.capacity.nano_cpus = cap * 1_000_000_000;
            bed.apply(vec![Change::Node(node_id(number), NodeStep::Describe(description))]);
        }
        let least = fewest(&counts, &caps);
        prop_assert_eq!(planned(&bed).len() as u64, least);
        if automatic {
            for round in 0..64 {
                bed.cut_pass(usize::try_from(cuts >> round & 7).unwrap());
                bed.agents();
                bed.advance(Duration::from_secs(7));
            }
        } else {
            carry_out(&mut bed);
        }
        let surge = if parallelism == 0 { total } else { usize::try_from(parallelism).unwrap() };
        bed.settle_checked(|bed| {
            assert!(serving(bed, web) >= total, "{} serve", serving(bed, web));
            assert!(bed.wanted(web).len() <= total + surge);
        });
        let running = bed.running(web);
        let after: Vec<u64> = (1..).zip(&counts).map(|(number, _)| running.get(&number).copied().unwrap_or_default() as u64).collect();
        prop_assert!(is_even(&after, &caps), "{after:?}");
        prop_assert_eq!(planned(&bed), []);
        let made = bed.events.iter().filter(|event| event.kind == EventKind::Created && matches!(event.object, Object::Task(_))).count();
        prop_assert_eq!((made - total) as u64, least, "each move makes one task");
    }
}
