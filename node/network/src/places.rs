//! Where a daemon's things are in the kernel: names, numbers of tables and priorities, all derived from its tag. Pure.
//!
//! Everything global to a machine carries the tag, so that several daemons on one machine do not meet.

use std::net::Ipv4Addr;

pub use crate::names::RESOLVER;

/// Interface names of the host's ends of containers begin with this.
pub const LINK_PREFIX: &str = "clu";
/// Interface names of the overlay between hosts begin with this.
pub const OVERLAY_PREFIX: &str = "clv";
/// The next hop of every container; nobody owns it, a permanent neighbour entry answers for it.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
/// What a probe of whether hosts reach each other begins with. No VXLAN header begins so (its flag is not set): the kernel drops it.
pub const PROBE_MAGIC: [u8; 8] = *b"\x00CLPROBE";
/// The identifier of the overlay in VXLAN headers.
pub const VNI: u32 = 4096;
/// Bytes that the overlay adds to each packet.
pub const OVERHEAD: u32 = 50;
/// The low bits of marks: the number of the node that a flow came in through.
pub const NODE_MARK: u32 = 0xffff;
/// The bit of a flow's mark that says that it came by a published port.
pub const PUBLISHED_MARK: u32 = 0x1_0000;
/// The number of the main routing table.
pub const MAIN_TABLE: u32 = 254;

/// A hardware address.
pub type Mac = [u8; 6];

/// Where the things of one daemon are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The table of rules.
    pub table: String,
    /// The VXLAN device.
    pub device: String,
    /// What the host's ends of its containers begin with.
    pub links: String,
    /// The first of its three priorities of policy rules.
    pub priority: u32,
    /// The number of the routing table of node 0; the next are those of the nodes.
    pub first_table: u32,
    /// The metric of its routes that refuse.
    pub metric: u32,
}

impl Places {
    /// The places of the daemon with a tag.
    #[must_use]
    pub fn of(tag: &str) -> Self {
        let hash = hash(tag);
        Self {
            table: format!("cluster_{tag}"),
            device: format!("{OVERLAY_PREFIX}{tag}"),
            links: format!("{LINK_PREFIX}{tag}"),
            priority: 20_000 + 3 * (hash % 3000),
            first_table: 0x4300_0000 + ((hash % 256) << 16),
            metric: 100_000 + hash % 100_000,
        }
    }

    /// The routing table whose default route leads to a node.
    #[must_use]
    pub fn table_of(&self, number: u16) -> u32 {
        self.first_table + u32::from(number)
    }

    /// Whether a routing table is one of a node.
    #[must_use]
    pub fn has_table(&self, table: u32) -> bool {
        (self.first_table..=self.first_table + NODE_MARK).contains(&table)
    }

    /// Whether a policy rule's priority is one of its own.
    #[must_use]
    pub fn has_priority(&self, priority: u32) -> bool {
        (self.priority..self.priority + 3).contains(&priority)
    }
}

/// Whether an interface is one that some daemon of a cluster made: its addresses are not the host's own.
#[must_use]
pub fn is_ours(interface: &str) -> bool {
    interface.starts_with(LINK_PREFIX) || interface.starts_with(OVERLAY_PREFIX)
}

/// The hardware address of a node's VXLAN device: locally administered, and no other than its number makes it.
#[must_use]
pub fn node_mac(number: u16) -> Mac {
    let [high, low] = number.to_be_bytes();
    [0x02, 0x43, 0x4c, 0x00, high, low]
}

/// FNV-1a.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_fit_into_the_kernels() {
        let places = Places::of("abcdefg");
        assert!(places.device.len() <= 15 && format!("{}fffff", places.links).len() <= 15);
        assert!(places.priority + 3 < 32_766);
        assert!(!places.device.starts_with(LINK_PREFIX));
        assert_eq!(node_mac(0x0102), [0x02, 0x43, 0x4c, 0, 1, 2]);
    }
}
