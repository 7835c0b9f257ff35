//! The difference of what is and what should be, as operations in the order to carry them out.

use std::collections::BTreeSet;

use cluster_types::Subnet;

use super::{Entry, Policy, Target};
use crate::places::Mac;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Add it; one with the same key is replaced.
    Put(Entry),
    /// Take it away.
    Remove(Entry),
}

/// What the kernel tells entries of a table apart by: it has one for each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Tunnel(Mac),
    Neighbour(std::net::Ipv4Addr),
    /// Routes that refuse have a metric of their own, and so a key of their own.
    Route(u32, Subnet, bool),
    Policy(Policy),
}

/// The way from `old` to `new`. New things come first, so that nothing that stays is ever missing; then old things go, last made first.
#[must_use]
pub fn difference(old: &BTreeSet<Entry>, new: &BTreeSet<Entry>) -> Vec<Operation> {
    let kept: BTreeSet<Key> = new.iter().map(key).collect();
    let puts = new.difference(old).cloned().map(Operation::Put);
    let gone = old.difference(new).filter(|entry| !kept.contains(&key(entry)));
    puts.chain(gone.collect::<Vec<_>>().into_iter().rev().cloned().map(Operation::Remove)).collect()
}

fn key(entry: &Entry) -> Key {
    match entry {
        Entry::Tunnel { mac, .. } => Key::Tunnel(*mac),
        Entry::Neighbour { address, .. } => Key::Neighbour(*address),
        Entry::Route { table, destination, target } => Key::Route(*table, *destination, *target == Target::Unreachable),
        Entry::Policy(policy) => Key::Policy(*policy),
    }
}

impl Operation {
    /// What it is about, for people.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        let (Self::Put(entry) | Self::Remove(entry)) = self;
        match entry {
            Entry::Tunnel { .. } => "tunnel",
            Entry::Neighbour { .. } => "neighbour",
            Entry::Route { .. } => "route",
            Entry::Policy(_) => "policy rule",
        }
    }
}
