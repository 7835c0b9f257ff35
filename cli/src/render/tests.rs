//! Snapshots of tables, JSON objects and errors. The JSON keys are an interface: scripts read them.

mod rollout;

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_api::pb;
use cluster_api::{ApiError, FieldError};
use cluster_types::{
    Author, Availability, BlockOwner, ContainerSpec, ContainerStatus, DEFAULT_NETWORK, DesiredState, Endpoint, EndpointAffinity,
    ManagerSeat, Meta, Mount, MountKind, Network, NetworkAttachment, NetworkId, NetworkSpec, Node, NodeDescription, NodeId, NodeNetwork,
    NodeSpec, NodeState, NodeStatus, Platform, Protocol, PublishMode, PublishedPort, Reservation, Role, Service, ServiceId, ServiceMode,
    ServiceSpec, Task, TaskAddress, TaskId, TaskSpec, TaskState, TaskStatus, Timestamp, Version,
};

use super::error::error;
use super::output::{Format, ListFlags};
use super::paint::Paint;
use super::row::{ImageRow, Row, ServiceRow, TaskRow};
use crate::commands::{init, status};
use crate::failure::Failure;
use crate::model::{BlockView, NetworkView, NodeView, ServiceView, TaskView};

const NOW: Timestamp = Timestamp(1_764_000_100_000);

fn meta(created: u64) -> Meta {
    Meta { version: Version(7), created: Timestamp(created), updated: NOW }
}

fn ago(seconds: u64) -> Timestamp {
    Timestamp(NOW.0 - seconds * 1_000)
}

/// A node of the snapshots.
pub(crate) fn node(number: u128, hostname: &str, seat: bool, state: NodeState) -> NodeView {
    let address = "10.0.0.1:4740".parse().unwrap();
    NodeView {
        node: Node {
            meta: meta(1_764_000_000_000),
            id: NodeId::from_bits(u128::MAX / 7 + number),
            spec: NodeSpec {
                role: if seat { Role::Manager } else { Role::Worker },
                availability: Availability::Active,
                labels: [("zone".into(), "a".into())].into(),
                ..NodeSpec::default()
            },
            description: NodeDescription {
                hostname: hostname.into(),
                platform: Platform { os: "linux".into(), arch: "x86_64".into() },
                capacity: Reservation { nano_cpus: 2_000_000_000, memory: 4 << 30 },
                version: "0.1.0".into(),
                data_address: Some("10.0.0.1".parse().unwrap()),
                ..NodeDescription::default()
            },
            status: NodeStatus { state, message: String::new(), address: "10.0.0.1".into(), since: ago(60) },
            manager: seat.then_some(ManagerSeat { raft_id: 3, address }),
            number: u16::try_from(number).ok(),
            network: NodeNetwork::default(),
        },
        leader: number == 1,
        reachable: seat && state == NodeState::Ready,
        is_self: number == 1,
    }
}

/// A service of the snapshots.
pub(crate) fn service(name: &str, mode: ServiceMode, running: u64) -> ServiceView {
    let port = |target, published, mode| PublishedPort { target, published, protocol: Protocol::Tcp, mode };
    let attachment = NetworkAttachment { network: NetworkId::from_bits(u128::MAX / 9), aliases: vec!["shop".into()] };
    let container = ContainerSpec {
        image: "shop/web:1.9".into(),
        env: vec!["A=1".into()],
        hosts: vec!["db:10.0.0.9".into()],
        mounts: vec![Mount { kind: MountKind::Bind { source: "/data".into() }, target: "/data".into(), read_only: true }],
        ..ContainerSpec::default()
    };
    let spec = ServiceSpec {
        name: name.into(),
        labels: [("team".into(), "shop".into())].into(),
        task: TaskSpec { container, networks: vec![attachment], ..TaskSpec::default() },
        mode,
        ports: vec![port(80, 0, PublishMode::Ingress), port(90, 9090, PublishMode::Host)],
        ..ServiceSpec::default()
    };
    let endpoint = Endpoint {
        vips: [(NetworkId::from_bits(u128::MAX / 9), "10.210.0.2".parse().unwrap())].into(),
        ports: vec![port(80, 30_000, PublishMode::Ingress)],
        error: None,
    };
    let service = Service {
        meta: meta(1_764_000_000_000),
        spec_version: Version(7),
        endpoint,
        ..Service::new(ServiceId::from_bits(u128::MAX / 5), spec, Author::default())
    };
    ServiceView { service, running, wanted: 2, updated: 0, completions: (0, 2), images: BTreeMap::new(), conflicts: Vec::new() }
}

/// A network of the snapshots.
pub(crate) fn network(name: &str) -> NetworkView {
    let node = NodeId::from_bits(u128::MAX / 7 + 1);
    let block = |subnet: &str, node: &str, node_hostname: &str, used| BlockView {
        subnet: subnet.into(),
        node: node.into(),
        node_hostname: node_hostname.into(),
        used,
    };
    NetworkView {
        network: Network {
            meta: meta(1_764_000_000_000),
            id: if name == "default" { DEFAULT_NETWORK } else { NetworkId::from_bits(u128::MAX / 9) },
            spec: NetworkSpec {
                name: name.into(),
                labels: [("team".into(), "shop".into()), ("tier".into(), "back".into())].into(),
                subnet: None,
                attachable: true,
                internal: false,
            },
            subnet: "10.210.0.0/20".parse().unwrap(),
            blocks: [(0, BlockOwner::Services), (1, BlockOwner::Node(node))].into(),
        },
        used: 4,
        free: 4_092,
        services: vec!["api".into(), "web".into()],
        blocks: vec![block("10.210.0.0/26", "", "", 2), block("10.210.0.64/26", &node.to_string(), "n1", 2)],
    }
}

/// A task of the snapshots.
pub(crate) fn task(number: u128, slot: u64, state: TaskState, error: Option<&str>) -> TaskView {
    let desired = if state.is_terminal() { DesiredState::Shutdown } else { DesiredState::Running };
    let exit_code = (state == TaskState::Failed).then_some(1);
    let container = (state >= TaskState::Running).then(|| ContainerStatus { pid: Some(4711), exit_code, ..ContainerStatus::default() });
    let placed = state > TaskState::Pending;
    TaskView {
        task: Task {
            meta: meta(1_764_000_000_000 + u64::try_from(number).unwrap()),
            node: placed.then_some(NodeId::from_bits(u128::MAX / 7 + 1)),
            desired,
            status: TaskStatus { state, at: ago(5), error: error.map(str::to_owned), container, ..TaskStatus::default() },
            ..Task::new(TaskId::from_bits(u128::MAX / 3 + number), ServiceId::from_bits(u128::MAX / 5), Version(7), slot)
        },
        service_name: "web".into(),
        node_hostname: if placed { "n1".into() } else { String::new() },
        image: "shop/web:1.9".into(),
        ports: Vec::new(),
    }
}

fn nodes() -> Vec<NodeView> {
    vec![
        node(1, "n1", true, NodeState::Ready),
        node(2, "n2", true, NodeState::Down),
        node(3, "worker-\u{1b}[31mred", false, NodeState::Disconnected),
    ]
}

fn services() -> Vec<ServiceRow> {
    let services = [service("web", ServiceMode::Replicated { replicas: 5 }, 3), service("agent", ServiceMode::Global, 2)];
    services.map(ServiceRow).into()
}

fn tasks() -> Vec<TaskRow> {
    let tasks = vec![
        task(1, 1, TaskState::Failed, None),
        task(2, 2, TaskState::Pending, Some("n1: 800 MiB short\nn2: drained")),
        task(3, 1, TaskState::Running, None),
        task(4, 1, TaskState::Rejected, Some("image shop/web:1.9: not found")),
    ];
    TaskRow::rows(tasks, NOW)
}

fn flags(format: Format, quiet: bool) -> ListFlags {
    ListFlags { format, quiet, ..ListFlags::default() }
}

#[test]
fn nodes_are_listed() {
    insta::assert_snapshot!(flags(Format::Table, false).print(&nodes()), @r"
    ID               HOSTNAME             STATUS         AVAILABILITY   MANAGER STATUS   VERSION
    25xzpakkg8t3 *   n1                   Ready          Active         Leader           0.1.0
    25xzpakkg8t3     n2                   Down           Active         Unreachable      0.1.0
    25xzpakkg8t3     worker-\x1b[31mred   Disconnected   Active                          0.1.0
    ");
    insta::assert_snapshot!(flags(Format::Json, false).print(&nodes()), @r#"
    {"Availability":"Active","EngineVersion":"0.1.0","Generic":"","Hostname":"n1","ID":"25xzpakkg8t3jf8j7ihzy43l1","ManagerStatus":"Leader","Self":true,"Status":"Ready"}
    {"Availability":"Active","EngineVersion":"0.1.0","Generic":"","Hostname":"n2","ID":"25xzpakkg8t3jf8j7ihzy43l2","ManagerStatus":"Unreachable","Self":false,"Status":"Down"}
    {"Availability":"Active","EngineVersion":"0.1.0","Generic":"","Hostname":"worker-\u001b[31mred","ID":"25xzpakkg8t3jf8j7ihzy43l3","ManagerStatus":"","Self":false,"Status":"Disconnected"}
    "#);
    insta::assert_snapshot!(flags(Format::Table, true).print(&nodes()), @"
    25xzpakkg8t3jf8j7ihzy43l1
    25xzpakkg8t3jf8j7ihzy43l2
    25xzpakkg8t3jf8j7ihzy43l3
    ");
}

#[test]
fn services_are_listed() {
    insta::assert_snapshot!(flags(Format::Table, false).print(&services()), @"
    ID             NAME    MODE         REPLICAS   STATE      IMAGE          PORTS
    314dzessmqqc   web     replicated   3/5        degraded   shop/web:1.9   *:30000->80/tcp
    314dzessmqqc   agent   global       2/2        ok         shop/web:1.9   *:30000->80/tcp
    ");
    insta::assert_snapshot!(flags(Format::Json, false).print(&services()), @r#"
    {"ID":"314dzessmqqc5lby3bhzxcxtf","Image":"shop/web:1.9","Mode":"replicated","Name":"web","Ports":"*:30000->80/tcp","Replicas":"3/5","State":"degraded"}
    {"ID":"314dzessmqqc5lby3bhzxcxtf","Image":"shop/web:1.9","Mode":"global","Name":"agent","Ports":"*:30000->80/tcp","Replicas":"2/2","State":"ok"}
    "#);
    insta::assert_snapshot!(flags(Format::Table, false).print::<ServiceRow>(&[]), @"ID   NAME   MODE   REPLICAS   STATE   IMAGE   PORTS");
}

#[test]
fn networks_are_listed() {
    let networks = [network("back"), network("default")];
    insta::assert_snapshot!(flags(Format::Table, false).print(&networks), @"
    NETWORK ID     NAME      DRIVER    SCOPE   SUBNET
    1omfro7zwmum   back      overlay   swarm   10.210.0.0/20
    000000000000   default   overlay   swarm   10.210.0.0/20
    ");
    insta::assert_snapshot!(flags(Format::Json, false).print(&networks), @r#"
    {"CreatedAt":"2025-11-24T16:00:00Z","Driver":"overlay","ID":"1omfro7zwmumr3umxudzyj6sc","IPv4":"true","IPv6":"false","Internal":"false","Labels":"team=shop,tier=back","Name":"back","Scope":"swarm","Subnet":"10.210.0.0/20"}
    {"CreatedAt":"2025-11-24T16:00:00Z","Driver":"overlay","ID":"0000000000000000000000001","IPv4":"true","IPv6":"false","Internal":"false","Labels":"team=shop,tier=back","Name":"default","Scope":"swarm","Subnet":"10.210.0.0/20"}
    "#);
}

#[test]
fn inspect_of_a_network_has_dockers_keys_and_who_uses_it() {
    insta::assert_snapshot!(super::inspect::print(&[network("back").inspect(&nodes())], Format::Table), @r#"
    [
      {
        "Attachable": true,
        "Blocks": [
          {
            "Services": true,
            "Subnet": "10.210.0.0/26",
            "Used": 2
          },
          {
            "Node": "n1",
            "NodeID": "25xzpakkg8t3jf8j7ihzy43l1",
            "Subnet": "10.210.0.64/26",
            "Used": 2
          }
        ],
        "Created": "2025-11-24T16:00:00Z",
        "Driver": "overlay",
        "EnableIPv4": true,
        "EnableIPv6": false,
        "Free": 4092,
        "IPAM": {
          "Config": [
            {
              "Subnet": "10.210.0.0/20"
            }
          ],
          "Driver": "default"
        },
        "Id": "1omfro7zwmumr3umxudzyj6sc",
        "Ingress": false,
        "Internal": false,
        "Labels": {
          "team": "shop",
          "tier": "back"
        },
        "Name": "back",
        "Peers": [
          {
            "IP": "10.0.0.1",
            "Name": "n1"
          }
        ],
        "Scope": "swarm",
        "Services": [
          "api",
          "web"
        ],
        "Used": 4
      }
    ]
    "#);
}

#[test]
fn a_task_shows_the_ports_of_its_host_and_its_addresses() {
    let mut view = task(1, 1, TaskState::Running, None);
    let port = |published, mode| PublishedPort { target: 80, published, protocol: Protocol::Tcp, mode };
    view.ports = vec![port(8080, PublishMode::Ingress), port(8081, PublishMode::Host)];
    view.task.addresses = vec![TaskAddress { network: NetworkId::from_bits(u128::MAX / 9), address: "10.210.0.64".parse().unwrap() }];
    let inspected = view.inspect();
    assert_eq!(TaskRow::rows(vec![view], NOW)[0].json()["Ports"], "*:8081->80/tcp");
    assert_eq!(inspected["NetworksAttachments"][0]["Addresses"][0], "10.210.0.64/32");
}

#[test]
fn what_a_service_and_a_node_did_not_get_is_shown() {
    let mut view = service("web", ServiceMode::Global, 2);
    let spec = Arc::make_mut(&mut view.service.spec);
    spec.endpoint.affinity = EndpointAffinity::ClientIp;
    view.service.endpoint.error = Some("no address of back is free".into());
    view.conflicts = vec!["port 30000/tcp is not open on n2: another program has it".into()];
    insta::assert_snapshot!(view.inspect()["Endpoint"].to_string(), @r#"{"Conflicts":["port 30000/tcp is not open on n2: another program has it"],"Error":"no address of back is free","Ports":[{"Protocol":"tcp","PublishMode":"ingress","PublishedPort":30000,"TargetPort":80},{"Protocol":"tcp","PublishMode":"host","PublishedPort":9090,"TargetPort":90}],"Spec":{"Affinity":"client-ip","Mode":"vip","Ports":[{"Protocol":"tcp","PublishMode":"ingress","TargetPort":80},{"Protocol":"tcp","PublishMode":"host","PublishedPort":9090,"TargetPort":90}]},"VirtualIPs":[{"Addr":"10.210.0.2/32","NetworkID":"1omfro7zwmumr3umxudzyj6sc"}]}"#);
    let mut view = node(2, "n2", false, NodeState::Ready);
    view.node.network = NodeNetwork {
        conflicts: vec![(8080, Protocol::Tcp), (53, Protocol::Udp)],
        trouble: Some("the kernel has no vxlan".into()),
        repairs: 3,
        repaired: Some("a rule was gone".into()),
    };
    insta::assert_snapshot!(view.inspect()["Overlay"].to_string(), @r#"{"Addr":"10.0.0.1","Conflicts":["8080/tcp","53/udp"],"Number":2,"Repaired":"a rule was gone","Repairs":3,"Trouble":"the kernel has no vxlan"}"#);
}

#[test]
fn tasks_are_listed_with_their_history() {
    insta::assert_snapshot!(flags(Format::Table, false).print(&tasks()), @r"
    ID             NAME        IMAGE          NODE   DESIRED STATE   CURRENT STATE            ERROR                            PORTS
    51vbb0nzpwjw   web.1       shop/web:1.9   n1     Shutdown        Rejected 5 seconds ago   image shop/web:1.9: not found
    51vbb0nzpwjw    \_ web.1   shop/web:1.9   n1     Running         Running 5 seconds ago
    51vbb0nzpwjw    \_ web.1   shop/web:1.9   n1     Shutdown        Failed 5 seconds ago     exit code 1
    51vbb0nzpwjw   web.2       shop/web:1.9          Running         Pending 5 seconds ago    n1: 800 MiB short; n2: drained
    ");
    insta::assert_snapshot!(flags(Format::Json, false).print(&tasks()), @r#"
    {"CurrentState":"Rejected 5 seconds ago","DesiredState":"Shutdown","Error":"image shop/web:1.9: not found","ExitCode":null,"Health":null,"ID":"51vbb0nzpwjw9bjwtj5zvlkd5","Image":"shop/web:1.9","Name":"web.1","Node":"n1","Output":null,"Ports":""}
    {"CurrentState":"Running 5 seconds ago","DesiredState":"Running","Error":"","ExitCode":null,"Health":null,"ID":"51vbb0nzpwjw9bjwtj5zvlkd4","Image":"shop/web:1.9","Name":"web.1","Node":"n1","Output":null,"Ports":""}
    {"CurrentState":"Failed 5 seconds ago","DesiredState":"Shutdown","Error":"exit code 1","ExitCode":1,"Health":null,"ID":"51vbb0nzpwjw9bjwtj5zvlkd2","Image":"shop/web:1.9","Name":"web.1","Node":"n1","Output":null,"Ports":""}
    {"CurrentState":"Pending 5 seconds ago","DesiredState":"Running","Error":"n1: 800 MiB short\nn2: drained","ExitCode":null,"Health":null,"ID":"51vbb0nzpwjw9bjwtj5zvlkd3","Image":"shop/web:1.9","Name":"web.2","Node":"","Output":null,"Ports":""}
    "#);
}

#[test]
fn images_are_listed_by_name() {
    let image = |names: &[&str]| pb::Image {
        id: format!("sha256:{}", "0123456789abcdef".repeat(4)),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        digest: format!("sha256:{}", "fedcba9876543210".repeat(4)),
        created_ms: NOW.0 - 86_400_000 * 3,
        size: 12_345_678,
    };
    let rows = ImageRow::rows(vec![image(&["docker.io/library/nginx:1.27", "localhost:5000/web:2"]), image(&[])], NOW);
    insta::assert_snapshot!(flags(Format::Table, false).print(&rows), @"
    REPOSITORY           TAG      IMAGE ID       CREATED      SIZE
    <none>               <none>   0123456789ab   3 days ago   11.8 MiB
    localhost:5000/web   2        0123456789ab   3 days ago   11.8 MiB
    nginx                1.27     0123456789ab   3 days ago   11.8 MiB
    ");
    insta::assert_snapshot!(flags(Format::Json, false).print(&rows[..1]), @r#"{"CreatedAt":"2025-11-21T16:01:40Z","CreatedSince":"3 days ago","Digest":"sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210","ID":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","Repository":"<none>","Size":"11.8 MiB","Tag":"<none>"}"#);
}

#[test]
fn inspect_has_the_shape_that_docker_users_know() {
    insta::assert_snapshot!(super::inspect::print(&[nodes()[0].inspect()], Format::Table), @r#"
    [
      {
        "CreatedAt": "2025-11-24T16:00:00Z",
        "Description": {
          "Engine": {
            "EngineVersion": "0.1.0"
          },
          "Hostname": "n1",
          "Platform": {
            "Architecture": "x86_64",
            "OS": "linux"
          },
          "Resources": {
            "MemoryBytes": 4294967296,
            "NanoCPUs": 2000000000
          }
        },
        "ID": "25xzpakkg8t3jf8j7ihzy43l1",
        "ManagerStatus": {
          "Addr": "10.0.0.1:4740",
          "Leader": true,
          "RaftID": 3,
          "Reachability": "reachable"
        },
        "Overlay": {
          "Addr": "10.0.0.1",
          "Number": 1,
          "Repairs": 0
        },
        "Spec": {
          "Availability": "active",
          "Labels": {
            "zone": "a"
          },
          "Role": "manager"
        },
        "Status": {
          "Addr": "10.0.0.1",
          "Since": "2025-11-24T16:00:40Z",
          "State": "ready"
        },
        "UpdatedAt": "2025-11-24T16:01:40Z",
        "Version": {
          "Index": 7
        }
      }
    ]
    "#);
}

#[test]
fn inspect_of_a_service_has_dockers_keys() {
    insta::assert_snapshot!(super::inspect::print(&[service("web", ServiceMode::Replicated { replicas: 5 }, 3).inspect()], Format::Json), @r#"{"CreatedAt":"2025-11-24T16:00:00Z","Endpoint":{"Ports":[{"Protocol":"tcp","PublishMode":"ingress","PublishedPort":30000,"TargetPort":80},{"Protocol":"tcp","PublishMode":"host","PublishedPort":9090,"TargetPort":90}],"Spec":{"Mode":"vip","Ports":[{"Protocol":"tcp","PublishMode":"ingress","TargetPort":80},{"Protocol":"tcp","PublishMode":"host","PublishedPort":9090,"TargetPort":90}]},"VirtualIPs":[{"Addr":"10.210.0.2/32","NetworkID":"1omfro7zwmumr3umxudzyj6sc"}]},"ID":"314dzessmqqc5lby3bhzxcxtf","ServiceStatus":{"DesiredTasks":5,"RunningTasks":3},"Spec":{"EndpointSpec":{"Mode":"vip","Ports":[{"Protocol":"tcp","PublishMode":"ingress","TargetPort":80},{"Protocol":"tcp","PublishMode":"host","PublishedPort":9090,"TargetPort":90}]},"Labels":{"team":"shop"},"Mode":{"Replicated":{"Replicas":5}},"Name":"web","RollbackConfig":{"Delay":0,"FailureAction":"pause","MaxFailureRatio":0.0,"Monitor":5000000000,"Order":"stop-first","Parallelism":1,"ProgressDeadline":600000000000},"TaskTemplate":{"ContainerSpec":{"Env":["A=1"],"Hosts":["10.0.0.9 db"],"Image":"shop/web:1.9","Init":true,"Mounts":[{"ReadOnly":true,"Source":"/data","Target":"/data","Type":"bind"}],"ReadOnly":false,"StopGracePeriod":10000000000},"ForceUpdate":0,"Networks":[{"Aliases":["shop"],"Target":"1omfro7zwmumr3umxudzyj6sc"}],"Placement":{},"RestartPolicy":{"Condition":"any","Delay":5000000000,"MaxAttempts":0,"MaxDelay":300000000000,"Window":0},"Runtime":"container"},"UpdateConfig":{"Delay":0,"FailureAction":"pause","MaxFailureRatio":0.0,"Monitor":5000000000,"Order":"stop-first","Parallelism":1,"ProgressDeadline":600000000000}},"SpecVersion":{"Index":7},"UpdatedAt":"2025-11-24T16:01:40Z","Version":{"Index":7}}"#);
}

#[test]
fn inspect_of_a_task_has_dockers_keys() {
    insta::assert_snapshot!(super::inspect::print(&[task(1, 1, TaskState::Failed, None).inspect()], Format::Json), @r#"{"CreatedAt":"2025-11-24T16:00:00.001Z","DesiredState":"shutdown","ID":"51vbb0nzpwjw9bjwtj5zvlkd2","Image":"shop/web:1.9","Name":"web.1","NodeHostname":"n1","NodeID":"25xzpakkg8t3jf8j7ihzy43l1","ServiceID":"314dzessmqqc5lby3bhzxcxtf","Slot":1,"SpecVersion":{"Index":7},"Status":{"ContainerStatus":{"ContainerID":"51vbb0nzpwjw9bjwtj5zvlkd2","ExitCode":1,"OOMKilled":false,"PID":4711},"PortStatus":{"Ports":[]},"State":"failed","Timestamp":"2025-11-24T16:01:35Z"},"UpdatedAt":"2025-11-24T16:01:40Z","Version":{"Index":7}}"#);
}

#[test]
fn errors_say_what_why_and_what_next() {
    let fields = vec![FieldError::new("name", "`Web` is not a DNS label"), FieldError::new("ports[0]", "ingress is not there yet")];
    let all = [
        ApiError::invalid(fields).into(),
        ApiError::invalid(vec![FieldError::new("name", "`Web` is not a DNS label")]).into(),
        ApiError::no_leader("no leader: 1 of 3 managers reachable, 2 needed").into(),
        Failure::new("E0106", "two causes")
            .cause("one\nand its second line")
            .cause("two \u{1b}[2J")
            .fix("do this")
            .note("Nothing was changed."),
        Failure::usage("nothing to change"),
    ];
    let text: String = all.iter().map(|failure| error(failure, Paint(false))).collect();
    insta::assert_snapshot!(text, @r"
    error[E0201]: 2 fields are refused
      cause: name: `Web` is not a DNS label
             ports[0]: ingress is not there yet
      Nothing was changed.
    error[E0201]: name: `Web` is not a DNS label
      Nothing was changed.
    error[E0501]: no leader: 1 of 3 managers reachable, 2 needed
      fix:   running tasks keep running; bring back enough managers for a majority, then repeat the command
    error[E0106]: two causes
      cause: one
             and its second line
             two \x1b[2J
      fix:   do this
      Nothing was changed.
    error: nothing to change
    ");
    assert!(error(&all[4], Paint(true)).starts_with("\u{1b}[1;31merror\u{1b}[0m: "));
}

#[test]
fn init_says_what_comes_next() {
    let made = pb::InitResponse {
        cluster_name: "amber-fox".into(),
        node_id: "x".into(),
        advertise_address: "10.0.0.1:4740".into(),
        advertise_reason: "the only address with a default route".into(),
        worker_token: "CJ1-w-7f3k".into(),
    };
    insta::assert_snapshot!(init::words(&made), @"
    Cluster amber-fox is ready. This host is its first manager, at 10.0.0.1:4740 (the only address with a default route).

    Add a worker:   cluster join --token CJ1-w-7f3k 10.0.0.1:4740
    Add a manager:  cluster join-token manager
    Try it:         cluster service create --name web --replicas 3 IMAGE
    ");
}

#[test]
fn status_is_for_the_host_and_its_cluster() {
    let alone = pb::StatusResponse { hostname: "n1".into(), version: "0.1.0".into(), runtime: "embedded".into(), ..Default::default() };
    insta::assert_snapshot!(status::text(&alone, None, NOW), @"
    daemon       0.1.0, runtime embedded
    host         n1
    cluster      none: make one with `cluster init` or join one with `cluster join`
    ");
    let member = pb::StatusResponse {
        node_id: "0123".into(),
        cluster_id: "4567".into(),
        role: 1,
        advertise_address: "10.0.0.1:4740".into(),
        is_leader: true,
        session_open: true,
        containers: 3,
        certificate_expires_ms: NOW.0 + 86_400_000 * 90,
        ..alone
    };
    let cluster = pb::GetClusterResponse {
        id: "4567".into(),
        name: "amber-fox".into(),
        nodes: 5,
        managers: 3,
        services: 1,
        tasks: 5,
        log_index: 88,
        ..Default::default()
    };
    insta::assert_snapshot!(status::text(&member, Some(&Ok(cluster)), NOW), @"
    daemon       0.1.0, runtime embedded
    host         n1
    node         0123, manager at 10.0.0.1:4740
    containers   3
    session      open
    leader       this host
    certificate  ends in 3 months, on 2026-02-22T16:01:40Z
    cluster      amber-fox (4567)
    has          5 nodes (3 managers), 1 service, 5 tasks, log index 88
    ");
    let failed = Err(ApiError::no_leader("no leader").into());
    insta::assert_snapshot!(status::text(&pb::StatusResponse { is_leader: false, ..member }, Some(&failed), NOW), @"
    daemon       0.1.0, runtime embedded
    host         n1
    node         0123, manager at 10.0.0.1:4740
    containers   3
    session      open
    leader       none known
    certificate  ends in 3 months, on 2026-02-22T16:01:40Z
    cluster      4567: no leader
    ");
}
