//! Tests of assignments: what is sent, and that a diff leads from any set to any other.

use cluster_state::State;
use cluster_types::{GenericGrant, NodeState, Protocol};
use proptest::prelude::*;

use super::*;
use crate::samples::{add_node, add_service, add_task, node_id, spec, task_id};

fn cluster() -> State {
    let mut state = State::new();
    add_node(&mut state, 1, NodeState::Ready, 0);
    add_node(&mut state, 2, NodeState::Ready, 0);
    let port = |published, mode| PublishedPort { target: 80, published, protocol: Protocol::Tcp, mode };
    add_service(&mut state, ServiceSpec { ports: vec![port(8080, PublishMode::Host), port(8081, PublishMode::Ingress)], ..spec() });
    state
}

#[test]
fn a_node_gets_its_own_placed_tasks_with_all_it_needs() {
    let mut state = cluster();
    add_task(&mut state, 10, 1, Some(1), TaskState::Assigned, DesiredState::Running);
    add_task(&mut state, 11, 2, Some(2), TaskState::Running, DesiredState::Running);
    add_task(&mut state, 12, 3, None, TaskState::New, DesiredState::Running);
    let sent = wanted(&state.view(), node_id(1), &BTreeSet::new());
    assert_eq!(sent.keys().copied().collect::<Vec<_>>(), [task_id(10)]);
    let task = &sent[&task_id(10)];
    assert_eq!((task.service_name.as_str(), task.slot, task.desired), ("web", 1, DesiredState::Running));
    assert_eq!(task.ports.iter().map(|port| port.published).collect::<Vec<_>>(), [8080]);
    assert_eq!(task.spec.container.image, "web:1");
    assert!(wanted(&state.view(), node_id(9), &BTreeSet::new()).is_empty());
}

#[test]
fn a_task_that_ended_stays_but_is_never_wanted_running() {
    let mut state = cluster();
    add_task(&mut state, 10, 1, Some(1), TaskState::Complete, DesiredState::Running);
    add_task(&mut state, 11, 1, Some(1), TaskState::Failed, DesiredState::Remove);
    add_task(&mut state, 12, 1, Some(1), TaskState::Orphaned, DesiredState::Shutdown);
    let desired: Vec<_> = wanted(&state.view(), node_id(1), &BTreeSet::new()).values().map(|task| (task.task, task.desired)).collect();
    assert_eq!(desired, [(task_id(10), DesiredState::Shutdown), (task_id(11), DesiredState::Remove)]);
}

#[test]
fn tasks_of_one_revision_share_its_template() {
    let mut state = cluster();
    add_task(&mut state, 10, 1, Some(1), TaskState::Running, DesiredState::Running);
    add_task(&mut state, 11, 2, Some(1), TaskState::Running, DesiredState::Running);
    let sent = wanted(&state.view(), node_id(1), &BTreeSet::new());
    assert!(Arc::ptr_eq(&sent[&task_id(10)].spec, &sent[&task_id(11)].spec));
}

#[test]
fn a_held_task_goes_on_and_is_otherwise_the_same() {
    let mut state = cluster();
    add_task(&mut state, 10, 1, Some(1), TaskState::Running, DesiredState::Shutdown);
    add_task(&mut state, 11, 2, Some(1), TaskState::Failed, DesiredState::Shutdown);
    let (view, all) = (state.view(), BTreeSet::from([task_id(10), task_id(11)]));
    let (mut sent, held) = (wanted(&view, node_id(1), &BTreeSet::new()), wanted(&view, node_id(1), &all));
    assert_eq!((held[&task_id(10)].desired, held[&task_id(11)].desired), (DesiredState::Running, DesiredState::Shutdown));
    sent.values_mut().for_each(|task| Arc::make_mut(task).desired = DesiredState::Ready);
    assert!(held.iter().all(|(id, task)| TaskAssignment { desired: DesiredState::Ready, ..TaskAssignment::clone(task) } == *sent[id]));
}

fn any_assignments() -> impl Strategy<Value = Assignments> {
    let desired = vec![DesiredState::Ready, DesiredState::Running, DesiredState::Shutdown, DesiredState::Remove];
    let one = (0..6_u64, 0..2_u64, proptest::sample::select(desired)).prop_map(|(number, force_update, desired)| {
        let spec = Arc::new(TaskSpec { force_update, ..TaskSpec::default() });
        let (task, service, service_name) = (task_id(number), ServiceId::from_bits(1), "web".to_owned());
        (
            task,
            Arc::new(TaskAssignment {
                task,
                service,
                service_name,
                slot: 1,
                desired,
                spec,
                ports: Vec::new(),
                addresses: Vec::new(),
                generic: GenericGrant::new(),
            }),
        )
    });
    proptest::collection::btree_map(0..6_u64, one, 0..6).prop_map(|tasks| tasks.into_values().collect())
}

proptest! {
    #[test]
    fn applying_the_diff_to_the_old_set_gives_the_new_one(old in any_assignments(), new in any_assignments()) {
        let step = diff(&old, &new);
        let mut set = old.clone();
        apply(&mut set, &step);
        prop_assert_eq!(&set, &new);
        prop_assert_eq!(diff(&set, &new), AssignmentDiff::default());
        // Nothing is told that was known, and nothing both ways.
        prop_assert!(step.put.iter().all(|task| old.get(&task.task) != Some(task) && !step.remove.contains(&task.task)));
        prop_assert!(step.remove.iter().all(|task| old.contains_key(task)));
        let mut anew = old;
        apply(&mut anew, &full(&new));
        prop_assert_eq!(anew, new);
    }
}
