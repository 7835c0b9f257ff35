//! What a small view wants of the kernel, and that differences lead there.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_types::{NetworkId, NetworkPool, NetworkView, NodeId, OwnView, PeerView, ViewItem, ViewItems};
use proptest::collection::btree_set;
use proptest::prelude::*;

use super::*;
use crate::places::{MAIN_TABLE, Places, node_mac};

fn subnet(base: [u8; 4], prefix: u8) -> Subnet {
    Subnet::around(Ipv4Addr::from(base), prefix).unwrap()
}

fn view() -> ViewItems {
    let list = [
        ViewItem::Own(OwnView { node: NodeId::from_bits(1), number: 1, pool: NetworkPool::standard() }),
        ViewItem::Peer(PeerView {
            node: NodeId::from_bits(2),
            number: 2,
            underlay: Ipv4Addr::new(192, 0, 2, 2),
            blocks: vec![subnet([10, 196, 2, 0], 26)],
        }),
        ViewItem::Network(NetworkView {
            id: NetworkId::from_bits(2),
            name: "outer".to_owned(),
            subnet: subnet([10, 1, 0, 0], 24),
            internal: false,
        }),
    ];
    list.into_iter().map(|item| (item.key(), Arc::new(item))).collect()
}

#[test]
fn a_peer_costs_a_tunnel_a_neighbour_and_a_route_for_each_block() {
    let places = Places::of("x");
    let underlay = Underlay { address: Ipv4Addr::new(192, 0, 2, 1), interface: "eth0".to_owned(), mtu: 1500 };
    let containers = BTreeMap::from([(Ipv4Addr::new(10, 196, 1, 9), "clux1".to_owned())]);
    let fabric = desired(&places, &view(), Some(&underlay), &containers);
    let device = fabric.device.unwrap();
    assert_eq!((device.mac, device.local, device.port, device.mtu), (node_mac(1), underlay.address, 4789, 1450));
    assert_eq!(device.address, Some(Ipv4Addr::new(10, 192, 0, 1)));
    let (peer, pool, outer) = (Ipv4Addr::new(10, 192, 0, 2), subnet([10, 192, 0, 0], 10), subnet([10, 1, 0, 0], 24));
    let route = |table, destination, target| Entry::Route { table, destination, target };
    let expected = [
        Entry::Tunnel { mac: node_mac(2), underlay: Ipv4Addr::new(192, 0, 2, 2) },
        Entry::Neighbour { address: peer, mac: node_mac(2) },
        route(MAIN_TABLE, subnet([10, 192, 0, 2], 32), Target::Overlay(None)),
        route(MAIN_TABLE, subnet([10, 196, 2, 0], 26), Target::Overlay(Some(peer))),
        route(places.table_of(2), subnet([0; 4], 0), Target::Overlay(Some(peer))),
        route(MAIN_TABLE, subnet([10, 196, 1, 9], 32), Target::Container("clux1".to_owned())),
        route(MAIN_TABLE, pool, Target::Unreachable),
        route(MAIN_TABLE, outer, Target::Unreachable),
        Entry::Policy(Policy::End),
        Entry::Policy(Policy::Skip),
        Entry::Policy(Policy::Return { from: pool, number: 2 }),
        Entry::Policy(Policy::Return { from: outer, number: 2 }),
    ];
    assert_eq!(fabric.entries, expected.into());
}

#[test]
fn without_an_underlay_there_is_no_overlay_but_containers_are_reached() {
    let containers = BTreeMap::from([(Ipv4Addr::new(10, 196, 1, 9), "clux1".to_owned())]);
    let fabric = desired(&Places::of("x"), &view(), None, &containers);
    assert!(fabric.device.is_none() && fabric.entries.len() == 3, "{fabric:?}");
}

fn entry() -> impl Strategy<Value = Entry> {
    let target = prop_oneof![
        Just(Target::Unreachable),
        Just(Target::Overlay(None)),
        (1_u8..3).prop_map(|via| Target::Overlay(Some(Ipv4Addr::new(10, 192, 0, via)))),
    ];
    prop_oneof![
        (1_u16..4, 1_u8..4).prop_map(|(number, host)| Entry::Tunnel { mac: node_mac(number), underlay: Ipv4Addr::new(192, 0, 2, host) }),
        (1_u8..4, 1_u16..4).prop_map(|(host, number)| Entry::Neighbour { address: Ipv4Addr::new(10, 192, 0, host), mac: node_mac(number) }),
        (1_u32..3, 1_u8..4, target).prop_map(|(table, last, target)| {
            Entry::Route { table, destination: Subnet::around(Ipv4Addr::new(10, 196, 0, last), 32).unwrap(), target }
        }),
        Just(Entry::Policy(Policy::Skip)),
        (1_u16..4)
            .prop_map(|number| Entry::Policy(Policy::Return { from: Subnet::around(Ipv4Addr::new(10, 0, 0, 0), 8).unwrap(), number })),
    ]
}

/// A set of entries with one for each key, as a kernel has it.
fn entries() -> impl Strategy<Value = BTreeMap<String, Entry>> {
    btree_set(entry(), 0..12).prop_map(|set| set.into_iter().map(|entry| (name(&entry), entry)).collect())
}

/// What the kernel finds an entry by.
fn name(entry: &Entry) -> String {
    match entry {
        Entry::Tunnel { mac, .. } => format!("{mac:?}"),
        Entry::Neighbour { address, .. } => format!("{address}"),
        Entry::Route { table, destination, target } => format!("{table} {destination} {}", *target == Target::Unreachable),
        Entry::Policy(policy) => format!("{policy:?}"),
    }
}

proptest! {
    #[test]
    fn differences_lead_from_old_to_new(old in entries(), new in entries()) {
        let set = |map: &BTreeMap<String, Entry>| map.values().cloned().collect::<BTreeSet<_>>();
        let mut kernel = old.clone();
        for operation in difference(&set(&old), &set(&new)) {
            match operation {
                Operation::Put(entry) => drop(kernel.insert(name(&entry), entry)),
                Operation::Remove(entry) => prop_assert_eq!(kernel.remove(&name(&entry)), Some(entry)),
            }
            // What is in both is never missing.
            prop_assert!(old.keys().filter(|key| new.contains_key(*key)).all(|key| kernel.contains_key(key)));
        }
        prop_assert_eq!(set(&kernel), set(&new));
        prop_assert!(difference(&set(&new), &set(&new)).is_empty());
    }
}
