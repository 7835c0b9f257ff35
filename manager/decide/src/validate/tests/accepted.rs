//! What validation accepts, no later decider chokes on: specs at the edges of what is allowed, through whole passes, failures and updates.

use std::collections::BTreeSet;
use std::time::Duration;

use cluster_types::*;
use proptest::prelude::*;

use crate::testbed::{Testbed, host_port, ingress_port, node_id, spec};
use crate::{assignment, reap, validate};

/// Durations from nothing to the longest that is allowed, and just beyond.
fn any_duration() -> impl Strategy<Value = Duration> {
    let longest = limits::DURATION_MAX;
    prop_oneof![
        Just(Duration::ZERO),
        (0..20_000_u64).prop_map(Duration::from_millis),
        Just(longest - Duration::from_nanos(1)),
        Just(longest),
        Just(longest + Duration::from_nanos(1)),
    ]
}

/// Amounts around the two ends of a range.
fn around(least: u64, most: u64) -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(least - 1), Just(least), (least..=least * 1_000), Just(most), Just(most + 1)]
}

fn any_restart() -> impl Strategy<Value = RestartPolicy> {
    let condition = proptest::sample::select(vec![RestartCondition::Any, RestartCondition::OnFailure, RestartCondition::None]);
    let attempts = prop_oneof![0..4_u64, Just(limits::RESTART_ATTEMPTS)];
    (condition, any_duration(), any_duration(), attempts, any_duration())
        .prop_map(|(condition, delay, max_delay, max_attempts, window)| RestartPolicy { condition, delay, max_delay, max_attempts, window })
}

fn any_update() -> impl Strategy<Value = UpdateConfig> {
    let parallelism = prop_oneof![0..4_u64, Just(u64::MAX)];
    let order = proptest::sample::select(vec![UpdateOrder::StopFirst, UpdateOrder::StartFirst]);
    (parallelism, any_duration(), order).prop_map(|(parallelism, delay, order)| UpdateConfig {
        parallelism,
        delay,
        order,
        ..UpdateConfig::default()
    })
}

fn any_task() -> impl Strategy<Value = TaskSpec> {
    let cpus = || around(limits::NANO_CPUS_MIN, limits::NANO_CPUS_MAX);
    let memory = || around(limits::MEMORY_BYTES_MIN, limits::MEMORY_BYTES_MAX);
    let per_node = prop_oneof![0..3_u64, Just(u64::MAX)];
    let constraint = proptest::option::of(proptest::sample::select(vec!["node.hostname!=node-1", "node.labels.a==b", "node.id==x"]));
    let image = proptest::sample::select(vec!["web:1", "broken:1", "Not An Image"]);
    (image, cpus(), memory(), memory(), any_restart(), per_node, constraint, any::<u64>()).prop_map(
        |(image, nano_cpus, memory, limit, restart, max_per_node, constraint, force_update)| TaskSpec {
            container: ContainerSpec { image: image.to_owned(), ..ContainerSpec::default() },
            reservation: Reservation { nano_cpus, memory },
            limits: Limits { memory: limit, ..Limits::default() },
            restart,
            placement: Placement {
                constraints: constraint.iter().map(|text| text.parse().unwrap()).collect(),
                max_per_node,
                ..Placement::default()
            },
            force_update,
            ..TaskSpec::default()
        },
    )
}

fn any_spec() -> impl Strategy<Value = ServiceSpec> {
    let job = |(max_concurrent, total)| ServiceMode::ReplicatedJob { max_concurrent, total };
    let mode = prop_oneof![
        2 => (0..6_u64).prop_map(|replicas| ServiceMode::Replicated { replicas }),
        2 => Just(ServiceMode::Global),
        1 => (prop_oneof![0..3_u64, Just(limits::REPLICAS)], 0..6_u64).prop_map(job),
        1 => Just(ServiceMode::GlobalJob),
    ];
    let cron = prop::sample::select(vec!["* * * * * *", "*/5 * * * *", "0 0 29 2 *"]);
    let schedule = (cron, any::<bool>()).prop_map(|(cron, replaces)| Schedule {
        cron: cron.to_owned(),
        time_zone: "America/Havana".to_owned(),
        overlap: if replaces { Overlap::Replace } else { Overlap::Forbid },
    });
    let schedule = proptest::option::weighted(0.2, schedule);
    let loss = prop_oneof![Just(NodeLoss::Keep), any_duration().prop_map(|after| NodeLoss::Replace { after })];
    let ports = proptest::collection::vec((proptest::sample::select(vec![0_u16, 80, u16::MAX]), any::<bool>()), 0..3);
    (any_task(), mode, any_update(), ports, schedule, loss).prop_map(|(mut task, mode, update, ports, schedule, loss)| {
        task.on_node_lost = loss;
        let ports = ports.into_iter().map(|(port, host)| if host { host_port(port) } else { ingress_port(port) }).collect();
        ServiceSpec { task, mode, update, ports, schedule, ..spec("web", 0) }
    })
}

/// Some turns of passes and agents, with jumps to the next timer where nothing moves.
fn turn(bed: &mut Testbed) {
    for _ in 0..12 {
        let plan = bed.pass();
        assert_eq!(bed.state.check(), Vec::<String>::new());
        let moved = bed.agents();
        if !moved && plan.changes.is_empty() {
            bed.now = bed.wake_at.unwrap_or(bed.now).max(bed.now);
        }
        bed.advance(Duration::from_millis(10));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 100_000, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn no_decider_chokes_on_an_accepted_spec(first in any_spec(), second in any_spec()) {
        prop_assume!(validate::service(&first).is_empty());
        let mut bed = Testbed::new(3);
        bed.broken.insert("broken:1".to_owned());
        let web = bed.create(1, first.clone());
        turn(&mut bed);
        if validate::update(&first, &second).is_empty() {
            bed.update(web, |spec| *spec = second.clone());
            turn(&mut bed);
        }
        bed.set_node(2, NodeState::Down);
        turn(&mut bed);
        bed.remove(ObjectKey::Node(node_id(3)));
        turn(&mut bed);
        let view = bed.view();
        let sent: usize = view.nodes().map(|node| assignment::wanted(&view, node.id, &BTreeSet::new()).len()).sum();
        prop_assert!(sent <= view.task_count());
        bed.remove(ObjectKey::Service(web));
        turn(&mut bed);
        let is_unheard = |task: &std::sync::Arc<Task>| task.node == Some(node_id(2)) && task.desired == DesiredState::Remove;
        prop_assert!(bed.view().tasks().all(is_unheard), "only what may run on the node that is down: {:?}", bed.view().tasks().collect::<Vec<_>>());
        bed.set_node(2, NodeState::Ready);
        turn(&mut bed);
        prop_assert_eq!(bed.view().task_count(), 0, "a removed service leaves tasks: {:?}", bed.view().tasks().collect::<Vec<_>>());
        prop_assert!(reap::reap(&bed.view()).is_empty());
    }
}
