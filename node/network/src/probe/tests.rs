//! Two hosts on a switch: what passes, what a firewall or a small link keeps out, and a port that the kernel has.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::tests::lab::{Machine, Place};

/// Of a test that waits for what must come, and for what must not.
const PATIENCE: Duration = Duration::from_secs(4);

struct Pair {
    switch: Place,
    hosts: [Machine; 2],
}

impl Pair {
    fn new() -> Self {
        let pair = Self { switch: Place::new(), hosts: [Machine::new(), Machine::new()] };
        pair.switch.sh("ip link add br0 type bridge; ip link set br0 up");
        for (host, last) in pair.hosts.iter().zip(1..) {
            host.place.plug(&pair.switch, last);
        }
        pair
    }

    /// What arrives at the first and the second host, and what kept them from sending.
    fn exchange(&self) -> [(Arrived, Option<String>); 2] {
        let run = |host: usize, way: Way| {
            self.hosts[host].run(async move {
                let mtu = interface(way.own).await.unwrap().unwrap().mtu;
                Exchange::open(way, mtu).await.unwrap().run(PATIENCE, ()).await
            })
        };
        std::thread::scope(|scope| {
            let first = scope.spawn(|| run(0, way(1, 2)));
            let second = run(1, way(2, 1));
            [first.join().unwrap(), second]
        })
    }
}

fn way(own: u8, peer: u8) -> Way {
    Way { own: address(own), peer: address(peer), port: 4789, nonce: [7; 16] }
}

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 91, 0, last)
}

const ALL: Arrived = Arrived { small: true, full: true };
const SMALL: Arrived = Arrived { small: true, full: false };
const NONE: Arrived = Arrived { small: false, full: false };

#[test]
fn probes_pass_both_ways_also_beside_a_vxlan_device() {
    let pair = Pair::new();
    assert_eq!(pair.exchange(), [(ALL, None), (ALL, None)]);
    pair.hosts[0].place.sh("ip link add vx0 type vxlan id 9 dstport 4789 local 10.91.0.1; ip link set vx0 up");
    assert_eq!(pair.exchange(), [(ALL, None), (ALL, None)]);
    let taken = pair.hosts[0].run(hold(4789)).unwrap_err();
    assert!(taken.contains("VXLAN device vx0"), "{taken}");
    assert!(pair.hosts[1].run(hold(4789)).is_ok());
}

#[test]
fn a_firewall_keeps_out_its_direction_alone() {
    let pair = Pair::new();
    let rules = "nft add table ip t; nft 'add chain ip t c { type filter hook HOOK priority 0; }'; nft add rule ip t c udp dport 4789 drop";
    pair.hosts[1].place.sh(&rules.replace("HOOK", "input"));
    assert_eq!(pair.exchange(), [(ALL, None), (NONE, None)]);
    pair.hosts[1].place.sh("nft delete table ip t");
    pair.hosts[1].place.sh(&rules.replace("HOOK", "output"));
    let [(first, none), (second, refused)] = pair.exchange();
    assert_eq!((first, none, second), (NONE, None, ALL));
    assert!(refused.unwrap().contains("not permitted"));
}

#[test]
fn what_keeps_a_host_from_sending_is_told_though_all_has_arrived_there_already() {
    let pair = Pair::new();
    pair.hosts[0]
        .place
        .sh("nft add table ip t; nft 'add chain ip t c { type filter hook output priority 0; }'; nft add rule ip t c udp dport 4789 drop");
    let open = |host: usize, way: Way| pair.hosts[host].run(async move { Exchange::open(way, 1500).await.unwrap() });
    let (first, second) = (open(0, way(1, 2)), open(1, way(2, 1)));
    pair.hosts[1].run(second.run(Duration::from_millis(500), ()));
    let (arrived, refused) = pair.hosts[0].run(first.run(PATIENCE, ()));
    assert_eq!(arrived, ALL);
    assert!(refused.unwrap().contains("not permitted"));
}

#[test]
fn a_smaller_link_passes_small_probes_alone() {
    let pair = Pair::new();
    pair.switch.sh("ip link set p2 mtu 1400");
    assert_eq!(pair.exchange(), [(SMALL, None), (SMALL, None)]);
    pair.switch.sh("ip link set p2 mtu 1500");
    pair.hosts[0].place.sh("ip link set eth0 mtu 1400");
    assert_eq!(pair.exchange()[1].0, ALL, "the first host's own full size is smaller now");
}

#[test]
fn the_interface_of_an_address_is_told() {
    let machine = Machine::new();
    machine.place.sh("ip link add eth0 mtu 1450 type veth peer name eth1; ip addr add 10.91.0.9/24 dev eth0");
    let found = machine.run(interface(address(9))).unwrap();
    assert_eq!(found, Some(Interface { name: "eth0".to_owned(), mtu: 1450 }));
    assert_eq!(machine.run(interface(address(8))).unwrap(), None);
}
