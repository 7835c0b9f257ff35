//! Properties of placing, over fleets and demands of all kinds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cluster_types::*;
use proptest::prelude::*;

use super::demand::Demand;
use super::fleet::Fleet;
use super::place::place;
use super::standing::Standing;
use crate::testbed;

/// A node that may be small, closed, away or labelled.
fn some_node() -> impl Strategy<Value = Node> {
    let state = prop::sample::select(vec![NodeState::Ready, NodeState::Ready, NodeState::Ready, NodeState::Down, NodeState::Unknown]);
    let availability = prop::sample::select(vec![Availability::Active, Availability::Active, Availability::Active, Availability::Drain]);
    (1_u128..1_000, 0_u64..5, 0_u64..5, state, availability, any::<bool>()).prop_map(
        |(number, cpus, memory, state, availability, label)| {
            let mut node = testbed::node(number);
            node.description.capacity = Reservation { nano_cpus: cpus, memory };
            node.status.state = state;
            node.spec.availability = availability;
            if label {
                node.spec.labels.insert("zone".into(), "a".into());
            }
            node
        },
    )
}

fn some_demand() -> impl Strategy<Value = Demand> {
    (0_u64..3, 0_u64..3, 0_u64..3, any::<bool>(), prop::bool::weighted(0.2)).prop_map(|(nano_cpus, memory, max_per_node, label, port)| {
        let mut spec = testbed::spec("web", 1);
        spec.task.reservation = Reservation { nano_cpus, memory };
        spec.task.placement.max_per_node = max_per_node;
        if label {
            spec.task.placement.constraints.push("node.labels.zone==a".parse().unwrap());
        }
        if port {
            spec.ports.push(testbed::host_port(80));
        }
        Demand::of(&spec)
    })
}

fn nodes() -> impl Strategy<Value = Vec<Arc<Node>>> {
    prop::collection::btree_map(0_u128..1_000, some_node(), 0..12)
        .prop_map(|nodes| nodes.into_iter().map(|(number, node)| Arc::new(Node { id: testbed::node_id(number), ..node })).collect())
}

fn counts(places: &[NodeId]) -> BTreeMap<NodeId, u64> {
    let mut counts = BTreeMap::new();
    places.iter().for_each(|node| *counts.entry(*node).or_default() += 1);
    counts
}

proptest! {
    /// Nothing is overfilled, nothing is placed where a filter refuses, and what is not placed is refused by every node.
    #[test]
    fn placements_fit_and_refusals_are_true(nodes in nodes(), demand in some_demand(), count in 0_usize..40) {
        let mut fleet = Fleet::empty(nodes.clone());
        let mut standing = Standing::none(&fleet);
        let places = place(&mut fleet, &demand, &mut standing, count);
        for (id, tasks) in counts(&places) {
            let node = nodes.iter().find(|node| node.id == id).unwrap();
            prop_assert!(demand.admits(node));
            prop_assert!(tasks * demand.reservation.nano_cpus <= node.description.capacity.nano_cpus);
            prop_assert!(tasks * demand.reservation.memory <= node.description.capacity.memory);
            prop_assert!(demand.placement.max_per_node == 0 || tasks <= demand.placement.max_per_node);
            prop_assert!(demand.ports.is_empty() || tasks == 1);
        }
        if places.len() < count {
            for (room, tasks) in fleet.rooms.iter().zip(&standing.tasks) {
                prop_assert!(demand.refusal(room, *tasks).is_some(), "{} would take one more", room.node.id);
            }
            let text = super::explain::refusals(&fleet, &demand, &standing, &BTreeMap::new());
            prop_assert!(nodes.iter().take(10).all(|node| text.contains(&node.description.hostname)), "{text}");
        }
    }

    #[test]
    fn the_order_in_which_nodes_are_given_does_not_matter(nodes in nodes().prop_shuffle(), demand in some_demand(), count in 0_usize..40) {
        let mut sorted = nodes.clone();
        sorted.sort_by_key(|node| node.id);
        let (mut one, mut other) = (Fleet::empty(nodes), Fleet::empty(sorted));
        let (mut standing, mut same) = (Standing::none(&one), Standing::none(&other));
        prop_assert_eq!(place(&mut one, &demand, &mut standing, count), place(&mut other, &demand, &mut same, count));
    }

    /// Nodes that are alike get as many tasks of a service as each other, give or take one, in one go or in several.
    #[test]
    fn the_spread_among_equals_differs_by_one_at_most(count in 1_u128..12, batches in prop::collection::vec(0_usize..30, 1..5)) {
        let mut fleet = Fleet::empty((1..=count).map(|number| Arc::new(testbed::node(number))));
        let mut standing = Standing::none(&fleet);
        for batch in batches {
            prop_assert_eq!(place(&mut fleet, &Demand::default(), &mut standing, batch).len(), batch);
            let (least, most) = (standing.tasks.iter().min().unwrap(), standing.tasks.iter().max().unwrap());
            prop_assert!(most - least <= 1, "{:?}", standing.tasks);
        }
    }
}

#[test]
fn own_tasks_rank_before_all_tasks_and_failures_before_both() {
    let mut fleet = Fleet::empty((1..=3).map(|number| Arc::new(testbed::node(number))));
    let mut standing = Standing::none(&fleet);
    fleet.rooms[0].tasks = 9;
    standing.tasks[1] = 1;
    standing.failures[2] = 5;
    let places = place(&mut fleet, &Demand::default(), &mut standing, 4);
    let numbers: Vec<u128> = places.iter().map(|node| node.bits()).collect();
    assert_eq!(numbers, [1, 2, 1, 2], "node 3 has many failures");
    standing.failures[2] = 4;
    assert_eq!(place(&mut fleet, &Demand::default(), &mut standing, 1)[0].bits(), 3, "four failures are not many");
}

#[test]
fn a_task_that_keeps_failing_on_a_node_moves_on() {
    let mut bed = testbed::Testbed::new(2);
    let mut spec = testbed::spec("web", 1);
    (spec.task.restart.delay, spec.task.restart.max_delay) = (Duration::ZERO, Duration::ZERO);
    let web = bed.create(1, spec);
    let mut nodes = Vec::new();
    for _ in 0..7 {
        bed.settle();
        let task = bed.wanted(web).remove(0);
        nodes.push(task.node.unwrap().bits());
        bed.end(task.id, TaskState::Failed);
    }
    assert_eq!(nodes, [1, 1, 1, 1, 1, 2, 2]);
}
