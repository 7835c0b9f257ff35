//! The flags of docker become specs; what cannot be read, or is not there yet, is refused with its reason.

use std::time::Duration;

use clap::Parser;
use cluster_types::{
    DEFAULT_NETWORK, EndpointAffinity, EndpointMode, HealthSpec, HealthTest, MountKind, NetworkAttachment, NetworkId, NetworkMode,
    NodeLoss, Overlap, Protocol, PublishMode, PublishedPort, Ratio, RestartCondition, ServiceMode, ServiceSpec, UpdateOrder,
};

use super::create::CreateFlags;
use super::edit::{edit, forced};
use super::network::NetworkIds;
use super::publish::publish;
use super::update::UpdateFlags;
use super::{mount, value};
use crate::failure::Failure;

#[derive(Debug, Parser)]
struct CreateLine {
    #[command(flatten)]
    flags: CreateFlags,
}

#[derive(Debug, Parser)]
struct UpdateLine {
    #[command(flatten)]
    flags: UpdateFlags,
}

/// What the server says that networks are called.
fn networks() -> NetworkIds {
    [("default", DEFAULT_NETWORK), ("back", BACK), ("front", FRONT)].map(|(name, id)| (name.to_owned(), id)).into()
}

const BACK: NetworkId = NetworkId::from_bits(7);
const FRONT: NetworkId = NetworkId::from_bits(8);

fn create(line: &[&str]) -> Result<ServiceSpec, String> {
    let parsed = CreateLine::try_parse_from(std::iter::once(&"create").chain(line)).map_err(|error| error.to_string())?;
    parsed.flags.check().and_then(|()| parsed.flags.spec("x7k2", &networks())).map_err(|failure| failure.what)
}

fn update(old: &ServiceSpec, line: &[&str]) -> Result<ServiceSpec, Failure> {
    let parsed = UpdateLine::try_parse_from(std::iter::once(&"update").chain(line)).map_err(|error| Failure::usage(error.to_string()))?;
    edit(&parsed.flags, &networks(), old)
}

fn port(published: u16, target: u16, protocol: Protocol, mode: PublishMode) -> PublishedPort {
    PublishedPort { target, published, protocol, mode }
}

/// Each flag once; `|` stands between the words.
const EVERY_FLAG: &str = "--name=web|--replicas=3|--replicas-max-per-node=2|-p|mode=host,target=80,published=8080|\
    --constraint|node.role==worker|-e|A=1|--mount|type=bind,src=/a,dst=/b,ro|--network|host|-l|team=shop|--container-label|c=d|\
    --host|db:10.0.0.9|--dns|10.0.0.2|--group|adm|--cap-add|net_admin|--cap-drop=CAP_CHOWN|--sysctl|net.core.somaxconn=9|\
    --ulimit|nofile=10:20|--entrypoint|sh -c|--hostname|h|--init=false|--read-only|--no-new-privileges|--stop-grace-period|1m30s|\
    --stop-signal|SIGINT|-u|1000:1000|-w|/srv|--limit-cpu|.5|--limit-memory|512M|--limit-pids|64|--reserve-cpu|0.25|\
    --reserve-memory|64m|--restart-condition|on-failure|--restart-delay|500ms|--restart-max-delay|1m|--restart-max-attempts|4|\
    --restart-window|2m|--update-parallelism|2|--update-delay|3s|--update-order|start-first|--update-monitor|7s|--update-failure-action=rollback|\
    --update-max-failure-ratio|0.25|--update-progress-deadline|2m|--canary|1|--rollback-parallelism|3|--rollback-delay|1s|--rollback-order|start-first|\
    --rollback-monitor|8s|--rollback-failure-action|continue|--rollback-max-failure-ratio|1|--health-cmd|curl -f localhost|--health-interval|10s|\
    --health-timeout|2s|--health-retries|5|--health-start-period|1m|--health-start-interval|1s|--readiness-cmd|test -f /ready|--readiness-interval|3s|\
    --readiness-timeout|1s|--readiness-retries|2|--placement-pref|spread=node.labels.zone|--placement-pref|spread=node.labels.rack|\
    --affinity|service==db|--affinity|node.labels.disk==ssd:5|--placement-ranking|binpack|--platform|linux/arm64|--generic-resource|gpu=2|\
    --on-node-lost|replace=5m|--endpoint-mode|dnsrr|--endpoint-affinity|client-ip|shop/web:1|echo|-n|--name|x";

#[test]
fn every_flag_has_its_field() {
    let spec = create(&EVERY_FLAG.split('|').collect::<Vec<_>>()).unwrap();
    let container = serde_json::to_string(&spec.task.container).unwrap();
    insta::assert_snapshot!(container, @r#"{"image":"shop/web:1","command":["sh","-c"],"args":["echo","-n","--name","x"],"env":["A=1"],"dir":"/srv","user":"1000:1000","groups":["adm"],"hostname":"h","labels":{"c":"d"},"mounts":[{"kind":{"bind":{"source":"/a"}},"target":"/b","read_only":true}],"hosts":["db:10.0.0.9"],"dns":["10.0.0.2"],"init":false,"read_only":true,"no_new_privileges":true,"cap_add":["NET_ADMIN"],"cap_drop":["CHOWN"],"ulimits":[{"name":"nofile","soft":10,"hard":20}],"sysctls":{"net.core.somaxconn":"9"},"stop_signal":"SIGINT","stop_grace":{"secs":90,"nanos":0},"health":{"test":{"cmd-shell":"curl -f localhost"},"interval":{"secs":10,"nanos":0},"timeout":{"secs":2,"nanos":0},"retries":5,"start_period":{"secs":60,"nanos":0},"start_interval":{"secs":1,"nanos":0}},"readiness":{"test":{"cmd-shell":"test -f /ready"},"interval":{"secs":3,"nanos":0},"timeout":{"secs":1,"nanos":0},"retries":2,"start_period":null,"start_interval":null}}"#);
    let mut rest = serde_json::to_value(&spec).unwrap();
    rest["task"]["container"].take();
    insta::assert_snapshot!(rest.to_string(), @r#"{"endpoint":{"affinity":"client-ip","mode":"dnsrr"},"labels":{"team":"shop"},"mode":{"replicated":{"replicas":3}},"name":"web","ports":[{"mode":"host","protocol":"tcp","published":8080,"target":80}],"rollback":{"canary":0,"delay":{"nanos":0,"secs":1},"failure_action":"continue","max_failure_ratio":1000,"monitor":{"nanos":0,"secs":8},"order":"start-first","parallelism":3,"progress_deadline":{"nanos":0,"secs":600}},"schedule":null,"task":{"container":null,"force_update":0,"generic":{"gpu":2},"limits":{"memory":536870912,"nano_cpus":500000000,"pids":64},"network":"host","networks":[],"on_node_lost":{"replace":{"after":{"nanos":0,"secs":300}}},"placement":{"affinities":[{"target":{"with":"db"},"weight":50},{"target":{"node":{"equal":true,"key":{"Label":"disk"},"value":"ssd"}},"weight":5}],"auto_rebalance":false,"constraints":[{"equal":true,"key":"Role","value":"worker"}],"max_per_node":2,"platforms":[{"arch":"arm64","os":"linux"}],"preferences":["node.labels.zone","node.labels.rack"],"ranking":"binpack"},"reservation":{"memory":67108864,"nano_cpus":250000000},"restart":{"condition":"on-failure","delay":{"nanos":500000000,"secs":0},"max_attempts":4,"max_delay":{"nanos":0,"secs":60},"window":{"nanos":0,"secs":120}}},"update":{"canary":1,"delay":{"nanos":0,"secs":3},"failure_action":"rollback","max_failure_ratio":250,"monitor":{"nanos":0,"secs":7},"order":"start-first","parallelism":2,"progress_deadline":{"nanos":0,"secs":120}}}"#);
}

#[test]
fn defaults_are_dockers() {
    let spec = create(&["localhost:5000/shop/Web_1:2"]).unwrap();
    assert_eq!((spec.name.as_str(), spec.mode), ("web1-x7k2", ServiceMode::Replicated { replicas: 1 }));
    assert!(spec.task.container.init && !spec.task.container.read_only);
    assert_eq!(create(&["--mode", "global", "a"]).unwrap().mode, ServiceMode::Global);
    assert_eq!(
        create(&["--mode", "global", "--replicas", "2", "a"]).unwrap_err(),
        "--replicas is for --mode replicated and replicated-job"
    );
    assert!(create(&["--name", "web"]).unwrap_err().contains("IMAGE"));
}

#[test]
fn what_is_not_there_yet_is_refused_by_name() {
    for line in [
        &["--secret", "key", "a"][..],
        &["--gpus", "all", "a"],
        &["-t", "a"],
        &["--network", "name=back,driver-opt=a=b", "a"],
        &["--mount", "type=volume,src=v,dst=/v", "a"],
    ] {
        let error = create(line).unwrap_err();
        assert!(error.contains("not supported yet"), "{line:?}: {error}");
    }
    assert_eq!(create(&["--secret", "key", "a"]).unwrap_err(), "--secret: secrets are not supported yet");
}

#[test]
fn the_number_of_a_job_is_how_many_complete_and_unless_said_how_many_run_at_once() {
    let mode = |line: &[&str]| create(line).map(|spec| spec.mode);
    let job = |max_concurrent, total| Ok(ServiceMode::ReplicatedJob { max_concurrent, total });
    assert_eq!(mode(&["--mode=replicated-job", "a"]), job(1, 1));
    assert_eq!(mode(&["--mode=replicated-job", "--replicas=10", "a"]), job(10, 10));
    assert_eq!(mode(&["--mode=replicated-job", "--replicas=10", "--max-concurrent=3", "a"]), job(3, 10));
    assert_eq!(mode(&["--mode=global-job", "a"]), Ok(ServiceMode::GlobalJob));
    assert!(mode(&["--max-concurrent=3", "a"]).unwrap_err().contains("is for --mode replicated-job"));
    let made = create(&["--name=j", "--mode=replicated-job", "--replicas=4", "a"]).unwrap();
    assert_eq!(update(&made, &["--replicas=6"]).unwrap().mode, ServiceMode::ReplicatedJob { max_concurrent: 4, total: 6 });
}

#[test]
fn a_schedule_has_a_time_zone_and_is_for_jobs() {
    let made = create(&["--name=j", "--mode=global-job", "--schedule", "0 3 * * *", "--overlap=replace", "a"]).unwrap();
    let schedule = made.schedule.clone().unwrap();
    assert_eq!((schedule.cron.as_str(), schedule.time_zone.as_str(), schedule.overlap), ("0 3 * * *", "UTC", Overlap::Replace));
    let moved = update(&made, &["--time-zone", "Europe/Zurich"]).unwrap().schedule.unwrap();
    assert_eq!((moved.cron.as_str(), moved.time_zone.as_str(), moved.overlap), ("0 3 * * *", "Europe/Zurich", Overlap::Replace));
    assert_eq!(update(&made, &["--schedule="]).unwrap().schedule, None);
    assert!(create(&["--schedule", "0 3 * * *", "a"]).unwrap_err().contains("--schedule is for jobs"));
    assert!(create(&["--mode=global-job", "--time-zone=UTC", "a"]).unwrap_err().contains("with a --schedule"));
}

#[test]
fn checks_are_set_kept_and_taken_away() {
    let with = update(&old(), &["--health-cmd", "true", "--health-retries=4"]).unwrap();
    let health = &with.task.container.health;
    assert_eq!((&health.test, health.retries), (&HealthTest::CmdShell("true".into()), Some(4)));
    let without = update(&with, &["--no-healthcheck"]).unwrap();
    assert_eq!(without.task.container.health, HealthSpec { test: HealthTest::None, ..HealthSpec::default() });
    let timed = update(&without, &["--health-interval=3s"]).unwrap().task.container.health;
    assert_eq!((timed.test, timed.interval), (HealthTest::Inherit, Some(Duration::from_secs(3))));
    assert_eq!(update(&with, &["--health-cmd="]).unwrap().task.container.health.test, HealthTest::Inherit);
    assert!(create(&["--no-healthcheck", "--health-cmd=true", "a"]).unwrap_err().contains("cannot be used with"));
    assert!(create(&["--readiness-retries=2", "a"]).unwrap_err().contains("give --readiness-cmd"));
    let ready = update(&old(), &["--readiness-cmd=test -f /r"]).unwrap();
    assert_eq!(ready.task.container.readiness.as_ref().map(|check| &check.test), Some(&HealthTest::CmdShell("test -f /r".into())));
    assert_eq!(update(&ready, &["--readiness-cmd="]).unwrap().task.container.readiness, None);
}

#[test]
fn placement_is_added_to_and_taken_from() {
    let made = create(&[
        "--name=web",
        "--placement-pref=spread=node.labels.zone",
        "--affinity=service==db:20",
        "--generic-resource=gpu=1",
        "--generic-resource=ssd=2",
        "--platform=linux/amd64",
        "a",
    ])
    .unwrap();
    let new = update(
        &made,
        &[
            "--placement-pref-rm=spread=node.labels.zone",
            "--placement-pref-add=spread=node.labels.rack",
            "--affinity-add=service==db:70",
            "--affinity-add=service!=web",
            "--generic-resource-rm=ssd",
            "--generic-resource-add=gpu=2",
            "--platform-rm=linux/amd64",
            "--on-node-lost=keep",
        ],
    )
    .unwrap();
    assert_eq!(new.task.placement.preferences, ["node.labels.rack"]);
    let affinities: Vec<String> = new.task.placement.affinities.iter().map(ToString::to_string).collect();
    assert_eq!(affinities, ["service == db:70", "service != web:50"]);
    assert_eq!((new.task.generic, new.task.placement.platforms.len()), ([("gpu".to_owned(), 2)].into(), 0));
    assert_eq!(new.task.on_node_lost, NodeLoss::Keep);
    for (flag, why) in [
        ("--placement-pref=zone", "spread=node.labels.zone"),
        ("--affinity=service==", "names no service"),
        ("--generic-resource=gpu", "gpu=2"),
        ("--generic-resource=gpu=0", "gpu=2"),
        ("--platform=linux", "linux/amd64"),
        ("--on-node-lost=keep=1m", "replace=AFTER"),
        ("--placement-ranking=random", "spread or binpack"),
    ] {
        let error = create(&[flag, "a"]).unwrap_err();
        assert!(error.contains(why), "{flag}: {error}");
    }
}

#[test]
fn an_update_has_no_canaries_unless_it_asks() {
    let with = update(&old(), &["--canary=2", "--image=a:2"]).unwrap();
    assert_eq!((with.update.canary, with.rollback.canary), (2, 0));
    assert_eq!(update(&with, &["--image=a:3"]).unwrap().update.canary, 0);
    assert_eq!(forced(&with).update.canary, 0);
    assert_eq!(create(&["--update-max-failure-ratio=.125", "a"]).unwrap().update.max_failure_ratio, Ratio(125));
    for wrong in ["--update-max-failure-ratio=1.5", "--update-max-failure-ratio=NaN", "--rollback-failure-action=rollback"] {
        assert!(create(&[wrong, "a"]).is_err(), "{wrong}");
    }
}

#[test]
fn ports_have_two_forms() {
    use Protocol::{Tcp, Udp};
    use PublishMode::{Host, Ingress};
    let read = |text: &str| publish(text).map(|publish| publish.0);
    assert_eq!(read("8080:80"), Ok(vec![port(8080, 80, Tcp, Ingress)]));
    assert_eq!(read("53/udp"), Ok(vec![port(0, 53, Udp, Ingress)]));
    assert_eq!(read("8000-8001:80-81/tcp"), Ok(vec![port(8000, 80, Tcp, Ingress), port(8001, 81, Tcp, Ingress)]));
    assert_eq!(read("mode=host,target=80,published=8080,protocol=udp"), Ok(vec![port(8080, 80, Udp, Host)]));
    for (wrong, why) in [
        ("127.0.0.1:80:80", "names an address"),
        ("0:80", "is not a port"),
        ("80:70000", "is not a port"),
        ("8000-8002:80-81", "different length"),
        ("9-8:1-2", "runs backward"),
        ("80/sctp", "not supported yet"),
        ("mode=host,published=80", "no target"),
        ("mode=world,target=80", "not a publish mode"),
        ("target=80,host=x", "no key of a port"),
    ] {
        assert!(read(wrong).unwrap_err().contains(why), "{wrong}: {:?}", read(wrong));
    }
}

#[test]
fn values_say_how_they_are_written() {
    assert_eq!(value::duration("1m30s"), Ok(Duration::from_secs(90)));
    assert_eq!(value::duration("1.5h"), Ok(Duration::from_secs(5_400)));
    assert_eq!(value::duration("0"), Ok(Duration::ZERO));
    for wrong in ["", "10", "1month", "1y", "s", "-1s", "1e9h", "99999999999999999999h"] {
        assert!(value::duration(wrong).is_err(), "{wrong}");
    }
    assert_eq!(value::cpus(".5"), Ok(500_000_000));
    assert!(value::cpus("-1").is_err() && value::cpus("inf").is_err() && value::cpus("NaN").is_err());
    assert_eq!(value::host("db=fd00::1"), Ok("db:fd00::1".into()));
    assert!(value::host("db").is_err() && value::host("db:x").is_err());
    assert_eq!(value::ulimit("nofile=-1").map(|ulimit| (ulimit.soft, ulimit.hard)), Ok((u64::MAX, u64::MAX)));
    let tmpfs = mount::mount("type=tmpfs,target=/t,tmpfs-size=64m,tmpfs-mode=1770").unwrap();
    assert_eq!(tmpfs.kind, MountKind::Tmpfs { size: Some(64 << 20), mode: Some(0o1770) });
    for wrong in [
        "type=bind,target=/t",
        "type=bind,source=/a",
        "type=tmpfs,source=/a,target=/b",
        "target=/t,x=y",
        "type=bind,source=/a,target=/b,readonly=maybe",
    ] {
        assert!(mount::mount(wrong).is_err(), "{wrong}");
    }
}

fn attached(network: NetworkId, aliases: &[&str]) -> NetworkAttachment {
    NetworkAttachment { network, aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect() }
}

#[test]
fn networks_have_two_forms_and_host_and_none_stand_alone() {
    let made = |line: &[&str]| create(&[line, &["a"]].concat()).map(|spec| (spec.task.network, spec.task.networks));
    assert_eq!(made(&[]), Ok((NetworkMode::Default, vec![])));
    assert_eq!(made(&["--network=default"]), Ok((NetworkMode::Default, vec![attached(DEFAULT_NETWORK, &[])])));
    let two = made(&["--network", "back", "--net", "name=front,alias=www,alias=shop"]);
    assert_eq!(two, Ok((NetworkMode::Default, vec![attached(BACK, &[]), attached(FRONT, &["www", "shop"])])));
    assert_eq!(made(&["--network=host"]), Ok((NetworkMode::Host, vec![])));
    assert_eq!(made(&["--network=name=none"]), Ok((NetworkMode::None, vec![])));
    for (line, why) in [
        (&["--network=back", "--network=name=back,alias=x"][..], "named twice"),
        (&["--network=host", "--network=back"], "stand alone"),
        (&["--network=alias=x"], "has no name of a network"),
        (&["--network=name=back,ip=10.0.0.1"], "no key of a network"),
        (&["--network=name=host,alias=x"], "no names without a network"),
        (&["--network="], "is missing"),
    ] {
        let said = made(line).unwrap_err();
        assert!(said.contains(why), "{line:?}: {said}");
    }
}

#[test]
fn an_update_adds_and_takes_networks() {
    let plain = create(&["a"]).unwrap();
    let of = |spec: &ServiceSpec, line: &[&str]| update(spec, line).map(|spec| (spec.task.network, spec.task.networks));
    // Who adds a network means to keep the others, the default one too.
    let both = update(&plain, &["--network-add=name=back,alias=db"]).unwrap();
    assert_eq!(both.task.networks, [attached(DEFAULT_NETWORK, &[]), attached(BACK, &["db"])]);
    assert_eq!(of(&both, &["--network-add=back"]).unwrap().1, [attached(DEFAULT_NETWORK, &[]), attached(BACK, &[])]);
    assert_eq!(of(&both, &["--network-rm=default"]).unwrap().1, [attached(BACK, &["db"])]);
    assert_eq!(of(&both, &["--network-rm=back"]).unwrap(), (NetworkMode::Default, vec![]));
    assert_eq!(of(&plain, &["--network-rm=default", "--network-add=front"]).unwrap().1, [attached(FRONT, &[])]);
    assert!(of(&plain, &["--network-rm=default"]).unwrap_err().what.contains("is in the default one"));
    let host = update(&plain, &["--network-add=host"]).unwrap();
    assert_eq!((host.task.network, host.task.networks.len()), (NetworkMode::Host, 0));
    assert!(of(&both, &["--network-add=host"]).unwrap_err().what.contains("in no other network"));
    assert!(of(&host, &["--network-add=back"]).unwrap_err().what.contains("stands alone"));
    assert_eq!(of(&host, &["--network-rm=host", "--network-add=back"]).unwrap(), (NetworkMode::Default, vec![attached(BACK, &[])]));
}

#[test]
fn names_without_one_address_have_no_port_on_every_node() {
    let made = create(&["--endpoint-affinity=client-ip", "-p=8080:80", "a"]).unwrap();
    assert_eq!((made.endpoint.mode, made.endpoint.affinity), (EndpointMode::Vip, EndpointAffinity::ClientIp));
    assert!(create(&["--endpoint-mode=dnsrr", "-p=8080:80", "a"]).unwrap_err().contains("in ingress mode"));
    assert!(update(&made, &["--endpoint-mode=dnsrr"]).unwrap_err().what.contains("in ingress mode"));
    let dnsrr = update(&made, &["--endpoint-mode=dnsrr", "--publish-rm=80", "--publish-add=mode=host,target=80"]).unwrap();
    assert_eq!(dnsrr.endpoint.mode, EndpointMode::Dnsrr);
    assert!(create(&["--endpoint-mode=round", "a"]).unwrap_err().contains("use vip or dnsrr"));
}

fn old() -> ServiceSpec {
    create(&[
        "--name=web",
        "--replicas=3",
        "-p=8080:80",
        "-e=A=1",
        "-e=B=2",
        "-l=x=1",
        "--constraint=node.role==worker",
        "--mount=type=tmpfs,dst=/t",
        "--cap-drop=CHOWN",
        "--host=db:10.0.0.9",
        "a:1",
    ])
    .unwrap()
}

#[test]
fn an_update_changes_what_it_names_and_nothing_else() {
    let same = update(&old(), &[]).unwrap();
    assert_eq!(same, old());
    let new = update(
        &old(),
        &[
            "--image=a:2",
            "--replicas=5",
            "--env-add=A=9",
            "--env-add=C=3",
            "--env-rm=B",
            "--label-add=y=2",
            "--label-rm=x",
            "--publish-rm=80",
            "--publish-add=mode=host,target=81,published=81",
            "--constraint-rm=node.role == worker",
            "--constraint-add=node.labels.zone==a",
            "--mount-rm=/t",
            "--mount-add=type=bind,src=/a,dst=/b",
            "--cap-add=CHOWN",
            "--cap-add=NET_ADMIN",
            "--host-rm=db",
            "--args=-g 'two words'",
            "--limit-memory=1g",
            "--force",
        ],
    )
    .unwrap();
    let container = &new.task.container;
    assert_eq!((container.image.as_str(), &container.env), ("a:2", &vec!["A=9".to_owned(), "C=3".to_owned()]));
    assert_eq!(new.mode, ServiceMode::Replicated { replicas: 5 });
    assert_eq!(new.labels.keys().collect::<Vec<_>>(), ["y"]);
    assert_eq!(new.ports, [port(81, 81, Protocol::Tcp, PublishMode::Host)]);
    assert_eq!(new.task.placement.constraints.iter().map(ToString::to_string).collect::<Vec<_>>(), ["node.labels.zone == a"]);
    assert_eq!(container.mounts.iter().map(|mount| mount.target.as_str()).collect::<Vec<_>>(), ["/b"]);
    assert_eq!((&container.cap_add, container.cap_drop.len(), container.hosts.len()), (&vec!["NET_ADMIN".to_owned()], 0, 0));
    assert_eq!(container.args, ["-g", "two words"]);
    assert_eq!((new.task.limits.memory, new.task.force_update), (1 << 30, 1));
}

#[test]
fn a_text_is_taken_back_by_an_empty_one_and_a_global_service_has_no_number() {
    let with = update(&old(), &["--entrypoint=sh", "--user=me", "--restart-delay=10m"]).unwrap();
    assert_eq!(
        (with.task.container.command.as_deref(), with.task.restart.max_delay),
        (Some(&["sh".to_owned()][..]), Duration::from_secs(600))
    );
    let without = update(&with, &["--entrypoint=", "--user="]).unwrap();
    assert_eq!((without.task.container.command, without.task.container.user), (None, None));
    let global = ServiceSpec { mode: ServiceMode::Global, ..old() };
    assert!(update(&global, &["--replicas=2"]).unwrap_err().what.contains("global service"));
    assert_eq!(update(&global, &["--update-order=start-first"]).unwrap().update.order, UpdateOrder::StartFirst);
    let task = update(&old(), &["--restart-condition=none"]).unwrap().task;
    assert_eq!((task.restart.condition, task.network), (RestartCondition::None, NetworkMode::Default));
}
