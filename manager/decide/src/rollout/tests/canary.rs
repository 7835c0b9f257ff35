//! Canaries: the first places, then a user's word.

use super::*;

fn with_canaries(replicas: u64, canary: u64) -> (Testbed, ServiceId) {
    let (mut bed, web) = settled(3, replicas, |spec| spec.update.canary = canary);
    image(&mut bed, web, "web:2");
    bed.settle();
    (bed, web)
}

#[test]
fn canaries_run_beside_the_rest_until_they_are_promoted() {
    let (mut bed, web) = with_canaries(5, 2);
    assert_eq!((running(&bed, web, "web:2").len(), running(&bed, web, "web:1").len()), (2, 3));
    let status = status(&bed, web);
    assert_eq!((status.state, status.message.as_str()), (UpdateState::Canary, "2 of 5 places are updated: waiting to be promoted"));
    let watched = running(&bed, web, "web:2").iter().filter_map(|task| task.life.ran).max().unwrap();
    assert!(bed.now >= watched.plus(Duration::from_secs(5)), "they have been watched");
    steer(&mut bed, web, Steer::Promote);
    bed.settle_checked(|bed| assert!(in_flight(bed, web, "web:2") <= 1));
    assert!(all_run(&bed, web, "web:2", 5));
    assert_eq!(state(&bed, web), Some(UpdateState::Completed));
}

#[test]
fn a_canary_that_fails_is_a_failure_of_the_update() {
    let (mut bed, web) = settled(3, 4, |spec| (spec.update.canary, spec.update.failure_action) = (1, FailureAction::Rollback));
    bed.broken.insert("web:2".to_owned());
    image(&mut bed, web, "web:2");
    bed.settle();
    assert!(all_run(&bed, web, "web:1", 4));
    assert_eq!(state(&bed, web), Some(UpdateState::RollbackCompleted));
}

#[test]
fn as_many_canaries_as_places_are_the_whole_update() {
    for canary in [3, 9] {
        let (bed, web) = with_canaries(3, canary);
        assert!(all_run(&bed, web, "web:2", 3));
        assert_eq!(state(&bed, web), Some(UpdateState::Completed));
    }
}

#[test]
fn waiting_canaries_give_way_to_another_spec_and_to_a_rollback() {
    let (mut bed, web) = with_canaries(4, 1);
    image(&mut bed, web, "web:3");
    bed.settle();
    assert_eq!((state(&bed, web), running(&bed, web, "web:3").len()), (Some(UpdateState::Canary), 1));
    assert_eq!(running(&bed, web, "web:2").len(), 0, "the canary of the spec before is the first to go");
    let service = bed.view().service(web).cloned().unwrap();
    let (from, to) = (service.spec_version, service.update.as_ref().unwrap().base);
    bed.apply(vec![Change::Service(web, ServiceStep::RollBack { from, to, author: Author::default() })]);
    bed.settle();
    assert!(all_run(&bed, web, "web:1", 4));
    assert_eq!(state(&bed, web), Some(UpdateState::RollbackCompleted));
}

#[test]
fn scaling_does_not_promote() {
    let (mut bed, web) = with_canaries(3, 1);
    bed.update(web, |spec| spec.mode = ServiceMode::Replicated { replicas: 5 });
    bed.settle();
    assert_eq!((state(&bed, web), running(&bed, web, "web:1").len()), (Some(UpdateState::Canary), 2));
    steer(&mut bed, web, Steer::Promote);
    bed.settle();
    assert!(all_run(&bed, web, "web:2", 5));
}

#[test]
fn a_paused_canary_is_still_one_when_it_is_resumed() {
    let (mut bed, web) = with_canaries(3, 1);
    steer(&mut bed, web, Steer::Pause);
    bed.settle();
    assert_eq!(state(&bed, web), Some(UpdateState::Paused));
    steer(&mut bed, web, Steer::Resume);
    bed.settle();
    assert_eq!((state(&bed, web), running(&bed, web, "web:2").len()), (Some(UpdateState::Canary), 1));
}
