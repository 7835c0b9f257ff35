//! The subnet of a new network, and how much of a network is in use. Called by the control API; blocks and addresses are given by allocate.

use std::net::Ipv4Addr;

use cluster_state::{Holder, View};
use cluster_types::{Network, NetworkSpec, Subnet};

use crate::validate::Problem;

/// Ranges that no network can have, with what they are.
const RESERVED: [(u8, u8, &str); 3] = [(0, 8, "this host"), (127, 8, "loopback"), (224, 3, "multicast and reserved addresses")];

/// How many addresses of a network are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// By tasks that are placed and have not ended.
    pub tasks: u64,
    /// By services.
    pub services: u64,
    /// By nobody.
    pub free: u64,
}

/// The subnet that a new network gets: the one that its spec asks for, if it can have that, or the first free part of the pool.
pub fn subnet(view: &View, spec: &NetworkSpec) -> Result<Subnet, Problem> {
    match spec.subnet {
        Some(asked) => match refusal(view, asked) {
            None => Ok(asked),
            Some(reason) => Err(problem(format!("{asked} {reason}"))),
        },
        None => choose(view),
    }
}

/// How much of a network is in use.
#[must_use]
pub fn usage(view: &View, network: &Network) -> Usage {
    let mut usage = Usage::default();
    for (_, holder) in view.addresses_within(network.subnet) {
        match holder {
            Holder::Task(_) => usage.tasks += 1,
            Holder::Service(_) => usage.services += 1,
        }
    }
    usage.free = network.subnet.size().saturating_sub(usage.tasks + usage.services);
    usage
}

fn refusal(view: &View, asked: Subnet) -> Option<String> {
    if let Some((_, what)) = reserved().find(|(range, _)| range.overlaps(asked)) {
        return Some(format!("cannot be a network's: {what} are there"));
    }
    let nodes = view.cluster().map(|cluster| cluster.network.nodes());
    if let Some(nodes) = nodes.filter(|nodes| nodes.overlaps(asked)) {
        return Some(format!("meets {nodes}, where the nodes have their own addresses"));
    }
    let other = view.networks().find(|other| other.subnet.overlaps(asked))?;
    Some(format!("meets {}, the subnet of network {}", other.subnet, other.spec.name))
}

fn reserved() -> impl Iterator<Item = (Subnet, &'static str)> {
    let ranges = RESERVED.into_iter().map(|(first, prefix, what)| (Subnet::around(Ipv4Addr::new(first, 0, 0, 0), prefix), what));
    let link_local = (Subnet::around(Ipv4Addr::new(169, 254, 0, 0), 16), "link-local addresses");
    ranges.chain([link_local]).filter_map(|(range, what)| Some((range?, what)))
}

fn choose(view: &View) -> Result<Subnet, Problem> {
    let pool = view.cluster().map(|cluster| cluster.network).ok_or_else(|| problem("there is no cluster yet".to_owned()))?;
    let mut taken: Vec<Subnet> = view.networks().map(|network| network.subnet).chain([pool.nodes()]).collect();
    taken.sort_unstable();
    let mut index = 0;
    // Jumps over what is taken, so that it takes no more turns than there are networks.
    while let Some(part) = pool.pool.part(pool.network_prefix, index) {
        match taken.iter().find(|taken| taken.overlaps(part)) {
            None => return Ok(part),
            Some(taken) => index = 1 + pool.pool.index(*taken.range().end()).map_or(index, |last| index.max(last / part.size())),
        }
    }
    let (pool, prefix) = (pool.pool, pool.network_prefix);
    Err(problem(format!("the pool {pool} has no free /{prefix} any more: remove a network, or name a subnet that nothing else uses")))
}

fn problem(reason: String) -> Problem {
    Problem { field: "subnet".to_owned(), reason }
}

#[cfg(test)]
mod tests;
