//! The kernel's messages as our plain data. What is not ours, or not as we make it, is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use cluster_types::Subnet;
use futures::TryStreamExt as _;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{InfoData, InfoVxlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use rtnetlink::{Handle, IpVersion, RouteMessageBuilder};

use super::{Link, PROTOCOL, mac_of};
use crate::NetworkError;
use crate::fabric::desired::everywhere;
use crate::fabric::{Device, Entry, Policy, Target};
use crate::places::{NODE_MARK, Places, VNI};

pub(super) fn name(link: &LinkMessage) -> Option<&String> {
    link.attributes.iter().find_map(|attribute| if let LinkAttribute::IfName(name) = attribute { Some(name) } else { None })
}

pub(super) fn link(link: &LinkMessage) -> Link {
    let mtu = link.attributes.iter().find_map(|attribute| if let LinkAttribute::Mtu(mtu) = attribute { Some(*mtu) } else { None });
    Link { index: link.header.index, mtu: mtu.unwrap_or_default(), up: link.header.flags.contains(LinkFlags::Up) }
}

/// A device that is down has no MTU, and one that is no VXLAN device of ours no address: it then differs from every wish.
pub(super) fn device(message: &LinkMessage) -> Device {
    let mut device = Device { mac: [0; 6], local: Ipv4Addr::UNSPECIFIED, port: 0, mtu: 0, address: None };
    if link(message).up {
        device.mtu = link(message).mtu;
    }
    let mut ours = false;
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Address(mac) => device.mac = mac_of(mac).unwrap_or_default(),
            LinkAttribute::LinkInfo(infos) => {
                for info in
                    infos.iter().filter_map(|info| if let LinkInfo::Data(InfoData::Vxlan(vxlan)) = info { Some(vxlan) } else { None })
                {
                    for value in info {
                        match value {
                            InfoVxlan::Id(id) => ours = *id == VNI,
                            InfoVxlan::Local(local) => device.local = *local,
                            InfoVxlan::Port(port) => device.port = *port,
                            _ => {}
                        }
                    }
                }
            }
            _ => {}
        }
    }
    if ours { device } else { Device { local: Ipv4Addr::UNSPECIFIED, ..device } }
}

pub(super) fn address(message: &AddressMessage) -> Option<Ipv4Addr> {
    message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(IpAddr::V4(address)) => Some(*address),
        _ => None,
    })
}

pub(super) async fn routes(
    handle: &Handle,
    places: &Places,
    device: Option<u32>,
    names: &BTreeMap<u32, &str>,
    entries: &mut BTreeSet<Entry>,
) -> Result<(), NetworkError> {
    let mut routes = handle.route().get(RouteMessageBuilder::<Ipv4Addr>::new().build()).execute();
    while let Some(found) = routes.try_next().await.map_err(NetworkError::kernel("reading the routes"))? {
        if found.header.protocol == PROTOCOL {
            entries.extend(route(&found, places, device, names));
        }
    }
    Ok(())
}

fn route(message: &RouteMessage, places: &Places, device: Option<u32>, names: &BTreeMap<u32, &str>) -> Option<Entry> {
    let (mut table, mut oif, mut gateway, mut metric, mut base) = (u32::from(message.header.table), None, None, 0, Ipv4Addr::UNSPECIFIED);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Oif(index) => oif = Some(*index),
            RouteAttribute::Gateway(RouteAddress::Inet(address)) => gateway = Some(*address),
            RouteAttribute::Destination(RouteAddress::Inet(address)) => base = *address,
            RouteAttribute::Priority(priority) => metric = *priority,
            _ => {}
        }
    }
    let destination = Subnet::around(base, message.header.destination_prefix_length)?;
    let target = match message.header.kind {
        RouteType::Unreachable if metric == places.metric => Target::Unreachable,
        RouteType::Unicast if oif.is_some() && oif == device => Target::Overlay(gateway),
        RouteType::Unicast => {
            let link = names.get(&oif?).filter(|name| name.starts_with(&places.links))?;
            Target::Container((*link).to_owned())
        }
        _ => return None,
    };
    Some(Entry::Route { table, destination, target })
}

pub(super) async fn policies(handle: &Handle, places: &Places, entries: &mut BTreeSet<Entry>) -> Result<(), NetworkError> {
    let mut rules = handle.rule().get(IpVersion::V4).execute();
    while let Some(rule) = rules.try_next().await.map_err(NetworkError::kernel("reading the policy rules"))? {
        entries.extend(policy(&rule, places).map(Entry::Policy));
    }
    Ok(())
}

fn policy(message: &RuleMessage, places: &Places) -> Option<Policy> {
    let (mut priority, mut mark, mut mask, mut table, mut goto, mut from) = (0, 0, 0, u32::from(message.header.table), 0, None);
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Priority(value) => priority = *value,
            RuleAttribute::FwMark(value) => mark = *value,
            RuleAttribute::FwMask(value) => mask = *value,
            RuleAttribute::Table(value) => table = *value,
            RuleAttribute::Goto(value) => goto = *value,
            RuleAttribute::Source(IpAddr::V4(address)) => from = Subnet::around(*address, message.header.src_len),
            _ => {}
        }
    }
    if !places.has_priority(priority) {
        return None;
    }
    match (message.header.action, priority - places.priority) {
        (RuleAction::Goto, 0) if (mark, mask, goto) == (0, NODE_MARK, places.priority + 2) => Some(Policy::Skip),
        (RuleAction::ToTable, 1) if mask == NODE_MARK && table == places.first_table + mark => {
            Some(Policy::Return { from: from.unwrap_or_else(everywhere), number: u16::try_from(mark).ok()? })
        }
        (RuleAction::Nop, 2) => Some(Policy::End),
        _ => None,
    }
}

pub(super) async fn neighbours(handle: &Handle, device: u32, entries: &mut BTreeSet<Entry>) -> Result<(), NetworkError> {
    for family in [AddressFamily::Inet, AddressFamily::Bridge] {
        let mut found = handle.neighbours().get().set_address_family(family).execute();
        while let Some(message) = found.try_next().await.map_err(NetworkError::kernel("reading the neighbours"))? {
            if message.header.ifindex == device {
                entries.extend(neighbour(&message));
            }
        }
    }
    Ok(())
}

fn neighbour(message: &NeighbourMessage) -> Option<Entry> {
    let (mut address, mut mac) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(has)) => address = Some(*has),
            NeighbourAttribute::Destination(NeighbourAddress::Other(bytes)) => {
                address = <[u8; 4]>::try_from(bytes.as_slice()).ok().map(Ipv4Addr::from);
            }
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = mac_of(bytes),
            _ => {}
        }
    }
    match message.header.family {
        AddressFamily::Bridge => Some(Entry::Tunnel { mac: mac?, underlay: address? }),
        _ if message.header.state == NeighbourState::Permanent => Some(Entry::Neighbour { address: address?, mac: mac? }),
        _ => None,
    }
}
