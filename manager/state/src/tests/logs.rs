//! What must hold over any log. The generator uses few ids, so that changes meet each other and many are rejected.

use cluster_types::*;
use proptest::prelude::*;

use super::samples::*;
use crate::State;

const NAMES: [&str; 3] = ["web", "api", "db"];

fn any_spec() -> impl Strategy<Value = std::sync::Arc<ServiceSpec>> {
    let network = proptest::option::weighted(0.3, 0..5_u128);
    (0..3_usize, 0..3_u64, 0..3_u64, network).prop_map(|(name, replicas, image, network)| {
        let mut spec = ServiceSpec::clone(&spec(NAMES[name], replicas, &format!("app:{image}")));
        let attach = |network| NetworkAttachment { network: NetworkId::from_bits(network), aliases: Vec::new() };
        spec.task.networks = network.into_iter().map(attach).collect();
        spec.into()
    })
}

/// Addresses in and around the blocks that the log begins with.
fn any_address() -> impl Strategy<Value = TaskAddress> {
    prop_oneof![
        4 => (0..12_u8).prop_map(|last| address(0, last)),
        1 => (0..4_u128, 0..80_u8).prop_map(|(network, last)| address(network, last)),
    ]
}

fn any_addresses() -> impl Strategy<Value = Vec<TaskAddress>> {
    proptest::collection::vec(any_address(), 0..3)
}

/// Often nothing, so that most tasks can be placed; few instances, so that they meet.
fn any_grant() -> impl Strategy<Value = GenericGrant> {
    let names = proptest::collection::vec("[0-2]", 1..3);
    proptest::option::weighted(0.4, names).prop_map(|names| names.into_iter().map(|names| ("gpu".to_owned(), names)).collect())
}

fn any_version() -> impl Strategy<Value = Version> {
    (0..30_u64).prop_map(Version)
}

fn any_object() -> impl Strategy<Value = Object> {
    prop_oneof![
        (0..3_u128).prop_map(|number| Object::Cluster(cluster(number))),
        (0..4_u128, any::<bool>()).prop_map(|(number, drain)| {
            let mut node = Node::clone(&node(number));
            node.spec.availability = if drain { Availability::Drain } else { Availability::Active };
            Object::Node(node.into())
        }),
        (0..3_u128, any_spec()).prop_map(|(number, spec)| Object::Service(service(number, spec))),
        (0..8_u128, 0..3_u128, any_version(), 0..3_u64, proptest::option::of(0..4_u128), any::<bool>()).prop_map(
            |(number, service, version, slot, node, waits)| {
                let mut task = Task::clone(&task(number, service, version, slot));
                task.node = node.map(NodeId::from_bits);
                if waits {
                    (task.desired, task.not_before) = (DesiredState::Ready, Some(Timestamp(77)));
                }
                Object::Task(task.into())
            }
        ),
        (0..4_u128, any_version(), 0..2_u128, any_address(), any_grant()).prop_map(|(number, version, node, address, grant)| {
            let mut task = Task::clone(&task(number, 0, version, 1));
            (task.node, task.addresses, task.status.state) = (Some(NodeId::from_bits(node)), vec![address], TaskState::Assigned);
            task.generic = grant;
            Object::Task(task.into())
        }),
        (0..9_u128, 27..=28_u8).prop_map(|(number, prefix)| Object::Network(network(number, prefix))),
    ]
}

fn any_key() -> impl Strategy<Value = ObjectKey> {
    any_object().prop_map(|object| object.key())
}

fn any_task_step() -> impl Strategy<Value = TaskStep> {
    let node = || (0..5_u128).prop_map(NodeId::from_bits);
    let desired = [DesiredState::Ready, DesiredState::Running, DesiredState::Shutdown, DesiredState::Remove];
    prop_oneof![
        3 => (node(), any_addresses(), any_grant()).prop_map(|(node, addresses, grant)| TaskStep::Assign(node, addresses, grant)),
        1 => "[a-b]".prop_map(TaskStep::Explain),
        1 => proptest::sample::select(desired.to_vec()).prop_map(TaskStep::Desire),
        1 => Just(TaskStep::Due),
        6 => (node(), proptest::sample::select(TaskState::ALL.to_vec()), 0..3_u64)
            .prop_map(|(node, state, at)| TaskStep::report(node, state, Timestamp(at), "", None)),
        1 => Just(TaskStep::Orphan),
        1 => any::<bool>().prop_map(TaskStep::Relocate),
    ]
}

fn any_node_step() -> impl Strategy<Value = NodeStep> {
    prop_oneof![
        "[a-c]".prop_map(|hostname| NodeStep::Describe(NodeDescription { hostname, ..NodeDescription::default() })),
        Just(NodeStep::Status(NodeStatus { state: NodeState::Ready, ..NodeStatus::default() })),
        Just(NodeStep::Seat(Some(ManagerSeat { raft_id: 1, address: ([127, 0, 0, 1], 4740).into() }))),
        (0..4_u16).prop_map(NodeStep::Number),
        (0..2_u64).prop_map(|repairs| NodeStep::Network(NodeNetwork { repairs, ..NodeNetwork::default() })),
    ]
}

fn any_endpoint() -> impl Strategy<Value = Endpoint> {
    let port =
        (80..82_u16).prop_map(|published| PublishedPort { target: 80, published, protocol: Protocol::Tcp, mode: PublishMode::Ingress });
    (any_addresses(), proptest::collection::vec(port, 0..3)).prop_map(|(addresses, ports)| Endpoint {
        vips: addresses.into_iter().map(|has| (has.network, has.address)).collect(),
        ports,
        error: None,
    })
}

fn any_network_step() -> impl Strategy<Value = NetworkStep> {
    let owner = prop_oneof![(0..3_u128).prop_map(|node| BlockOwner::Node(NodeId::from_bits(node))), Just(BlockOwner::Services)];
    prop_oneof![
        2 => (0..5_u32, owner).prop_map(|(number, owner)| NetworkStep::Claim(number, owner)),
        1 => (0..5_u32).prop_map(NetworkStep::Release),
    ]
}

fn any_change() -> impl Strategy<Value = Change> {
    let update = |target| UpdateStatus { state: UpdateState::Updating, target, started: Timestamp(1), ..UpdateStatus::default() };
    prop_oneof![
        4 => any_object().prop_map(Change::Create),
        2 => (any_object(), any_version()).prop_map(|(object, expect)| Change::Update { object, expect }),
        1 => (any_key(), proptest::option::of(any_version())).prop_map(|(key, expect)| Change::Remove { key, expect }),
        6 => (0..8_u128, any_task_step()).prop_map(|(task, step)| Change::Task(TaskId::from_bits(task), step)),
        1 => (0..4_u128, any_node_step()).prop_map(|(node, step)| Change::Node(NodeId::from_bits(node), step)),
        1 => (0..3_u128, any_version()).prop_map(move |(service, target)| {
            Change::Service(ServiceId::from_bits(service), ServiceStep::Update(update(target)))
        }),
        2 => (0..3_u128, any_endpoint()).prop_map(|(service, endpoint)| {
            Change::Service(ServiceId::from_bits(service), ServiceStep::Endpoint(endpoint))
        }),
        2 => (0..3_u128, any_network_step()).prop_map(|(network, step)| Change::Network(NetworkId::from_bits(network), step)),
    ]
}

/// Entries that make a service on a network with blocks, so that most random steps meet something.
fn start() -> Vec<Entry> {
    let objects = [
        Object::Node(node(0)),
        Object::Node(node(1)),
        Object::Service(service(0, spec("web", 2, "app:0"))),
        Object::Network(network(0, 28)),
    ];
    let owners = [BlockOwner::Node(NodeId::from_bits(0)), BlockOwner::Services, BlockOwner::Node(NodeId::from_bits(1))];
    let claim = |(number, owner)| Change::Network(NetworkId::from_bits(0), NetworkStep::Claim(number, owner));
    let mut changes: Vec<Change> = objects.into_iter().map(Change::Create).chain((0..).zip(owners).map(claim)).collect();
    let first = entry(1_000, EntryMode::Atomic, std::mem::take(&mut changes));
    changes.extend((0..3).map(|number| Change::Create(Object::Task(task(number, 0, Version(1), 1)))));
    vec![first, entry(1_001, EntryMode::Each, changes)]
}

fn any_log() -> impl Strategy<Value = Vec<Entry>> {
    let one = (0..40_u128, any::<bool>(), proptest::collection::vec(any_change(), 0..6));
    proptest::collection::vec(one, 0..40).prop_map(|entries| {
        let mode = |atomic| if atomic { EntryMode::Atomic } else { EntryMode::Each };
        let random = entries.into_iter().map(|(request, atomic, changes)| entry(request, mode(atomic), changes));
        start().into_iter().chain(random).collect()
    })
}

fn replay(state: &mut State, log: &[Entry]) {
    for entry in log {
        state.apply(state.index().0 + 1, entry);
    }
}

/// The state without what counts entries: its objects and specs.
fn content(state: &State) -> Vec<String> {
    let view = state.view();
    let objects = view.cluster().map(|row| format!("{row:?}")).into_iter().chain(view.nodes().map(|row| format!("{row:?}")));
    let objects = objects.chain(view.services().map(|row| format!("{row:?}"))).chain(view.tasks().map(|row| format!("{row:?}")));
    let objects = objects.chain(view.networks().map(|row| format!("{row:?}")));
    objects.chain([format!("{:?} {:?} {:?}", state.revisions, state.addresses, state.generics)]).collect()
}

fn never_goes_back(before: &Task, after: &Task) -> bool {
    let node = before.node.is_none() || before.node == after.node;
    let ended = !before.status.state.is_terminal() || before.status.state == after.status.state;
    let same = (before.service, before.slot, before.spec_version, before.meta.created)
        == (after.service, after.slot, after.spec_version, after.meta.created);
    let addresses = before.status.state < TaskState::Assigned || before.addresses == after.addresses;
    node && ended && same && addresses && before.status.state <= after.status.state && before.desired <= after.desired
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_same_log_gives_the_same_state_and_a_sound_one(log in any_log()) {
        let (mut first, mut second) = (State::new(), State::new());
        for entry in &log {
            let applied = first.apply(first.index().0 + 1, entry);
            prop_assert_eq!(&applied, &second.apply(second.index().0 + 1, entry));
            prop_assert_eq!(first.check(), Vec::<String>::new());
        }
        prop_assert_eq!(first.hash(), second.hash());
    }

    #[test]
    fn a_snapshot_and_the_tail_are_the_full_replay(log in any_log(), cut: prop::sample::Index) {
        let (head, tail) = log.split_at(cut.index(log.len()));
        let mut full = State::new();
        replay(&mut full, head);
        let mut resumed = State::decode(&full.encode()).unwrap();
        prop_assert_eq!(resumed.hash(), full.hash());
        replay(&mut full, tail);
        replay(&mut resumed, tail);
        prop_assert_eq!(resumed.hash(), full.hash());
        prop_assert_eq!(content(&resumed), content(&full));
    }

    #[test]
    fn a_rejected_change_leaves_the_state_alone(log in any_log(), change in any_change()) {
        let mut state = State::new();
        replay(&mut state, &log);
        let before = content(&state);
        let applied = state.apply(state.index().0 + 1, &entry(99, EntryMode::Each, vec![change]));
        prop_assert_eq!(applied.outcomes[0].is_err() || applied.events.is_empty(), content(&state) == before);
    }

    #[test]
    fn an_atomic_entry_leaves_the_state_alone_or_succeeds_whole(log in any_log(), changes in prop::collection::vec(any_change(), 1..8)) {
        let mut state = State::new();
        replay(&mut state, &log);
        let before = content(&state);
        let applied = state.apply(state.index().0 + 1, &entry(99, EntryMode::Atomic, changes));
        let refused = applied.outcomes.iter().filter(|outcome| outcome.is_err()).count();
        prop_assert!(refused == 0 || refused == applied.outcomes.len());
        prop_assert!(refused == 0 || (content(&state) == before && applied.events.is_empty()));
    }

    #[test]
    fn events_tell_all_that_happened_and_tasks_never_go_back(log in any_log()) {
        let mut state = State::new();
        for entry in &log {
            let before = state.view();
            let applied = state.apply(state.index().0 + 1, entry);
            let touched: std::collections::BTreeSet<_> = applied.events.iter().map(|event| event.object.key()).collect();
            for event in &applied.events {
                prop_assert_eq!(event.kind == EventKind::Created, event.before.is_none());
                if let (EventKind::Updated, Some(Object::Task(old)), Object::Task(new)) = (event.kind, &event.before, &event.object) {
                    prop_assert!(never_goes_back(old, new), "{:?} -> {:?}", old, new);
                }
            }
            for task in state.view().tasks().filter(|task| !touched.contains(&ObjectKey::Task(task.id))) {
                prop_assert_eq!(before.task(task.id), Some(task));
            }
        }
    }

    #[test]
    fn decoding_never_panics(log in any_log(), garbage: Vec<u8>, at: prop::sample::Index, flip in 1..=255_u8) {
        prop_assert!(State::decode(&garbage).is_err());
        let mut state = State::new();
        replay(&mut state, &log);
        let mut bytes = state.encode();
        let format = bytes[0];
        let place = at.index(bytes.len());
        bytes[place] ^= flip;
        prop_assert!(State::decode(&bytes).is_err());
        // With a matching checksum the content itself is judged.
        let checksum = crc32c::crc32c(&bytes[5..]);
        bytes[0] = format;
        bytes[1..5].copy_from_slice(&checksum.to_le_bytes());
        if let Ok(state) = State::decode(&bytes) {
            prop_assert_eq!(state.check(), Vec::<String>::new());
        }
    }
}
