//! Restarts on the simulated cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use cluster_types::*;
use proptest::prelude::*;

use crate::Dirty;
use crate::testbed::{Testbed, spec};

const SECOND: Duration = Duration::from_secs(1);

fn with_restart(change: impl FnOnce(&mut RestartPolicy)) -> (Testbed, ServiceId) {
    let mut bed = Testbed::new(2);
    let mut spec = spec("web", 1);
    change(&mut spec.task.restart);
    let web = bed.create(1, spec);
    bed.settle();
    (bed, web)
}

/// Ends the only task of a service that is wanted, and lets the cluster settle.
fn end(bed: &mut Testbed, web: ServiceId, state: TaskState) {
    bed.end(bed.wanted(web)[0].id, state);
    bed.settle();
}

#[test]
fn attempts_are_bounded_and_stay_so_whoever_leads() {
    let (mut bed, web) = with_restart(|policy| policy.max_attempts = 2);
    for _ in 0..2 {
        end(&mut bed, web, TaskState::Failed);
        assert_eq!(bed.running(web).len(), 1);
    }
    end(&mut bed, web, TaskState::Failed);
    bed.advance(1_000 * SECOND);
    bed.dirty = Dirty::all();
    bed.settle();
    assert!(bed.running(web).is_empty());
    assert_eq!(bed.wanted(web).len(), 1, "the slot stays filled by the task that ended");
}

#[test]
fn attempts_outside_the_window_do_not_count() {
    let (mut bed, web) = with_restart(|policy| (policy.max_attempts, policy.window) = (1, 60 * SECOND));
    for _ in 0..4 {
        end(&mut bed, web, TaskState::Failed);
        assert_eq!(bed.running(web).len(), 1);
        bed.advance(61 * SECOND);
    }
}

#[test]
fn a_task_that_is_done_stays_done_until_its_spec_changes() {
    let (mut bed, web) = with_restart(|policy| policy.condition = RestartCondition::OnFailure);
    end(&mut bed, web, TaskState::Complete);
    assert!(bed.running(web).is_empty());
    bed.update_node(1, |node| drop(node.labels.insert("a".into(), "b".into())));
    bed.set_node(2, NodeState::Down);
    bed.settle();
    assert!(bed.running(web).is_empty());
    bed.update(web, |spec| spec.task.force_update += 1);
    bed.settle();
    assert_eq!(bed.running(web).len(), 1);
}

#[test]
fn a_steady_run_starts_the_count_again() {
    let (mut bed, web) = with_restart(|_| ());
    for failures in 1..4 {
        end(&mut bed, web, TaskState::Failed);
        assert_eq!(bed.wanted(web)[0].failures, failures);
    }
    bed.advance(60 * SECOND);
    end(&mut bed, web, TaskState::Failed);
    assert_eq!(bed.wanted(web)[0].failures, 1);
}

#[test]
fn a_crash_loop_goes_on_counting_on_another_node() {
    let (mut bed, web) = with_restart(|_| ());
    end(&mut bed, web, TaskState::Failed);
    end(&mut bed, web, TaskState::Failed);
    let node = bed.wanted(web)[0].node.unwrap();
    bed.set_node(node.bits(), NodeState::Down);
    bed.pass();
    assert_eq!(bed.wanted(web)[0].failures, 2);
}

/// The stamp of a leader whose clock was an hour ahead, or before the clock was set back: nobody waits an hour for five seconds.
#[test]
fn a_wait_is_no_longer_than_the_policy_has_it_though_the_clock_goes_back() {
    for is_job in [false, true] {
        let mut bed = Testbed::new(2);
        bed.missing.insert("web:1".to_owned());
        let mut spec = spec("web", 1);
        if is_job {
            spec.mode = ServiceMode::ReplicatedJob { max_concurrent: 1, total: 1 };
        }
        let (right, web) = (bed.now, bed.create(1, spec));
        bed.advance(3_600 * SECOND);
        let waits = |task: &Task| task.not_before.is_some() && task.status.state == TaskState::Rejected;
        while !bed.wanted(web).iter().any(|task| waits(task)) {
            bed.pass();
            bed.agents();
            bed.advance(Duration::from_millis(10));
        }
        bed.missing.clear();
        (bed.now, bed.dirty) = (right, Dirty::all());
        for _ in 0..200 {
            bed.pass();
            bed.agents();
            bed.advance(SECOND);
        }
        assert_eq!(bed.running(web).len(), 1, "a job: {is_job}");
    }
}

proptest! {
    /// Each successor starts no earlier than the delay after the end, though the leader changes at any pass.
    #[test]
    fn the_delay_is_honoured_across_leaders(delay in 0_u64..8_000, ends in 1_u32..5, elections: u64) {
        let (mut bed, web) = with_restart(|policy| policy.delay = Duration::from_millis(delay));
        let mut passes = 0_u32;
        for failures in 1..=ends {
            bed.end(bed.wanted(web)[0].id, TaskState::Failed);
            let ended = bed.now;
            while bed.running(web).is_empty() {
                if elections >> (passes % 64) & 1 == 1 {
                    bed.dirty = Dirty::all();
                }
                passes += 1;
                prop_assert!(passes < 10_000);
                let plan = bed.pass();
                if !bed.agents() && plan.changes.is_empty() {
                    bed.now = bed.wake_at.expect("a delay runs");
                }
            }
            let least = Duration::from_millis(delay) * 2_u32.pow(failures - 1);
            prop_assert!(bed.now.since(ended) >= least, "failure {failures}: {:?} instead of {least:?}", bed.now.since(ended));
        }
    }
}

/// Ways for a task to fail at once.
fn any_policy() -> impl Strategy<Value = RestartPolicy> {
    let condition = prop::sample::select(vec![RestartCondition::Any, RestartCondition::OnFailure]);
    let millis = || prop_oneof![Just(0_u64), 0_u64..2_000, 0_u64..20_000];
    (condition, millis(), millis(), prop_oneof![Just(0_u64), 0_u64..20], millis()).prop_map(
        |(condition, delay, max_delay, max_attempts, window)| {
            let (delay, max_delay, window) =
                (Duration::from_millis(delay), Duration::from_millis(max_delay), Duration::from_millis(window));
            RestartPolicy { condition, delay, max_delay, max_attempts, window }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    /// Plans and reports together, by any policy, after the first few restarts; and what is kept of them is bounded.
    #[test]
    fn a_crash_loop_costs_at_most_a_write_a_second(policy in any_policy(), is_missing: bool, is_job: bool) {
        let mut bed = Testbed::new(2);
        if is_missing { &mut bed.missing } else { &mut bed.broken }.insert("web:1".to_owned());
        let mut spec = spec("web", 1);
        spec.task.restart = policy;
        if is_job {
            spec.mode = ServiceMode::ReplicatedJob { max_concurrent: 1, total: 1 };
        }
        bed.create(1, spec);
        let (mut reports, mut ended) = (0, bed.now.plus(300 * SECOND));
        while bed.now < ended {
            let plan = bed.pass();
            let moved = bed.agents();
            reports += usize::from(moved);
            if moved || !plan.changes.is_empty() {
                bed.advance(Duration::from_millis(10));
            } else {
                bed.now = bed.wake_at.unwrap_or(ended);
            }
            let most = limits::TASK_HISTORY.max(usize::try_from(policy.max_attempts).unwrap() + 1) + 2;
            prop_assert!(bed.view().task_count() <= most, "{} records", bed.view().task_count());
        }
        ended = bed.now.max(ended);
        prop_assert!(bed.writes + reports <= 300, "{} plans and {reports} reports until {ended:?}", bed.writes);
    }
}

/// A successor prepares its image while it waits. When that fails at once, the next one still comes no sooner than this one was to start.
#[test]
fn a_task_that_is_rejected_while_it_waits_is_not_replaced_before_its_time() {
    let mut bed = Testbed::new(2);
    bed.missing.insert("web:1".to_owned());
    let web = bed.create(1, spec("web", 1));
    let mut made = BTreeSet::new();
    for _ in 0..600 {
        bed.pass();
        bed.agents();
        made.extend(bed.view().tasks_of_service(web).map(|task| task.id));
        bed.advance(Duration::from_millis(100));
    }
    assert!((4..=8).contains(&made.len()), "{} tasks in a minute", made.len());
}

#[test]
fn a_new_spec_does_not_wait_for_the_failures_of_the_old_one() {
    let mut bed = Testbed::new(2);
    bed.missing.insert("web:1".to_owned());
    let web = bed.create(1, spec("web", 2));
    for _ in 0..600 {
        bed.pass();
        bed.agents();
        bed.advance(Duration::from_millis(500));
    }
    let fixed = bed.now;
    bed.update(web, |spec| spec.task.container.image = "web:2".to_owned());
    bed.settle_checked(|bed| assert!(bed.now.since(fixed) < Duration::from_secs(30)));
    assert_eq!(bed.running(web).values().sum::<usize>(), 2);
}

#[test]
fn what_crashes_while_an_update_is_paused_comes_back_as_it_was() {
    let mut bed = Testbed::new(2);
    let web = bed.create(1, spec("web", 3));
    bed.settle();
    bed.update(web, |spec| spec.task.container.image = "web:2".to_owned());
    bed.pass();
    let target = bed.view().service(web).unwrap().spec_version;
    bed.apply(vec![Change::Service(web, ServiceStep::Steer(target, Steer::Pause))]);
    let old = bed.wanted(web).into_iter().find(|task| task.status.state == TaskState::Running).unwrap();
    bed.end(old.id, TaskState::Failed);
    bed.pass();
    let successor = bed.wanted(web).into_iter().find(|task| task.slot == old.slot && task.id != old.id).unwrap();
    assert_eq!(successor.spec_version, old.spec_version);
}
