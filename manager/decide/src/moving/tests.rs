//! Drains on the simulated cluster. What a rebalance moves obeys the same rule; which tasks those are is tested there.

mod limits;

use std::sync::Arc;
use std::time::Duration;

use cluster_types::*;

use crate::draft::Draft;
use crate::testbed::{Testbed, host_port, node, node_id, spec};
use crate::{Dirty, DrainProgress, drain_progress};

fn drain_until(bed: &mut Testbed, number: u128, most: u64, deadline: Option<Timestamp>) {
    bed.update_node(number, |node| {
        node.availability = Availability::Drain;
        node.drain = DrainSpec { max_unavailable: most, deadline };
    });
}

fn drain(bed: &mut Testbed, number: u128) {
    drain_until(bed, number, 1, None);
}

fn serving(bed: &Testbed, service: ServiceId) -> usize {
    bed.wanted(service).iter().filter(|task| task.status.is_serving()).count()
}

/// Slots with two tasks that live.
fn in_move(bed: &Testbed, service: ServiceId) -> usize {
    let mut slots: Vec<u64> = bed.wanted(service).iter().filter(|task| !task.status.state.is_terminal()).map(|task| task.slot).collect();
    slots.sort_unstable();
    slots.chunk_by(|one, other| one == other).filter(|tasks| tasks.len() > 1).count()
}

fn progress(bed: &Testbed, number: u128) -> DrainProgress {
    drain_progress(&bed.view(), node_id(number))
}

fn image(bed: &mut Testbed, service: ServiceId, image: &str) {
    bed.update(service, |spec| spec.task.container.image = image.to_owned());
}

fn image_of(bed: &Testbed, task: &Task) -> String {
    bed.view().spec_of(task).unwrap().task.container.image.clone()
}

fn state_of(bed: &Testbed, task: TaskId) -> (DesiredState, TaskState) {
    let view = bed.view();
    let task = view.task(task).unwrap();
    (task.desired, task.status.state)
}

/// The tasks of slot 1 that are wanted: the old one, then its replacement.
fn pair(bed: &Testbed, service: ServiceId) -> Vec<Arc<Task>> {
    let mut tasks: Vec<_> = bed.wanted(service).into_iter().filter(|task| task.slot == 1).collect();
    tasks.sort_by_key(|task| (task.meta.created, task.id));
    tasks
}

/// The replacement of slot 1 runs, with that readiness.
fn report(bed: &mut Testbed, task: &Task, ready: bool) {
    let state = if ready { HealthState::Healthy } else { HealthState::Starting };
    let health = Some(TaskHealth { state, ready, output: String::new() });
    let status = TaskStatus { state: TaskState::Running, at: bed.now, health, ..TaskStatus::default() };
    bed.apply(vec![Change::Task(task.id, TaskStep::Report(bed.view().task(task.id).unwrap().node.unwrap(), status))]);
}

#[test]
fn a_drain_moves_one_task_after_another_and_misses_none() {
    let mut bed = Testbed::new(3);
    let web = bed.create(1, spec("web", 9));
    bed.settle();
    drain(&mut bed, 2);
    bed.pass();
    assert_eq!(progress(&bed, 2), DrainProgress { left: 3, moving: 1, cannot_move: Vec::new() });
    bed.settle_checked(|bed| {
        assert!(serving(bed, web) >= 9);
        assert!(in_move(bed, web) <= 1);
    });
    assert_eq!(progress(&bed, 2), DrainProgress::default());
    assert_eq!(bed.running(web).into_iter().collect::<Vec<_>>(), [(1, 5), (3, 4)]);
}

#[test]
fn a_single_replica_with_a_host_port_moves_without_a_gap() {
    let mut bed = Testbed::new(2);
    let mut web = spec("web", 1);
    web.ports.push(host_port(80));
    let web = bed.create(1, web);
    bed.settle();
    drain(&mut bed, 1);
    bed.settle_checked(|bed| assert!(serving(bed, web) >= 1));
    assert_eq!(bed.running(web).into_iter().collect::<Vec<_>>(), [(2, 1)]);
}

#[test]
fn the_old_task_runs_until_its_replacement_takes_traffic() {
    let mut bed = Testbed::new(2);
    let web = bed.create(1, spec("web", 1));
    bed.settle();
    drain(&mut bed, 1);
    bed.pass();
    let [old, new] = pair(&bed, web).try_into().unwrap();
    report(&mut bed, &new, false);
    bed.settle();
    assert_eq!(state_of(&bed, old.id), (DesiredState::Running, TaskState::Running));
    report(&mut bed, &new, true);
    bed.settle();
    assert_eq!(state_of(&bed, old.id), (DesiredState::Shutdown, TaskState::Shutdown));
}

#[test]
fn what_does_not_run_yet_leaves_at_once() {
    let mut bed = Testbed::new(2);
    let web = bed.create(1, spec("web", 4));
    bed.pass();
    bed.agents();
    drain(&mut bed, 1);
    bed.pass();
    assert!(bed.wanted(web).iter().all(|task| task.node == Some(node_id(2))));
    bed.settle();
    assert_eq!(bed.running(web).into_iter().collect::<Vec<_>>(), [(2, 4)]);
}

#[test]
fn a_task_without_room_elsewhere_stays_and_is_named_until_there_is_room() {
    let mut bed = Testbed::new(2);
    let mut web = spec("web", 2);
    web.task.placement.max_per_node = 1;
    let web = bed.create(1, web);
    bed.settle();
    drain(&mut bed, 1);
    bed.settle();
    assert_eq!(serving(&bed, web), 2);
    let reason = "no suitable node: node-1 is drained; node-2 has 1 tasks of the service, the most allowed per node".to_owned();
    let slot = bed.wanted(web).iter().find(|task| task.node == Some(node_id(1))).unwrap().slot;
    assert_eq!(progress(&bed, 1), DrainProgress { left: 1, moving: 0, cannot_move: vec![(format!("web.{slot}"), reason)] });
    bed.apply(vec![Change::Create(Object::Node(Arc::new(node(3))))]);
    bed.settle_checked(|bed| assert!(serving(bed, web) >= 2));
    assert_eq!(bed.running(web).into_keys().collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn at_the_deadline_what_is_left_is_stopped() {
    let mut bed = Testbed::new(2);
    let mut web = spec("web", 2);
    web.task.placement.max_per_node = 1;
    let web = bed.create(1, web);
    bed.settle();
    let deadline = bed.now.plus(Duration::from_secs(30));
    drain_until(&mut bed, 1, 1, Some(deadline));
    bed.settle_checked(|bed| assert!(serving(bed, web) == 2 || bed.now >= deadline));
    assert_eq!(progress(&bed, 1), DrainProgress::default());
    assert_eq!((serving(&bed, web), bed.wanted(web).len()), (1, 2));
}

#[test]
fn a_drain_that_is_called_off_takes_back_what_does_not_run_yet() {
    let mut bed = Testbed::new(2);
    let web = bed.create(1, spec("web", 1));
    bed.settle();
    drain(&mut bed, 1);
    bed.pass();
    let [old, new] = pair(&bed, web).try_into().unwrap();
    bed.update_node(1, |node| node.availability = Availability::Active);
    bed.settle();
    assert_eq!(bed.wanted(web).iter().map(|task| task.id).collect::<Vec<_>>(), [old.id]);
    assert_eq!(state_of(&bed, new.id).0, DesiredState::Shutdown);
}

#[test]
fn a_drain_that_is_called_off_keeps_the_replacement_that_takes_traffic() {
    let mut bed = Testbed::new(2);
    let web = bed.create(1, spec("web", 1));
    bed.settle();
    drain(&mut bed, 1);
    bed.pass();
    let [_, new] = pair(&bed, web).try_into().unwrap();
    report(&mut bed, &new, true);
    bed.update_node(1, |node| node.availability = Availability::Active);
    bed.settle();
    assert_eq!(bed.wanted(web).iter().map(|task| task.id).collect::<Vec<_>>(), [new.id]);
}

#[test]
fn a_replacement_that_fails_is_tried_again_with_growing_delays_and_the_old_task_runs_on() {
    let mut bed = Testbed::new(2);
    let web = bed.create(1, spec("web", 1));
    bed.settle();
    let old = bed.wanted(web)[0].id;
    drain(&mut bed, 1);
    bed.missing.insert("web:1".to_owned());
    let writes = bed.writes;
    for _ in 0..600 {
        bed.pass();
        bed.agents();
        bed.advance(Duration::from_millis(500));
        assert_eq!(state_of(&bed, old), (DesiredState::Running, TaskState::Running));
    }
    assert!(bed.writes - writes < 60, "{} writes in 5 minutes", bed.writes - writes);
    let named = &progress(&bed, 1).cannot_move[0].1;
    assert!(named.starts_with("its replacement failed"), "{named}");
    bed.missing.clear();
    bed.settle();
    assert_eq!(bed.running(web).into_iter().collect::<Vec<_>>(), [(2, 1)]);
}

#[test]
fn a_replacement_on_a_node_that_is_drained_too_gives_way_to_another() {
    let mut bed = Testbed::new(3);
    let web = bed.create(1, spec("web", 1));
    bed.settle();
    drain(&mut bed, 1);
    bed.pass();
    let [_, new] = pair(&bed, web).try_into().unwrap();
    drain(&mut bed, new.node.unwrap().bits());
    bed.settle_checked(|bed| {
        assert!(serving(bed, web) >= 1);
        assert!(pair(bed, web).len() <= 2);
    });
    assert_eq!(bed.running(web).len(), 1);
    assert!(!bed.running(web).contains_key(&new.node.unwrap().bits()));
}

#[test]
fn tasks_of_global_services_and_of_a_lost_node_end_at_once() {
    let mut bed = Testbed::new(3);
    let agent = bed.create(1, ServiceSpec { mode: ServiceMode::Global, ..spec("agent", 0) });
    let web = bed.create(2, spec("web", 6));
    bed.settle();
    drain(&mut bed, 1);
    bed.pass();
    assert!(bed.wanted(agent).iter().all(|task| task.node != Some(node_id(1))));
    bed.set_node(1, NodeState::Down);
    bed.pass();
    assert!(bed.wanted(web).iter().all(|task| task.node != Some(node_id(1))));
    bed.settle();
    assert_eq!(bed.running(web).into_values().collect::<Vec<_>>(), [3, 3]);
}

#[test]
fn a_scale_down_takes_what_is_in_move() {
    let mut bed = Testbed::new(3);
    let web = bed.create(1, spec("web", 3));
    bed.settle();
    drain(&mut bed, 1);
    bed.pass();
    bed.update(web, |spec| spec.mode = ServiceMode::Replicated { replicas: 2 });
    bed.settle();
    assert_eq!(bed.running(web).into_keys().collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn a_scale_down_takes_what_is_to_move_before_it_is_moved() {
    let mut bed = Testbed::new(3);
    let web = bed.create(1, spec("web", 3));
    bed.settle();
    drain(&mut bed, 1);
    bed.update(web, |spec| spec.mode = ServiceMode::Replicated { replicas: 2 });
    bed.settle();
    assert_eq!(bed.running(web).into_keys().collect::<Vec<_>>(), [2, 3]);
    assert_eq!(
        bed.events.iter().filter(|event| event.kind == EventKind::Created && event.object.key().kind() == ObjectKind::Task).count(),
        3
    );
}

#[test]
fn a_paused_update_does_not_go_on_by_a_drain() {
    let mut bed = Testbed::new(3);
    let web = bed.create(1, spec("web", 3));
    bed.settle();
    image(&mut bed, web, "web:2");
    let target = bed.view().service(web).unwrap().spec_version;
    let update = UpdateStatus { state: UpdateState::Paused, target, started: bed.now, ..UpdateStatus::default() };
    bed.apply(vec![Change::Service(web, ServiceStep::Update(update))]);
    drain(&mut bed, 1);
    let (view, dirty) = (bed.view(), Dirty::all());
    let mut draft = Draft::new(&view, bed.now, 7, &dirty);
    super::step(&mut draft);
    let made: Vec<Change> = draft.finish().changes;
    let [Change::Create(Object::Task(task))] = &made[..] else { panic!("{made:?}") };
    assert_eq!(image_of(&bed, task), "web:1");
}

/// The task is of an older spec than its replacement, though of the same template, so no update stops either.
#[test]
fn a_replacement_of_a_newer_spec_is_taken_back_too_when_its_move_has_no_cause_any_more() {
    for constraint in [None, Some("node.hostname!=node-9")] {
        let mut bed = Testbed::new(2);
        let web = bed.create(1, ServiceSpec { ports: vec![host_port(80)], ..spec("web", 2) });
        bed.settle();
        bed.update(web, |spec| {
            spec.labels.insert("note".to_owned(), "new".to_owned());
            spec.task.placement.constraints.extend(constraint.map(|constraint| constraint.parse().unwrap()));
        });
        bed.settle();
        drain(&mut bed, 2);
        bed.settle();
        assert_eq!(bed.wanted(web).len(), 3, "the replacement finds no room");
        bed.update_node(2, |node| node.availability = Availability::Pause);
        bed.settle();
        assert_eq!((bed.wanted(web).len(), serving(&bed, web)), (2, 2));
    }
}
