//! What Docker would do, case by case, and what no input may do.

use std::path::PathBuf;
use std::sync::Arc;

use cluster_types::{ContainerSpec, Limits, Mount, MountKind, NetworkMode, ServiceId, TaskId, TaskSpec, Ulimit};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::ContainerConfig;
use crate::cgroup::Layout;
use crate::log::LogLimits;

const PATHS: [&str; 4] = ["/c/root", "/c/hosts", "/c/hostname", "/c/resolv.conf"];

fn record(spec: TaskSpec, image: ImageSettings) -> Record {
    Record {
        config: ContainerConfig {
            task: TaskId::from_bits(1),
            service: ServiceId::from_bits(2),
            name: "web.3".to_owned(),
            spec: Arc::new(spec),
            ports: Vec::new(),
            addresses: Vec::new(),
            generic: Default::default(),
        },
        image_id: "sha256:0".to_owned(),
        image,
        layers: vec![PathBuf::from("/layers/a")],
        netns: Some(PathBuf::from("/netns/1")),
        address: Some("10.0.0.2".to_owned()),
        cgroup: "/cluster-a/web-3-0".to_owned(),
        layout: Layout::Split { controllers: vec!["cpu".to_owned(), "memory".to_owned()] },
        hostname: "web.3".to_owned(),
        log: LogLimits::default(),
        ports: Vec::new(),
        boot: "b".to_owned(),
        checks: Default::default(),
        edits: Default::default(),
    }
}

fn try_build(record: &Record, accounts: &Accounts) -> Result<Value, SpecError> {
    let [root, hosts, hostname, resolv_conf] = PATHS.map(Path::new);
    build(record, HostPaths { root, hosts, hostname, resolv_conf }, accounts).map(|spec| serde_json::to_value(spec).unwrap())
}

fn container(change: impl FnOnce(&mut ContainerSpec)) -> TaskSpec {
    let mut spec =
        TaskSpec { container: ContainerSpec { args: vec!["run".to_owned()], ..ContainerSpec::default() }, ..TaskSpec::default() };
    change(&mut spec.container);
    spec
}

fn built(spec: TaskSpec) -> Value {
    try_build(&record(spec, ImageSettings::default()), &Accounts::default()).unwrap()
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn entrypoint_and_arguments_combine_as_dockers() {
    let image = ImageSettings { entrypoint: strings(&["/entry"]), cmd: strings(&["a", "b"]), ..ImageSettings::default() };
    type Case<'a> = (Option<&'a [&'a str]>, &'a [&'a str], &'a [&'a str]);
    let cases: [Case<'_>; 5] = [
        (None, &[], &["/entry", "a", "b"]),
        (None, &["x"], &["/entry", "x"]),
        (Some(&["/own", "-v"]), &[], &["/own", "-v"]),
        (Some(&["/own"]), &["x"], &["/own", "x"]),
        (Some(&[]), &["x"], &["x"]),
    ];
    for (command, args, wanted) in cases {
        let spec = container(|spec| (spec.command, spec.args) = (command.map(strings), strings(args)));
        let built = try_build(&record(spec, image.clone()), &Accounts::default()).unwrap();
        assert_eq!(built["process"]["args"], serde_json::json!(wanted));
    }
    let nothing = record(container(|spec| spec.args.clear()), ImageSettings::default());
    assert!(try_build(&nothing, &Accounts::default()).unwrap_err().0.contains("no command"));
}

#[test]
fn later_environment_wins() {
    let image = ImageSettings { env: strings(&["PATH=/image", "A=1"]), ..ImageSettings::default() };
    let spec = container(|spec| spec.env = strings(&["A=2", "B=x=y", "NOVALUE", "=bad"]));
    let built = try_build(&record(spec, image), &Accounts::default()).unwrap();
    assert_eq!(built["process"]["env"], serde_json::json!(["PATH=/image", "HOSTNAME=web.3", "HOME=/", "A=2", "B=x=y"]));
}

#[test]
fn users_come_from_the_containers_own_files() {
    let accounts = Accounts {
        passwd: "root:x:0:0:r:/root:/bin/sh\nbroken\nshop:x:1000:1001:s:/home/shop:/bin/sh\nhuge:x:4294967296:0::/:/\n".to_owned(),
        group: "wheel:x:10:root,shop\nshop:x:1001:\n".to_owned(),
    };
    let resolve = |user: &str, groups: &[&str]| {
        let found = accounts.resolve(user, &strings(groups))?;
        Ok::<_, SpecError>((found.uid, found.gid, found.groups.into_iter().collect::<Vec<_>>(), found.home))
    };
    assert_eq!(resolve("", &[]), Ok((0, 0, vec![10], "/root".to_owned())));
    assert_eq!(resolve("shop", &["5"]), Ok((1000, 1001, vec![5, 10], "/home/shop".to_owned())));
    assert_eq!(resolve("1000", &[]), Ok((1000, 1001, vec![10], "/home/shop".to_owned())));
    assert_eq!(resolve("shop:wheel", &[]), Ok((1000, 10, vec![], "/home/shop".to_owned())));
    assert_eq!(resolve("7:8", &[]), Ok((7, 8, vec![], "/".to_owned())));
    for wrong in ["nobody", "huge", "4294967295", "4294967296", "99999999999999999999", "-1", "shop:nobody", "0:4294967295"] {
        assert!(resolve(wrong, &[]).is_err(), "{wrong} was accepted");
    }
}

#[test]
fn limits_become_resources() {
    let limits = Limits { nano_cpus: 1_500_000_000, memory: 1 << 20, pids: 9 };
    let built = built(TaskSpec { limits, ..container(|_| {}) });
    let resources = &built["linux"]["resources"];
    assert_eq!(resources["memory"], serde_json::json!({ "limit": 1 << 20, "swap": 1 << 20 }));
    assert_eq!((&resources["cpu"]["quota"], &resources["cpu"]["period"]), (&serde_json::json!(150_000), &serde_json::json!(100_000)));
    assert_eq!(resources["pids"]["limit"], 9);
    let free = built_resources(Limits::default());
    assert!(free.get("memory").is_none() && free.get("cpu").is_none() && free.get("pids").is_none());
}

fn built_resources(limits: Limits) -> Value {
    built(TaskSpec { limits, ..container(|_| {}) })["linux"]["resources"].clone()
}

#[test]
fn network_modes_choose_the_namespace() {
    let kinds = |network| {
        let built = built(TaskSpec { network, ..container(|_| {}) });
        let all = built["linux"]["namespaces"].as_array().unwrap().clone();
        all.into_iter().find(|namespace| namespace["type"] == "network")
    };
    assert_eq!(kinds(NetworkMode::Host), None);
    assert_eq!(kinds(NetworkMode::None).unwrap().get("path"), None);
    assert_eq!(kinds(NetworkMode::Default).unwrap()["path"], "/netns/1");
}

#[test]
fn what_the_container_sees_of_its_groups_is_read_only() {
    let built = built(container(|_| {}));
    let mounts = built["mounts"].as_array().unwrap();
    let groups: Vec<&Value> =
        mounts.iter().filter(|mount| mount["source"].as_str().is_some_and(|source| source.contains("cluster-a"))).collect();
    assert_eq!(groups.len(), 2);
    assert!(groups.iter().all(|mount| mount["options"].as_array().unwrap().contains(&"ro".into())));
    assert!(built["linux"]["readonlyPaths"].as_array().unwrap().contains(&"/sys/fs/cgroup".into()));
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let bind = |source: &str, target: &str| Mount {
        kind: MountKind::Bind { source: source.to_owned() },
        target: target.to_owned(),
        read_only: false,
    };
    let refused: [(&str, TaskSpec); 8] = [
        ("mount target", container(|spec| spec.mounts = vec![bind("/a", "relative")])),
        ("mount target", container(|spec| spec.mounts = vec![bind("/a", "/x/../../etc")])),
        ("mount source", container(|spec| spec.mounts = vec![bind("a", "/x")])),
        ("capability", container(|spec| spec.cap_add = strings(&["NOPE"]))),
        ("ulimit", container(|spec| spec.ulimits = vec![Ulimit { name: "wings".to_owned(), soft: 1, hard: 2 }])),
        ("sysctl", container(|spec| drop(spec.sysctls.insert("kernel.panic".to_owned(), "1".to_owned())))),
        ("sysctl", container(|spec| drop(spec.sysctls.insert("net.../x".to_owned(), "1".to_owned())))),
        ("working directory", container(|spec| spec.dir = Some("x".to_owned()))),
    ];
    for (word, spec) in refused {
        let error = try_build(&record(spec, ImageSettings::default()), &Accounts::default()).unwrap_err();
        assert!(error.0.contains(word), "{error} does not name the {word}");
    }
    let host_sysctl = container(|spec| drop(spec.sysctls.insert("net.ipv4.ip_forward".to_owned(), "1".to_owned())));
    let on_host = record(TaskSpec { network: NetworkMode::Host, ..host_sysctl }, ImageSettings::default());
    assert!(try_build(&on_host, &Accounts::default()).is_err(), "a kernel parameter of the host's network was accepted");
}

#[test]
fn nobody_makes_devices_where_none_are_watched() {
    let set = |spec: &ContainerSpec| capabilities::of(spec, &Layout::Unified);
    assert!(!set(&ContainerSpec::default()).unwrap().contains("MKNOD"));
    assert!(set(&ContainerSpec { cap_add: strings(&["MKNOD"]), ..ContainerSpec::default() }).is_err());
    assert!(!set(&ContainerSpec { cap_add: strings(&["ALL"]), ..ContainerSpec::default() }).unwrap().contains("MKNOD"));
}

proptest! {
    #[test]
    fn no_account_file_panics_or_makes_a_name_root(passwd: String, group: String, name in "[a-z]{1,8}") {
        let accounts = Accounts { passwd: passwd.clone(), group };
        if let Ok(user) = accounts.resolve(&name, &[]) {
            prop_assert!(passwd.lines().any(|line| line.starts_with(&format!("{name}:"))), "{name} became {user:?}");
        }
    }

    #[test]
    fn numbers_are_taken_whole_or_not_at_all(number: u64) {
        match Accounts::default().resolve(&number.to_string(), &[]) {
            Ok(user) => prop_assert_eq!(u64::from(user.uid), number),
            Err(_) => prop_assert!(number >= u64::from(u32::MAX)),
        }
    }

    #[test]
    fn dropped_capabilities_are_gone(
        drop in proptest::collection::vec(proptest::sample::select(capabilities::ALL.to_vec()), 0..9),
        add in proptest::collection::vec(proptest::sample::select(capabilities::ALL.to_vec()), 0..9),
    ) {
        let spec = ContainerSpec { cap_add: strings(&add), cap_drop: strings(&drop), ..ContainerSpec::default() };
        let set = capabilities::of(&spec, &Layout::Split { controllers: Vec::new() }).unwrap();
        prop_assert!(add.iter().all(|name| set.contains(name)));
        prop_assert!(drop.iter().all(|name| add.contains(name) || !set.contains(name)));
    }

    #[test]
    fn hostile_texts_never_panic(arg: String, env: String, dir: String, target: String, user: String) {
        let spec = container(|spec| {
            spec.args = vec![arg];
            spec.env = vec![env];
            spec.dir = Some(dir);
            spec.user = Some(user);
            spec.mounts = vec![Mount { kind: MountKind::Tmpfs { size: None, mode: None }, target, read_only: true }];
        });
        let _ = try_build(&record(spec, ImageSettings::default()), &Accounts::default());
    }
}
