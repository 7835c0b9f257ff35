//! The table of a host with one of everything, as a whole.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use cluster_types::{
    EndpointAffinity, EndpointMode, EndpointView, NetworkId, NetworkPool, NetworkView, NodeId, OwnView, PeerView, Protocol, PublishMode,
    PublishedPort, ServiceId, ServiceNetworkView, ServiceView, Subnet, ViewItem, ViewItems,
};

use crate::rules::{Forward, Ruleset, Wanted, desired};

fn view() -> ViewItems {
    let service = |id: u8, mode, affinity, endpoints: &[u8], ports: &[u16]| {
        let port =
            |published: &u16| PublishedPort { target: 80, published: *published, protocol: Protocol::Tcp, mode: PublishMode::Ingress };
        let endpoint = |host: &u8| EndpointView { address: Ipv4Addr::new(10, 196, *host, 9), hostname: String::new() };
        let network = ServiceNetworkView {
            network: NetworkId::from_bits(1),
            vip: Some(Ipv4Addr::new(10, 196, 0, id)),
            aliases: Vec::new(),
            endpoints: endpoints.iter().map(endpoint).collect(),
        };
        let ports = ports.iter().map(port).collect();
        ViewItem::Service(ServiceView {
            id: ServiceId::from_bits(u128::from(id)),
            name: format!("s{id}"),
            mode,
            affinity,
            networks: vec![network],
            ports,
        })
    };
    let network = |number: u128, subnet: &str, internal| {
        ViewItem::Network(NetworkView { id: NetworkId::from_bits(number), name: String::new(), subnet: subnet.parse().unwrap(), internal })
    };
    let list = [
        ViewItem::Own(OwnView { node: NodeId::from_bits(1), number: 1, pool: NetworkPool::standard() }),
        ViewItem::Peer(PeerView {
            node: NodeId::from_bits(2),
            number: 0x0203,
            underlay: Ipv4Addr::new(192, 0, 2, 2),
            blocks: vec![Subnet::around(Ipv4Addr::new(10, 196, 2, 0), 26).unwrap()],
        }),
        network(1, "10.196.0.0/14", false),
        network(2, "10.1.0.0/24", true),
        service(11, EndpointMode::Vip, EndpointAffinity::None, &[1, 2], &[8080, 8081]),
        service(12, EndpointMode::Vip, EndpointAffinity::ClientIp, &[1, 2], &[]),
        service(13, EndpointMode::Dnsrr, EndpointAffinity::None, &[2], &[9090]),
        service(14, EndpointMode::Vip, EndpointAffinity::None, &[], &[9091]),
    ];
    list.into_iter().map(|item| (item.key(), Arc::new(item))).collect()
}

fn rules(view: &ViewItems) -> Ruleset {
    let attached = BTreeSet::from([Ipv4Addr::new(10, 196, 1, 9), Ipv4Addr::new(10, 196, 1, 10)]);
    let forwards = [Forward { protocol: Protocol::Udp, published: 53, address: Ipv4Addr::new(10, 196, 1, 10), target: 5353 }];
    let closed = BTreeSet::from([(8081, Protocol::Tcp)]);
    desired(&Wanted { tag: "x", view, attached: &attached, forwards: &forwards, closed: &closed })
}

#[test]
fn a_host_with_one_of_everything() {
    assert_eq!(rules(&view()).document(), include_str!("golden.nft"));
}

#[test]
fn a_host_without_a_number_has_no_rules() {
    assert_eq!(rules(&ViewItems::new()).document(), "table ip cluster_x\ndelete table ip cluster_x\n");
}
