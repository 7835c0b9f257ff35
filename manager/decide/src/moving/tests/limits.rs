//! What no drain may break, whatever the service, the limits and the leaders.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::Dirty;

#[derive(Debug, Clone)]
struct Case {
    nodes: u128,
    drained: u128,
    replicas: u64,
    most: u64,
    max_per_node: u64,
    cpus: u64,
    port: bool,
    start_first: bool,
    parallelism: u64,
    deadline: Option<u64>,
    cuts: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let service = (1_u64..8, 1_u64..4, 0_u64..3, 0_u64..3, prop::bool::weighted(0.2), any::<bool>(), 1_u64..3);
    (2_u128..5, 1_u128..3, service, prop::option::weighted(0.3, 0_u64..200), any::<u64>()).prop_map(
        |(nodes, drained, (replicas, most, max_per_node, cpus, port, start_first, parallelism), deadline, cuts)| Case {
            nodes,
            drained: drained.min(nodes - 1),
            replicas,
            most,
            max_per_node,
            cpus,
            port,
            start_first,
            parallelism,
            deadline,
            cuts,
        },
    )
}

/// A cluster on which all tasks run that find room.
fn settled(case: &Case) -> (Testbed, ServiceId) {
    let mut bed = Testbed::new(case.nodes);
    let mut web = spec("web", case.replicas);
    web.task.placement.max_per_node = case.max_per_node;
    web.task.reservation.nano_cpus = case.cpus * 1_000_000_000;
    web.ports.extend(case.port.then(|| host_port(80)));
    web.update.order = if case.start_first { UpdateOrder::StartFirst } else { UpdateOrder::StopFirst };
    web.update.parallelism = case.parallelism;
    let web = bed.create(1, web);
    bed.settle();
    (bed, web)
}

fn drain_all(bed: &mut Testbed, case: &Case) {
    let deadline = case.deadline.map(|millis| bed.now.plus(Duration::from_millis(millis)));
    (1..=case.drained).for_each(|number| drain_until(bed, number, case.most, deadline));
}

/// Lets passes and agents take turns until nothing moves, checks after each, and lets some passes be cut short by a change of leader.
fn run(bed: &mut Testbed, cuts: u64, mut check: impl FnMut(&Testbed)) {
    for round in 0..10_000_u32 {
        if cuts >> (round % 64) & 1 == 1 && round < 64 {
            bed.cut_pass(usize::try_from(cuts >> (round % 60) & 3).unwrap());
            check(bed);
        }
        let plan = bed.pass();
        check(bed);
        let moved = bed.agents();
        check(bed);
        if moved || !plan.changes.is_empty() {
            bed.advance(Duration::from_millis(10));
        } else if let Some(at) = bed.wake_at {
            bed.now = at;
        } else {
            return;
        }
    }
    panic!("the drain does not settle");
}

/// How many tasks of the service the nodes that are not drained can have.
fn room(case: &Case) -> u64 {
    let limits = [(4_u64).checked_div(case.cpus), Some(case.max_per_node).filter(|most| *most > 0), case.port.then_some(1)];
    let each = limits.into_iter().flatten().min().unwrap_or(u64::MAX);
    each.saturating_mul(u64::try_from(case.nodes - case.drained).unwrap())
}

fn on_drained(bed: &Testbed, case: &Case) -> usize {
    (1..=case.drained).map(|number| progress(bed, number).left).sum()
}

fn most(limit: u64) -> usize {
    usize::try_from(limit).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_drain_loses_no_task_before_its_deadline_and_ends_with_an_empty_node_where_there_is_room(case in case()) {
        let (mut bed, web) = settled(&case);
        let served = serving(&bed, web);
        drain_all(&mut bed, &case);
        let deadline = case.deadline.map(|millis| bed.now.plus(Duration::from_millis(millis)));
        run(&mut bed, case.cuts, |bed| {
            assert!(in_move(bed, web) <= most(case.most), "{} in move", in_move(bed, web));
            assert!(serving(bed, web) >= served || deadline.is_some_and(|at| bed.now >= at), "only {} of {served}", serving(bed, web));
        });
        if room(&case) >= case.replicas {
            prop_assert_eq!(serving(&bed, web), most(case.replicas));
        }
        if room(&case) >= case.replicas || case.deadline.is_some() {
            prop_assert_eq!(on_drained(&bed, &case), 0);
            prop_assert_eq!(bed.wanted(web).len(), most(case.replicas));
        } else {
            prop_assert!(serving(&bed, web) >= served, "tasks that cannot move stay");
        }
    }

    /// Which leaders decided, and where the passes were cut, does not matter in the end.
    #[test]
    fn a_drain_ends_alike_whoever_leads(case in case()) {
        let ends: Vec<BTreeMap<u128, usize>> = [0, case.cuts].into_iter().map(|cuts| {
            let (mut bed, web) = settled(&case);
            drain_all(&mut bed, &Case { deadline: None, ..case.clone() });
            run(&mut bed, cuts, |_| ());
            bed.running(web)
        }).collect();
        let tasks = |end: &BTreeMap<u128, usize>| end.values().sum::<usize>();
        let left = |end: &BTreeMap<u128, usize>| end.iter().filter(|(node, _)| **node <= case.drained).map(|(_, tasks)| tasks).sum::<usize>();
        prop_assert_eq!((tasks(&ends[0]), left(&ends[0])), (tasks(&ends[1]), left(&ends[1])));
    }

    /// E18: an update and a drain at the same time stay within the limits of both.
    #[test]
    fn a_drain_during_an_update_keeps_both_limits(case in case(), before in 0_usize..6) {
        let (mut bed, web) = settled(&case);
        let served = serving(&bed, web);
        image(&mut bed, web, "web:2");
        for _ in 0..before {
            bed.pass();
            bed.agents();
        }
        drain_all(&mut bed, &Case { deadline: None, ..case.clone() });
        let limit = most(case.most.max(case.parallelism));
        let out = if case.start_first && !case.port && case.max_per_node == 0 { 0 } else { most(case.parallelism) };
        run(&mut bed, case.cuts, |bed| {
            assert!(in_move(bed, web) <= limit, "{} in move", in_move(bed, web));
            assert!(serving(bed, web) + out >= served.min(most(case.replicas)), "{} of {served}", serving(bed, web));
        });
        if room(&case) > case.replicas {
            prop_assert!(bed.wanted(web).iter().all(|task| image_of(&bed, task) == "web:2" && task.status.is_serving()));
            prop_assert_eq!((on_drained(&bed, &case), bed.wanted(web).len()), (0, most(case.replicas)));
        }
    }
}

#[test]
fn two_drained_nodes_share_the_limit_of_a_service() {
    let mut bed = Testbed::new(4);
    let web = bed.create(1, spec("web", 8));
    bed.settle();
    drain_until(&mut bed, 1, 2, None);
    drain_until(&mut bed, 2, 2, None);
    bed.pass();
    assert_eq!(in_move(&bed, web), 2);
    bed.dirty = Dirty::all();
    bed.settle_checked(|bed| assert!(in_move(bed, web) <= 2 && serving(bed, web) >= 8));
    assert_eq!(bed.running(web).into_iter().collect::<Vec<_>>(), [(3, 4), (4, 4)]);
}
