//! The table that a host should have, from its view and from what runs on it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use cluster_types::{EndpointAffinity, EndpointMode, EndpointView, OwnView, Protocol, ServiceView, Subnet, ViewItem, ViewItems, ViewKey};

use super::{Ruleset, Set, SetKind, base};
use crate::error::protocol_word;
use crate::places::{PUBLISHED_MARK, Places, node_mac};

/// What a host's table depends on.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Names the daemon.
    pub tag: &'a str,
    /// The view. Without a number of its own, a node has no rules.
    pub view: &'a ViewItems,
    /// Addresses of containers on this host.
    pub attached: &'a BTreeSet<Ipv4Addr>,
    /// Host-mode ports of containers on this host.
    pub forwards: &'a [Forward],
    /// Ingress ports that this host could not take.
    pub closed: &'a BTreeSet<(u16, Protocol)>,
}

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

const ADDRESSES: SetKind = SetKind { word: "set", of: "type ipv4_addr", intervals: false };
const SUBNETS: SetKind = SetKind { word: "set", of: "type ipv4_addr", intervals: true };
const PAIRS: SetKind = SetKind { word: "set", of: "type ipv4_addr . ipv4_addr", intervals: false };
const WAYS: SetKind = SetKind { word: "set", of: "type ipv4_addr . ipv4_addr", intervals: true };
const ORIGINS: SetKind = SetKind { word: "map", of: "type ether_addr : mark", intervals: false };
const ZONES: SetKind = SetKind { word: "map", of: "typeof ether saddr : ct zone", intervals: false };
const NETWORKS: SetKind = SetKind { word: "map", of: "type ipv4_addr : verdict", intervals: true };
const VIPS: SetKind = SetKind { word: "map", of: "type ipv4_addr : verdict", intervals: false };
const PORTS: SetKind = SetKind { word: "map", of: "type inet_service : verdict", intervals: false };

/// The table. Empty when the node has no number yet.
#[must_use]
pub fn desired(wanted: &Wanted<'_>) -> Ruleset {
    let places = Places::of(wanted.tag);
    let mut rules = Ruleset { table: places.table.clone(), ..Ruleset::default() };
    let Some(own) = own(wanted.view) else { return rules };
    let Some(address) = own.pool.node_address(own.number) else { return rules };
    rules.base = base::chains(&places, own, address);
    rules.sets = sets();
    ranges(own, wanted.view).iter().for_each(|range| rules.put("overlay", range, None));
    for forward in sorted(wanted.forwards) {
        forward_port(&mut rules, forward);
    }
    wanted.attached.iter().for_each(|container| add_hairpin(&mut rules, *container));
    for item in wanted.view.values() {
        match &**item {
            ViewItem::Own(_) => {}
            ViewItem::Peer(peer) => {
                rules.put("peers", &peer.underlay, None);
                let mark = PUBLISHED_MARK | u32::from(peer.number);
                peer.blocks.iter().for_each(|block| rules.put("homeward", &format!("{} . {block}", peer.underlay), None));
                rules.put("origins", &mac_text(peer.number), Some(format!("{mark:#x}")));
                rules.put("zones", &mac_text(peer.number), Some(peer.number.to_string()));
            }
            ViewItem::Network(network) => {
                let name = format!("net_{}", network.id);
                rules.chains.insert(name.clone(), vec![format!("ip daddr {} accept", network.subnet), "drop".to_owned()]);
                rules.put("networks", &network.subnet, Some(format!("goto {name}")));
                if network.internal {
                    rules.put("internal", &network.subnet, None);
                }
            }
            ViewItem::Service(service) => add_service(&mut rules, wanted, service),
        }
    }
    rules
}

/// All sets and maps, empty.
fn sets() -> BTreeMap<String, Set> {
    let kinds: [(&str, SetKind); 11] = [
        ("overlay", SUBNETS),
        ("internal", SUBNETS),
        ("peers", ADDRESSES),
        ("hairpin", PAIRS),
        ("homeward", WAYS),
        ("origins", ORIGINS),
        ("zones", ZONES),
        ("networks", NETWORKS),
        ("vips", VIPS),
        ("ports_tcp", PORTS),
        ("ports_udp", PORTS),
    ];
    kinds.map(|(name, kind)| (name.to_owned(), Set { kind, elements: BTreeMap::new() })).into()
}

/// What the node itself is.
#[must_use]
pub fn own(view: &ViewItems) -> Option<&OwnView> {
    match view.get(&ViewKey::Own).map(|item| &**item) {
        Some(ViewItem::Own(own)) => Some(own),
        _ => None,
    }
}

/// The addresses of the overlay: the pool, and the subnets that users chose outside of it. They do not meet.
#[must_use]
pub fn ranges(own: &OwnView, view: &ViewItems) -> BTreeSet<Subnet> {
    let mut ranges = BTreeSet::from([own.pool.pool]);
    for item in view.values() {
        if let ViewItem::Network(network) = &**item
            && !ranges.iter().any(|range| range.overlaps(network.subnet))
        {
            ranges.insert(network.subnet);
        }
    }
    ranges
}

fn sorted(forwards: &[Forward]) -> BTreeSet<Forward> {
    forwards.iter().copied().collect()
}

fn mac_text(number: u16) -> String {
    node_mac(number).map(|byte| format!("{byte:02x}")).join(":")
}

fn forward_port(rules: &mut Ruleset, forward: Forward) {
    let word = protocol_word(forward.protocol);
    let name = format!("host_{word}_{}", forward.published);
    let to = format!("meta l4proto {word} dnat ip to {}:{}", forward.address, forward.target);
    rules.chains.insert(name.clone(), vec![flag(), to]);
    rules.put(ports_of(forward.protocol), &forward.published, Some(format!("goto {name}")));
}

/// The rules and elements of services alone, in a table that has nothing else.
pub(super) fn part<'a>(wanted: &Wanted<'_>, services: impl IntoIterator<Item = &'a ServiceView>) -> Ruleset {
    let mut rules = Ruleset { table: Places::of(wanted.tag).table, sets: sets(), ..Ruleset::default() };
    services.into_iter().for_each(|service| add_service(&mut rules, wanted, service));
    rules
}

fn add_service(rules: &mut Ruleset, wanted: &Wanted<'_>, service: &ServiceView) {
    for network in &service.networks {
        let Some(vip) = network.vip.filter(|_| service.mode == EndpointMode::Vip && !network.endpoints.is_empty()) else { continue };
        let name = format!("vip_{}_{}", service.id, network.network);
        rules.chains.insert(name.clone(), choice(service.affinity, &network.endpoints, |to| format!("dnat ip to {to}")));
        rules.put("vips", &vip, Some(format!("goto {name}")));
    }
    let Some(first) = service.networks.first().filter(|first| !first.endpoints.is_empty()) else { return };
    for port in service.ports.iter().filter(|port| !wanted.closed.contains(&(port.published, port.protocol))) {
        let word = protocol_word(port.protocol);
        let name = format!("port_{word}_{}", port.published);
        if rules.has(ports_of(port.protocol), &port.published) {
            continue;
        }
        let dnat = |to: &str| format!("meta l4proto {word} dnat ip to {to}:{}", port.target);
        let chosen = choice(service.affinity, &first.endpoints, dnat);
        rules.chains.insert(name.clone(), std::iter::once(flag()).chain(chosen).collect());
        rules.put(ports_of(port.protocol), &port.published, Some(format!("goto {name}")));
    }
}

/// A container that a service leads back to itself is answered by way of the host.
pub(super) fn add_hairpin(rules: &mut Ruleset, container: Ipv4Addr) {
    rules.put("hairpin", &format!("{container} . {container}"), None);
}

/// Up to so many endpoints have a rule each.
const FEW: usize = 64;

/// Rules that choose one of the endpoints: in turn, or by the client.
///
/// One look-up in a map would do, but a map in a rule is a set of its own for the kernel, which walks over all of a table's sets, and over
/// the transaction, for each: with thousands of services, loading them would take time by the square of their number. So each of a few
/// endpoints has a rule that takes its share of what the rules before it left. Only a new connection walks over them, at some tens of
/// nanoseconds each.
fn choice(affinity: EndpointAffinity, endpoints: &[EndpointView], dnat: impl Fn(&str) -> String) -> Vec<String> {
    let addresses: BTreeSet<Ipv4Addr> = endpoints.iter().map(|endpoint| endpoint.address).collect();
    let count = addresses.len();
    let by_client = format!("jhash ip saddr mod {count} seed 0x0");
    if count > FEW {
        let list: Vec<String> = addresses.iter().enumerate().map(|(at, address)| format!("{at} : {address}")).collect();
        let number = if affinity == EndpointAffinity::None { format!("numgen inc mod {count}") } else { by_client };
        return vec![dnat(&format!("{number} map {{ {} }}", list.join(", ")))];
    }
    let rule = |(at, address): (usize, &Ipv4Addr)| match (count - at, affinity) {
        (1, _) => dnat(&address.to_string()),
        (left, EndpointAffinity::None) => format!("numgen inc mod {left} 0 {}", dnat(&address.to_string())),
        (_, EndpointAffinity::ClientIp) => format!("{by_client} {at} {}", dnat(&address.to_string())),
    };
    addresses.iter().enumerate().map(rule).collect()
}

/// Marks a flow as one that came by a published port.
fn flag() -> String {
    format!("ct mark set ct mark | {PUBLISHED_MARK:#x}")
}

fn ports_of(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "ports_tcp",
        Protocol::Udp => "ports_udp",
    }
}

impl Ruleset {
    fn put(&mut self, set: &str, key: &impl ToString, value: Option<String>) {
        if let Some(set) = self.sets.get_mut(set) {
            set.elements.insert(key.to_string(), value);
        }
    }

    fn has(&self, set: &str, key: &impl ToString) -> bool {
        self.sets.get(set).is_some_and(|set| set.elements.contains_key(&key.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(count: u8) -> Vec<EndpointView> {
        (0..count).map(|last| EndpointView { address: Ipv4Addr::new(10, 0, 0, last), hostname: String::new() }).collect()
    }

    /// Where a connection goes, as the kernel would decide: each rule counts the connections that come to it.
    fn walk(rules: &[String], counts: &mut [usize]) -> String {
        for (rule, count) in rules.iter().zip(counts) {
            let Some((share, to)) = rule.strip_prefix("numgen inc mod ").and_then(|rest| rest.split_once(" 0 ")) else {
                return rule.clone();
            };
            let turn = *count % share.parse::<usize>().unwrap();
            *count += 1;
            if turn == 0 {
                return to.to_owned();
            }
        }
        panic!("the last rule takes all that is left");
    }

    #[test]
    fn endpoints_are_taken_in_turn() {
        for count in [1, 2, 3, 7, 64] {
            let rules = choice(EndpointAffinity::None, &endpoints(count), ToOwned::to_owned);
            let mut counts = vec![0; rules.len()];
            for round in 0..3 {
                let met: BTreeSet<String> = (0..count).map(|_| walk(&rules, &mut counts)).collect();
                assert_eq!(met.len(), usize::from(count), "round {round} of {count}");
            }
        }
    }

    #[test]
    fn many_endpoints_take_one_look_up() {
        for affinity in [EndpointAffinity::None, EndpointAffinity::ClientIp] {
            let rules = choice(affinity, &endpoints(65), ToOwned::to_owned);
            assert!(rules.len() == 1 && rules[0].contains("mod 65") && rules[0].ends_with("64 : 10.0.0.64 }"), "{rules:?}");
        }
    }
}
