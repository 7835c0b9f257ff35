//! There and back is the identity for every object; what is wrong is named by its path.

mod network;
mod service;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cluster_types::{
    AssignmentDiff, Availability, Constraint, ContainerSpec, ContainerStatus, DesiredState, Id, Limits, ManagerSeat, Meta, Mount,
    MountKind, NetworkMode, Node, NodeDescription, NodeSpec, NodeState, NodeStatus, Platform, PortBinding, Protocol, PublishMode,
    PublishedPort, Reservation, RestartCondition, RestartPolicy, Role, Service, ServiceMode, ServiceSpec, SessionStamp, Task,
    TaskAssignment, TaskSpec, TaskState, TaskStatus, Timestamp, Ulimit, UpdateStatus, Version, constraint::ConstraintKey,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use service::{
    author, drain, grant, health, health_spec, job, mode, node_loss, placement, pool, revision, schedule, update_config, update_state,
};

use network::{attachment, data_path, endpoint, endpoint_spec, ipv4, task_address};

use super::FieldError;
use crate::pb;

fn text() -> impl Strategy<Value = String> {
    "[a-z0-9 =/ü]{0,8}"
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..3)
}

fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map("[a-z.]{1,6}", text(), 0..3)
}

fn id<K>() -> impl Strategy<Value = Id<K>> {
    any::<u128>().prop_map(Id::from_bits)
}

fn stamp() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp)
}

fn duration() -> impl Strategy<Value = Duration> {
    (0..u64::MAX).prop_map(Duration::from_millis)
}

fn meta() -> impl Strategy<Value = Meta> {
    (any::<u64>(), stamp(), stamp()).prop_map(|(version, created, updated)| Meta { version: Version(version), created, updated })
}

fn mount() -> impl Strategy<Value = Mount> {
    let bind = text().prop_map(|source| MountKind::Bind { source });
    let tmpfs = (any::<Option<u64>>(), any::<Option<u32>>()).prop_map(|(size, mode)| MountKind::Tmpfs { size, mode });
    (prop_oneof![bind, tmpfs], text(), any::<bool>()).prop_map(|(kind, target, read_only)| Mount { kind, target, read_only })
}

fn port() -> impl Strategy<Value = PublishedPort> {
    let protocol = select(vec![Protocol::Tcp, Protocol::Udp]);
    let mode = select(vec![PublishMode::Ingress, PublishMode::Host]);
    (any::<u16>(), any::<u16>(), protocol, mode).prop_map(|(target, published, protocol, mode)| PublishedPort {
        target,
        published,
        protocol,
        mode,
    })
}

fn ulimit() -> impl Strategy<Value = Ulimit> {
    (text(), any::<u64>(), any::<u64>()).prop_map(|(name, soft, hard)| Ulimit { name, soft, hard })
}

prop_compose! {
    fn container()(
        (image, command, args, env) in (text(), option::of(texts()), texts(), texts()),
        (dir, user, groups, hostname) in (option::of(text()), option::of(text()), texts(), option::of(text())),
        (labels, mounts, hosts, dns) in (labels(), vec(mount(), 0..3), texts(), texts()),
        (init, read_only, no_new_privileges) in any::<(bool, bool, bool)>(),
        (cap_add, cap_drop, ulimits, sysctls) in (texts(), texts(), vec(ulimit(), 0..3), labels()),
        (stop_signal, stop_grace) in (option::of(text()), duration()),
        (health, readiness) in (health_spec(), option::of(health_spec())),
    ) -> ContainerSpec {
        ContainerSpec {
            image, command, args, env, dir, user, groups, hostname, labels, mounts, hosts, dns, init, read_only, no_new_privileges,
            cap_add, cap_drop, ulimits, sysctls, stop_signal, stop_grace, health, readiness,
        }
    }
}

fn constraint() -> impl Strategy<Value = Constraint> {
    let label = "[a-z.]{1,6}".prop_map(ConstraintKey::Label);
    let key = prop_oneof![Just(ConstraintKey::Id), Just(ConstraintKey::Role), Just(ConstraintKey::Arch), label];
    (key, any::<bool>(), "[a-z0-9]{1,6}").prop_map(|(key, equal, value)| Constraint { key, equal, value })
}

prop_compose! {
    fn restart()(
        condition in select(vec![RestartCondition::Any, RestartCondition::OnFailure, RestartCondition::None]),
        (delay, max_delay, max_attempts, window) in (duration(), duration(), any::<u64>(), duration()),
    ) -> RestartPolicy {
        RestartPolicy { condition, delay, max_delay, max_attempts, window }
    }
}

fn reservation() -> impl Strategy<Value = Reservation> {
    any::<(u64, u64)>().prop_map(|(nano_cpus, memory)| Reservation { nano_cpus, memory })
}

prop_compose! {
    fn task_spec()(
        (container, reservation, restart) in (container(), reservation(), restart()),
        (nano_cpus, memory, pids, force_update) in any::<(u64, u64, u64, u64)>(),
        (placement, generic, on_node_lost) in (placement(), btree_map(text(), any::<u64>(), 0..3), node_loss()),
        network in select(vec![NetworkMode::Default, NetworkMode::Host, NetworkMode::None]),
        networks in vec(attachment(), 0..3),
    ) -> TaskSpec {
        let limits = Limits { nano_cpus, memory, pids };
        TaskSpec { container, reservation, limits, restart, placement, network, networks, force_update, generic, on_node_lost }
    }
}

prop_compose! {
    fn service_spec()(
        (name, labels, task, ports) in (text(), labels(), task_spec(), vec(port(), 0..3)),
        (mode, update, rollback) in (mode(), update_config(), update_config()),
        (endpoint, schedule) in (endpoint_spec(), option::of(schedule())),
    ) -> ServiceSpec {
        ServiceSpec { name, labels, task, mode, update, rollback, schedule, ports, endpoint }
    }
}

prop_compose! {
    fn update()(
        state in update_state(),
        (places, failed, progressed, promoted) in (any::<u64>(), any::<u64>(), stamp(), any::<bool>()),
        (target, started, completed, not_before, message) in (any::<u64>(), stamp(), option::of(stamp()), option::of(stamp()), text()),
    ) -> UpdateStatus {
        let target = Version(target);
        let known = UpdateStatus::default();
        UpdateStatus { state, target, started, completed, not_before, message, places, failed, progressed, promoted, ..known }
    }
}

prop_compose! {
    fn service()(
        (meta, id, spec, update) in (meta(), id(), service_spec(), option::of(update())),
        (version, history, author) in (any::<u64>(), vec(revision(), 0..3), author()),
        (endpoint, job) in (endpoint(), option::of(job())),
    ) -> Service {
        Service { meta, id, spec: Arc::new(spec), spec_version: Version(version), history, author, update, endpoint, job }
    }
}

prop_compose! {
    fn description()(
        (hostname, os, arch, version, capacity) in (text(), text(), text(), text(), reservation()),
        data_address in option::of(ipv4()),
        generic in btree_map(text(), pool(), 0..3),
    ) -> NodeDescription {
        NodeDescription { hostname, platform: Platform { os, arch }, capacity, version, data_address, generic }
    }
}

prop_compose! {
    fn node()(
        (meta, id, labels, description) in (meta(), id(), labels(), description()),
        role in select(vec![Role::Worker, Role::Manager]),
        availability in select(vec![Availability::Active, Availability::Pause, Availability::Drain]),
        state in select(vec![NodeState::Unknown, NodeState::Ready, NodeState::Disconnected, NodeState::Down]),
        (message, address, since) in (text(), text(), stamp()),
        seat in option::of(any::<(u64, SocketAddr)>()),
        (number, network, drain) in (option::of(1_u16..), data_path(), drain()),
    ) -> Node {
        Node {
            meta,
            id,
            spec: NodeSpec { role, availability, labels, drain },
            description,
            status: NodeStatus { state, message, address, since },
            manager: seat.map(|(raft_id, address)| ManagerSeat { raft_id, address: plain(address) }),
            number,
            network,
        }
    }
}

/// Without the flow label of IPv6, which a text does not carry.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port())
}

prop_compose! {
    fn container_status()(
        (pid, exit_code, oom_killed) in any::<(Option<u32>, Option<i32>, bool)>(),
        (address, ports) in (option::of(text()), vec(port(), 0..2)),
    ) -> ContainerStatus {
        ContainerStatus { pid, exit_code, oom_killed, address, ports: ports.into_iter().map(|port| PortBinding { port }).collect() }
    }
}

prop_compose! {
    fn task_status()(
        (state, at, message) in (select(TaskState::ALL.to_vec()), stamp(), text()),
        (error, container) in (option::of(text()), option::of(container_status())),
        (health, output) in (option::of(health()), option::of(text())),
    ) -> TaskStatus {
        TaskStatus { state, at, message, error, container, health, output }
    }
}

fn desired() -> impl Strategy<Value = DesiredState> {
    select(vec![DesiredState::Ready, DesiredState::Running, DesiredState::Shutdown, DesiredState::Remove])
}

prop_compose! {
    fn task()(
        (meta, id, service, node) in (meta(), id(), id(), option::of(id())),
        (version, slot, failures) in any::<(u64, u64, u32)>(),
        (desired, status, not_before) in (desired(), task_status(), option::of(stamp())),
        (addresses, iteration, generic, relocate) in (vec(task_address(), 0..3), any::<u64>(), grant(), any::<bool>()),
    ) -> Task {
        let spec_version = Version(version);
        Task {
            meta, id, service, spec_version, slot, node, addresses, desired, status, not_before, failures, iteration, generic, relocate,
            ..Task::new(id, service, spec_version, slot)
        }
    }
}

prop_compose! {
    fn assignment()(
        (task, service, service_name, slot) in (id(), id(), text(), any::<u64>()),
        (desired, spec, ports, addresses) in (desired(), task_spec(), vec(port(), 0..2), vec(task_address(), 0..3)),
        generic in grant(),
    ) -> TaskAssignment {
        TaskAssignment { task, service, service_name, slot, desired, spec: Arc::new(spec), ports, addresses, generic }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn services_come_back_as_they_went(service in service()) {
        prop_assert_eq!(Service::try_from(pb::Service::from(&service)), Ok(service));
    }

    #[test]
    fn nodes_come_back_as_they_went(node in node()) {
        prop_assert_eq!(Node::try_from(pb::Node::from(&node)), Ok(node));
    }

    #[test]
    fn tasks_come_back_as_they_went(task in task()) {
        prop_assert_eq!(Task::try_from(pb::Task::from(&task)), Ok(task));
    }

    #[test]
    fn assignments_come_back_as_they_went(full: bool, put in vec(assignment(), 0..3), remove in vec(id(), 0..3)) {
        let diff = AssignmentDiff { full, put: put.into_iter().map(Arc::new).collect(), remove };
        prop_assert_eq!(AssignmentDiff::try_from(pb::Assignments::from(&diff)), Ok(diff));
    }

    #[test]
    fn stamps_come_back_as_they_went(incarnation: u64, term: u64, sequence: u64) {
        let stamp = SessionStamp { incarnation, term, sequence };
        prop_assert_eq!(SessionStamp::try_from(pb::Stamp::from(&stamp)), Ok(stamp));
    }
}

fn web() -> pb::ServiceSpec {
    let spec = ServiceSpec { name: "web".into(), mode: ServiceMode::Global, ..ServiceSpec::default() };
    (&spec).into()
}

fn refused(spec: pb::ServiceSpec) -> String {
    ServiceSpec::try_from(spec).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    let mut missing = web();
    missing.task.as_mut().unwrap().container = None;
    assert_eq!(refused(missing), "task.container: is missing");

    let mut unknown = web();
    unknown.task.as_mut().unwrap().restart.as_mut().unwrap().condition = 9;
    assert_eq!(refused(unknown), "task.restart.condition: 9 is not a known value");

    let mut mount = web();
    mount.task.as_mut().unwrap().container.as_mut().unwrap().mounts = vec![pb::Mount::default()];
    assert_eq!(refused(mount), "task.container.mounts[0].kind: is missing");

    let mut port = web();
    port.ports = vec![pb::PublishedPort { target: 70_000, ..Default::default() }];
    assert_eq!(refused(port), "ports[0].target: 70000 is no port: use 0 to 65535");

    let mut mode = web();
    mode.mode = Some(pb::service_spec::Mode::Global(false));
    assert_eq!(refused(mode), "mode.global: must be true where it is given");

    let mut constraint = web();
    constraint.task.as_mut().unwrap().placement.as_mut().unwrap().constraints = vec!["node.role".into()];
    assert!(refused(constraint).starts_with("task.placement.constraints[0]: `node.role` has no operator"));
}

#[test]
fn ids_and_addresses_are_checked() {
    let seat = ManagerSeat::try_from(pb::ManagerSeat { raft_id: 1, address: "nowhere".into() });
    assert_eq!(seat.map_err(|error| error.field), Err("address".to_owned()));
    let diff = AssignmentDiff::try_from(pb::Assignments { remove: vec!["x".into()], ..Default::default() });
    assert!(matches!(diff, Err(FieldError { field, .. }) if field == "remove[0]"));
}
