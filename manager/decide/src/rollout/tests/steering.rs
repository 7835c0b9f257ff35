//! What users say while an update runs: pause, resume, another spec, another number of tasks.

use super::*;

#[test]
fn a_pause_holds_whoever_leads_until_it_is_resumed() {
    let (mut bed, web) = settled(3, 4, |_| ());
    image(&mut bed, web, "web:2");
    bed.pass();
    steer(&mut bed, web, Steer::Pause);
    bed.settle();
    assert_eq!((running(&bed, web, "web:2").len(), running(&bed, web, "web:1").len()), (1, 3), "the place in flight arrives");
    bed.dirty = Dirty::all();
    assert!(bed.pass().changes.is_empty());
    assert_eq!(status(&bed, web).message, "paused by a user");
    steer(&mut bed, web, Steer::Resume);
    bed.settle();
    assert!(all_run(&bed, web, "web:2", 4));
    assert_eq!(state(&bed, web), Some(UpdateState::Completed));
}

#[test]
fn a_resumed_update_forgives_and_pauses_again_when_the_same_place_fails_again() {
    let (mut bed, web) = settled(2, 3, |_| ());
    bed.missing.insert("web:2".to_owned());
    image(&mut bed, web, "web:2");
    bed.advance(Duration::from_secs(1));
    live_until(&mut bed, |bed| state(bed, web) == Some(UpdateState::Paused));
    steer(&mut bed, web, Steer::Resume);
    live_until(&mut bed, |bed| state(bed, web) == Some(UpdateState::Paused));
    assert_eq!((status(&bed, web).failed, running(&bed, web, "web:1").len()), (1, 2));
    bed.missing.clear();
    steer(&mut bed, web, Steer::Resume);
    bed.settle();
    assert!(all_run(&bed, web, "web:2", 3));
    assert_eq!((status(&bed, web).failed, state(&bed, web)), (0, Some(UpdateState::Completed)));
}

#[test]
fn another_spec_takes_over_from_a_pause_and_from_a_rollback() {
    let (mut bed, web) = settled(2, 3, |_| ());
    image(&mut bed, web, "web:2");
    bed.pass();
    steer(&mut bed, web, Steer::Pause);
    image(&mut bed, web, "web:3");
    bed.settle();
    assert!(all_run(&bed, web, "web:3", 3));

    bed.update(web, |spec| spec.update.failure_action = FailureAction::Rollback);
    bed.broken.insert("web:4".to_owned());
    image(&mut bed, web, "web:4");
    live_until(&mut bed, |bed| state(bed, web) == Some(UpdateState::RollbackStarted));
    bed.pass();
    image(&mut bed, web, "web:5");
    bed.settle();
    assert!(all_run(&bed, web, "web:5", 3));
    assert_eq!(state(&bed, web), Some(UpdateState::Completed));
}

#[test]
fn the_old_spec_again_ends_a_paused_update() {
    let (mut bed, web) = settled(2, 3, |_| ());
    image(&mut bed, web, "web:2");
    bed.pass();
    steer(&mut bed, web, Steer::Pause);
    bed.settle();
    image(&mut bed, web, "web:1");
    bed.settle();
    assert!(all_run(&bed, web, "web:1", 3));
    assert_eq!(state(&bed, web), Some(UpdateState::Completed));
}

#[test]
fn scaling_neither_ends_a_pause_nor_starts_the_update_afresh() {
    let (mut bed, web) = settled(2, 4, |spec| spec.update.max_failure_ratio = Ratio(250));
    image(&mut bed, web, "web:2");
    live_until(&mut bed, |bed| !running(bed, web, "web:2").is_empty());
    bed.end(running(&bed, web, "web:2")[0].id, TaskState::Failed);
    bed.pass();
    steer(&mut bed, web, Steer::Pause);
    let before = status(&bed, web);
    bed.update(web, |spec| spec.mode = ServiceMode::Replicated { replicas: 6 });
    bed.settle();
    let after = status(&bed, web);
    assert_eq!((after.state, after.failed, after.places, after.started), (UpdateState::Paused, 1, 4, before.started));
    assert_eq!(after.target, bed.view().service(web).unwrap().spec_version);
    assert_eq!(bed.wanted(web).len(), 6);
    steer(&mut bed, web, Steer::Resume);
    bed.settle();
    assert!(all_run(&bed, web, "web:2", 6));
}

#[test]
fn scaling_down_while_an_update_runs_goes_on_with_the_slots_that_are_kept() {
    let (mut bed, web) = settled(3, 6, |_| ());
    image(&mut bed, web, "web:2");
    bed.pass();
    bed.agents();
    bed.update(web, |spec| spec.mode = ServiceMode::Replicated { replicas: 3 });
    bed.settle_checked(|bed| assert!(in_flight(bed, web, "web:2") <= 1));
    assert!(all_run(&bed, web, "web:2", 3));
    assert_eq!(state(&bed, web), Some(UpdateState::Completed));
}

#[test]
fn a_user_rolls_a_finished_update_back() {
    let (mut bed, web) = settled(2, 2, |_| ());
    let first = bed.view().service(web).unwrap().spec_version;
    image(&mut bed, web, "web:2");
    bed.settle();
    let from = bed.view().service(web).unwrap().spec_version;
    let author = Author { by: "operator".to_owned(), message: "it is slow".to_owned() };
    bed.apply(vec![Change::Service(web, ServiceStep::RollBack { from, to: first, author })]);
    bed.settle();
    assert!(all_run(&bed, web, "web:1", 2));
    assert_eq!(status(&bed, web).message, "rollback completed: it is slow");
}

#[test]
fn a_job_has_no_rolling_update() {
    let mut bed = Testbed::new(1);
    let job = bed.create(1, ServiceSpec { mode: ServiceMode::ReplicatedJob { max_concurrent: 1, total: 1 }, ..spec("job", 1) });
    bed.settle();
    image(&mut bed, job, "web:2");
    bed.settle();
    assert_eq!(state(&bed, job), None);
}
