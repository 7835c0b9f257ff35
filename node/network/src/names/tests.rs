//! Tests of the name service: a small cluster as its view, tables of what is answered, and real sockets.

mod bytes;
mod sockets;
mod table;

use std::net::Ipv4Addr;
use std::sync::Arc;

use cluster_types::{
    EndpointAffinity, EndpointMode, EndpointView, NetworkId, NetworkPool, NetworkView, NodeId, OwnView, ServiceId, ServiceNetworkView,
    ServiceView, ViewItem, ViewItems,
};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RData, RecordType};

const FRONT: NetworkId = NetworkId::from_bits(2);
const BACK: NetworkId = NetworkId::from_bits(3);
/// Internal.
const VAULT: NetworkId = NetworkId::from_bits(4);
const UNKNOWN: NetworkId = NetworkId::from_bits(99);

fn network(id: NetworkId, name: &str, subnet: &str, internal: bool) -> ViewItem {
    ViewItem::Network(NetworkView { id, name: name.to_owned(), subnet: subnet.parse().unwrap(), internal })
}

/// A service in one network, with tasks at the addresses after `first`.
fn part(network: NetworkId, name: &str, first: &str, tasks: u32, vip: Option<&str>, aliases: &[&str]) -> ServiceNetworkView {
    let first = u32::from(first.parse::<Ipv4Addr>().unwrap());
    let endpoint = |slot| EndpointView { address: Ipv4Addr::from(first + slot), hostname: format!("{name}.{slot}") };
    ServiceNetworkView {
        network,
        vip: vip.map(|vip| vip.parse().unwrap()),
        aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
        endpoints: (1..=tasks).map(endpoint).collect(),
    }
}

fn service(id: u128, name: &str, mode: EndpointMode, networks: Vec<ServiceNetworkView>) -> ViewItem {
    let id = ServiceId::from_bits(id);
    ViewItem::Service(ServiceView { id, name: name.to_owned(), mode, affinity: EndpointAffinity::None, networks, ports: Vec::new() })
}

fn view() -> ViewItems {
    use EndpointMode::{Dnsrr, Vip};
    let items = [
        ViewItem::Own(OwnView { node: NodeId::from_bits(1), number: 1, pool: NetworkPool::standard() }),
        network(FRONT, "front", "10.200.0.0/16", false),
        network(BACK, "back", "172.20.0.0/16", false),
        network(VAULT, "vault", "10.202.0.0/16", true),
        service(
            1,
            "web",
            Vip,
            vec![
                part(FRONT, "web", "10.200.0.0", 3, Some("10.200.9.1"), &["www", "shared"]),
                part(BACK, "web", "172.20.0.0", 2, Some("172.20.9.1"), &[]),
            ],
        ),
        service(2, "Data", Dnsrr, vec![part(BACK, "Data", "172.20.1.0", 3, None, &["sql", "web"])]),
        service(3, "idle", Dnsrr, vec![part(FRONT, "idle", "10.200.1.0", 0, None, &[])]),
        service(4, "safe", Vip, vec![part(VAULT, "safe", "10.202.0.0", 1, Some("10.202.9.1"), &["shared"])]),
        service(5, "new", Vip, vec![part(FRONT, "new", "10.200.2.0", 1, None, &["shared"])]),
        service(6, "many", Dnsrr, vec![part(FRONT, "many", "10.200.3.0", 200, None, &[])]),
    ];
    items.into_iter().map(|item| (item.key(), Arc::new(item))).collect()
}

fn query(name: &str, kind: RecordType, id: u16) -> Message {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

fn query_with_payload(name: &str, kind: RecordType, payload: u16) -> Message {
    let mut message = query(name, kind, 7);
    let mut edns = Edns::new();
    edns.set_max_payload(payload).set_version(0);
    message.set_edns(edns);
    message
}

/// What a message answers, as words.
fn told(message: &Message) -> Vec<String> {
    let word = |data: &RData| match data {
        RData::A(address) => address.to_string(),
        RData::PTR(host) => host.to_string(),
        other => format!("{other:?}"),
    };
    message.answers.iter().map(|record| word(&record.data)).collect()
}
