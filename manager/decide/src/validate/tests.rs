//! Tests of validation: what is accepted, each refusal with its field, the limits at their edge, and that nothing makes it panic.

mod accepted;
mod jobs;
mod networks;
mod placement;

use std::collections::BTreeMap;

use cluster_types::*;
use proptest::prelude::*;

use super::*;
use crate::samples::spec;

/// The fields that are refused once `edit` has changed a good spec.
fn refused(edit: impl FnOnce(&mut ServiceSpec)) -> Vec<String> {
    let mut spec = spec();
    edit(&mut spec);
    service(&spec).into_iter().map(|problem| problem.field).collect()
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn port(target: u16, published: u16) -> PublishedPort {
    PublishedPort { target, published, protocol: Protocol::Tcp, mode: PublishMode::Host }
}

fn bind(source: &str, target: &str) -> Mount {
    Mount { kind: MountKind::Bind { source: source.to_owned() }, target: target.to_owned(), read_only: false }
}

#[test]
fn a_spec_that_uses_everything_is_accepted() {
    let problems = refused(|spec| {
        spec.labels.insert("team".to_owned(), "a".to_owned());
        spec.ports = vec![port(80, 8080), port(80, 8081), port(443, 0), PublishedPort { protocol: Protocol::Udp, ..port(443, 0) }];
        spec.task.reservation = Reservation { nano_cpus: limits::NANO_CPUS_MIN, memory: limits::MEMORY_BYTES_MIN };
        spec.task.limits = Limits { nano_cpus: limits::NANO_CPUS_MAX, memory: limits::MEMORY_BYTES_MAX, pids: 100 };
        spec.task.placement.constraints = vec!["node.labels.zone==a".parse().unwrap(), "node.role!=manager".parse().unwrap()];
        let container = &mut spec.task.container;
        container.image = "localhost:5000/shop/web:1.9".to_owned();
        container.command = Some(strings(&["/bin/web", ""]));
        container.env = strings(&["A=", "B=x=y"]);
        container.dir = Some("/srv".to_owned());
        container.user = Some("www-data:33".to_owned());
        container.groups = strings(&["audio", "20"]);
        container.hostname = Some("web.Example".to_owned());
        container.hosts = strings(&["db:10.0.0.1", "six:fe80::1"]);
        container.dns = strings(&["1.1.1.1", "::1"]);
        container.cap_add = strings(&["NET_ADMIN", "cap_bpf"]);
        container.cap_drop = strings(&["ALL"]);
        container.ulimits = vec![Ulimit { name: "nofile".to_owned(), soft: 1024, hard: u64::MAX }];
        container.sysctls =
            BTreeMap::from([("net.core.somaxconn".to_owned(), "4096".to_owned()), ("kernel.sem".to_owned(), "1\t2 3 4".to_owned())]);
        container.stop_signal = Some("SIGRTMIN+3".to_owned());
        container.mounts = vec![
            bind("/", "/data"),
            Mount { kind: MountKind::Tmpfs { size: Some(1), mode: Some(0o1777) }, target: "/dev/shm".to_owned(), read_only: true },
        ];
    });
    assert_eq!(problems, [] as [&str; 0]);
}

#[test]
fn names_are_dns_labels() {
    let long = "a".repeat(64);
    for name in ["", "-web", "web-", "Web", "we b", "web.1", "wéb", "a/../b", &long] {
        assert_eq!(refused(|spec| spec.name = name.to_owned()), ["name"], "{name}");
    }
    for name in ["a", "web-1", "1web", &long[1..]] {
        assert_eq!(refused(|spec| spec.name = name.to_owned()), [] as [&str; 0], "{name}");
    }
}

#[test]
fn updates_and_rollbacks_go_by_times_and_shares_that_make_sense() {
    let year = limits::DURATION_MAX;
    let good = |config: &mut UpdateConfig| {
        (config.monitor, config.delay, config.progress_deadline) = (year, year, Duration::from_secs(1));
        (config.max_failure_ratio, config.parallelism) = (Ratio(1000), limits::REPLICAS);
    };
    let all_good = refused(|spec| {
        good(&mut spec.update);
        good(&mut spec.rollback);
        (spec.update.canary, spec.update.failure_action) = (limits::REPLICAS, FailureAction::Rollback);
    });
    assert_eq!(all_good, [] as [&str; 0], "more canaries than replicas are merely all of them");
    let bad = |config: &mut UpdateConfig| {
        (config.monitor, config.delay) = (year * 2, year * 2);
        (config.progress_deadline, config.max_failure_ratio) = (Duration::from_millis(999), Ratio(1001));
    };
    let fields = ["delay", "monitor", "progress_deadline", "max_failure_ratio"];
    assert_eq!(refused(|spec| bad(&mut spec.update)), fields.map(|field| format!("update.{field}")));
    assert_eq!(refused(|spec| bad(&mut spec.rollback)), fields.map(|field| format!("rollback.{field}")));
    let again = refused(|spec| (spec.rollback.failure_action, spec.rollback.canary) = (FailureAction::Rollback, 1));
    assert_eq!(again, ["rollback.failure_action", "rollback.canary"]);
    assert_eq!(refused(|spec| spec.update.parallelism = limits::REPLICAS + 1), ["update.parallelism"]);
}

#[test]
fn sizes_stay_within_their_limits() {
    type Edit = fn(&mut ServiceSpec);
    let edits: [(&str, Edit); 13] = [
        ("mode.replicas", |spec| spec.mode = ServiceMode::Replicated { replicas: limits::REPLICAS + 1 }),
        ("task.reservation.nano_cpus", |spec| spec.task.reservation.nano_cpus = limits::NANO_CPUS_MIN - 1),
        ("task.reservation.memory", |spec| spec.task.reservation.memory = limits::MEMORY_BYTES_MIN - 1),
        ("task.limits.nano_cpus", |spec| spec.task.limits.nano_cpus = limits::NANO_CPUS_MAX + 1),
        ("task.limits.memory", |spec| spec.task.limits.memory = limits::MEMORY_BYTES_MAX + 1),
        ("task.limits.pids", |spec| spec.task.limits.pids = limits::PIDS_MAX + 1),
        ("task.limits.memory", |spec| {
            (spec.task.reservation.memory, spec.task.limits.memory) = (8 << 20, 4 << 20);
        }),
        ("task.restart.delay", |spec| spec.task.restart.delay = Duration::MAX),
        ("task.restart.window", |spec| spec.task.restart.window = Duration::MAX),
        ("task.restart.max_attempts", |spec| spec.task.restart.max_attempts = limits::RESTART_ATTEMPTS + 1),
        ("task.container.stop_grace", |spec| spec.task.container.stop_grace = limits::DURATION_MAX + Duration::from_secs(1)),
        ("update.delay", |spec| spec.update.delay = Duration::MAX),
        ("", |spec| spec.task.container.env = vec![format!("A={}", "x".repeat(limits::SPEC_BYTES))]),
    ];
    for (field, edit) in edits {
        assert_eq!(refused(edit), [field]);
    }
    assert_eq!(refused(|spec| spec.mode = ServiceMode::Replicated { replicas: limits::REPLICAS }), [] as [&str; 0]);
}

#[test]
fn the_container_is_looked_at_field_by_field() {
    type Edit = fn(&mut ContainerSpec);
    let edits: [(&str, Edit); 17] = [
        ("image", |it| it.image = "Web:1".to_owned()),
        ("image", |it| it.image.clear()),
        ("command[0]", |it| it.command = Some(strings(&[""]))),
        ("args[1]", |it| it.args = strings(&["a", "b\0"])),
        ("env[1]", |it| it.env = strings(&["A=1", "B"])),
        ("env[0]", |it| it.env = strings(&["=1"])),
        ("dir", |it| it.dir = Some("srv".to_owned())),
        ("user", |it| it.user = Some("a:b:c".to_owned())),
        ("groups[0]", |it| it.groups = strings(&["a b"])),
        ("hostname", |it| it.hostname = Some("-a".to_owned())),
        ("hosts[0]", |it| it.hosts = strings(&["db:host-gateway"])),
        ("dns[0]", |it| it.dns = strings(&["one"])),
        ("labels", |it| drop(it.labels.insert(" ".to_owned(), String::new()))),
        ("cap_add[0]", |it| it.cap_add = strings(&["NET_ADMINS"])),
        ("cap_drop[0]", |it| it.cap_drop = strings(&[""])),
        ("stop_signal", |it| it.stop_signal = Some("SIGNOPE".to_owned())),
        ("stop_signal", |it| it.stop_signal = Some("65".to_owned())),
    ];
    for (field, edit) in edits {
        assert_eq!(refused(|spec| edit(&mut spec.task.container)), [format!("task.container.{field}")]);
    }
}

#[test]
fn signals_are_those_that_the_runtime_can_send() {
    let is_taken = |signal: &str| refused(|spec| spec.task.container.stop_signal = Some(signal.to_owned())).is_empty();
    assert!(["SIGTERM", "quit", "9", "64", "SIGRTMIN", "RTMIN+15", "SIGRTMAX-15", "XFSZ"].into_iter().all(is_taken));
    assert!(!["", "0", "65", "-1", "SIGCLD", "RTMIN+16", "RTMIN++3", "RTMAX+1", "SIG", "SIGSIGTERM", "TERM "].into_iter().any(is_taken));
}

#[test]
fn a_secret_in_the_environment_is_never_repeated() {
    let mut spec = spec();
    spec.task.container.env = strings(&["=hunter2", "A=hunter2\0"]);
    let problems = service(&spec);
    assert!(problems.len() == 2 && problems.iter().all(|problem| !problem.reason.contains("hunter2")), "{problems:?}");
}

#[test]
fn mounts_lead_where_they_read_and_never_over_the_kernels() {
    let field = |name: &str| vec![format!("task.container.mounts[0].{name}")];
    for target in ["data", "", "/", "//", "/.", "/a/../b", "/proc", "/proc/sys", "//proc", "/./sys/fs", "/a\0"] {
        assert_eq!(refused(|spec| spec.task.container.mounts = vec![bind("/srv", target)]), field("target"), "{target}");
    }
    for source in ["srv", "./srv", "/srv/..", "/srv/../etc", "~"] {
        assert_eq!(refused(|spec| spec.task.container.mounts = vec![bind(source, "/data")]), field("source"), "{source}");
    }
    let twice = refused(|spec| spec.task.container.mounts = vec![bind("/a", "/data"), bind("/b", "/data/./")]);
    assert_eq!(twice, ["task.container.mounts[1].target"]);
    for target in ["/data", "/process", "/a..b", "/var/proc"] {
        assert_eq!(refused(|spec| spec.task.container.mounts = vec![bind("/srv", target)]), [] as [&str; 0], "{target}");
    }
}

#[test]
fn only_kernel_parameters_of_the_containers_own_namespaces_are_taken() {
    let set = |name: &str, value: &str, network| {
        refused(|spec| {
            spec.task.network = network;
            spec.task.container.sysctls.insert(name.to_owned(), value.to_owned());
        })
    };
    for name in
        ["kernel.panic", "vm.swappiness", "fs.file-max", "kernel.core_pattern", "net./../kernel.panic", "net..a", "", "net/core/somaxconn"]
    {
        assert_eq!(set(name, "1", NetworkMode::Default), ["task.container.sysctls"], "{name}");
    }
    assert_eq!(set("net.core.somaxconn", "1\n2", NetworkMode::Default).len(), 1);
    assert_eq!(set("net.core.somaxconn", "1", NetworkMode::Host).len(), 1);
    assert_eq!(set("kernel.shmmax", "1", NetworkMode::Host).len(), 0);
}

#[test]
fn ulimits_are_known_ordered_and_set_once() {
    let ulimit = |name: &str, soft, hard| Ulimit { name: name.to_owned(), soft, hard };
    let fields = refused(|spec| {
        spec.task.container.ulimits = vec![ulimit("files", 1, 1), ulimit("nofile", 2, 1), ulimit("nofile", 1, 1)];
    });
    let at = |field: &str| format!("task.container.ulimits[{field}");
    assert_eq!(fields, [at("0].name"), at("1].soft"), at("2].name")]);
}

#[test]
fn ports_are_real_and_free_of_duplicates() {
    let of = |ports: &[PublishedPort]| refused(|spec| spec.ports = ports.to_vec());
    assert_eq!(of(&[port(0, 80)]), ["ports[0].target"]);
    assert_eq!(of(&[port(80, 80), port(81, 80)]), ["ports[1].published"]);
    assert_eq!(of(&[port(80, 0), port(80, 0)]), ["ports[1].target"]);
    assert_eq!(of(&[port(80, 80), PublishedPort { protocol: Protocol::Udp, ..port(80, 80) }]), [] as [&str; 0]);
    let ingress = |published| PublishedPort { mode: PublishMode::Ingress, ..port(80, published) };
    assert_eq!(of(&[ingress(80), ingress(0), port(80, 0)]), [] as [&str; 0]);
    assert_eq!(of(&[ingress(80), port(80, 80)]), ["ports[1].published"]);
    assert_eq!(of(&[ingress(0), ingress(0)]), ["ports[1].target"]);
    for network in [NetworkMode::Host, NetworkMode::None] {
        let fields = refused(|spec| {
            spec.task.network = network;
            spec.ports = vec![port(80, 80)];
        });
        assert_eq!(fields, ["ports"]);
    }
}

#[test]
fn constraints_and_modes_make_sense() {
    let constraint = |key, value: &str| Constraint { key, equal: true, value: value.to_owned() };
    let fields = refused(|spec| {
        use cluster_types::constraint::ConstraintKey::{Hostname, Label, Role};
        spec.task.placement.constraints =
            vec![constraint(Hostname, "a b"), constraint(Label(String::new()), "a"), constraint(Role, "boss")];
    });
    assert_eq!(fields, (0..3).map(|place| format!("task.placement.constraints[{place}]")).collect::<Vec<_>>());
    let fields = refused(|spec| {
        spec.mode = ServiceMode::Global;
        spec.task.placement.max_per_node = 1;
    });
    assert_eq!(fields, ["task.placement.max_per_node"]);
}

#[test]
fn name_and_mode_cannot_change() {
    let fields = |new: ServiceSpec| update(&spec(), &new).into_iter().map(|problem| problem.field).collect::<Vec<_>>();
    assert_eq!(fields(ServiceSpec { mode: ServiceMode::Replicated { replicas: 9 }, ..spec() }), [] as [&str; 0]);
    assert_eq!(fields(ServiceSpec { mode: ServiceMode::Global, ..spec() }), ["mode"]);
    assert_eq!(fields(ServiceSpec { name: "other".to_owned(), ..spec() }), ["name"]);
    assert_eq!(fields(ServiceSpec { ports: vec![port(0, 1)], ..spec() }), ["ports[0].target"]);
}

#[test]
fn node_labels_are_such_that_constraints_can_name_them() {
    let of =
        |key: &str, value: &str| node(&NodeSpec { labels: BTreeMap::from([(key.to_owned(), value.to_owned())]), ..NodeSpec::default() });
    assert!(of("zone", "a").is_empty() && of("gpu", "").is_empty());
    assert_eq!(of("my zone", "a")[0].field, "labels");
    assert_eq!(of("zone", "a b")[0].field, "labels[`zone`]");
    assert_eq!(of("zone", &"a".repeat(limits::SPEC_BYTES)).len(), 1);
}

fn any_container() -> impl Strategy<Value = ContainerSpec> {
    let list = || proptest::collection::vec(any::<String>(), 0..3);
    let words = (any::<String>(), any::<String>(), any::<String>(), any::<String>());
    let lists = (list(), list(), list(), list(), list(), list(), list());
    (words, lists, any::<[u64; 3]>()).prop_map(
        |((image, dir, user, target), (command, args, env, hosts, dns, cap_add, groups), numbers)| ContainerSpec {
            image,
            dir: Some(dir.clone()),
            user: Some(user.clone()),
            hostname: Some(user.clone()),
            stop_signal: Some(user.clone()),
            mounts: vec![bind(&dir, &target)],
            sysctls: BTreeMap::from([(user.clone(), dir)]),
            ulimits: vec![Ulimit { name: user, soft: numbers[0], hard: numbers[1] }],
            stop_grace: Duration::from_secs(numbers[2]),
            command: Some(command),
            args,
            env,
            hosts,
            dns,
            cap_drop: cap_add.clone(),
            cap_add,
            groups,
            ..ContainerSpec::default()
        },
    )
}

proptest! {
    /// Every reason fits one line and names a field; nothing panics.
    #[test]
    fn any_spec_is_judged(name: String, container in any_container(), numbers: [u64; 6], ports: Vec<(u16, u16)>) {
        let mut spec = ServiceSpec { name, mode: ServiceMode::Replicated { replicas: numbers[0] }, ..spec() };
        spec.task.container = container;
        spec.task.reservation = Reservation { nano_cpus: numbers[1], memory: numbers[2] };
        spec.task.limits = Limits { nano_cpus: numbers[3], memory: numbers[4], pids: numbers[5] };
        spec.ports = ports.into_iter().map(|(target, published)| port(target, published)).collect();
        for problem in service(&spec) {
            prop_assert!(!problem.reason.is_empty() && !problem.to_string().contains(['\n', '\0']), "{:?}", problem);
        }
    }

    /// What is accepted reaches a node as it was given, and its numbers never overflow when they are added up.
    #[test]
    fn sums_over_an_accepted_service_fit(
        replicas in 0..limits::REPLICAS * 2,
        nano_cpus in 0..limits::NANO_CPUS_MAX * 2,
        memory in 0..limits::MEMORY_BYTES_MAX * 2,
        delay: u64,
    ) {
        let mut spec = ServiceSpec { mode: ServiceMode::Replicated { replicas }, ..spec() };
        spec.task.reservation = Reservation { nano_cpus, memory };
        spec.task.restart.delay = Duration::from_millis(delay);
        if service(&spec).is_empty() {
            prop_assert!(replicas.checked_mul(nano_cpus).is_some() && replicas.checked_mul(memory).is_some());
            prop_assert!(u64::MAX / 4 > Timestamp(4_000_000_000_000).plus(spec.task.restart.delay).0);
        }
    }
}
