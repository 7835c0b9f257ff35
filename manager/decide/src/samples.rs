//! States for the tests of deciders that look at nodes and tasks as they are, whatever led there: built row by row, told apart by numbers.

use std::sync::Arc;

use cluster_state::State;
use cluster_types::*;

pub(crate) const WEB: ServiceId = ServiceId::from_bits(1_000);

pub(crate) fn node_id(number: u64) -> NodeId {
    NodeId::from_bits(u128::from(number))
}

pub(crate) fn task_id(number: u64) -> TaskId {
    TaskId::from_bits(u128::from(number))
}

/// Applies each change as an entry of its own at the time `at`; all must succeed.
pub(crate) fn apply(state: &mut State, at: u64, changes: impl IntoIterator<Item = Change>) {
    for change in changes {
        let index = state.index().0 + 1;
        let entry =
            Entry { request: RequestId::from_bits(u128::from(index)), at: Timestamp(at), mode: EntryMode::Each, changes: vec![change] };
        let applied = state.apply(index, &entry);
        assert_eq!(applied.outcomes, [Ok(())], "{:?}", entry.changes);
    }
}

pub(crate) fn add_node(state: &mut State, number: u64, status: NodeState, since: u64) {
    let node = Node {
        meta: Meta::default(),
        id: node_id(number),
        spec: NodeSpec::default(),
        description: NodeDescription::default(),
        status: NodeStatus { state: status, since: Timestamp(since), ..NodeStatus::default() },
        manager: None,
        number: None,
        network: NodeNetwork::default(),
    };
    apply(state, 0, [Change::Create(Object::Node(Arc::new(node)))]);
}

pub(crate) fn add_manager(state: &mut State, number: u64, role: Role, raft_id: Option<u64>) {
    add_node(state, number, NodeState::Ready, 0);
    let node = state.view().node(node_id(number)).cloned().unwrap();
    let spec = NodeSpec { role, ..NodeSpec::default() };
    let update = Change::Update { object: Object::Node(Arc::new(Node { spec, ..Node::clone(&node) })), expect: node.meta.version };
    let seat = raft_id.map(|raft_id| ManagerSeat { raft_id, address: ([127, 0, 0, 1], 4740).into() });
    apply(state, 0, [update, Change::Node(node_id(number), NodeStep::Seat(seat))]);
}

pub(crate) fn spec() -> ServiceSpec {
    ServiceSpec {
        name: "web".to_owned(),
        task: TaskSpec { container: ContainerSpec { image: "web:1".to_owned(), ..ContainerSpec::default() }, ..TaskSpec::default() },
        mode: ServiceMode::Replicated { replicas: 3 },
        ..ServiceSpec::default()
    }
}

pub(crate) fn add_service(state: &mut State, spec: ServiceSpec) {
    let service = Service::new(WEB, spec, Author::default());
    apply(state, 0, [Change::Create(Object::Service(Arc::new(service)))]);
}

/// A task of the service [`WEB`] on a node, moved to a state and a desired state.
pub(crate) fn add_task(state: &mut State, number: u64, slot: u64, node: Option<u64>, reached: TaskState, desired: DesiredState) {
    let spec_version = state.view().service(WEB).unwrap().spec_version;
    let task = Task::new(task_id(number), WEB, spec_version, slot);
    let step = |step| Change::Task(task_id(number), step);
    apply(state, 0, [Change::Create(Object::Task(Arc::new(task)))]);
    if let Some(node) = node {
        apply(state, 0, [step(TaskStep::Assign(node_id(node), Vec::new(), GenericGrant::new()))]);
        if reached == TaskState::Orphaned {
            apply(state, 0, [step(TaskStep::Orphan)]);
        } else if reached > TaskState::Assigned {
            apply(state, 0, [step(TaskStep::report(node_id(node), reached, Timestamp(0), "", None))]);
        }
    }
    if desired > DesiredState::Running {
        apply(state, 0, [step(TaskStep::Desire(desired))]);
    }
}
