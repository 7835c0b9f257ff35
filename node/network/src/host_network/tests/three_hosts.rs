//! Three hosts and a client on one switch: what network-proof.sh showed, with the real code.

use std::net::Ipv4Addr;

use cluster_types::{
    EndpointAffinity, EndpointMode, EndpointView, NetworkPool, NetworkView, NodeId, OwnView, PeerView, Protocol, PublishMode, ServiceId,
    ServiceNetworkView, ServiceView,
};

use super::super::*;
use crate::tests::lab::{Dir, Machine, Place, Server, until};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 91, 0, 100);

fn net(number: u128) -> NetworkId {
    NetworkId::from_bits(number)
}

/// The address of container `last` of a host in network 1 or 2.
fn address(network: u8, host: u8, last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, if network == 1 { 196 } else { 201 }, host, last)
}

fn vip(network: u8, last: u8) -> Ipv4Addr {
    address(network, 0, last)
}

fn underlay(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 91, 0, host)
}

pub(super) fn items(list: Vec<ViewItem>) -> ViewItems {
    list.into_iter().map(|item| (item.key(), Arc::new(item))).collect()
}

/// What every host knows: the nodes, networks 1 and 2, and services.
fn view(host: u8, services: &[ServiceView]) -> ViewItems {
    let own = OwnView { node: NodeId::from_bits(u128::from(host)), number: u16::from(host), pool: NetworkPool::standard() };
    let mut list = vec![ViewItem::Own(own)];
    for peer in (1..=3).filter(|peer| *peer != host) {
        let blocks = [1, 2].map(|network| format!("{}/26", address(network, peer, 0)));
        let blocks = blocks.map(|text| serde_json::from_str(&format!("\"{text}\"")).unwrap()).to_vec();
        let node = NodeId::from_bits(u128::from(peer));
        list.push(ViewItem::Peer(PeerView { node, number: u16::from(peer), underlay: underlay(peer), blocks }));
    }
    for (id, subnet, internal) in [(1, "10.196.0.0/14", false), (2, "10.201.0.0/18", true)] {
        let name = format!("net{id}");
        list.push(ViewItem::Network(NetworkView { id: net(id), name, subnet: subnet.parse().unwrap(), internal }));
    }
    list.extend(services.iter().cloned().map(ViewItem::Service));
    items(list)
}

pub(super) fn service(id: u128, network: u8, published: u16, endpoints: &[Ipv4Addr]) -> ServiceView {
    let endpoints = endpoints.iter().map(|address| EndpointView { address: *address, hostname: String::new() }).collect();
    let port = |protocol| PublishedPort { target: 80, published, protocol, mode: PublishMode::Ingress };
    ServiceView {
        id: ServiceId::from_bits(id),
        name: format!("s{id}"),
        mode: EndpointMode::Vip,
        affinity: EndpointAffinity::None,
        networks: vec![ServiceNetworkView {
            network: net(u128::from(network)),
            vip: Some(vip(network, u8::try_from(id).unwrap())),
            aliases: Vec::new(),
            endpoints,
        }],
        ports: if published == 0 { Vec::new() } else { vec![port(Protocol::Tcp), port(Protocol::Udp)] },
    }
}

struct Host {
    machine: Machine,
    network: HostNetwork,
    before: String,
    _dir: Dir,
}

struct Lab {
    _switch: Place,
    client: Place,
    hosts: Vec<Host>,
}

impl Lab {
    fn new() -> Self {
        let (switch, client) = (Place::new(), Place::new());
        switch.sh("ip link add br0 type bridge; ip link set br0 up");
        client.plug(&switch, 100);
        let host = |number: u8| {
            let machine = Machine::new();
            machine.place.plug(&switch, number);
            machine.place.sh("ip route add default via 10.91.0.100");
            let before = machine.place.snapshot();
            let dir = Dir::new();
            let config = NetworkConfig { tag: format!("{number:05x}"), dir: dir.path().to_owned() };
            let network = machine.run(async { HostNetwork::open(config).await.unwrap() });
            network.set_underlay(underlay(number));
            Host { machine, network, before, _dir: dir }
        };
        let hosts = (1..=3).map(host).collect();
        Self { _switch: switch, client, hosts }
    }

    fn host(&self, number: u8) -> &Host {
        &self.hosts[usize::from(number) - 1]
    }

    /// Every host gets the view with these services.
    fn apply(&self, version: u64, services: &[ServiceView]) {
        for number in 1..=3 {
            let (network, view) = (self.host(number).network.clone(), view(number, services));
            self.host(number).machine.run(async move { network.apply(&view, Version(version)).await.unwrap() });
        }
    }

    /// A container; `networks` are those that it is in.
    fn container(&self, host: u8, last: u8, networks: &[u8]) -> Place {
        let addresses: Vec<TaskAddress> = networks
            .iter()
            .map(|network| TaskAddress { network: net(u128::from(*network)), address: address(*network, host, last) })
            .collect();
        let (network, task) = (self.host(host).network.clone(), TaskId::from_bits(u128::from(last)));
        Place::at(&self.host(host).machine.run(async move { network.attach(task, &addresses, &[]).await.unwrap() }).netns)
    }

    fn close(&self) {
        for host in &self.hosts {
            let network = host.network.clone();
            host.machine.run(async move { network.close().await });
        }
    }
}

/// Answers of all three backends, each of which saw the client.
fn all_saw(client: Ipv4Addr) -> Vec<String> {
    (1..=3).map(|host| format!("web{host} saw {client}")).collect()
}

/// The three backends of a service on port 8080, one on each host.
fn web(lab: &Lab) -> (Vec<Place>, Vec<Server>) {
    lab.apply(1, &[]);
    let places: Vec<Place> = (1..=3).map(|host| lab.container(host, 11, &[1])).collect();
    let servers = places.iter().zip(1..).map(|(place, host)| place.serve(&format!("web{host}"), 80)).collect();
    let endpoints: Vec<Ipv4Addr> = (1..=3).map(|host| address(1, host, 11)).collect();
    lab.apply(2, &[service(10, 1, 8080, &endpoints)]);
    (places, servers)
}

#[test]
fn a_published_port_and_a_services_address_are_spread_over_all_hosts_and_the_client_is_seen() {
    let lab = Lab::new();
    let (web, _servers) = web(&lab);
    for host in 1..=3 {
        assert_eq!(lab.client.ask_often((underlay(host), 8080)), all_saw(CLIENT), "host {host}");
    }
    let other = lab.container(1, 12, &[1]);
    assert_eq!(other.ask_often((vip(1, 10), 80)), all_saw(address(1, 1, 12)));
    let named: Vec<String> = web[0].ask_often((vip(1, 10), 80)).iter().map(|answer| answer[..4].to_owned()).collect();
    assert_eq!(named, ["web1", "web2", "web3"], "one of them is the asker itself");
    let own = Ipv4Addr::new(10, 192, 0, 1);
    for from in [Ipv4Addr::LOCALHOST, underlay(1)] {
        assert_eq!(lab.host(1).machine.place.ask_often((from, 8080)), all_saw(own), "the host itself, at {from}");
    }
    assert_eq!(other.ask_often((underlay(1), 8080)), all_saw(own), "a container, at its host");
    // Host 2 sees host 1. What it leads back to host 1 comes there from host 2, or the answer would stay on host 1.
    let mut seen = all_saw(underlay(1));
    seen[0] = "web1 saw 10.192.0.2".to_owned();
    assert_eq!(other.ask_often((underlay(2), 8080)), seen, "a container, at another host");
    let _world = lab.client.serve("world", 90);
    assert_eq!(other.ask((CLIENT, 90)), Some(format!("world saw {}", underlay(1))), "out into the world");
    lab.close();
}

#[test]
fn networks_are_kept_apart() {
    let lab = Lab::new();
    let (web, _servers) = web(&lab);
    let _world = lab.client.serve("world", 90);
    let _program = lab.host(1).machine.place.serve("program", 91);
    let (inner, far) = (lab.container(1, 21, &[2]), lab.container(2, 21, &[2]));
    let (both, _far) = (lab.container(3, 22, &[1, 2]), far.serve("far", 80));
    assert_eq!(inner.ask((address(2, 2, 21), 80)), Some(format!("far saw {}", address(2, 1, 21))), "within the network");
    assert_eq!(both.ask((address(2, 2, 21), 80)), Some(format!("far saw {}", address(2, 3, 22))), "from its second address");
    assert_eq!(both.ask((address(1, 2, 11), 80)), Some(format!("web2 saw {}", address(1, 3, 22))), "from its first address");
    for (place, to, why) in [
        (&inner, (address(1, 1, 11), 80), "another network, on the same host"),
        (&inner, (address(1, 2, 11), 80), "another network, on another host"),
        (&inner, (vip(1, 10), 80), "a service of another network"),
        (&inner, (underlay(1), 8080), "a published port, from an internal network"),
        (&inner, (CLIENT, 90), "the world, from an internal network"),
        (&inner, (underlay(1), 91), "a program of its own host, from an internal network"),
        (&inner, (RESOLVER, 91), "the same, at the address of the name service"),
    ] {
        assert_eq!(place.ask(to), None, "{why}");
    }
    let _resolver = lab.host(1).machine.place.serve("resolver", 53);
    for place in [&inner, &web[0]] {
        assert!(place.ask((RESOLVER, 53)).is_some() && place.ask_udp(5353, (RESOLVER, 53)).is_some(), "the resolver of the host");
    }
    lab.client.sh("ip route add 10.192.0.0/10 via 10.91.0.1");
    assert_eq!(lab.client.ask((address(1, 1, 11), 80)), None, "the world, at a container's address");
    assert_eq!(lab.client.ask((vip(1, 10), 80)), None, "the world, at a service's address");
    lab.close();
}

#[test]
fn what_others_change_is_put_right_and_nothing_is_left_at_the_end() {
    let lab = Lab::new();
    let (_web, _servers) = web(&lab);
    let first = lab.host(1);
    let right = first.machine.place.snapshot();
    let device = first.network.shared.places.device.clone();
    for damage in [
        "nft flush ruleset".to_owned(),
        "nft delete table ip cluster_00001; nft add table ip cluster_00001".to_owned(),
        format!("ip route flush dev {device}; ip route flush table all proto 67"),
        format!("ip rule del pref {}", first.network.shared.places.priority),
        format!("ip rule del pref {}", first.network.shared.places.priority + 1),
        format!("ip neigh flush dev {device} nud permanent; bridge fdb del 02:43:4c:00:00:02 dev {device}"),
        format!("ip link del {device}"),
        format!("ip link set {device} down"),
        format!("ip addr flush dev {device}; ip addr flush dev lo scope host to 169.254.0.0/16"),
        "ip link | grep -o 'clu[0-9a-f]*' | while read l; do ip link del $l; done".to_owned(),
        "echo 0 > /proc/sys/net/ipv4/ip_forward".to_owned(),
    ] {
        let repairs = first.network.report().borrow().repairs;
        first.machine.place.sh(&damage);
        until(&damage, || {
            first.network.report().borrow().repairs > repairs && lab.client.ask_often((underlay(1), 8080)) == all_saw(CLIENT)
        });
        assert_eq!(first.machine.place.snapshot(), right, "{damage}");
    }
    assert!(first.network.report().borrow().repaired.is_some());
    lab.close();
    for host in &lab.hosts {
        assert_eq!(host.machine.place.snapshot(), host.before);
        assert!(!host.machine.place.sh("ip -o link").contains("clu"));
    }
}

#[test]
fn udp_clients_leave_a_container_that_left_the_view() {
    let lab = Lab::new();
    let (_web, _servers) = web(&lab);
    let endpoints: Vec<Ipv4Addr> = (1..=3).map(|host| address(1, host, 11)).collect();
    // One flow sticks to its backend, until that leaves.
    let first = lab.client.ask_udp(5555, (underlay(1), 8080)).unwrap();
    assert_eq!(lab.client.ask_udp(5555, (underlay(1), 8080)).as_ref(), Some(&first));
    let left: Vec<Ipv4Addr> =
        endpoints.iter().zip(1..).filter(|(_, host)| first != format!("web{host}")).map(|(address, _)| *address).collect();
    lab.apply(3, &[service(10, 1, 8080, &left)]);
    let second = lab.client.ask_udp(5555, (underlay(1), 8080)).unwrap();
    assert_ne!(first, second);
    lab.apply(4, &[service(10, 1, 8080, &[])]);
    assert_eq!(lab.client.ask_udp(5555, (underlay(1), 8080)), None);
    lab.close();
}

#[test]
fn a_service_without_tasks_fails_at_once_and_strangers_packets_do_not_come_in() {
    let lab = Lab::new();
    let (_web, _servers) = web(&lab);
    let other = lab.container(1, 12, &[1]);
    let error = other.within(move || {
        let timeout = std::time::Duration::from_secs(20);
        std::net::TcpStream::connect_timeout(&(vip(1, 99), 80).into(), timeout).unwrap_err()
    });
    assert_eq!(error.kind(), std::io::ErrorKind::HostUnreachable, "{error}");
    // The client pretends to be host 2: it has a device like it, but not its address.
    let stranger = "ip link add clv type vxlan id 4096 dstport 4789 local 10.91.0.100 nolearning; \
         ip link set clv address 02:43:4c:00:00:02 up; ip addr add 10.192.0.2/32 dev clv; \
         bridge fdb append 02:43:4c:00:00:01 dev clv dst 10.91.0.1; ip route add 10.196.1.0/24 dev clv; \
         ip neigh add 10.196.1.11 lladdr 02:43:4c:00:00:01 dev clv";
    lab.client.sh(stranger);
    assert_eq!(lab.client.ask_udp(4444, (address(1, 1, 11), 80)), None);
    // The same packets come in when that is host 2's address.
    let mut view = view(1, &[]);
    let peer = ViewItem::Peer(PeerView { node: NodeId::from_bits(2), number: 2, underlay: CLIENT, blocks: Vec::new() });
    view.insert(peer.key(), Arc::new(peer));
    let network = lab.host(1).network.clone();
    lab.host(1).machine.run(async move { network.apply(&view, Version(3)).await.unwrap() });
    assert_eq!(lab.client.ask_udp(4444, (address(1, 1, 11), 80)).as_deref(), Some("web1"));
    lab.close();
}

#[test]
fn a_client_may_come_to_one_container_by_two_hosts_from_one_port_of_its_own() {
    let lab = Lab::new();
    lab.apply(1, &[]);
    let place = lab.container(1, 11, &[1]);
    let _server = place.serve("web", 80);
    lab.apply(2, &[service(10, 1, 8080, &[address(1, 1, 11)])]);
    for host in [2, 3, 1, 2, 3] {
        let answer = lab.client.answer_udp(5000, (underlay(host), 8080));
        assert_eq!(answer, Some(("web".to_owned(), (underlay(host), 8080).into())), "host {host}");
    }
    lab.close();
}
