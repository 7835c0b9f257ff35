//! The arithmetic of restarts: whether a task that ended gets a successor, and when. Pure numbers, no view.
//!
//! Fields and defaults are swarm's (`swarm-behaviour.md` 1.5), plus a delay that doubles with each failure in a row up to a cap. A failure
//! counter lives in the task, so that a new leader continues where the old one was. Whatever the policy says, a loop is slowed until it
//! costs less than one log write a second.

use std::time::Duration;

use cluster_types::{RestartCondition, RestartPolicy, Task, TaskState, Timestamp};

/// A task that ran for at least this long was healthy: what ends it later is a first failure again.
pub(crate) const STEADY: Duration = Duration::from_secs(10);
/// From the second failure in a row on, a policy without a delay waits at least this long: a crash loop must not flood the log.
pub(crate) const LOOP_DELAY: Duration = Duration::from_secs(1);
/// That wait doubles too, to at least this: a task that fails at once costs up to eight log writes, for its making, placing, and reports.
const LOOP_DELAY_CAP: Duration = Duration::from_secs(8);
/// The share of a delay that chance adds at most: one part in this many.
const JITTER_PARTS: u32 = 10;

/// Whether the policy wants a successor for a task that ended in this state.
pub(crate) fn wants_successor(condition: RestartCondition, ended: TaskState) -> bool {
    match condition {
        RestartCondition::Any => true,
        RestartCondition::OnFailure => ended != TaskState::Complete,
        RestartCondition::None => false,
    }
}

/// How many failures in a row the slot has now that this task ended. Times are those of the leader's entries: clocks of nodes may be wrong.
pub(crate) fn failures_after(policy: &RestartPolicy, ended: &Task) -> u32 {
    let started = ended.meta.created.plus(most_delay(policy, ended.failures));
    let lived = ended.meta.updated.since(started);
    let ran = ended.status.container.as_ref().is_some_and(|container| container.exit_code.is_some());
    if ran && lived >= STEADY.max(policy.delay.saturating_mul(2)) { 1 } else { ended.failures.saturating_add(1) }
}

/// The delay before the restart after `failures` failures in a row, without chance: `delay * 2^(failures - 1)` capped by the policy, and no
/// less than a crash loop takes.
pub(crate) fn delay(policy: &RestartPolicy, failures: u32) -> Duration {
    let growth = |first: Duration, doublings: u32| first.saturating_mul(2_u32.saturating_pow(doublings.min(31)));
    let wished = growth(policy.delay, failures.saturating_sub(1));
    let least = if failures >= 2 { growth(LOOP_DELAY, failures - 2) } else { Duration::ZERO };
    let cap = policy.max_delay.max(policy.delay);
    if failures == 0 { Duration::ZERO } else { wished.min(cap).max(least.min(cap.max(LOOP_DELAY_CAP))) }
}

/// The longest that [`delayed`] may make of that delay.
fn most_delay(policy: &RestartPolicy, failures: u32) -> Duration {
    let delay = delay(policy, failures);
    delay + delay / JITTER_PARTS
}

/// The moment of the restart: the delay plus up to a tenth by chance, so that slots that failed together do not return together. `None`
/// is at once.
pub(crate) fn delayed(policy: &RestartPolicy, failures: u32, now: Timestamp, chance: u64) -> Option<Timestamp> {
    let delay = delay(policy, failures);
    let jitter = u64::try_from((delay / JITTER_PARTS).as_millis()).unwrap_or(u64::MAX).saturating_add(1);
    (delay > Duration::ZERO).then(|| now.plus(delay + Duration::from_millis(chance % jitter)))
}

/// Until when a task that had failed so often still waits. A wait is never longer than the policy may make it: who shortens the delay need
/// not wait for the old one.
pub(crate) fn ahead(policy: &RestartPolicy, failures: u32, until: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let wait = until.since(now);
    (wait > Duration::ZERO && wait <= most_delay(policy, failures)).then_some(until)
}

/// How many restarts of one slot's spec count at `now`: the tasks made within the window, but for the very first, which is no restart.
/// `created` are the times at which the slot's tasks of that spec were made, in any order.
pub(crate) fn attempts(window: Duration, now: Timestamp, created: &[Timestamp]) -> u64 {
    let Some(first) = created.iter().min() else { return 0 };
    let counts = |at: &&Timestamp| window.is_zero() || now.since(**at) < window;
    let counted = created.iter().filter(counts).count() - usize::from(counts(&first));
    u64::try_from(counted).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed;
    use cluster_types::ContainerStatus;
    use proptest::prelude::*;

    fn policy(delay: u64, max_delay: u64) -> RestartPolicy {
        RestartPolicy { delay: Duration::from_secs(delay), max_delay: Duration::from_secs(max_delay), ..RestartPolicy::default() }
    }

    #[test]
    fn the_delay_doubles_up_to_its_cap() {
        let seconds: Vec<u64> = (1..=8).map(|failures| delay(&policy(5, 300), failures).as_secs()).collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn without_a_delay_the_first_restart_is_at_once_and_a_loop_is_slowed() {
        assert_eq!(delayed(&policy(0, 0), 1, Timestamp(7), 3), None);
        assert_eq!(delay(&policy(0, 0), 9), LOOP_DELAY_CAP);
        assert_eq!([1, 2, 3, 9].map(|failures| delay(&policy(2, 2), failures).as_secs()), [2, 2, 2, 8]);
        assert_eq!(delay(&policy(0, 60), 4), LOOP_DELAY * 4);
    }

    #[test]
    fn conditions_are_swarms() {
        use RestartCondition::{Any, None, OnFailure};
        for (condition, complete, failed) in [(Any, true, true), (OnFailure, false, true), (None, false, false)] {
            assert_eq!(wants_successor(condition, TaskState::Complete), complete);
            assert_eq!(wants_successor(condition, TaskState::Failed), failed);
            assert_eq!(wants_successor(condition, TaskState::Rejected), failed);
        }
    }

    #[test]
    fn a_long_run_resets_the_failures_and_a_long_delay_does_not() {
        let policy = policy(5, 300);
        let mut task = testbed::task(1);
        (task.failures, task.status.container) = (3, Some(ContainerStatus { exit_code: Some(1), ..ContainerStatus::default() }));
        task.meta.updated = task.meta.created.plus(Duration::from_secs(22 + 9));
        assert_eq!(failures_after(&policy, &task), 4, "20 s of its 31 were delay");
        task.meta.updated = task.meta.created.plus(Duration::from_secs(22 + 10));
        assert_eq!(failures_after(&policy, &task), 1);
        task.status.container = None;
        assert_eq!(failures_after(&policy, &task), 4, "it never ran");
    }

    #[test]
    fn attempts_count_within_the_window_and_without_the_first() {
        let created = [10_u64, 20, 30].map(|second| Timestamp(second * 1000));
        let now = Timestamp(35_000);
        assert_eq!(attempts(Duration::ZERO, now, &created), 2);
        assert_eq!(attempts(Duration::from_secs(10), now, &created), 1);
        assert_eq!(attempts(Duration::from_secs(60), now, &created), 2);
        assert_eq!(attempts(Duration::ZERO, now, &[]), 0);
    }

    proptest! {
        #[test]
        fn a_delay_never_shrinks_with_failures_and_stays_within_cap_and_jitter(
            first in 0_u64..100_000, cap in 0_u64..1_000_000, failures in 1_u32..200, chance: u64,
        ) {
            let policy = RestartPolicy {
                delay: Duration::from_millis(first), max_delay: Duration::from_millis(cap), ..RestartPolicy::default()
            };
            let base = delay(&policy, failures);
            prop_assert!(base <= delay(&policy, failures + 1));
            prop_assert!(base >= policy.delay);
            prop_assert!(base <= policy.max_delay.max(policy.delay).max(LOOP_DELAY_CAP));
            let at = delayed(&policy, failures, Timestamp(5), chance).map_or(Duration::ZERO, |at| at.since(Timestamp(5)));
            prop_assert!(at >= base && at <= most_delay(&policy, failures));
        }
    }
}
