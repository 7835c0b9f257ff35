//! What counts as a failure, how many are borne, and what follows.

use super::*;

/// A task ends by itself, with words.
fn end_saying(bed: &mut Testbed, task: &Task, state: TaskState, output: &str) {
    let exit_code = Some(i32::from(state == TaskState::Failed));
    let container = Some(ContainerStatus { exit_code, ..ContainerStatus::default() });
    let status = TaskStatus { state, at: bed.now, container, output: Some(output.to_owned()), ..TaskStatus::default() };
    bed.apply(vec![Change::Task(task.id, TaskStep::Report(task.node.unwrap(), status))]);
}

/// The first new task, once it runs.
fn first_new(bed: &mut Testbed, web: ServiceId) -> Arc<Task> {
    image(bed, web, "web:2");
    live_until(bed, |bed| !running(bed, web, "web:2").is_empty());
    running(bed, web, "web:2").remove(0)
}

#[test]
fn the_first_failure_pauses_an_update_and_the_message_says_what_happened() {
    let (mut bed, web) = settled(3, 3, |_| ());
    let task = first_new(&mut bed, web);
    bed.now = task.life.ran.unwrap().plus(Duration::from_secs(3));
    end_saying(&mut bed, &task, TaskState::Failed, "starting\nno \u{1b}database\n\n");
    bed.pass();
    let (node, status) = (task.node.unwrap().bits(), status(&bed, web));
    let expected = format!("update paused: web.1 failed 3 s after its start on node-{node}: exit code 1 (last output: no  database)");
    assert_eq!((status.state, status.message, status.failed), (UpdateState::Paused, expected, 1));
    assert_eq!(running(&bed, web, "web:1").len(), 2, "the failure was seen before the next slot was taken on");
}

#[test]
fn an_image_that_cannot_be_had_pauses_at_once_and_the_other_old_tasks_serve() {
    let (mut bed, web) = settled(3, 5, |_| ());
    bed.missing.insert("web:2".to_owned());
    image(&mut bed, web, "web:2");
    live_until(&mut bed, |bed| state(bed, web) == Some(UpdateState::Paused));
    assert!(status(&bed, web).message.starts_with("update paused: web.1 could not start on node-"), "{}", status(&bed, web).message);
    for _ in 0..1_000 {
        bed.pass();
        bed.agents();
        bed.advance(Duration::from_millis(500));
        assert_eq!(running(&bed, web, "web:1").len(), 4);
    }
    image(&mut bed, web, "web:3");
    let fixed = bed.now;
    bed.settle();
    assert!(all_run(&bed, web, "web:3", 5));
    assert!(bed.now.since(fixed) < Duration::from_secs(60), "what the broken spec earned does not delay the next one");
    assert_eq!(state(&bed, web), Some(UpdateState::Completed));
}

#[test]
fn a_task_that_is_done_too_soon_has_failed_and_one_that_ends_later_has_not() {
    let (mut bed, web) = settled(2, 1, |spec| spec.update.delay = Duration::from_secs(60));
    let task = first_new(&mut bed, web);
    end_saying(&mut bed, &task, TaskState::Complete, "");
    bed.pass();
    assert_eq!(state(&bed, web), Some(UpdateState::Paused));
    assert!(status(&bed, web).message.contains("web.1 ended"), "{}", status(&bed, web).message);

    let (mut bed, web) = settled(2, 2, |spec| spec.update.delay = Duration::from_secs(60));
    let task = first_new(&mut bed, web);
    bed.now = task.life.ran.unwrap().plus(Duration::from_secs(5));
    end_saying(&mut bed, &task, TaskState::Failed, "");
    bed.settle();
    assert_eq!((status(&bed, web).failed, state(&bed, web)), (0, Some(UpdateState::Completed)));
}

#[test]
fn a_task_that_was_told_to_stop_has_not_failed() {
    let (mut bed, web) = settled(2, 4, |_| ());
    let task = first_new(&mut bed, web);
    bed.set_node(task.node.unwrap().bits(), NodeState::Down);
    bed.pass();
    end_saying(&mut bed, &task, TaskState::Failed, "");
    bed.settle();
    assert_eq!((status(&bed, web).failed, state(&bed, web)), (0, Some(UpdateState::Completed)));
}

#[test]
fn the_update_watches_one_more_monitor_period_after_its_last_place() {
    let (mut bed, web) = settled(2, 2, |spec| spec.update.monitor = Duration::from_secs(40));
    image(&mut bed, web, "web:2");
    bed.settle();
    let last = running(&bed, web, "web:2").iter().filter_map(|task| task.life.ran).max().unwrap();
    let status = status(&bed, web);
    assert_eq!((status.completed, status.places), (Some(last.plus(Duration::from_secs(40))), 2));
    assert_eq!(status.message, "update completed");
}

#[test]
fn a_failure_in_the_last_monitor_period_is_seen() {
    let (mut bed, web) = settled(2, 1, |_| ());
    let task = first_new(&mut bed, web);
    bed.pass();
    bed.advance(Duration::from_secs(4));
    end_saying(&mut bed, &task, TaskState::Failed, "");
    bed.settle();
    assert_eq!(state(&bed, web), Some(UpdateState::Paused));
}

/// One place loops through failures while the update goes on, for longer than there is history; that is one failed place.
#[test]
fn a_share_of_failed_places_is_borne_and_a_place_counts_once() {
    let (mut bed, web) = settled(2, 4, |spec| {
        (spec.update.max_failure_ratio, spec.update.delay) = (Ratio(250), Duration::from_secs(400));
    });
    image(&mut bed, web, "web:2");
    for _ in 0..1_500 {
        bed.pass();
        bed.agents();
        bed.advance(Duration::from_secs(1));
        let looping = bed.wanted(web).into_iter().find(|task| task.slot == 1 && image_of(&bed, task) == "web:2");
        if let Some(task) = looping.filter(|task| task.status.state == TaskState::Running) {
            bed.end(task.id, TaskState::Failed);
        }
    }
    let status = status(&bed, web);
    assert_eq!((status.failed, status.state, status.places), (1, UpdateState::Completed, 4), "{}", status.message);
    assert_eq!(running(&bed, web, "web:2").len(), 3);
    assert_eq!(status.message, "update completed, but 1 of 4 places do not run it, such as web.1");
}

#[test]
fn more_failures_than_are_borne_pause_the_update() {
    let (mut bed, web) = settled(2, 4, |spec| spec.update.max_failure_ratio = Ratio(250));
    bed.broken.insert("web:2".to_owned());
    image(&mut bed, web, "web:2");
    live_until(&mut bed, |bed| state(bed, web) == Some(UpdateState::Paused));
    assert_eq!(status(&bed, web).failed, 2);
    assert!(!running(&bed, web, "web:1").is_empty());
}

#[test]
fn continue_goes_on_whatever_fails_and_says_so() {
    for order in [UpdateOrder::StopFirst, UpdateOrder::StartFirst] {
        let (mut bed, web) = settled(2, 3, |spec| {
            (spec.update.failure_action, spec.update.order) = (FailureAction::Continue, order);
        });
        bed.missing.insert("web:2".to_owned());
        image(&mut bed, web, "web:2");
        live_until(&mut bed, |bed| state(bed, web) == Some(UpdateState::Completed));
        let status = status(&bed, web);
        assert_eq!((status.failed, running(&bed, web, "web:1").len()), (3, 0));
        assert_eq!(status.message, "update completed, but 3 of 3 places do not run it, such as web.1");
    }
}

#[test]
fn start_first_keeps_every_old_task_when_the_new_one_fails() {
    let (mut bed, web) = settled(2, 3, |spec| spec.update.order = UpdateOrder::StartFirst);
    bed.missing.insert("web:2".to_owned());
    image(&mut bed, web, "web:2");
    bed.settle_checked(|bed| assert_eq!(running(bed, web, "web:1").len(), 3));
    assert_eq!(state(&bed, web), Some(UpdateState::Paused));
    assert_eq!(bed.wanted(web).len(), 3, "nothing is left of the attempt");
}

#[test]
fn a_rollback_returns_to_the_spec_before_by_its_own_config_and_the_history_says_why() {
    let (mut bed, web) = settled(2, 4, |spec| {
        spec.update.failure_action = FailureAction::Rollback;
        spec.rollback.parallelism = 2;
    });
    bed.broken.insert("web:2".to_owned());
    image(&mut bed, web, "web:2");
    live_until(&mut bed, |bed| state(bed, web) == Some(UpdateState::RollbackStarted));
    let author = bed.view().service(web).unwrap().author.clone();
    assert_eq!(author.by, "rollout");
    assert!(author.message.starts_with("web.1 failed"), "{author:?}");
    assert_eq!(status(&bed, web).message, format!("rolling back to revision 1: {}", author.message));
    bed.settle();
    assert!(all_run(&bed, web, "web:1", 4));
    let status = status(&bed, web);
    assert_eq!(status.state, UpdateState::RollbackCompleted);
    assert_eq!(status.message, format!("rollback completed: {}", author.message));
    assert_eq!(bed.view().service(web).unwrap().history.last().unwrap().restores, Some(1));
}

#[test]
fn a_rollback_that_fails_pauses_and_is_never_rolled_back() {
    let (mut bed, web) = settled(2, 4, |spec| {
        (spec.update.failure_action, spec.rollback.failure_action) = (FailureAction::Rollback, FailureAction::Rollback);
    });
    bed.broken.extend(["web:1", "web:2"].map(str::to_owned));
    image(&mut bed, web, "web:2");
    live_until(&mut bed, |bed| state(bed, web) == Some(UpdateState::RollbackPaused));
    assert!(status(&bed, web).message.starts_with("rollback paused: web."), "{}", status(&bed, web).message);
    assert_eq!(bed.view().service(web).unwrap().history.len(), 3);
    image(&mut bed, web, "web:3");
    bed.settle();
    assert!(all_run(&bed, web, "web:3", 4));
    assert_eq!(state(&bed, web), Some(UpdateState::Completed));
}

#[test]
fn a_rollback_skips_what_never_ran_everywhere_and_what_was_merely_scaled() {
    let (mut bed, web) = settled(2, 2, |_| ());
    bed.update(web, |spec| spec.mode = ServiceMode::Replicated { replicas: 4 });
    bed.settle();
    bed.broken.extend(["web:2", "web:3"].map(str::to_owned));
    image(&mut bed, web, "web:2");
    live_until(&mut bed, |bed| state(bed, web) == Some(UpdateState::Paused));
    bed.update(web, |spec| {
        spec.task.container.image = "web:3".to_owned();
        spec.update.failure_action = FailureAction::Rollback;
    });
    bed.settle();
    assert!(all_run(&bed, web, "web:1", 4));
    assert_eq!(bed.view().service(web).unwrap().history.last().unwrap().restores, Some(2));
}

#[test]
fn without_an_earlier_spec_a_rollback_is_a_pause() {
    let (mut bed, web) = settled(1, 1, |spec| spec.update.failure_action = FailureAction::Rollback);
    bed.broken.insert("web:2".to_owned());
    image(&mut bed, web, "web:2");
    for count in 0..limits::REVISIONS {
        bed.pass();
        bed.update(web, |spec| drop(spec.labels.insert("count".to_owned(), count.to_string())));
    }
    live_until(&mut bed, |bed| state(bed, web) == Some(UpdateState::Paused));
    assert!(status(&bed, web).message.ends_with("there is no earlier spec to go back to"), "{}", status(&bed, web).message);
}
