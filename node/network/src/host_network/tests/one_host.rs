//! One host: what containers are given, and what of it outlives the daemon.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;

use cluster_types::{NetworkPool, NetworkView, NodeId, OwnView, Protocol, PublishMode};

use super::super::*;
use super::three_hosts::items;
use crate::namespace;
use crate::tests::lab::{Dir, Machine, Place, until};

const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn machine() -> Machine {
    let machine = Machine::new();
    machine
        .place
        .sh("ip link add eth0 type veth peer name eth1; ip link set eth1 up; ip addr add 192.0.2.1/24 dev eth0; ip link set eth0 up");
    machine
}

fn config(dir: &Path) -> NetworkConfig {
    NetworkConfig { tag: "test".to_owned(), dir: dir.to_owned() }
}

fn port(published: u16, mode: PublishMode) -> PublishedPort {
    PublishedPort { target: 80, published, protocol: Protocol::Tcp, mode }
}

fn address(last: u8) -> TaskAddress {
    TaskAddress { network: NetworkId::from_bits(1), address: Ipv4Addr::new(10, 196, 1, last) }
}

fn view(networks: &[u128], services: Vec<ViewItem>) -> ViewItems {
    let mut list = vec![ViewItem::Own(OwnView { node: NodeId::from_bits(1), number: 1, pool: NetworkPool::standard() })];
    for number in networks {
        let subnet = format!("10.{}.0.0/16", 195 + number).parse().unwrap();
        list.push(ViewItem::Network(NetworkView {
            id: NetworkId::from_bits(*number),
            name: format!("n{number}"),
            subnet,
            internal: false,
        }));
    }
    list.extend(services);
    items(list)
}

fn further() -> TaskAddress {
    TaskAddress { network: NetworkId::from_bits(2), address: Ipv4Addr::new(10, 197, 0, 9) }
}

async fn open(dir: &Path) -> HostNetwork {
    let network = HostNetwork::open(config(dir)).await.unwrap();
    network.set_underlay(HOST);
    network.apply(&view(&[1], Vec::new()), Version(1)).await.unwrap();
    network
}

/// A host network that has given a task an address, and ports.
fn attached(machine: &Machine, dir: &Dir, task: TaskId, ports: Vec<PublishedPort>) -> (HostNetwork, Attachment) {
    let path = dir.path().to_owned();
    machine.run(async move {
        let network = open(&path).await;
        let attachment = network.attach(task, &[address(3)], &ports).await.unwrap();
        (network, attachment)
    })
}

#[test]
fn a_container_answers_at_its_address_and_at_its_published_port() {
    let (machine, dir, task) = (machine(), Dir::new(), TaskId::from_bits(1));
    let (network, attachment) = attached(&machine, &dir, task, vec![port(0, PublishMode::Host)]);
    let again = network.clone();
    assert_eq!(machine.run(async move { again.attach(task, &[address(3)], &[]).await.unwrap() }), attachment);
    assert_eq!(network.asker(address(3).address), Some(Asker { task, networks: vec![address(3).network] }));
    let server = Place::at(&attachment.netns).serve("it", 80);
    let published = attachment.ports[0].published;
    for to in [(address(3).address, 80), (Ipv4Addr::LOCALHOST, published), (HOST, published)] {
        assert!(machine.place.ask(to).is_some_and(|answer| answer.starts_with("it")), "{to:?}");
    }
    let inside = Place::at(&attachment.netns);
    assert!(inside.ask((HOST, published)).is_some(), "the container itself at its published port");
    assert!(inside.sh("ip link show eth0").contains("mtu 1450"));
    drop((server, inside));
    machine.run(async move {
        network.detach(task).await.unwrap();
        assert!(!namespace::is_alive(&attachment.netns) && network.asker(address(3).address).is_none());
        network.close().await;
    });
}

#[test]
fn what_an_earlier_life_gave_is_taken_over_and_what_nobody_owns_goes() {
    let (machine, dir) = (machine(), Dir::new());
    let path = dir.path().to_owned();
    let (kept, lost) = (TaskId::from_bits(1), TaskId::from_bits(2));
    let (first, given) = machine.run(async move {
        let first = open(&path).await;
        let given = first.attach(kept, &[address(1)], &[port(0, PublishMode::Host)]).await.unwrap();
        let stray = first.attach(lost, &[address(2)], &[]).await.unwrap();
        first.shared.ledger.forget(lost);
        let mut state = first.shared.state.lock().await;
        state.held.clear();
        state.closed = true;
        drop(state);

        let second = HostNetwork::open(config(&path)).await.unwrap();
        assert_eq!(second.attach(kept, &[], &[]).await.unwrap(), given);
        assert!(namespace::is_alive(&given.netns) && !namespace::is_alive(&stray.netns));
        assert!(second.asker(address(1).address).is_some() && second.asker(address(2).address).is_none());
        assert_eq!(*second.view(), view(&[1], Vec::new()), "the last view is there before a manager spoke");
        (second, given)
    });
    let server = Place::at(&given.netns).serve("kept", 80);
    assert!(machine.place.ask((Ipv4Addr::LOCALHOST, given.ports[0].published)).is_some());
    drop(server);
    machine.run(async move { first.close().await });
}

#[test]
fn a_namespace_ends_with_its_attachment() {
    let (machine, dir, task) = (machine(), Dir::new(), TaskId::from_bits(1));
    let (network, attachment) = attached(&machine, &dir, task, Vec::new());
    // A link whose other end is inside lives exactly as long as the namespace.
    Place::at(&attachment.netns).sh(&format!("ip link add probe type veth peer name probed netns {}", machine.place.path()));
    assert!(machine.place.sh("ip -o link").contains("probed"));
    machine.run(async move {
        network.detach(task).await.unwrap();
        network.close().await;
    });
    until("the namespace ends", || !machine.place.sh("ip -o link").contains("probed"));
}

/// One that the same client opens anew would else be deleted in its place.
#[test]
fn of_a_containers_connections_those_that_have_ended_are_left_to_the_kernel() {
    let (machine, dir, task) = (machine(), Dir::new(), TaskId::from_bits(1));
    let (network, attachment) = attached(&machine, &dir, task, vec![port(0, PublishMode::Host)]);
    let published = attachment.ports[0].published;
    let server = Place::at(&attachment.netns).serve("it", 80);
    assert!(machine.place.ask((HOST, published)).is_some(), "closed on both sides");
    let half_open = machine.place.within(move || TcpStream::connect((HOST, published)).unwrap());
    let table = || machine.place.sh("grep 10.196.1.3 /proc/net/nf_conntrack || true");
    until("the server has closed its side", || table().contains("CLOSE_WAIT"));
    drop(server);
    let ended = network.clone();
    machine.run(async move { ended.detach(task).await.unwrap() });
    until("what goes on is forgotten", || !table().contains("CLOSE_WAIT"));
    assert!(table().contains("TIME_WAIT"), "{}", table());
    drop(half_open);
    machine.run(async move { network.close().await });
}

#[test]
fn an_address_is_nobodys_until_its_connections_are_forgotten() {
    let (machine, dir) = (machine(), Dir::new());
    let path = dir.path().to_owned();
    machine.run(async move {
        let network = open(&path).await;
        let (old, new) = (TaskId::from_bits(1), TaskId::from_bits(2));
        network.attach(old, &[address(1)], &[]).await.unwrap();
        let turn = network.shared.forgetting.lock().await;
        network.detach(old).await.unwrap();
        assert_eq!(network.asker(address(1).address), None, "the name server knows it no more");
        let refused = network.ready(&*network.shared.state.lock().await, &[address(1)]).unwrap_err();
        assert!(matches!(refused, NetworkError::AddressTaken { task, .. } if task == old), "{refused}");
        drop(turn);
        network.attach(new, &[address(1)], &[]).await.unwrap();
        network.close().await;
    });
}

#[test]
fn an_address_is_waited_for_and_so_is_a_further_network() {
    let (machine, dir) = (machine(), Dir::new());
    let path = dir.path().to_owned();
    machine.run(async move {
        let network = open(&path).await;
        let (old, new, third) = (TaskId::from_bits(1), TaskId::from_bits(2), TaskId::from_bits(3));
        network.attach(old, &[address(1)], &[]).await.unwrap();
        let (first, both) = ([address(1)], [address(5), further()]);
        let (given, _) = tokio::join!(network.attach(new, &first, &[]), async {
            tokio::task::yield_now().await;
            network.detach(old).await.unwrap();
        });
        given.unwrap();
        let refused = network.attach(third, &[address(1)], &[]).await.unwrap_err();
        assert!(matches!(refused, NetworkError::AddressTaken { task, .. } if task == new), "{refused}");

        let (given, _) = tokio::join!(network.attach(third, &both, &[]), async {
            tokio::task::yield_now().await;
            network.apply(&view(&[1, 2], Vec::new()), Version(2)).await.unwrap();
        });
        let routes = Place::at(&given.unwrap().netns).sh("ip route");
        assert!(routes.contains("10.197.0.0/16 via 169.254.1.1 dev eth0 proto static src 10.197.0.9"), "{routes}");
        assert!(routes.contains("default via 169.254.1.1 dev eth0 proto static src 10.196.1.5"), "{routes}");
        network.close().await;
    });
}

#[test]
fn a_port_of_another_program_stays_its_own_until_it_leaves() {
    let (machine, dir) = (machine(), Dir::new());
    let sshd = machine.place.within(|| TcpListener::bind("0.0.0.0:8080").unwrap());
    let path = dir.path().to_owned();
    let task = TaskId::from_bits(1);
    let (network, attachment) = machine.run(async move {
        let network = open(&path).await;
        let attachment = network.attach(task, &[address(1)], &[]).await.unwrap();
        let mut service = super::three_hosts::service(9, 1, 8080, &[address(1).address]);
        service.ports.truncate(1);
        network.apply(&view(&[1], vec![ViewItem::Service(service)]), Version(2)).await.unwrap();
        (network, attachment)
    });
    let _server = Place::at(&attachment.netns).serve("service", 80);
    assert_eq!(network.report().borrow().conflicts, [(8080, Protocol::Tcp)]);
    let answer = std::thread::spawn(move || {
        let (mut stream, _) = sshd.accept().unwrap();
        stream.write_all(b"ssh").unwrap();
        // The client closes first: its end waits for late packets then, not the port.
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    });
    let greeting = machine.place.within(|| {
        let mut greeting = [0; 3];
        TcpStream::connect((HOST, 8080)).unwrap().read_exact(&mut greeting).unwrap();
        greeting
    });
    assert_eq!(&greeting, b"ssh");
    answer.join().unwrap();
    until("the port is taken when it is free", || network.report().borrow().conflicts.is_empty());
    until("and leads to the service", || machine.place.ask((HOST, 8080)).is_some_and(|answer| answer.starts_with("service")));
    let close = network.clone();
    machine.run(async move {
        close.apply(&view(&[1], Vec::new()), Version(3)).await.unwrap();
        assert!(crate::port::is_free(8080, Protocol::Tcp), "a port goes with its service");
        close.close().await;
    });
}
