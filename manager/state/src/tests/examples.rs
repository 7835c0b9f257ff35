//! Each change by example.

use cluster_types::*;

use super::samples::*;
use crate::{REQUESTS_KEPT, State};

const SERVICE: ServiceId = ServiceId::from_bits(7);
const NODE: NodeId = NodeId::from_bits(1);
const TASK: TaskId = TaskId::from_bits(100);

/// Applies one change as an entry of its own.
fn apply(state: &mut State, change: Change) -> Result<(), Rejection> {
    let index = state.index().0 + 1;
    let mut applied = state.apply(index, &entry(u128::from(index), EntryMode::Each, vec![change]));
    assert_eq!(state.check(), Vec::<String>::new());
    applied.outcomes.remove(0)
}

/// A node, a service `web` and a task of it.
fn web() -> State {
    let mut state = State::new();
    apply(&mut state, Change::Create(Object::Node(node(1)))).unwrap();
    apply(&mut state, Change::Create(Object::Service(service(7, spec("web", 1, "web:1"))))).unwrap();
    apply(&mut state, Change::Create(Object::Task(task(100, 7, Version(2), 1)))).unwrap();
    state
}

fn step(state: &mut State, step: TaskStep) -> Result<(), Rejection> {
    apply(state, Change::Task(TASK, step))
}

fn report(state: TaskState) -> TaskStep {
    TaskStep::report(NODE, state, Timestamp(5), "", None)
}

fn is_refused(outcome: &Result<(), Rejection>) -> bool {
    matches!(outcome, Err(Rejection::Refused { .. }))
}

#[test]
fn objects_are_found_by_everything_that_has_an_index() {
    let mut state = web();
    step(&mut state, TaskStep::Assign(NODE, Vec::new(), GenericGrant::new())).unwrap();
    let view = state.view();
    assert_eq!(view.service_by_name("web").unwrap().id, SERVICE);
    assert_eq!(view.nodes_by_hostname("host1").count(), 1);
    let tasks = [view.tasks_of_service(SERVICE).next(), view.tasks_of_slot(SERVICE, 1).next(), view.tasks_on_node(NODE).next()];
    assert!(tasks.iter().all(|task| task.unwrap().id == TASK));
    assert_eq!(view.tasks_of_slot(SERVICE, 2).count() + view.tasks_on_node(NodeId::from_bits(2)).count(), 0);
    assert_eq!(view.nodes_of_tasks().collect::<Vec<_>>(), [NODE]);
    assert_eq!(view.services_by_prefix(&SERVICE.to_string()).count(), 1);
    assert_eq!(view.spec_of(view.task(TASK).unwrap()).unwrap().task.container.image, "web:1");
}

#[test]
fn a_view_stays_as_it_was() {
    let mut state = web();
    let before = state.view();
    step(&mut state, TaskStep::Assign(NODE, Vec::new(), GenericGrant::new())).unwrap();
    assert_eq!((before.task(TASK).unwrap().node, before.tasks_on_node(NODE).count(), before.index()), (None, 0, Version(3)));
}

#[test]
fn a_name_is_taken_once_and_free_again_after_removal() {
    let mut state = web();
    let again = Change::Create(Object::Service(service(8, spec("web", 1, "web:1"))));
    assert!(matches!(apply(&mut state, again.clone()), Err(Rejection::NameTaken { .. })));
    apply(&mut state, Change::Remove { key: ObjectKey::Service(SERVICE), expect: None }).unwrap();
    apply(&mut state, again).unwrap();
}

#[test]
fn an_update_needs_the_version_that_its_writer_saw() {
    let mut state = web();
    let update = |replicas, expect| Change::Update { object: Object::Service(service(7, spec("web", replicas, "web:1"))), expect };
    assert!(matches!(apply(&mut state, update(5, Version(1))), Err(Rejection::Conflict { found: Version(2), .. })));
    apply(&mut state, update(5, Version(2))).unwrap();
    let view = state.view();
    let service = view.service(SERVICE).unwrap();
    assert_eq!((service.spec_version, service.meta.version), (Version(5), Version(5)));
    let history: Vec<_> = service.history.iter().map(|revision| (revision.number, revision.spec_version)).collect();
    assert_eq!(history, [(1, Version(2)), (2, Version(5))]);
}

#[test]
fn the_same_spec_again_changes_nothing() {
    let mut state = web();
    let same = Change::Update { object: Object::Service(service(7, spec("web", 1, "web:1"))), expect: Version(2) };
    let applied = state.apply(9, &entry(9, EntryMode::Each, vec![same]));
    assert_eq!((applied.outcomes, applied.events), (vec![Ok(())], vec![]));
    assert_eq!(state.view().service(SERVICE).unwrap().meta.version, Version(2));
}

#[test]
fn a_spec_is_kept_while_a_task_names_it() {
    let mut state = web();
    for number in 4..=18 {
        let expect = state.view().service(SERVICE).unwrap().meta.version;
        let spec = spec("web", 1, &format!("web:{number}"));
        apply(&mut state, Change::Update { object: Object::Service(service(7, spec)), expect }).unwrap();
        assert_eq!(state.index(), Version(number));
    }
    let kept = |state: &State| (2..=18).filter(|version| state.view().spec(SERVICE, Version(*version)).is_some()).collect::<Vec<_>>();
    assert_eq!(kept(&state), [2, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18], "the task's, and the history");
    apply(&mut state, Change::Remove { key: ObjectKey::Service(SERVICE), expect: None }).unwrap();
    assert_eq!(kept(&state), [2], "the task still runs");
    apply(&mut state, Change::Remove { key: ObjectKey::Task(TASK), expect: None }).unwrap();
    assert_eq!(kept(&state), [] as [u64; 0]);
}

#[test]
fn a_task_is_placed_once() {
    let mut state = web();
    step(&mut state, TaskStep::Explain("no node fits".to_owned())).unwrap();
    assert_eq!(state.view().task(TASK).unwrap().status.state, TaskState::Pending);
    assert!(
        is_refused(&step(&mut state, TaskStep::Assign(NodeId::from_bits(9), Vec::new(), GenericGrant::new()))),
        "there is no such node"
    );
    step(&mut state, TaskStep::Assign(NODE, Vec::new(), GenericGrant::new())).unwrap();
    assert_eq!(state.view().task(TASK).unwrap().status.error, None);
    assert!(
        is_refused(&step(&mut state, TaskStep::Assign(NODE, Vec::new(), GenericGrant::new())))
            && is_refused(&step(&mut state, TaskStep::Explain(String::new())))
    );
}

#[test]
fn a_late_report_cannot_undo_an_end() {
    let mut state = web();
    step(&mut state, TaskStep::Assign(NODE, Vec::new(), GenericGrant::new())).unwrap();
    assert!(is_refused(&step(&mut state, TaskStep::report(NodeId::from_bits(2), TaskState::Running, Timestamp(5), "", None))));
    assert!(is_refused(&step(&mut state, report(TaskState::Pending))));
    step(&mut state, report(TaskState::Running)).unwrap();
    assert!(is_refused(&step(&mut state, report(TaskState::Starting))));
    step(&mut state, report(TaskState::Shutdown)).unwrap();
    for late in [TaskState::Running, TaskState::Failed, TaskState::Complete] {
        assert!(is_refused(&step(&mut state, report(late))), "{late}");
    }
    assert!(is_refused(&step(&mut state, TaskStep::Orphan)));
}

#[test]
fn what_is_wanted_only_grows() {
    let mut state = web();
    let waiting = Task { desired: DesiredState::Ready, not_before: Some(Timestamp(9)), ..Task::clone(&task(101, 7, Version(2), 1)) };
    apply(&mut state, Change::Create(Object::Task(waiting.into()))).unwrap();
    let id = TaskId::from_bits(101);
    apply(&mut state, Change::Task(id, TaskStep::Due)).unwrap();
    let view = state.view();
    let task = view.task(id).unwrap();
    assert_eq!((task.desired, task.not_before), (DesiredState::Running, None));
    apply(&mut state, Change::Task(id, TaskStep::Desire(DesiredState::Shutdown))).unwrap();
    assert!(is_refused(&apply(&mut state, Change::Task(id, TaskStep::Desire(DesiredState::Running)))));
    assert!(is_refused(&apply(&mut state, Change::Task(id, TaskStep::Due))));
    assert!(is_refused(&apply(&mut state, Change::Task(id, TaskStep::Assign(NODE, Vec::new(), GenericGrant::new())))));
}

#[test]
fn an_atomic_entry_is_applied_whole_or_not_at_all() {
    let mut state = web();
    let changes = vec![
        Change::Create(Object::Node(node(2))),
        Change::Create(Object::Node(node(1))),
        Change::Remove { key: ObjectKey::Service(SERVICE), expect: None },
    ];
    let applied = state.apply(10, &entry(10, EntryMode::Atomic, changes.clone()));
    let expected = [Err(Rejection::Aborted), Err(Rejection::Exists(ObjectKey::Node(NODE))), Err(Rejection::Aborted)];
    assert_eq!((applied.outcomes.as_slice(), applied.events.len()), (&expected[..], 0));
    assert_eq!((state.view().nodes().count(), state.view().services().count()), (1, 1));
    let applied = state.apply(11, &entry(11, EntryMode::Each, changes));
    assert_eq!((applied.events.len(), state.view().nodes().count(), state.view().services().count()), (2, 2, 0));
}

#[test]
fn a_request_is_applied_once_until_it_is_forgotten() {
    let mut state = State::new();
    let create = entry(1, EntryMode::Atomic, vec![Change::Create(Object::Node(node(1)))]);
    assert_eq!(state.apply(1, &create).events.len(), 1);
    let again = state.apply(2, &create);
    assert_eq!((again.outcomes, again.events), (vec![Ok(())], vec![]));
    for number in 0..REQUESTS_KEPT {
        state.apply(3 + number as u64, &entry(10 + number as u128, EntryMode::Atomic, Vec::new()));
    }
    let forgotten = state.apply(100_000, &create);
    assert_eq!(forgotten.outcomes, [Err(Rejection::Exists(ObjectKey::Node(NODE)))]);
    assert_eq!(state.check(), Vec::<String>::new());
}

#[test]
fn an_entry_below_the_index_is_ignored() {
    let mut state = web();
    let hash = state.hash();
    let applied = state.apply(3, &entry(50, EntryMode::Each, vec![Change::Create(Object::Node(node(2)))]));
    assert_eq!((applied.outcomes.len(), applied.events.len(), state.hash()), (0, 0, hash));
}

#[test]
fn a_damaged_snapshot_is_refused_with_the_reason() {
    let bytes = web().encode();
    let message = |bytes: &[u8]| State::decode(bytes).unwrap_err().to_string();
    assert!(message(&bytes[..3]).contains("cut off"));
    assert!(message(&bytes[..bytes.len() - 1]).contains("checksum"));
    let mut newer = bytes.clone();
    newer[0] = 9;
    assert!(message(&newer).contains("format 9"));
}

const NET: NetworkId = NetworkId::from_bits(2);

/// `web` with a network of four blocks of four addresses: the first is of the node, the second of the services.
fn networked() -> State {
    let mut state = web();
    apply(&mut state, Change::Create(Object::Network(network(2, 28)))).unwrap();
    claim(&mut state, 0, BlockOwner::Node(NODE)).unwrap();
    claim(&mut state, 1, BlockOwner::Services).unwrap();
    state
}

fn claim(state: &mut State, number: u32, owner: BlockOwner) -> Result<(), Rejection> {
    apply(state, Change::Network(NET, NetworkStep::Claim(number, owner)))
}

fn release(state: &mut State, number: u32) -> Result<(), Rejection> {
    apply(state, Change::Network(NET, NetworkStep::Release(number)))
}

/// Address number `index` of the network of [`networked`].
fn at(index: u8) -> TaskAddress {
    address(2, 32 + index)
}

fn endpoint(state: &mut State, service: u128, vip: Option<u8>, port: Option<u16>) -> Result<(), Rejection> {
    let open = |published| PublishedPort { target: 80, published, protocol: Protocol::Tcp, mode: PublishMode::Ingress };
    let vips = vip.map(|index| (NET, at(index).address)).into_iter().collect();
    let endpoint = Endpoint { vips, ports: port.map(open).into_iter().collect(), error: None };
    apply(state, Change::Service(ServiceId::from_bits(service), ServiceStep::Endpoint(endpoint)))
}

#[test]
fn an_address_is_given_once_from_a_block_of_the_node() {
    let mut state = networked();
    apply(&mut state, Change::Create(Object::Node(node(2)))).unwrap();
    apply(&mut state, Change::Create(Object::Task(task(101, 7, Version(2), 2)))).unwrap();
    let second = |state: &mut State, node, addresses| {
        apply(state, Change::Task(TaskId::from_bits(101), TaskStep::Assign(NodeId::from_bits(node), addresses, GenericGrant::new())))
    };
    assert!(is_refused(&step(&mut state, TaskStep::Assign(NODE, vec![at(1), at(1)], GenericGrant::new()))), "twice to one task");
    assert!(is_refused(&step(&mut state, TaskStep::Assign(NODE, vec![at(4)], GenericGrant::new()))), "a block of the services");
    assert!(is_refused(&step(&mut state, TaskStep::Assign(NODE, vec![at(8)], GenericGrant::new()))), "a block of nobody");
    assert!(is_refused(&step(&mut state, TaskStep::Assign(NODE, vec![address(9, 33)], GenericGrant::new()))), "no such network");
    assert!(is_refused(&second(&mut state, 2, vec![at(1)])), "a block of another node");
    step(&mut state, TaskStep::Assign(NODE, vec![at(1)], GenericGrant::new())).unwrap();
    assert_eq!(state.view().address_holder(at(1).address), Some(crate::Holder::Task(TASK)));
    assert!(is_refused(&second(&mut state, 1, vec![at(1)])), "it is taken");
    step(&mut state, report(TaskState::Failed)).unwrap();
    second(&mut state, 1, vec![at(1)]).unwrap();
    apply(&mut state, Change::Remove { key: ObjectKey::Task(TaskId::from_bits(101)), expect: None }).unwrap();
    assert_eq!(state.view().address_holder(at(1).address), None);
}

#[test]
fn a_task_that_is_not_placed_holds_no_address() {
    let mut state = networked();
    let made = |state| {
        let mut task = Task::clone(&task(101, 7, Version(2), 0));
        (task.node, task.addresses, task.status.state) = (Some(NODE), vec![at(1)], state);
        Change::Create(Object::Task(task.into()))
    };
    assert!(is_refused(&apply(&mut state, made(TaskState::New))));
    apply(&mut state, made(TaskState::Assigned)).unwrap();
    assert!(is_refused(&step(&mut state, TaskStep::Assign(NODE, vec![at(1)], GenericGrant::new()))), "the new task has it");
}

#[test]
fn a_block_has_one_owner_and_is_kept_while_it_is_in_use() {
    let mut state = networked();
    assert!(is_refused(&claim(&mut state, 0, BlockOwner::Services)), "it has an owner");
    assert!(is_refused(&claim(&mut state, 4, BlockOwner::Services)), "there are four");
    assert!(matches!(claim(&mut state, 2, BlockOwner::Node(NodeId::from_bits(9))), Err(Rejection::Missing(_))));
    step(&mut state, TaskStep::Assign(NODE, vec![at(3)], GenericGrant::new())).unwrap();
    endpoint(&mut state, 7, Some(4), None).unwrap();
    assert!(is_refused(&release(&mut state, 0)) && is_refused(&release(&mut state, 1)));
    apply(&mut state, Change::Remove { key: ObjectKey::Node(NODE), expect: None }).unwrap();
    assert!(is_refused(&release(&mut state, 0)), "the task of the removed node may still run");
    step(&mut state, TaskStep::Orphan).unwrap();
    endpoint(&mut state, 7, None, None).unwrap();
    release(&mut state, 0).unwrap();
    release(&mut state, 1).unwrap();
    claim(&mut state, 0, BlockOwner::Services).unwrap();
}

#[test]
fn services_share_neither_addresses_nor_ports() {
    let mut state = networked();
    apply(&mut state, Change::Create(Object::Service(service(8, spec("api", 1, "api:1"))))).unwrap();
    endpoint(&mut state, 7, Some(4), Some(80)).unwrap();
    assert!(is_refused(&endpoint(&mut state, 8, Some(4), None)), "the address is taken");
    assert!(is_refused(&endpoint(&mut state, 8, Some(1), None)), "a block of a node");
    assert!(is_refused(&endpoint(&mut state, 8, None, Some(80))), "the port is taken");
    endpoint(&mut state, 8, Some(5), Some(81)).unwrap();
    endpoint(&mut state, 7, Some(4), Some(82)).unwrap();
    endpoint(&mut state, 8, Some(5), Some(80)).unwrap();
    assert_eq!(state.view().service_publishing(80, Protocol::Tcp).unwrap().id, ServiceId::from_bits(8));
    apply(&mut state, Change::Remove { key: ObjectKey::Service(SERVICE), expect: None }).unwrap();
    endpoint(&mut state, 8, Some(4), Some(82)).unwrap();
}

#[test]
fn networks_do_not_meet_and_keep_their_subnet() {
    let mut state = networked();
    let create = |number, prefix| Change::Create(Object::Network(network(number, prefix)));
    assert!(is_refused(&apply(&mut state, create(3, 27))), "it would have network 2 in it");
    assert!(matches!(apply(&mut state, create(7, 28)), Err(Rejection::NameTaken { .. })));
    apply(&mut state, create(3, 28)).unwrap();
    let expect = state.view().network(NET).unwrap().meta.version;
    let mut other = Network::clone(&network(2, 28));
    other.spec.internal = true;
    assert!(is_refused(&apply(&mut state, Change::Update { object: Object::Network(other.clone().into()), expect })));
    (other.spec.internal, other.subnet) = (false, network(5, 28).subnet);
    other.spec.labels.insert("a".to_owned(), "b".to_owned());
    apply(&mut state, Change::Update { object: Object::Network(other.into()), expect }).unwrap();
    let view = state.view();
    let network = view.network(NET).unwrap();
    assert_eq!((network.subnet, network.blocks.len(), network.spec.labels.len()), (self::network(2, 28).subnet, 2, 1));
}

#[test]
fn a_network_in_use_stays() {
    let mut state = networked();
    let remove = Change::Remove { key: ObjectKey::Network(NET), expect: None };
    let joins = |state: &mut State, joins: bool| {
        let old = state.view().service(SERVICE).unwrap().clone();
        let mut spec = ServiceSpec::clone(&old.spec);
        spec.task.networks = joins.then(|| NetworkAttachment { network: NET, aliases: Vec::new() }).into_iter().collect();
        let service = Service { spec: spec.into(), ..Service::clone(&old) };
        apply(state, Change::Update { object: Object::Service(service.into()), expect: old.meta.version })
    };
    joins(&mut state, true).unwrap();
    assert!(is_refused(&apply(&mut state, remove.clone())), "a service is in it");
    step(&mut state, TaskStep::Assign(NODE, vec![at(0)], GenericGrant::new())).unwrap();
    endpoint(&mut state, 7, Some(4), None).unwrap();
    joins(&mut state, false).unwrap();
    let down = NodeStatus { state: NodeState::Down, ..NodeStatus::default() };
    apply(&mut state, Change::Node(NODE, NodeStep::Status(down))).unwrap();
    let Err(Rejection::Refused { reason, .. }) = apply(&mut state, remove.clone()) else { panic!("a task is in it") };
    assert!(reason.ends_with("which is down: remove the node if it will not come back"), "{reason}");
    step(&mut state, report(TaskState::Shutdown)).unwrap();
    assert!(is_refused(&apply(&mut state, remove.clone())), "the service still has an address there");
    endpoint(&mut state, 7, None, None).unwrap();
    apply(&mut state, remove).unwrap();
    assert!(matches!(joins(&mut state, true), Err(Rejection::Missing(_))), "it is gone");
    let default = Network { id: DEFAULT_NETWORK, ..Network::clone(&network(2, 28)) };
    apply(&mut state, Change::Create(Object::Network(default.into()))).unwrap();
    assert!(is_refused(&apply(&mut state, Change::Remove { key: ObjectKey::Network(DEFAULT_NETWORK), expect: None })));
}

#[test]
fn nodes_have_numbers_of_their_own() {
    let mut state = web();
    apply(&mut state, Change::Create(Object::Node(node(2)))).unwrap();
    let number = |state: &mut State, node, number| apply(state, Change::Node(NodeId::from_bits(node), NodeStep::Number(number)));
    assert!(is_refused(&number(&mut state, 1, 0)));
    number(&mut state, 1, 1).unwrap();
    assert!(is_refused(&number(&mut state, 2, 1)) && is_refused(&number(&mut state, 1, 2)));
    number(&mut state, 2, 2).unwrap();
    assert_eq!(state.view().node_numbers().collect::<Vec<_>>(), [1, 2]);
    apply(&mut state, Change::Remove { key: ObjectKey::Node(NODE), expect: None }).unwrap();
    apply(&mut state, Change::Create(Object::Node(node(3)))).unwrap();
    number(&mut state, 3, 1).unwrap();
}

#[test]
fn a_rollback_is_a_new_revision_that_keeps_the_number_of_tasks() {
    let mut state = web();
    let next = service(7, spec("web", 5, "web:2"));
    apply(&mut state, Change::Update { object: Object::Service(next), expect: Version(2) }).unwrap();
    let back = |from, to| {
        let author = Author { by: "operator".to_owned(), message: "it is slow".to_owned() };
        Change::Service(SERVICE, ServiceStep::RollBack { from: Version(from), to: Version(to), author })
    };
    assert!(apply(&mut state, back(2, 4)).is_err(), "the spec that is left must be the current one");
    let current = state.view().service(SERVICE).unwrap().spec_version.0;
    assert!(apply(&mut state, back(current, 99)).is_err(), "only what is in the history comes back");
    apply(&mut state, back(current, 2)).unwrap();
    let view = state.view();
    let service = view.service(SERVICE).unwrap();
    assert_eq!(service.spec.task.container.image, "web:1");
    assert_eq!(service.spec.mode, ServiceMode::Replicated { replicas: 5 });
    assert_eq!(service.update.as_ref().map(|update| update.state), Some(UpdateState::RollbackStarted));
    assert_eq!(service.history.last().map(|last| (last.number, last.restores)), Some((3, Some(1))));
    assert_eq!(state.check(), [] as [String; 0]);
}

#[test]
fn a_rollback_goes_by_the_config_of_the_spec_that_it_leaves() {
    let mut state = web();
    let mut next = Service::clone(&service(7, spec("web", 1, "web:2")));
    std::sync::Arc::make_mut(&mut next.spec).rollback.parallelism = 4;
    apply(&mut state, Change::Update { object: Object::Service(next.into()), expect: Version(2) }).unwrap();
    let left = state.view().service(SERVICE).unwrap().spec_version;
    let author = Author { by: "rollout".to_owned(), message: "web.1 failed".to_owned() };
    apply(&mut state, Change::Service(SERVICE, ServiceStep::RollBack { from: left, to: Version(2), author })).unwrap();
    let update = state.view().service(SERVICE).unwrap().update.clone().unwrap();
    assert_eq!((update.config.map(|config| config.parallelism), update.base), (Some(4), left));
    assert_eq!(update.message, "rolling back to revision 1: web.1 failed");
}

fn going(state: UpdateState, steered: Version) -> Change {
    let status = UpdateStatus { state, target: Version(2), steered, failed: 3, ..UpdateStatus::default() };
    Change::Service(SERVICE, ServiceStep::Update(status))
}

#[test]
fn an_update_is_steered_only_where_that_makes_sense() {
    let mut state = web();
    let steer = |steer| Change::Service(SERVICE, ServiceStep::Steer(Version(2), steer));
    assert!(apply(&mut state, steer(Steer::Pause)).is_err(), "there is no update");
    apply(&mut state, going(UpdateState::Updating, Version(0))).unwrap();
    assert!(apply(&mut state, steer(Steer::Promote)).is_err(), "no canary waits");
    apply(&mut state, steer(Steer::Pause)).unwrap();
    let update = |state: &State| state.view().service(SERVICE).unwrap().update.clone().unwrap();
    assert_eq!(update(&state).failed, 3);
    apply(&mut state, steer(Steer::Resume)).unwrap();
    let resumed = update(&state);
    assert_eq!((resumed.failed, resumed.forgiven, resumed.counted), (0, state.index(), state.index()));
    apply(&mut state, going(UpdateState::Canary, resumed.steered)).unwrap();
    apply(&mut state, steer(Steer::Promote)).unwrap();
    assert_eq!((update(&state).state, update(&state).promoted), (UpdateState::Updating, true));
}

#[test]
fn a_pause_is_not_undone_by_a_rollout_that_has_not_seen_it() {
    let mut state = web();
    apply(&mut state, going(UpdateState::Updating, Version(0))).unwrap();
    apply(&mut state, Change::Service(SERVICE, ServiceStep::Steer(Version(2), Steer::Pause))).unwrap();
    assert!(is_refused(&apply(&mut state, going(UpdateState::Updating, Version(0)))));
    assert_eq!(state.view().service(SERVICE).unwrap().update.as_ref().unwrap().state, UpdateState::Paused);
}

#[test]
fn a_task_keeps_when_it_ran_and_when_it_ended_by_itself() {
    let mut state = web();
    step(&mut state, TaskStep::Assign(NODE, Vec::new(), GenericGrant::new())).unwrap();
    step(&mut state, report(TaskState::Running)).unwrap();
    let life = |state: &State| state.view().task(TASK).unwrap().life;
    let ran = life(&state).ran;
    assert!(ran.is_some() && life(&state).ended.is_none());
    step(&mut state, report(TaskState::Failed)).unwrap();
    assert_eq!((life(&state).ran, life(&state).ended_at), (ran, state.index()));
    assert!(life(&state).ended > ran);
}

#[test]
fn a_task_that_was_told_to_stop_did_not_end_by_itself() {
    let mut state = web();
    step(&mut state, TaskStep::Assign(NODE, Vec::new(), GenericGrant::new())).unwrap();
    step(&mut state, report(TaskState::Running)).unwrap();
    step(&mut state, TaskStep::Desire(DesiredState::Shutdown)).unwrap();
    step(&mut state, report(TaskState::Failed)).unwrap();
    assert_eq!(state.view().task(TASK).unwrap().life.ended, None);
}

#[test]
fn an_instance_of_a_generic_resource_is_given_once_until_its_task_ends() {
    let mut state = web();
    for number in 2..=3 {
        let version = state.view().service(SERVICE).unwrap().spec_version;
        apply(&mut state, Change::Create(Object::Task(task(number, 7, version, 1)))).unwrap();
    }
    let grant = |names: &[&str]| GenericGrant::from([("gpu".to_owned(), names.iter().map(|name| (*name).to_owned()).collect())]);
    let assign = |state: &mut State, number: u128, node: u128, names: &[&str]| {
        apply(state, Change::Task(TaskId::from_bits(number), TaskStep::Assign(NodeId::from_bits(node), Vec::new(), grant(names))))
    };
    assert!(is_refused(&assign(&mut state, 100, 1, &["a", "a"])), "named twice");
    assert_eq!(assign(&mut state, 100, 1, &["a", "b"]), Ok(()));
    assert!(is_refused(&assign(&mut state, 2, 1, &["b"])), "it is in use");
    assert_eq!(assign(&mut state, 2, 1, &["c"]), Ok(()));
    let in_use = |state: &State| -> Vec<String> {
        let view = state.view();
        let kinds = view.generic_in_use().flat_map(|(_, instances)| instances.iter());
        kinds.flat_map(|(kind, names)| names.keys().map(move |name| format!("{kind}={name}"))).collect()
    };
    assert_eq!(in_use(&state), ["gpu=a", "gpu=b", "gpu=c"]);
    step(&mut state, report(TaskState::Failed)).unwrap();
    assert_eq!(in_use(&state), ["gpu=c"]);
    assert_eq!(assign(&mut state, 3, 1, &["b"]), Ok(()), "the first task has ended");
    assert_eq!(state.check(), Vec::<String>::new());
    assert_eq!(State::decode(&state.encode()).map(|state| in_use(&state)).unwrap(), ["gpu=b", "gpu=c"]);
}

/// The tasks of what is in a run's books may be gone.
#[test]
fn a_run_of_a_job_never_goes_back() {
    let mut state = web();
    let mut at = |iteration, slots: &[u64], ended: bool| {
        let mut settled = SlotRanges::default();
        slots.iter().for_each(|slot| settled.insert(*slot));
        let job = JobStatus { iteration, settled, ended: ended.then_some(Timestamp(9)), ..JobStatus::default() };
        apply(&mut state, Change::Service(SERVICE, ServiceStep::Job(job)))
    };
    assert_eq!(at(1, &[1], false), Ok(()));
    assert_eq!(at(1, &[1, 2], false), Ok(()));
    assert!(is_refused(&at(1, &[1], false)));
    assert_eq!(at(1, &[1, 2], true), Ok(()));
    assert!(is_refused(&at(1, &[1, 2, 3], false)));
    assert_eq!(at(2, &[], false), Ok(()));
    assert!(is_refused(&at(1, &[1, 2, 3], true)));
}
