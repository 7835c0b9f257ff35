//! The nftables document of a host, from what is published on it. Pure: the same forwards give the same text, whatever their order.
//!
//! One table of our own; no rule of others is touched. The document replaces the whole table in one transaction.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use cluster_types::Protocol;

use crate::Subnet;
use crate::error::protocol_word;

/// Interface names of the host's ends of containers begin with this.
pub const LINK_PREFIX: &str = "clu";

/// One host-mode port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Forward {
    /// Protocol.
    pub protocol: Protocol,
    /// Port on the host.
    pub published: u16,
    /// Container that answers.
    pub address: Ipv4Addr,
    /// Its port.
    pub target: u16,
}

/// The whole document for `nft -f`.
///
/// - egress: what containers send to the world takes the host's address; between containers of one host it does not;
/// - host-mode ports: whatever comes to an address of this host, also from itself and to 127.0.0.1; the client's address is kept,
///   but for connections from 127.0.0.1 and from the container itself, which could not be answered otherwise.
#[must_use]
pub fn document(table: &str, subnet: Subnet, forwards: &[Forward]) -> String {
    let mut sorted = forwards.to_vec();
    sorted.sort_unstable();
    let mut text = String::new();
    let _ = write!(
        text,
        "table ip {table}\ndelete table ip {table}\ntable ip {table} {{\n{tcp}{udp}  chain translate {{\n    \
         meta l4proto tcp dnat ip to tcp dport map @published_tcp\n    \
         meta l4proto udp dnat ip to udp dport map @published_udp\n  }}\n\
         \x20 chain prerouting {{\n    type nat hook prerouting priority dstnat;\n    fib daddr type local goto translate\n  }}\n\
         \x20 chain output {{\n    type nat hook output priority -100;\n    fib daddr type local goto translate\n  }}\n\
         \x20 chain postrouting {{\n    type nat hook postrouting priority srcnat;\n    \
         ip saddr {subnet} oifname != \"{LINK_PREFIX}*\" masquerade\n    \
         ip saddr 127.0.0.0/8 oifname \"{LINK_PREFIX}*\" masquerade\n    \
         ct status dnat iifname \"{LINK_PREFIX}*\" oifname \"{LINK_PREFIX}*\" masquerade\n  }}\n\
         \x20 chain martian {{\n    type filter hook prerouting priority raw;\n    \
         iifname != \"lo\" ip daddr 127.0.0.0/8 drop\n  }}\n}}\n",
        tcp = map(Protocol::Tcp, &sorted),
        udp = map(Protocol::Udp, &sorted),
    );
    text
}

fn map(protocol: Protocol, forwards: &[Forward]) -> String {
    let word = protocol_word(protocol);
    let elements: Vec<String> = forwards
        .iter()
        .filter(|forward| forward.protocol == protocol)
        .map(|forward| format!("{} : {} . {}", forward.published, forward.address, forward.target))
        .collect();
    let elements = if elements.is_empty() { String::new() } else { format!("    elements = {{ {} }}\n", elements.join(", ")) };
    format!("  map published_{word} {{\n    type inet_service : ipv4_addr . inet_service\n{elements}  }}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn forward(published: u16, protocol: Protocol) -> Forward {
        Forward { protocol, published, address: Ipv4Addr::new(10, 210, 0, 3), target: 80 }
    }

    #[test]
    fn the_document_names_each_port_once() {
        let text = document("cluster_x", Subnet::DEFAULT, &[forward(8080, Protocol::Tcp), forward(53, Protocol::Udp)]);
        assert_eq!(text.matches("8080 : 10.210.0.3 . 80").count(), 1);
        assert_eq!(text.matches("53 : 10.210.0.3 . 80").count(), 1);
        assert!(text.starts_with("table ip cluster_x\ndelete table ip cluster_x\n"));
    }

    proptest! {
        #[test]
        fn the_order_of_forwards_does_not_matter(ports in proptest::collection::vec(1_u16.., 0..20), seed: u64) {
            let forwards: Vec<Forward> = ports.into_iter().map(|port| forward(port, Protocol::Tcp)).collect();
            let mut turned = forwards.clone();
            turned.rotate_left(usize::try_from(seed % 7).unwrap() % forwards.len().max(1));
            prop_assert_eq!(document("t", Subnet::DEFAULT, &forwards), document("t", Subnet::DEFAULT, &turned));
        }
    }
}
