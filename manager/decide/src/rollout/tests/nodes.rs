//! What becomes of an update when nodes close, go and come back, or change their labels.

use super::*;
use crate::testbed::node_id;

#[test]
fn a_node_that_takes_no_tasks_is_updated_when_it_does_again() {
    let mut bed = Testbed::new(2);
    let agent = bed.create(1, ServiceSpec { mode: ServiceMode::Global, ..spec("agent", 0) });
    bed.settle();
    bed.update_node(1, |node| node.availability = Availability::Pause);
    image(&mut bed, agent, "web:2");
    bed.settle();
    assert_eq!(bed.running(agent).len(), 2, "the paused node keeps its task");
    assert_eq!(status(&bed, agent).state, UpdateState::Completed);
    bed.update_node(1, |node| node.availability = Availability::Active);
    bed.settle();
    assert!(all_run(&bed, agent, "web:2", 2));
}

#[test]
fn a_stopping_task_on_a_node_that_is_lost_does_not_hold_the_update() {
    let mut bed = Testbed::new(2);
    let web = bed.create(1, spec("web", 2));
    bed.settle();
    image(&mut bed, web, "web:2");
    bed.pass();
    let stopping = bed.view().tasks_of_service(web).find(|task| !task.is_wanted()).cloned().unwrap();
    bed.set_node(stopping.node.unwrap().bits(), NodeState::Down);
    bed.settle();
    assert!(all_run(&bed, web, "web:2", 2));
}

/// A global service of which an update was overtaken when node 1 had its task stopped, and no task of the new spec yet; then that node closed.
fn overtaken(change: impl FnOnce(&mut ServiceSpec), close: impl FnOnce(&mut Testbed)) -> (Testbed, ServiceId) {
    let mut bed = Testbed::new(4);
    let mut spec = ServiceSpec { mode: ServiceMode::Global, ..spec("agent", 0) };
    change(&mut spec);
    let agent = bed.create(1, spec);
    bed.settle();
    image(&mut bed, agent, "web:2");
    bed.pass();
    let taken: Vec<_> = bed.wanted(agent).into_iter().filter(|task| image_of(&bed, task) == "web:2").filter_map(|task| task.node).collect();
    assert_eq!(taken, [node_id(1)]);
    close(&mut bed);
    image(&mut bed, agent, "web:3");
    (bed, agent)
}

#[test]
fn a_place_that_an_overtaken_update_stopped_keeps_its_seat_while_its_node_is_away() {
    let (mut bed, agent) = overtaken(|_| (), |bed| bed.set_node(1, NodeState::Disconnected));
    let until = bed.now.plus(Duration::from_secs(60));
    live_until(&mut bed, |bed| {
        assert_eq!(running(bed, agent, "web:1").len(), 3, "one place at a time");
        bed.now > until
    });
    bed.set_node(1, NodeState::Ready);
    bed.settle();
    assert!(all_run(&bed, agent, "web:3", 4));
    assert_eq!(state(&bed, agent), Some(UpdateState::Completed));
}

#[test]
fn a_place_that_an_overtaken_update_stopped_is_given_up_at_the_deadline() {
    // The new task finds no room before the old one has ended, and none on a paused node.
    let (mut bed, agent) = overtaken(
        |spec| {
            spec.update.failure_action = FailureAction::Continue;
            spec.task.reservation.nano_cpus = 4_000_000_000;
        },
        |bed| bed.update_node(1, |node| node.availability = Availability::Pause),
    );
    bed.settle();
    assert_eq!(running(&bed, agent, "web:3").len(), 3);
    let message = status(&bed, agent).message;
    assert!(message.starts_with("update completed, but 1 of 4 places do not run it, such as agent."), "{message}");
    bed.update_node(1, |node| node.availability = Availability::Active);
    bed.settle();
    assert!(all_run(&bed, agent, "web:3", 4));
}

#[test]
fn a_new_task_beside_the_old_one_on_a_node_that_closed_is_taken_back_by_the_next_update() {
    let mut bed = Testbed::new(2);
    let mut spec = ServiceSpec { mode: ServiceMode::Global, ..spec("agent", 0) };
    spec.update.order = UpdateOrder::StartFirst;
    let agent = bed.create(1, spec);
    bed.settle();
    image(&mut bed, agent, "web:2");
    bed.pass();
    assert_eq!(bed.wanted(agent).len(), 3);
    bed.update_node(1, |node| node.availability = Availability::Pause);
    image(&mut bed, agent, "web:3");
    bed.pass();
    bed.settle();
    assert_eq!((running(&bed, agent, "web:1").len(), running(&bed, agent, "web:3").len()), (1, 1));
    assert_eq!((bed.wanted(agent).len(), state(&bed, agent)), (2, Some(UpdateState::Completed)));
    bed.update_node(1, |node| node.availability = Availability::Active);
    bed.settle();
    assert!(all_run(&bed, agent, "web:3", 2));
}

#[test]
fn a_place_that_never_ran_anything_on_a_closed_node_is_not_waited_for() {
    let mut bed = Testbed::new(3);
    let agent = bed.create(1, ServiceSpec { mode: ServiceMode::Global, ..spec("agent", 0) });
    bed.pass();
    bed.set_node(1, NodeState::Disconnected);
    bed.settle();
    image(&mut bed, agent, "web:2");
    let began = bed.now;
    bed.settle();
    assert_eq!((running(&bed, agent, "web:2").len(), state(&bed, agent)), (2, Some(UpdateState::Completed)));
    assert!(bed.now.since(began) < Duration::from_secs(60));
}

#[test]
fn a_rollback_waits_for_the_place_that_the_update_had_in_flight_though_there_is_no_room() {
    let (mut bed, web) = settled(3, 3, |spec| spec.task.reservation.nano_cpus = 4_000_000_000);
    image(&mut bed, web, "web:2");
    let last = |bed: &Testbed| bed.wanted(web).into_iter().rfind(|task| task.slot == 3).unwrap();
    live_until(&mut bed, |bed| image_of(bed, &last(bed)) == "web:2");
    let node = bed.view().tasks_of_slot(web, 3).find_map(|task| task.node).unwrap().bits();
    bed.update_node(node, |node| node.availability = Availability::Pause);
    live_until(&mut bed, |bed| last(bed).desired == DesiredState::Running);
    let view = bed.view();
    let service = view.service(web).unwrap();
    let (from, to) = (service.spec_version, service.history[0].spec_version);
    bed.apply(vec![Change::Service(web, ServiceStep::RollBack { from, to, author: Author::default() })]);
    let until = bed.now.plus(Duration::from_secs(60));
    live_until(&mut bed, |bed| {
        assert_eq!(bed.running(web).len(), 2, "one place at a time");
        bed.now > until
    });
    bed.update_node(node, |node| node.availability = Availability::Active);
    bed.settle();
    assert!(all_run(&bed, web, "web:1", 3));
}

/// Tasks of the spec before stay where a constraint that came later holds, and only as long as it does.
#[test]
fn a_node_that_no_longer_meets_a_constraint_that_came_later_loses_its_tasks() {
    let (mut bed, web) = settled(3, 3, |_| ());
    bed.update(web, |spec| spec.task.placement.constraints.push("node.labels.zone!=b".parse().unwrap()));
    bed.settle();
    assert_eq!(bed.running(web).len(), 3);
    bed.update_node(2, |node| drop(node.labels.insert("zone".to_owned(), "b".to_owned())));
    bed.settle();
    assert_eq!(bed.running(web).into_keys().collect::<Vec<_>>(), [1, 3]);
    assert_eq!(state(&bed, web), Some(UpdateState::Completed));
}

#[test]
fn canaries_are_at_their_end_when_the_other_nodes_meet_the_constraint_after_all() {
    let (mut bed, web) = settled(4, 4, |spec| spec.update.canary = 1);
    let zone = |bed: &mut Testbed, number, zone: &str| {
        bed.update_node(number, |node| drop(node.labels.insert("zone".to_owned(), zone.to_owned())));
    };
    zone(&mut bed, 1, "a");
    bed.update(web, |spec| spec.task.placement.constraints.push("node.labels.zone==a".parse().unwrap()));
    bed.settle();
    assert_eq!(state(&bed, web), Some(UpdateState::Canary));
    (2..=4).for_each(|number| zone(&mut bed, number, "a"));
    bed.settle();
    assert_eq!(state(&bed, web), Some(UpdateState::Completed));
}
