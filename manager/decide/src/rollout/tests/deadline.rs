//! The progress deadline: nothing waits for ever.

use super::*;

/// More than any node has.
fn grow(bed: &mut Testbed, web: ServiceId) {
    bed.update(web, |spec| spec.task.reservation.nano_cpus = 64_000_000_000);
}

#[test]
fn an_update_that_finds_no_room_pauses_and_says_which_task_waits_and_why() {
    let (mut bed, web) = settled(1, 3, |_| ());
    grow(&mut bed, web);
    let began = bed.now;
    bed.settle();
    let status = status(&bed, web);
    assert_eq!(status.state, UpdateState::Paused);
    let expected = "update paused: no progress for 600 s: web.1 is pending: no suitable node: node-1 needs 64 CPUs";
    assert!(status.message.starts_with(expected), "{}", status.message);
    assert_eq!(running(&bed, web, "web:1").len(), 2, "the other old tasks serve");
    assert!(bed.now.since(began) < Duration::from_secs(660));
}

#[test]
fn past_the_deadline_the_service_goes_back_when_that_is_the_action() {
    let (mut bed, web) = settled(1, 3, |spec| {
        (spec.update.failure_action, spec.update.progress_deadline) = (FailureAction::Rollback, Duration::from_secs(30));
    });
    grow(&mut bed, web);
    bed.settle();
    assert!(all_run(&bed, web, "web:1", 3));
    assert_eq!(state(&bed, web), Some(UpdateState::RollbackCompleted));
}

#[test]
fn past_the_deadline_the_update_goes_on_when_that_is_the_action() {
    for order in [UpdateOrder::StopFirst, UpdateOrder::StartFirst] {
        let (mut bed, web) = settled(1, 3, |spec| {
            (spec.update.failure_action, spec.update.order) = (FailureAction::Continue, order);
        });
        grow(&mut bed, web);
        bed.settle();
        let status = status(&bed, web);
        assert_eq!((status.state, status.failed), (UpdateState::Completed, 3), "{}", status.message);
        assert_eq!(status.message, "update completed, but 3 of 3 places do not run it, such as web.1");
    }
}

#[test]
fn each_place_that_comes_to_run_gives_the_next_one_the_whole_time() {
    let (mut bed, web) = settled(2, 4, |spec| {
        (spec.update.progress_deadline, spec.update.monitor) = (Duration::from_secs(20), Duration::ZERO);
        spec.update.delay = Duration::from_secs(50);
    });
    image(&mut bed, web, "web:2");
    bed.settle();
    assert_eq!((state(&bed, web), status(&bed, web).failed), (Some(UpdateState::Completed), 0));
    assert!(all_run(&bed, web, "web:2", 4));
}

/// A container that starts, is not ready and never will be.
#[test]
fn a_task_that_never_gets_ready_is_waited_for_until_the_deadline() {
    let (mut bed, web) = settled(2, 2, |spec| spec.update.order = UpdateOrder::StartFirst);
    image(&mut bed, web, "web:2");
    live_until(&mut bed, |bed| bed.wanted(web).iter().any(|task| task.status.state == TaskState::Ready));
    let task = bed.wanted(web).into_iter().find(|task| task.status.state == TaskState::Ready).unwrap();
    let health = Some(TaskHealth { output: "connection refused".to_owned(), ..TaskHealth::default() });
    let status = TaskStatus { state: TaskState::Running, at: bed.now, health, ..TaskStatus::default() };
    bed.apply(vec![Change::Task(task.id, TaskStep::Report(task.node.unwrap(), status))]);
    bed.settle_checked(|bed| assert_eq!(running(bed, web, "web:1").len(), 2));
    let message = super::status(&bed, web).message;
    let node = task.node.unwrap().bits();
    assert_eq!(message, format!("update paused: no progress for 600 s: web.1 is not ready on node-{node}: connection refused"));
}

/// The time that an old task takes to stop is no lack of progress.
#[test]
fn a_task_that_may_take_long_to_stop_does_not_run_into_the_deadline() {
    let (mut bed, web) = settled(2, 2, |spec| {
        (spec.update.progress_deadline, spec.task.container.stop_grace) = (Duration::from_secs(20), Duration::from_secs(300));
    });
    image(&mut bed, web, "web:2");
    bed.pass();
    let (old, began) = (bed.view().tasks_of_service(web).find(|task| !task.is_wanted()).cloned().unwrap(), bed.now);
    let new = bed.wanted(web).into_iter().find(|task| task.slot == old.slot).unwrap();
    bed.end(new.id, TaskState::Ready);
    for _ in 0..25 {
        bed.pass();
        bed.advance(Duration::from_secs(10));
        assert_eq!(state(&bed, web), Some(UpdateState::Updating), "{}", status(&bed, web).message);
    }
    bed.end(old.id, TaskState::Shutdown);
    bed.settle();
    assert!(all_run(&bed, web, "web:2", 2) && bed.now.since(began) > Duration::from_secs(250));
}

#[test]
fn a_resumed_update_has_the_whole_time_again() {
    let (mut bed, web) = settled(1, 2, |_| ());
    grow(&mut bed, web);
    bed.settle();
    assert_eq!(state(&bed, web), Some(UpdateState::Paused));
    let mut big = bed.view().node(crate::testbed::node_id(1)).unwrap().description.clone();
    big.capacity.nano_cpus = 640_000_000_000;
    steer(&mut bed, web, Steer::Resume);
    bed.pass();
    assert_eq!(state(&bed, web), Some(UpdateState::Updating));
    bed.apply(vec![Change::Node(crate::testbed::node_id(1), NodeStep::Describe(big))]);
    bed.settle();
    assert_eq!(state(&bed, web), Some(UpdateState::Completed));
    assert_eq!(running(&bed, web, "web:1").len(), 2);
}
