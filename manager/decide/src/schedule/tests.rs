//! Properties of placing, over fleets and demands of all kinds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cluster_types::*;
use proptest::prelude::*;

use super::affinity::{Affinities, Company};
use super::demand::Demand;
use super::fleet::{Fleet, Room};
use super::place::{place, place_with, ranks};
use super::rank::Rank;
use super::spread::{Branches, Key};
use super::standing::Standing;
use crate::{constraint, testbed};

mod lives;
mod stories;

/// A node that may be small, closed, away or labelled.
fn some_node() -> impl Strategy<Value = Node> {
    let state = prop::sample::select(vec![NodeState::Ready, NodeState::Ready, NodeState::Ready, NodeState::Down, NodeState::Unknown]);
    let availability = prop::sample::select(vec![Availability::Active, Availability::Active, Availability::Active, Availability::Drain]);
    (1_u128..1_000, 0_u64..5, 0_u64..5, state, availability, any::<bool>(), some_pool()).prop_map(
        |(number, cpus, memory, state, availability, label, pool)| {
            let mut node = testbed::node(number);
            node.description.generic = pool;
            node.description.platform.arch = if number % 4 == 0 { "aarch64".into() } else { "x86_64".into() };
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

fn some_pool() -> impl Strategy<Value = GenericPools> {
    let named = prop::collection::btree_set("[a-d]", 0..4).prop_map(GenericPool::Named);
    let pool = prop_oneof![named, (0_u64..4).prop_map(GenericPool::Count)];
    prop::option::of(pool).prop_map(|pool| pool.into_iter().map(|pool| ("gpu".to_owned(), pool)).collect())
}

/// Placement that says much: preferences, affinities, ranking, platforms.
fn some_placement() -> impl Strategy<Value = Placement> {
    let levels = prop::sample::subsequence(vec!["node.labels.zone", "node.platform.arch"], 0..=2);
    let wishes =
        prop::sample::subsequence(vec!["node.labels.zone==a:30", "node.hostname==node-1:70", "node.platform.arch!=arm64:5"], 0..=3);
    (levels, wishes, any::<bool>(), prop::bool::weighted(0.2)).prop_map(|(levels, wishes, binpack, only_amd64)| Placement {
        preferences: levels.into_iter().map(str::to_owned).collect(),
        affinities: wishes.into_iter().map(|wish| wish.parse().unwrap()).collect(),
        ranking: if binpack { Ranking::Binpack } else { Ranking::Spread },
        platforms: only_amd64.then(|| Platform { os: String::new(), arch: "amd64".to_owned() }).into_iter().collect(),
        ..Placement::default()
    })
}

fn some_demand() -> impl Strategy<Value = Demand> {
    let numbers = (0_u64..3, 0_u64..3, 0_u64..3, 0_u64..3);
    (numbers, any::<bool>(), prop::bool::weighted(0.2), some_placement()).prop_map(|(numbers, label, port, placement)| {
        let (nano_cpus, memory, max_per_node, gpus) = numbers;
        let mut spec = testbed::spec("web", 1);
        spec.task.reservation = Reservation { nano_cpus, memory };
        spec.task.placement = Placement { max_per_node, ..placement };
        spec.task.generic = (gpus > 1).then(|| ("gpu".to_owned(), gpus - 1)).into_iter().collect();
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

/// The standing of a service that has nothing yet, with its affinities to nodes.
fn standing(fleet: &mut Fleet, demand: &Demand) -> Standing {
    let nobody = |_: &Fleet, _: &str| Company::On(std::collections::BTreeSet::new());
    Standing { affinities: Affinities::of(fleet, &demand.placement.affinities, nobody), ..Standing::none(fleet) }
}

/// The node for one more task, by the words of the ranking alone: of those that fit, the one with the fewest failures, then with the fewest
/// tasks of the service on all nodes that share its values up to each level, then the best rank.
fn naive_best(fleet: &Fleet, demand: &Demand, standing: &Standing) -> Option<usize> {
    let path = |room: &Room| demand.levels.iter().map(|level| constraint::value(&room.node, level).into_owned()).collect::<Vec<_>>();
    let paths: Vec<_> = fleet.rooms.iter().map(path).collect();
    let tasks_within = |prefix: &[String]| -> u32 {
        let within = paths.iter().zip(&standing.tasks).filter(|(path, _)| path.starts_with(prefix));
        within.map(|(_, tasks)| tasks).sum()
    };
    let counts = |path: &[String]| (1..=path.len()).map(|depth| tasks_within(&path[..depth])).collect::<Vec<_>>();
    let key = |rank: &Rank| (rank.malus, counts(&paths[rank.index as usize]), *rank);
    ranks(fleet, demand, standing).min_by_key(key).map(|rank| rank.index as usize)
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
        let mut standing = standing(&mut fleet, &demand);
        let places = place(&mut fleet, &demand, &mut standing, count);
        for (id, tasks) in counts(&places) {
            let node = nodes.iter().find(|node| node.id == id).unwrap();
            prop_assert!(demand.admits(node));
            prop_assert!(tasks * demand.reservation.nano_cpus <= node.description.capacity.nano_cpus);
            prop_assert!(tasks * demand.reservation.memory <= node.description.capacity.memory);
            prop_assert!(demand.placement.max_per_node == 0 || tasks <= demand.placement.max_per_node);
            prop_assert!(demand.ports.is_empty() || tasks == 1);
            prop_assert!(tasks * demand.generic.values().sum::<u64>() <= 3);
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
        let (mut standing, mut same) = (standing(&mut one, &demand), standing(&mut other, &demand));
        prop_assert_eq!(place(&mut one, &demand, &mut standing, count), place(&mut other, &demand, &mut same, count));
    }

    /// The heaps give what looking at every node again for each task would.
    #[test]
    fn each_task_goes_to_the_node_that_ranks_best(nodes in nodes(), demand in some_demand(), failing in 0_usize..12, count in 0_usize..30) {
        let mut fleet = Fleet::empty(nodes);
        let mut standing = standing(&mut fleet, &demand);
        if let Some(failures) = standing.failures.get_mut(failing) {
            *failures = 7;
        }
        let (mut plain, mut own) = (fleet.clone(), standing.clone());
        let places = place(&mut fleet, &demand, &mut standing, count);
        let mut expected = Vec::new();
        for _ in 0..count {
            let best = naive_best(&plain, &demand, &own);
            let branches = Branches::of(&mut plain, &demand, &own);
            let first = ranks(&plain, &demand, &own).map(|rank| Key::of(rank, &branches)).min().map(|key| key.index());
            prop_assert_eq!(first, best, "what an explanation calls the best");
            let Some(index) = best else { break };
            plain.rooms[index].take(&demand);
            own.tasks[index] += 1;
            expected.push(plain.rooms[index].node.id);
        }
        prop_assert_eq!(places, expected);
    }

    /// No instance is given twice, each task gets as many as it asks for, and named ones are the node's.
    #[test]
    fn instances_are_given_once(nodes in nodes(), demand in some_demand(), count in 0_usize..30) {
        let mut fleet = Fleet::empty(nodes.clone());
        let mut standing = standing(&mut fleet, &demand);
        let mut given = std::collections::BTreeSet::new();
        for spot in place_with(&mut fleet, &demand, &mut standing, count, |_, _| true) {
            let node = nodes.iter().find(|node| node.id == spot.node).unwrap();
            prop_assert_eq!(spot.generic.len(), demand.generic.len());
            for (kind, names) in spot.generic {
                prop_assert_eq!(names.len() as u64, demand.generic[&kind]);
                for name in names {
                    if let GenericPool::Named(has) = &node.description.generic[&kind] {
                        prop_assert!(has.contains(&name));
                    }
                    prop_assert!(given.insert((spot.node, kind.clone(), name)));
                }
            }
        }
    }

    /// While every node has room, the tasks of sibling branches differ by one at most, whatever the size of the branches.
    #[test]
    fn branches_are_balanced_at_each_level(zones in prop::collection::vec((0_u8..4, 0_u8..3), 1..12), count in 0_usize..60) {
        let label = |node: &mut Node, key: &str, value: u8| {
            if value > 0 {
                node.spec.labels.insert(key.to_owned(), format!("v{value}"));
            }
        };
        let nodes = (1..).zip(&zones).map(|(number, (zone, rack))| {
            let mut node = testbed::node(number);
            label(&mut node, "zone", *zone);
            label(&mut node, "rack", *rack);
            Arc::new(node)
        });
        let mut fleet = Fleet::empty(nodes);
        let mut spec = testbed::spec("web", 1);
        spec.task.placement.preferences = ["node.labels.zone", "node.labels.rack"].map(str::to_owned).to_vec();
        let demand = Demand::of(&spec);
        let mut standing = Standing::none(&fleet);
        prop_assert_eq!(place(&mut fleet, &demand, &mut standing, count).len(), count);
        let mut siblings: BTreeMap<u8, BTreeMap<u8, u32>> = BTreeMap::new();
        let mut by_branch: BTreeMap<(u8, u8), Vec<u32>> = BTreeMap::new();
        for ((zone, rack), tasks) in zones.iter().zip(&standing.tasks) {
            *siblings.entry(*zone).or_default().entry(*rack).or_default() += tasks;
            by_branch.entry((*zone, *rack)).or_default().push(*tasks);
        }
        let even = |counts: Vec<u32>| counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1;
        prop_assert!(even(siblings.values().map(|racks| racks.values().sum()).collect()), "{:?}", siblings);
        prop_assert!(siblings.values().all(|racks| even(racks.values().copied().collect())), "{:?}", siblings);
        prop_assert!(by_branch.into_values().all(even));
    }

    /// Nodes that are alike get as many tasks of a service as each other, give or take one, in one go or in several.
    #[test]
    fn the_spread_among_equals_differs_by_one_at_most(
        count in 1_u128..12, batches in prop::collection::vec(0_usize..30, 1..5), nano_cpus in 0_u64..1_000,
    ) {
        let mut fleet = Fleet::empty((1..=count).map(|number| Arc::new(testbed::node(number))));
        let mut standing = Standing::none(&fleet);
        for batch in batches {
            let demand = Demand { reservation: Reservation { nano_cpus, memory: 0 }, ..Demand::default() };
            prop_assert_eq!(place(&mut fleet, &demand, &mut standing, batch).len(), batch);
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
