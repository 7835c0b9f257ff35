//! What the kernel should have, from the view and from the containers on this host.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use cluster_types::{OwnView, PeerView, Subnet, ViewItem, ViewItems};

use super::{Device, Entry, Fabric, Policy, Target};
use crate::places::{MAIN_TABLE, OVERHEAD, Places, node_mac};
use crate::rules::desired::{own, ranges};

/// How a host meets the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Underlay {
    /// Its address.
    pub address: Ipv4Addr,
    /// The interface that has the address.
    pub interface: String,
    /// The largest packet there.
    pub mtu: u32,
}

/// What the kernel should have. `containers` are the addresses of containers with the link that leads to each.
#[must_use]
pub fn desired(places: &Places, view: &ViewItems, underlay: Option<&Underlay>, containers: &BTreeMap<Ipv4Addr, String>) -> Fabric {
    let mut entries: BTreeSet<Entry> = containers
        .iter()
        .map(|(address, link)| Entry::Route { table: MAIN_TABLE, destination: host(*address), target: Target::Container(link.clone()) })
        .collect();
    let Some(own) = own(view) else { return Fabric { device: None, entries } };
    let ranges = ranges(own, view);
    entries.extend(ranges.iter().map(|range| Entry::Route { table: MAIN_TABLE, destination: *range, target: Target::Unreachable }));
    let device = underlay.map(|underlay| Device {
        mac: node_mac(own.number),
        local: underlay.address,
        port: own.pool.data_port,
        mtu: underlay.mtu.saturating_sub(OVERHEAD),
        address: own.pool.node_address(own.number),
    });
    if device.is_some() {
        entries.extend([Entry::Policy(Policy::End), Entry::Policy(Policy::Skip)]);
        for item in view.values() {
            if let ViewItem::Peer(peer) = &**item {
                add_peer(&mut entries, places, own, &ranges, peer);
            }
        }
    }
    Fabric { device, entries }
}

fn add_peer(entries: &mut BTreeSet<Entry>, places: &Places, own: &OwnView, ranges: &BTreeSet<Subnet>, peer: &PeerView) {
    let Some(address) = own.pool.node_address(peer.number).filter(|_| peer.number != own.number) else { return };
    let mac = node_mac(peer.number);
    let route = |table, destination, via| Entry::Route { table, destination, target: Target::Overlay(via) };
    entries.extend([
        Entry::Tunnel { mac, underlay: peer.underlay },
        Entry::Neighbour { address, mac },
        route(MAIN_TABLE, host(address), None),
        route(places.table_of(peer.number), everywhere(), Some(address)),
    ]);
    entries.extend(peer.blocks.iter().map(|block| route(MAIN_TABLE, *block, Some(address))));
    entries.extend(ranges.iter().map(|from| Entry::Policy(Policy::Return { from: *from, number: peer.number })));
}

/// One address as a subnet.
pub(crate) fn host(address: Ipv4Addr) -> Subnet {
    Subnet::around(address, 32).unwrap_or_else(everywhere)
}

/// Every address.
pub(crate) fn everywhere() -> Subnet {
    Subnet::around(Ipv4Addr::UNSPECIFIED, 0).unwrap_or_else(|| unreachable!("0 is a prefix"))
}
