//! Leaders that come and go in any step (failures A3 to A8), and the bounds that hold all the while (invariant I11).

use std::collections::BTreeSet;

use super::*;

/// Another leader knows nothing but the state.
fn elect(bed: &mut Testbed) {
    bed.dirty = Dirty::all();
}

#[test]
fn a3_after_the_new_task_was_made_and_before_the_old_one_stopped() {
    for order in [UpdateOrder::StopFirst, UpdateOrder::StartFirst] {
        for keep in 0..4 {
            let (mut bed, web) = settled(2, 3, |spec| spec.update.order = order);
            let floor = if order == UpdateOrder::StartFirst { 3 } else { 2 };
            image(&mut bed, web, "web:2");
            bed.cut_pass(keep);
            bed.settle_checked(|bed| {
                assert!(in_flight(bed, web, "web:2") <= 1);
                assert!(bed.running(web).values().sum::<usize>() >= floor);
            });
            assert!(all_run(&bed, web, "web:2", 3));
            assert_eq!((state(&bed, web), status(&bed, web).failed), (Some(UpdateState::Completed), 0));
        }
    }
}

#[test]
fn a4_between_ready_and_running_the_next_leader_goes_on_at_once() {
    let (mut bed, web) = settled(2, 2, |_| ());
    image(&mut bed, web, "web:2");
    bed.pass();
    let held = bed.wanted(web).into_iter().find(|task| task.desired == DesiredState::Ready).unwrap();
    let old = bed.view().tasks_of_slot(web, held.slot).find(|task| task.id != held.id).cloned().unwrap();
    bed.end(held.id, TaskState::Ready);
    bed.pass();
    assert_eq!(bed.view().task(held.id).unwrap().desired, DesiredState::Ready, "the old one still runs");
    bed.end(old.id, TaskState::Shutdown);
    elect(&mut bed);
    bed.pass();
    assert_eq!(bed.view().task(held.id).unwrap().desired, DesiredState::Running);
}

#[test]
fn a5_a_failure_in_the_monitor_period_counts_once_whoever_leads() {
    let (mut bed, web) = settled(2, 4, |spec| spec.update.max_failure_ratio = Ratio(500));
    image(&mut bed, web, "web:2");
    live_until(&mut bed, |bed| !running(bed, web, "web:2").is_empty());
    bed.end(running(&bed, web, "web:2")[0].id, TaskState::Failed);
    for keep in [0, 1, 2, 3, 1] {
        bed.cut_pass(keep);
    }
    elect(&mut bed);
    bed.pass();
    assert_eq!(status(&bed, web).failed, 1);
    elect(&mut bed);
    bed.settle();
    assert_eq!((status(&bed, web).failed, state(&bed, web)), (1, Some(UpdateState::Completed)));
}

#[test]
fn a6_in_a_rollback_the_target_stays_and_nothing_goes_to_and_fro() {
    let (mut bed, web) = settled(2, 4, |spec| spec.update.failure_action = FailureAction::Rollback);
    bed.missing.insert("web:2".to_owned());
    image(&mut bed, web, "web:2");
    live_until(&mut bed, |bed| state(bed, web) == Some(UpdateState::RollbackStarted));
    let target = status(&bed, web).target;
    bed.settle_checked(|bed| {
        assert_eq!(status(bed, web).target, target);
        assert!(in_flight(bed, web, "web:1") <= 1);
    });
    for _ in 0..3 {
        elect(&mut bed);
        bed.settle();
    }
    assert_eq!(bed.view().service(web).unwrap().history.len(), 3);
    assert!(all_run(&bed, web, "web:1", 4));
}

#[test]
fn a8_managers_that_restart_in_the_middle_restart_no_container() {
    let (mut bed, web) = settled(3, 6, |spec| spec.update.parallelism = 2);
    image(&mut bed, web, "web:2");
    live_until(&mut bed, |bed| running(bed, web, "web:2").len() == 2);
    let done: Vec<TaskId> = running(&bed, web, "web:2").iter().map(|task| task.id).collect();
    bed.advance(Duration::from_secs(120));
    elect(&mut bed);
    bed.settle();
    let kept = running(&bed, web, "web:2");
    assert!(done.iter().all(|id| kept.iter().any(|task| task.id == *id)));
    assert!(all_run(&bed, web, "web:2", 6));
}

/// What an update may never do: hold more places than it may, or leave fewer running than it promised.
fn stays_within(bed: &Testbed, web: ServiceId, target: &str, (most, floor): (usize, usize)) {
    let in_flight = in_flight(bed, web, target);
    assert!(in_flight <= most, "{in_flight} of {most} in flight");
    let running: BTreeSet<u64> =
        bed.wanted(web).iter().filter(|task| task.status.state == TaskState::Running).map(|task| task.slot).collect();
    assert!(running.len() >= floor, "{running:?} run, the floor is {floor}");
}

/// One turn, in which the leader may fall: before, in the middle of, or after its plan. When nothing is
/// left to move, time jumps to the next moment.
fn turn(bed: &mut Testbed, fall: u8) {
    let planned = match fall {
        0..=3 => {
            bed.cut_pass(usize::from(fall));
            true
        }
        4 => {
            elect(bed);
            !bed.pass().changes.is_empty()
        }
        _ => !bed.pass().changes.is_empty(),
    };
    let reported = !fall.is_multiple_of(2) || bed.agents();
    match bed.wake_at.filter(|at| *at > bed.now) {
        Some(at) if !planned && !reported => bed.now = at,
        Some(_) | None => bed.advance(Duration::from_millis(10)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 500, ..ProptestConfig::default() })]

    /// I11, in every step of updates that succeed, that pause and that go back, with leaders that fall in the middle of their plans.
    #[test]
    fn an_update_never_leaves_its_bounds_whoever_leads(
        nodes in 1_u128..5, replicas in 1_usize..8, parallelism in 0_usize..4, delay in 0_u64..3, start_first: bool,
        broken: bool, action in 0_usize..2, falls in prop::collection::vec(0_u8..16, 1..150),
    ) {
        let order = if start_first { UpdateOrder::StartFirst } else { UpdateOrder::StopFirst };
        let failure_action = [FailureAction::Pause, FailureAction::Rollback][action];
        let config = UpdateConfig {
            parallelism: parallelism as u64, delay: Duration::from_secs(delay), order, failure_action, ..UpdateConfig::default()
        };
        let (mut bed, web) = settled(nodes, replicas as u64, |spec| (spec.update, spec.rollback) = (config, config));
        let most = if parallelism == 0 { replicas } else { parallelism.min(replicas) };
        let bounds = (most, if start_first { replicas } else { replicas - most });
        if broken {
            bed.missing.insert("web:2".to_owned());
        }
        image(&mut bed, web, "web:2");
        let check = |bed: &Testbed| {
            let target = bed.view().service(web).unwrap().spec.task.container.image.clone();
            stays_within(bed, web, &target, bounds);
        };
        for fall in falls {
            turn(&mut bed, fall);
            check(&bed);
        }
        elect(&mut bed);
        let goes_on = |bed: &Testbed| state(bed, web).is_none_or(|state| state.is_running());
        for _ in 0..1_000 {
            if !goes_on(&bed) {
                break;
            }
            turn(&mut bed, 16);
            check(&bed);
        }
        let (end, image) = match (broken, failure_action) {
            (false, _) => (UpdateState::Completed, "web:2"),
            (true, FailureAction::Rollback) => (UpdateState::RollbackCompleted, "web:1"),
            (true, _) => (UpdateState::Paused, ""),
        };
        prop_assert_eq!(state(&bed, web), Some(end));
        prop_assert!(image.is_empty() || all_run(&bed, web, image, replicas));
    }
}
