//! Turns of one task: what they ask for, and what they leave alone.

use std::time::Duration;

use cluster_types::{Checks, ContainerPhase, HealthCheck};

use super::*;
use crate::samples::assignment;

const NOW: Timestamp = Timestamp(1_000_000);

fn assigned(slot: &mut Slot, desired: DesiredState) {
    slot.assignment = Some(Arc::new(assignment(desired)));
}

fn fresh(desired: DesiredState) -> Slot {
    let mut slot = Slot::default();
    assigned(&mut slot, desired);
    slot
}

#[test]
fn a_new_task_is_prepared_after_its_memory_is_told_and_then_left_alone() {
    let mut slot = fresh(DesiredState::Running);
    let turn = slot.turn(NOW);
    assert_eq!((turn.action, turn.remember, turn.look), (Some(Action::Prepare), true, false));
    assert_eq!(turn.report.map(|status| status.state), Some(TaskState::Preparing));
    assert_eq!(slot.turn(NOW), Turn::default(), "the runtime is busy");
    slot.rest(Some((Action::Prepare, Outcome::Done)), NOW);
    slot.observed.phase = ContainerPhase::Prepared;
    assert_eq!(slot.turn(NOW).action, Some(Action::Start));
}

#[test]
fn a_container_that_may_have_changed_is_looked_at_once_and_first() {
    let mut slot = Slot::adopted(None, TaskMemory::default(), true);
    assert_eq!(slot.turn(NOW), Turn { look: true, ..Turn::default() });
    assert_eq!(slot.turn(NOW), Turn::default(), "it is being looked at");
    slot.rest(None, NOW);
    assert!(slot.turn(NOW).forgotten, "there is none, and nobody wants it");
}

#[test]
fn a_task_that_is_no_longer_wanted_ends_while_its_image_is_fetched() {
    let mut slot = fresh(DesiredState::Running);
    slot.turn(NOW);
    assigned(&mut slot, DesiredState::Shutdown);
    let turn = slot.turn(NOW);
    assert_eq!(turn.report.map(|status| status.state), Some(TaskState::Shutdown));
    assert_eq!((turn.action, slot.busy), (None, Some(Busy::Acting(Action::Prepare))), "and the runtime goes on");
    slot.assignment = None;
    assert!(!slot.turn(NOW).forgotten, "not before the runtime is done");
    slot.rest(Some((Action::Prepare, Outcome::Done)), NOW);
    assert!(slot.turn(NOW).forgotten);
}

#[test]
fn an_action_that_ends_the_task_is_told_in_the_next_turn() {
    let mut slot = fresh(DesiredState::Running);
    slot.turn(NOW);
    slot.rest(Some((Action::Prepare, Outcome::Rejected("no such image".to_owned()))), NOW);
    let turn = slot.turn(NOW);
    assert_eq!(turn.report.map(|status| (status.state, status.error)), Some((TaskState::Rejected, Some("no such image".to_owned()))));
    assert_eq!(slot.turn(NOW).report, None, "once");
}

/// A host's clock that is set back leaves the agent's time ahead of it, for hours.
#[test]
fn a_start_period_is_the_containers_though_the_hosts_clock_was_set_back() {
    let health = HealthCheck {
        command: vec!["/probe".to_owned()],
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        retries: 1,
        start_period: Duration::from_secs(30),
        start_interval: Duration::from_secs(1),
    };
    let checks = Arc::new(Checks { health: Some(health), readiness: None });
    let wall = |now: Timestamp| Timestamp(now.0 - 600_000);
    let mut slot = fresh(DesiredState::Running);
    let mut now = NOW;
    let container = |phase| Observed { phase, at: wall(NOW), checks: Arc::clone(&checks), ..Observed::default() };
    for (action, phase) in [(Action::Prepare, ContainerPhase::Prepared), (Action::Start, ContainerPhase::Running)] {
        assert_eq!(slot.turn(now).action, Some(action));
        slot.rest(Some((action, Outcome::Done)), now);
        slot.see(container(phase), wall(now), now);
    }
    let mut failed = 0;
    while !slot.memory.is_unhealthy() {
        if slot.turn(now).probe.is_some() {
            slot.probed(Check::Health, &Verdict::Failed("it is ill".to_owned()), now);
            failed += 1;
        }
        now = now.plus(Duration::from_millis(500));
        // It is set again while the container runs: that changes nothing either.
        slot.see(container(ContainerPhase::Running), now, now);
    }
    assert!(failed > 1 && now.since(NOW) >= Duration::from_secs(30), "{failed} failures, the last after {:?}", now.since(NOW));
}

#[test]
fn only_what_may_have_run_is_gone_with_the_host() {
    let mut slot = fresh(DesiredState::Running);
    assert!(!slot.mark_rebooted());
    slot.memory.status.state = TaskState::Running;
    assert!(slot.mark_rebooted() && slot.memory.rebooted);
}
