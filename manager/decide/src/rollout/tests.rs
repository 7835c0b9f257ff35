//! Updates on the simulated cluster: order, parallelism, delay, and what needs a restart.

mod canary;
mod deadline;
mod failures;
mod leaders;
mod nodes;
mod steering;

use std::sync::Arc;
use std::time::Duration;

use cluster_types::*;
use proptest::prelude::*;

use crate::Dirty;
use crate::testbed::{Testbed, host_port, spec};

fn image(bed: &mut Testbed, service: ServiceId, image: &str) {
    bed.update(service, |spec| spec.task.container.image = image.to_owned());
}

fn status(bed: &Testbed, service: ServiceId) -> UpdateStatus {
    bed.view().service(service).unwrap().update.clone().unwrap()
}

/// Takes turns without jumping in time, until something is so. At most 20 minutes.
fn live_until(bed: &mut Testbed, what: impl Fn(&Testbed) -> bool) {
    for _ in 0..12_000 {
        if what(bed) {
            return;
        }
        bed.pass();
        bed.agents();
        bed.advance(Duration::from_millis(100));
    }
    panic!("it does not come to that");
}

fn state(bed: &Testbed, service: ServiceId) -> Option<UpdateState> {
    bed.view().service(service).unwrap().update.as_ref().map(|update| update.state)
}

/// A service that runs web:1 on settled nodes.
fn settled(nodes: u128, replicas: u64, change: impl FnOnce(&mut ServiceSpec)) -> (Testbed, ServiceId) {
    let mut bed = Testbed::new(nodes);
    let mut spec = spec("web", replicas);
    change(&mut spec);
    let web = bed.create(1, spec);
    bed.settle();
    (bed, web)
}

/// The tasks of an image that run.
fn running(bed: &Testbed, service: ServiceId, image: &str) -> Vec<Arc<Task>> {
    let runs = |task: &Arc<Task>| task.status.state == TaskState::Running && image_of(bed, task) == image;
    bed.wanted(service).into_iter().filter(runs).collect()
}

/// A user speaks.
fn steer(bed: &mut Testbed, service: ServiceId, steer: Steer) {
    let target = bed.view().service(service).unwrap().spec_version;
    bed.apply(vec![Change::Service(service, ServiceStep::Steer(target, steer))]);
}

fn image_of(bed: &Testbed, task: &Task) -> String {
    bed.view().spec_of(task).unwrap().task.container.image.clone()
}

/// Slots that an update has taken on and that do not run its spec yet.
fn in_flight(bed: &Testbed, service: ServiceId, target: &str) -> usize {
    let view = bed.view();
    let replaces = |task: &Task| view.tasks_of_slot(service, task.slot).any(|other| image_of(bed, other) != target);
    let new = |task: &Task| image_of(bed, task) == target && task.status.state != TaskState::Running;
    bed.wanted(service).iter().filter(|task| new(task) && replaces(task)).count()
}

fn all_run(bed: &Testbed, service: ServiceId, target: &str, replicas: usize) -> bool {
    let wanted = bed.wanted(service);
    wanted.len() == replicas && wanted.iter().all(|task| image_of(bed, task) == target && task.status.state == TaskState::Running)
}

#[test]
fn an_update_replaces_one_slot_after_another_and_says_when_it_is_done() {
    let mut bed = Testbed::new(3);
    let web = bed.create(1, spec("web", 3));
    bed.settle();
    image(&mut bed, web, "web:2");
    bed.settle_checked(|bed| assert!(in_flight(bed, web, "web:2") <= 1));
    assert!(all_run(&bed, web, "web:2", 3));
    let status = status(&bed, web);
    assert_eq!(status.state, UpdateState::Completed);
    assert!(status.completed.is_some());
}

#[test]
fn stop_first_waits_for_the_old_task_to_end() {
    let mut bed = Testbed::new(2);
    let web = bed.create(1, spec("web", 2));
    bed.settle();
    image(&mut bed, web, "web:2");
    bed.settle_checked(|bed| {
        for task in bed.wanted(web) {
            let others = bed.view().tasks_of_slot(web, task.slot).filter(|other| other.id != task.id && other.holds_resources()).count();
            assert!(others == 0 || task.desired == DesiredState::Ready || task.status.state == TaskState::Running);
        }
        assert!(bed.wanted(web).len() <= 2);
    });
}

#[test]
fn start_first_keeps_every_replica_until_its_successor_runs() {
    let mut bed = Testbed::new(2);
    let mut spec = spec("web", 3);
    spec.update.order = UpdateOrder::StartFirst;
    let web = bed.create(1, spec);
    bed.settle();
    image(&mut bed, web, "web:2");
    bed.settle_checked(|bed| {
        assert!(bed.running(web).values().sum::<usize>() >= 3);
        assert!(bed.wanted(web).len() <= 4);
    });
    assert!(all_run(&bed, web, "web:2", 3));
}

#[test]
fn a_start_first_update_that_overtakes_another_leaves_two_tasks_in_a_slot_at_most() {
    let mut bed = Testbed::new(2);
    let mut spec = spec("web", 1);
    spec.update.order = UpdateOrder::StartFirst;
    let web = bed.create(1, spec);
    bed.settle();
    for next in ["web:2", "web:3", "web:4"] {
        image(&mut bed, web, next);
        bed.pass();
        let states: Vec<TaskState> = bed.wanted(web).iter().map(|task| task.status.state).collect();
        assert_eq!((states.len(), states.contains(&TaskState::Running)), (2, true), "{states:?}");
    }
    bed.settle();
    assert!(all_run(&bed, web, "web:4", 1));
}

#[test]
fn start_first_gives_way_where_a_host_port_can_be_had_once() {
    let mut bed = Testbed::new(1);
    let mut spec = spec("web", 1);
    spec.update.order = UpdateOrder::StartFirst;
    spec.ports.push(host_port(80));
    let web = bed.create(1, spec);
    bed.settle();
    image(&mut bed, web, "web:2");
    bed.settle();
    assert!(all_run(&bed, web, "web:2", 1));
}

#[test]
fn start_first_gives_way_where_every_node_is_full() {
    let mut bed = Testbed::new(2);
    let mut spec = spec("web", 2);
    spec.update.order = UpdateOrder::StartFirst;
    spec.task.placement.max_per_node = 1;
    let web = bed.create(1, spec);
    bed.settle();
    image(&mut bed, web, "web:2");
    bed.settle();
    assert!(all_run(&bed, web, "web:2", 2));
}

#[test]
fn the_delay_lies_between_batches() {
    let mut bed = Testbed::new(2);
    let mut spec = spec("web", 4);
    spec.update = UpdateConfig { parallelism: 2, delay: Duration::from_secs(30), order: UpdateOrder::StopFirst, ..UpdateConfig::default() };
    let web = bed.create(1, spec);
    bed.settle();
    image(&mut bed, web, "web:2");
    let began = bed.now;
    bed.settle_checked(|bed| assert!(in_flight(bed, web, "web:2") <= 2));
    assert!(all_run(&bed, web, "web:2", 4));
    let took = bed.now.since(began);
    assert!(took >= Duration::from_secs(30) && took < Duration::from_secs(40), "{took:?}");
}

#[test]
fn a_change_that_needs_no_restart_restarts_nothing() {
    let mut bed = Testbed::new(2);
    let web = bed.create(1, spec("web", 2));
    bed.settle();
    let before: Vec<_> = bed.wanted(web).iter().map(|task| task.id).collect();
    bed.update(web, |spec| {
        spec.task.placement.constraints.push("node.role==worker".parse().unwrap());
        spec.update.parallelism = 7;
        spec.task.restart.delay = Duration::ZERO;
    });
    bed.settle();
    assert_eq!(bed.wanted(web).iter().map(|task| task.id).collect::<Vec<_>>(), before);
    assert!(bed.view().service(web).unwrap().update.is_none());
}

#[test]
fn a_new_constraint_moves_only_the_tasks_that_break_it() {
    let mut bed = Testbed::new(3);
    let web = bed.create(1, spec("web", 3));
    bed.settle();
    bed.update(web, |spec| spec.task.placement.constraints.push("node.hostname!=node-2".parse().unwrap()));
    bed.settle();
    assert_eq!(bed.running(web).into_keys().collect::<Vec<_>>(), [1, 3]);
    assert_eq!(bed.view().tasks_of_service(web).filter(|task| !task.is_wanted()).count(), 1);
    assert_eq!(status(&bed, web).state, UpdateState::Completed);
}

#[test]
fn a_slot_without_room_does_not_hold_up_the_others() {
    let mut bed = Testbed::new(2);
    let mut spec = spec("web", 3);
    spec.task.placement.max_per_node = 1;
    let web = bed.create(1, spec);
    bed.settle();
    image(&mut bed, web, "web:2");
    bed.settle();
    assert_eq!(bed.running(web).len(), 2);
    assert!(bed.wanted(web).iter().all(|task| image_of(&bed, task) == "web:2"));
    assert_eq!(status(&bed, web).state, UpdateState::Completed);
}

#[test]
fn a_global_service_is_updated_node_by_node() {
    let mut bed = Testbed::new(3);
    let agent = bed.create(1, ServiceSpec { mode: ServiceMode::Global, ..spec("agent", 0) });
    bed.settle();
    image(&mut bed, agent, "web:2");
    bed.settle_checked(|bed| {
        let new = bed.wanted(agent).into_iter().filter(|task| image_of(bed, task) == "web:2" && task.status.state != TaskState::Running);
        assert!(new.count() <= 1);
    });
    assert!(all_run(&bed, agent, "web:2", 3));
    assert_eq!(bed.running(agent).len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the order, sizes and changes of leader: never more than `parallelism` in flight, never more tasks than the surge allows,
    /// and an end at which all run the new spec.
    #[test]
    fn updates_stay_within_their_parallelism_and_end(
        nodes in 1_u128..5, replicas in 1_usize..9, parallelism in 0_usize..4, delay in 0_u64..3, start_first: bool, elections in any::<u16>(),
    ) {
        let mut bed = Testbed::new(nodes);
        let mut spec = spec("web", replicas as u64);
        let order = if start_first { UpdateOrder::StartFirst } else { UpdateOrder::StopFirst };
        spec.update = UpdateConfig { parallelism: parallelism as u64, delay: Duration::from_secs(delay), order, ..UpdateConfig::default() };
        let web = bed.create(1, spec);
        bed.settle();
        image(&mut bed, web, "web:2");
        let most = if parallelism == 0 { replicas } else { parallelism.min(replicas) };
        let most_tasks = replicas + if start_first { most } else { 0 };
        let mut passes = 0;
        bed.settle_checked(|bed| {
            passes += 1;
            assert!(in_flight(bed, web, "web:2") <= most, "after pass {passes}");
            assert!(bed.wanted(web).len() <= most_tasks, "after pass {passes}");
            if start_first {
                assert!(bed.running(web).values().sum::<usize>() >= replicas, "after pass {passes}");
            }
        });
        prop_assert!(all_run(&bed, web, "web:2", replicas));

        // The same with a new leader after some of the passes: it knows nothing but the view.
        image(&mut bed, web, "web:3");
        for round in 0..2_000_u32 {
            if elections >> (round % 16) & 1 == 1 {
                bed.dirty = Dirty::all();
            }
            let plan = bed.pass();
            prop_assert!(in_flight(&bed, web, "web:3") <= most);
            if !bed.agents() && plan.changes.is_empty() {
                let Some(at) = bed.wake_at else { break };
                bed.now = at;
            }
        }
        prop_assert!(all_run(&bed, web, "web:3", replicas));
        prop_assert_eq!(status(&bed, web).state, UpdateState::Completed);
    }
}
