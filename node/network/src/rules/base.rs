//! The chains that the kernel's hooks call. They name sets, maps and chains of the rest, so that they change only with the node itself.

use std::net::Ipv4Addr;

use cluster_types::OwnView;

use crate::names::PORT;
use crate::places::{LINK_PREFIX, NODE_MARK, PROBE_MAGIC, PUBLISHED_MARK, Places, RESOLVER};

/// Their text.
///
/// - `martian`: 127.0.0.0/8 is for the host itself alone, though its links may route it; a container sends from its own addresses alone;
/// - `zone`: flows of the world are told apart by the node that passed them on: one client may use the same port of its own to two nodes, and
///   be led to the same container by both; the second one then gets another port;
/// - `origin`: a flow of the world that another node passed on is marked with that node, and the answers go back there;
/// - `underlay`: only nodes of the cluster may send overlay packets; probes are no such packets;
/// - `sealed`: a container of an internal network reaches nothing of its own host but the name service;
/// - `prerouting`, `output`: addresses of services, and published ports. A port of an internal network's container leads nowhere;
/// - `forward`: a network's members reach each other and no others; the world reaches only what is published;
/// - `postrouting`: what a sender could not be answered to takes an address of this host: a container's or this host's own, and that of
///   a peer whose packet is led back to the peer itself (there, the answer would be taken for one to the peer's own programs).
pub(super) fn chains(places: &Places, own: &OwnView, address: Ipv4Addr) -> String {
    let (device, nodes, port) = (&places.device, own.pool.nodes(), own.pool.data_port);
    let probe = u64::from_be_bytes(PROBE_MAGIC);
    let published = format!("ct mark & {PUBLISHED_MARK:#x} == {PUBLISHED_MARK:#x}");
    format!(
        "\x20 chain martian {{\n    type filter hook prerouting priority raw;\n    \
         iifname != \"lo\" ip daddr 127.0.0.0/8 drop\n    \
         iifname \"{LINK_PREFIX}*\" fib saddr . iif oif missing drop\n  }}\n\
         \x20 chain zone {{\n    type filter hook prerouting priority raw;\n    \
         iifname \"{device}\" ip saddr != @overlay ct original zone set ether saddr map @zones\n  }}\n\
         \x20 chain origin {{\n    type filter hook prerouting priority mangle;\n    \
         iifname \"{device}\" ct state new ip saddr != @overlay ct mark set ether saddr map @origins\n    \
         iifname \"{LINK_PREFIX}*\" ct direction reply ct mark & {NODE_MARK:#x} != 0 meta mark set ct mark & {NODE_MARK:#x}\n  }}\n\
         \x20 chain underlay {{\n    type filter hook input priority filter - 10;\n    \
         udp dport {port} ip saddr != @peers @th,64,64 != {probe:#018x} drop\n  }}\n\
         \x20 chain sealed {{\n    type filter hook input priority filter - 10;\n    \
         iifname \"{LINK_PREFIX}*\" ct direction original ip saddr @internal goto asking\n  }}\n\
         \x20 chain asking {{\n    \
         ip daddr {RESOLVER} meta l4proto {{ tcp, udp }} th dport {PORT} accept\n    \
         drop\n  }}\n\
         \x20 chain translate {{\n    tcp dport vmap @ports_tcp\n    udp dport vmap @ports_udp\n  }}\n\
         \x20 chain prerouting {{\n    type nat hook prerouting priority dstnat;\n    \
         ip daddr {RESOLVER} accept\n    \
         iifname \"{LINK_PREFIX}*\" ip daddr vmap @vips\n    \
         iifname \"{LINK_PREFIX}*\" ip saddr @internal accept\n    \
         iifname != \"{device}\" fib daddr type local goto translate\n  }}\n\
         \x20 chain output {{\n    type nat hook output priority -100;\n    \
         ip daddr {RESOLVER} accept\n    \
         fib daddr type local goto translate\n  }}\n\
         \x20 chain forward {{\n    type filter hook forward priority filter;\n    \
         ct state established,related accept\n    \
         {published} accept\n    \
         ip daddr @overlay goto inward\n    \
         iifname \"{device}\" drop\n    \
         ip saddr @internal drop\n  }}\n\
         \x20 chain inward {{\n    \
         iifname \"{device}\" ip saddr {nodes} accept\n    \
         iifname \"{device}\" ip saddr vmap @networks\n    \
         iifname \"{LINK_PREFIX}*\" ip saddr vmap @networks\n    \
         drop\n  }}\n\
         \x20 chain postrouting {{\n    type nat hook postrouting priority srcnat;\n    \
         ip saddr . ip daddr @hairpin snat ip to {address}\n    \
         {published} ip saddr . ip daddr @homeward snat ip to {address}\n    \
         {published} iifname \"{LINK_PREFIX}*\" snat ip to {address}\n    \
         {published} fib saddr type local snat ip to {address}\n    \
         ip saddr @overlay ip daddr != @overlay oifname != \"{LINK_PREFIX}*\" oifname != \"{device}\" \
         ct mark & {mark:#x} == 0 masquerade\n  }}\n",
        mark = PUBLISHED_MARK | NODE_MARK,
    )
}
