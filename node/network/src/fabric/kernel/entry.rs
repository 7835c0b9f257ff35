//! One operation as a message to the kernel.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_route::AddressFamily;
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{RouteMessage, RouteScope, RouteType};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use rtnetlink::{Error, Handle, RouteMessageBuilder};

use super::{Link, PROTOCOL};
use crate::NetworkError;
use crate::fabric::{Entry, Operation, Policy, Target};
use crate::places::{Mac, NODE_MARK, Places};
use cluster_types::Subnet;

/// Writes entries.
pub(crate) struct Writer<'a> {
    pub(crate) handle: &'a Handle,
    pub(crate) places: &'a Places,
    /// The number of the VXLAN device.
    pub(crate) device: Option<u32>,
    pub(crate) links: &'a BTreeMap<String, Link>,
}

impl Writer<'_> {
    /// Carries one operation out. What cannot be removed has gone already, or the audit sees it.
    pub(crate) async fn run(&self, operation: &Operation) -> Result<(), NetworkError> {
        match operation {
            Operation::Put(entry) => self.put(entry).await,
            Operation::Remove(entry) => {
                if let Err(error) = self.remove(entry).await {
                    tracing::debug!(%error, ?entry, "an entry had gone already");
                }
                Ok(())
            }
        }
    }

    async fn put(&self, entry: &Entry) -> Result<(), NetworkError> {
        let neighbours = self.handle.neighbours();
        let result = match entry {
            Entry::Tunnel { mac, underlay } => {
                let tunnel = neighbours.add_bridge(self.device()?, mac).destination(IpAddr::V4(*underlay));
                tunnel.flags(NeighbourFlags::Own).replace().execute().await
            }
            Entry::Neighbour { address, mac } => {
                let neighbour = neighbours.add(self.device()?, IpAddr::V4(*address)).link_layer_address(mac);
                neighbour.state(NeighbourState::Permanent).replace().execute().await
            }
            Entry::Route { table, destination, target } => {
                self.handle.route().add(self.route(*table, *destination, target)?).replace().execute().await
            }
            Entry::Policy(policy) => {
                let mut request = self.handle.rule().add();
                *request.message_mut() = self.policy(*policy);
                request.execute().await
            }
        };
        match result {
            Err(Error::NetlinkError(error)) if error.raw_code() == -(nix::errno::Errno::EEXIST as i32) => Ok(()),
            result => result.map_err(NetworkError::kernel(step(entry))),
        }
    }

    async fn remove(&self, entry: &Entry) -> Result<(), NetworkError> {
        let result = match entry {
            Entry::Tunnel { mac, underlay } => {
                self.handle.neighbours().del(neighbour(self.device()?, AddressFamily::Bridge, *underlay, *mac)).execute().await
            }
            Entry::Neighbour { address, mac } => {
                self.handle.neighbours().del(neighbour(self.device()?, AddressFamily::Inet, *address, *mac)).execute().await
            }
            Entry::Route { table, destination, target } => {
                self.handle.route().del(self.route(*table, *destination, target)?).execute().await
            }
            Entry::Policy(policy) => self.handle.rule().del(self.policy(*policy)).execute().await,
        };
        result.map_err(NetworkError::kernel(step(entry)))
    }

    fn device(&self) -> Result<u32, NetworkError> {
        self.device.ok_or_else(|| NetworkError::kernel("finding the overlay's device")("it is missing"))
    }

    fn route(&self, table: u32, destination: Subnet, target: &Target) -> Result<RouteMessage, NetworkError> {
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(destination.base(), destination.prefix())
            .table_id(table)
            .protocol(PROTOCOL);
        Ok(match target {
            Target::Overlay(None) => route.output_interface(self.device()?).scope(RouteScope::Link).build(),
            Target::Overlay(Some(via)) => route.output_interface(self.device()?).gateway(*via).onlink().build(),
            Target::Unreachable => route.kind(RouteType::Unreachable).priority(self.places.metric).build(),
            Target::Container(name) => {
                let link = self.links.get(name).ok_or("its link is missing").map_err(NetworkError::kernel("routing to a container"))?;
                route.output_interface(link.index).scope(RouteScope::Link).build()
            }
        })
    }

    fn policy(&self, policy: Policy) -> RuleMessage {
        let mut message = RuleMessage::default();
        message.header.family = AddressFamily::Inet;
        message.attributes.push(RuleAttribute::Protocol(PROTOCOL));
        let first = self.places.priority;
        let (action, more) = match policy {
            Policy::Skip => (
                RuleAction::Goto,
                vec![
                    RuleAttribute::Priority(first),
                    RuleAttribute::FwMark(0),
                    RuleAttribute::FwMask(NODE_MARK),
                    RuleAttribute::Goto(first + 2),
                ],
            ),
            Policy::Return { from, number } => {
                message.header.src_len = from.prefix();
                let table = self.places.table_of(number);
                let source = RuleAttribute::Source(IpAddr::V4(from.base()));
                let mark = [RuleAttribute::FwMark(u32::from(number)), RuleAttribute::FwMask(NODE_MARK)];
                let mut more = vec![RuleAttribute::Priority(first + 1), source, RuleAttribute::Table(table)];
                more.extend(mark);
                (RuleAction::ToTable, more)
            }
            Policy::End => (RuleAction::Nop, vec![RuleAttribute::Priority(first + 2)]),
        };
        message.header.action = action;
        message.attributes.extend(more);
        message
    }
}

fn neighbour(device: u32, family: AddressFamily, address: Ipv4Addr, mac: Mac) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family;
    message.header.ifindex = device;
    if family == AddressFamily::Bridge {
        message.header.flags = NeighbourFlags::Own;
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
    }
    message.attributes.push(NeighbourAttribute::Destination(NeighbourAddress::Inet(address)));
    message
}

fn step(entry: &Entry) -> &'static str {
    match entry {
        Entry::Tunnel { .. } => "leading the overlay to a host",
        Entry::Neighbour { .. } => "naming a host in the overlay",
        Entry::Route { target: Target::Container(_), .. } => "routing to a container",
        Entry::Route { .. } => "routing into the overlay",
        Entry::Policy(_) => "setting a policy rule",
    }
}
