//! Views and hosts of all shapes.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use cluster_types::{
    EndpointAffinity, EndpointMode, EndpointView, NetworkId, NetworkPool, NetworkView, NodeId, OwnView, PeerView, Protocol, PublishMode,
    PublishedPort, ServiceId, ServiceNetworkView, ServiceView, Subnet, ViewItem, ViewItems,
};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use crate::rules::{Basis, Forward, Ruleset, desired};

const SUBNETS: [&str; 3] = ["10.196.0.0/14", "10.200.0.0/18", "10.1.0.0/16"];

fn address() -> impl Strategy<Value = Ipv4Addr> {
    (0_u8..3, 1_u8..5).prop_map(|(host, last)| Ipv4Addr::new(10, 196, host, last))
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)]
}

fn service(id: u8) -> impl Strategy<Value = ServiceView> {
    let ports = vec((8000_u16..8004, protocol()), 0..3);
    (vec(btree_set(address(), 0..4), 1..3), ports, any::<bool>(), any::<bool>()).prop_map(move |(networks, ports, dnsrr, affinity)| {
        let networks = networks.into_iter().zip(1_u8..).map(|(endpoints, network)| ServiceNetworkView {
            network: NetworkId::from_bits(u128::from(network)),
            vip: (!dnsrr).then(|| Ipv4Addr::new(10, 196, 99, 10 * network + id)),
            aliases: Vec::new(),
            endpoints: endpoints.into_iter().map(|address| EndpointView { address, hostname: String::new() }).collect(),
        });
        let port = |(published, protocol)| PublishedPort { target: 80, published, protocol, mode: PublishMode::Ingress };
        ServiceView {
            id: ServiceId::from_bits(u128::from(id)),
            name: format!("s{id}"),
            mode: if dnsrr { EndpointMode::Dnsrr } else { EndpointMode::Vip },
            affinity: if affinity { EndpointAffinity::ClientIp } else { EndpointAffinity::None },
            networks: networks.collect(),
            ports: ports.into_iter().map(port).collect(),
        }
    })
}

fn services() -> impl Strategy<Value = Vec<ServiceView>> {
    (0_u8..4).map(|id| proptest::option::of(service(id))).collect::<Vec<_>>().prop_map(|list| list.into_iter().flatten().collect())
}

/// Everything but services.
fn hosts() -> impl Strategy<Value = ViewItems> {
    (btree_set(0_usize..3, 0..4), btree_set(2_u8..6, 0..4), any::<bool>()).prop_map(|(networks, peers, internal)| {
        let own = OwnView { node: NodeId::from_bits(1), number: 1, pool: NetworkPool::standard() };
        let mut list = vec![ViewItem::Own(own)];
        list.extend(networks.into_iter().map(|number| {
            let id = NetworkId::from_bits(number as u128 + 1);
            ViewItem::Network(NetworkView { id, name: String::new(), subnet: SUBNETS[number].parse().unwrap(), internal })
        }));
        list.extend(peers.into_iter().map(|number| {
            let blocks = (0..number % 3).map(|block| Subnet::around(Ipv4Addr::new(10, 196, number, 64 * block), 26).unwrap()).collect();
            let underlay = Ipv4Addr::new(10, 91, 0, number);
            ViewItem::Peer(PeerView { node: NodeId::from_bits(u128::from(number)), number: u16::from(number), underlay, blocks })
        }));
        list.into_iter().map(|item| (item.key(), Arc::new(item))).collect()
    })
}

fn attached() -> impl Strategy<Value = BTreeSet<Ipv4Addr>> {
    btree_set(address(), 0..4)
}

fn with(mut view: ViewItems, services: Vec<ServiceView>) -> Arc<ViewItems> {
    view.extend(services.into_iter().map(ViewItem::Service).map(|item| (item.key(), Arc::new(item))));
    Arc::new(view)
}

/// What a host's table is made of.
pub(in crate::rules) fn basis() -> impl Strategy<Value = Basis> {
    let forward = (protocol(), 8003_u16..8006, address()).prop_map(|(protocol, published, address)| Forward {
        protocol,
        published,
        address,
        target: 80,
    });
    let closed = btree_set((8000_u16..8004, protocol()), 0..2);
    (hosts(), services(), attached(), vec(forward, 0..3), closed).prop_map(|(hosts, services, attached, forwards, closed)| Basis {
        tag: "test".to_owned(),
        view: with(hosts, services),
        attached,
        forwards,
        closed,
    })
}

/// Two that differ in services and containers alone.
pub(in crate::rules) fn neighbours() -> impl Strategy<Value = (Basis, Basis)> {
    (basis(), vec(service(0), 0..2), any::<[bool; 4]>(), attached()).prop_map(|(old, first, kept, attached)| {
        let mut view = ViewItems::clone(&old.view);
        let mut keep = kept.into_iter();
        view.retain(|_, item| !matches!(**item, ViewItem::Service(_)) || keep.next().unwrap_or(true));
        let new = Basis { view: with(view, first), attached, ..old.clone() };
        (old, new)
    })
}

/// Tables.
pub(super) fn rules() -> impl Strategy<Value = Ruleset> {
    basis().prop_map(|basis| desired(&basis.wanted()))
}

/// A host without services.
pub(in crate::rules) fn host() -> ViewItems {
    let own = ViewItem::Own(OwnView { node: NodeId::from_bits(1), number: 1, pool: NetworkPool::standard() });
    [(own.key(), Arc::new(own))].into()
}
