//! Tests of the reaper: what goes by example; over random sets, that it leaves alone what may run and is done after one run.

use cluster_state::State;
use cluster_types::{Availability, NodeState, RestartPolicy, ServiceMode, ServiceSpec};
use proptest::prelude::*;

use super::*;
use crate::samples::{WEB, add_node, add_service, add_task, apply, node_id, spec, task_id};
use crate::testbed::{self, Testbed};

fn cluster(spec: ServiceSpec) -> State {
    let mut state = State::new();
    add_node(&mut state, 1, NodeState::Ready, 0);
    add_node(&mut state, 2, NodeState::Down, 0);
    add_node(&mut state, 3, NodeState::Down, 0);
    add_service(&mut state, spec);
    state
}

fn removed(state: &State) -> Vec<u64> {
    let number = |change: &Change| match change {
        Change::Remove { key: ObjectKey::Task(id), expect: Some(_) } => u64::try_from(id.bits()).unwrap(),
        other => panic!("{other:?}"),
    };
    reap(&state.view()).iter().map(number).collect()
}

#[test]
fn the_newest_five_ended_tasks_of_each_slot_are_kept() {
    let mut state = cluster(spec());
    for number in 10..17 {
        add_task(&mut state, number, 1, Some(1), TaskState::Failed, DesiredState::Shutdown);
    }
    add_task(&mut state, 20, 2, Some(1), TaskState::Failed, DesiredState::Shutdown);
    add_task(&mut state, 21, 1, Some(1), TaskState::Running, DesiredState::Running);
    assert_eq!(removed(&state), [10, 11]);
}

#[test]
fn the_history_of_a_global_service_is_kept_for_each_node() {
    let mut state = cluster(ServiceSpec { mode: ServiceMode::Global, ..spec() });
    for number in 10..16 {
        add_task(&mut state, number, 0, Some(1), TaskState::Failed, DesiredState::Shutdown);
        add_task(&mut state, number + 10, 0, Some(2), TaskState::Failed, DesiredState::Shutdown);
    }
    assert_eq!(removed(&state), [10, 20]);
    apply(&mut state, 0, [Change::Remove { key: ObjectKey::Node(node_id(2)), expect: None }]);
    assert_eq!(removed(&state), [20, 21, 22, 23, 24, 25, 10], "the place of the second six is gone");
}

#[test]
fn a_removed_node_takes_the_history_of_global_services_with_it() {
    let mut bed = Testbed::new(2);
    bed.create(1, ServiceSpec { mode: ServiceMode::Global, ..testbed::spec("agent", 0) });
    bed.settle();
    bed.update_node(2, |node| node.availability = Availability::Drain);
    bed.settle();
    assert_eq!(bed.view().tasks_on_node(node_id(2)).count(), 1);
    bed.remove(ObjectKey::Node(node_id(2)));
    bed.settle();
    assert_eq!(bed.view().tasks_on_node(node_id(2)).count(), 0);
}

#[test]
fn as_many_ended_tasks_are_kept_as_counting_the_restarts_takes() {
    let mut spec = spec();
    spec.task.restart = RestartPolicy { max_attempts: 7, ..RestartPolicy::default() };
    let mut state = cluster(spec);
    for number in 10..20 {
        add_task(&mut state, number, 1, Some(1), TaskState::Failed, DesiredState::Shutdown);
    }
    assert_eq!(removed(&state), [10, 11]);
}

#[test]
fn what_is_to_be_removed_goes_once_nothing_of_it_can_run() {
    let mut state = cluster(spec());
    for (number, node, reached) in [
        (10, Some(1), TaskState::Running),
        (11, Some(1), TaskState::Shutdown),
        (12, Some(2), TaskState::Running),
        (13, Some(3), TaskState::Running),
        (14, None, TaskState::New),
        (15, Some(1), TaskState::Assigned),
    ] {
        add_task(&mut state, number, number, node, reached, DesiredState::Remove);
    }
    let node = ObjectKey::Node(node_id(3));
    apply(&mut state, 0, [Change::Remove { key: node, expect: None }, Change::Remove { key: ObjectKey::Service(WEB), expect: None }]);
    assert_eq!(removed(&state), [11, 13, 14], "10, 12 and 15 may still run: a node that is down may be cut off only");
}

#[test]
fn an_end_that_nobody_has_seen_yet_stays() {
    let mut state = cluster(spec());
    for number in 10..20 {
        add_task(&mut state, number, 1, Some(1), TaskState::Failed, DesiredState::Running);
    }
    assert_eq!(removed(&state), [] as [u64; 0]);
}

fn any_task() -> impl Strategy<Value = (u64, Option<u64>, TaskState, DesiredState)> {
    let states = vec![TaskState::New, TaskState::Assigned, TaskState::Running, TaskState::Complete, TaskState::Failed, TaskState::Orphaned];
    let desired = vec![DesiredState::Running, DesiredState::Shutdown, DesiredState::Remove];
    (0..3_u64, proptest::option::of(1..4_u64), proptest::sample::select(states), proptest::sample::select(desired))
}

proptest! {
    #[test]
    fn nothing_that_may_run_is_touched_and_once_is_enough(tasks in prop::collection::vec(any_task(), 0..60), max_attempts in 0..8_u64) {
        let mut spec = spec();
        spec.task.restart.max_attempts = max_attempts;
        let mut state = cluster(spec);
        for (number, (slot, node, reached, desired)) in (10..).zip(tasks) {
            let reached = if node.is_none() { TaskState::New } else { reached };
            add_task(&mut state, number, slot, node, reached, desired);
        }
        let before = state.view();
        let changes = reap(&before);
        for change in &changes {
            let Change::Remove { key: ObjectKey::Task(id), expect } = change else { panic!("{change:?}") };
            let task = before.task(*id).unwrap();
            prop_assert_eq!(*expect, Some(task.meta.version));
            prop_assert!(task.desired >= DesiredState::Shutdown);
            let runs = (TaskState::Assigned..=TaskState::Running).contains(&task.status.state);
            prop_assert!(!runs, "{:?}", task);
        }
        apply(&mut state, 0, changes);
        prop_assert_eq!(reap(&state.view()), Vec::new());
        for slot in 1..3 {
            let ended = state.view().tasks_of_slot(WEB, slot).filter(|task| task.desired == DesiredState::Shutdown && task.status.state.is_terminal()).count();
            prop_assert!(ended <= limits::TASK_HISTORY.max(usize::try_from(max_attempts).unwrap() + 1));
        }
        prop_assert!(state.view().task(task_id(1)).is_none());
    }
}
