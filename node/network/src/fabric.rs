//! What a host's kernel is told beside the rules, as plain data: the VXLAN device, and sets of tunnels, neighbours, routes and policy
//! rules; and the difference of two such sets. Pure. `kernel` reads it from the kernel and carries differences out.

pub mod desired;
pub mod difference;
pub(crate) mod kernel;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use cluster_types::Subnet;

use crate::places::Mac;

pub use desired::{Underlay, desired};
pub use difference::{Operation, difference};

/// What the kernel has, or should have, of ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fabric {
    /// The VXLAN device. None without a number or an underlay address.
    pub device: Option<Device>,
    /// The rest.
    pub entries: BTreeSet<Entry>,
}

/// The VXLAN device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its hardware address, by which peers know it.
    pub mac: Mac,
    /// The address that its packets come from.
    pub local: Ipv4Addr,
    /// The UDP port.
    pub port: u16,
    /// The largest packet.
    pub mtu: u32,
    /// The node's own address in the overlay. None only when somebody took it away.
    pub address: Option<Ipv4Addr>,
}

/// One thing in one of the kernel's tables. Ordered as they are made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// Packets for a hardware address go to a host.
    Tunnel {
        /// Of the peer's VXLAN device.
        mac: Mac,
        /// The host.
        underlay: Ipv4Addr,
    },
    /// A peer's own overlay address has a hardware address.
    Neighbour {
        /// The peer's own address.
        address: Ipv4Addr,
        /// Of its VXLAN device.
        mac: Mac,
    },
    /// A route.
    Route {
        /// The table's number.
        table: u32,
        /// Where to.
        destination: Subnet,
        /// How.
        target: Target,
    },
    /// A policy rule.
    Policy(Policy),
}

/// How a destination is reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// Over the VXLAN device, through the peer with that own address; none when the destination is the peer itself.
    Overlay(Option<Ipv4Addr>),
    /// Over the link of that name to a container.
    Container(String),
    /// Not at all, and the sender is told.
    Unreachable,
}

/// A policy rule. In the order in which they are made: a jump needs its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// The end of the rules: does nothing.
    End,
    /// Packets without a node's mark jump to the end.
    Skip,
    /// Packets of containers with a node's mark go back to that node.
    Return {
        /// Addresses of containers. Without it, packets of the overlay itself (which carry the mark too) would go in circles.
        from: Subnet,
        /// The node's number.
        number: u16,
    },
}

#[cfg(test)]
mod tests;
