//! What would make a task fit that no node takes: the smallest change of a single node, in words.
//!
//! Only nodes with the fewest reasons against them are looked at. When one reason is in the way, taking it away is enough; when there are
//! several, all are named together.

use std::collections::{BTreeMap, BTreeSet};

use cluster_types::constraint::ConstraintKey;
use cluster_types::{Constraint, Platform, Protocol};

use super::demand::{Bytes, Cpus, Demand, Refusal};
use super::fleet::Room;
use crate::allocate::ports::word;

/// Nodes that one remedy names.
const NAMED: usize = 5;
/// Nodes with several reasons that are shown.
const SHOWN: usize = 3;

/// One change of a node. Those that are alike are offered once, for all nodes that they are for; of amounts only the smallest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Fix {
    Active,
    Back,
    Label { equal: bool, label: String, value: String },
    Free { kind: Kind, missing: u64, needs: u64 },
    Port(u16, Protocol),
    Limit(u64),
    Larger { kind: Kind, needs: u64 },
    Other(String),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Cpus,
    Memory,
    Generic(String),
}

/// The remedies for a demand, given the nodes that refuse it with all reasons.
pub(super) fn remedies(demand: &Demand, is_empty: bool, refused: &[(&Room, Vec<Refusal>)]) -> Vec<String> {
    if is_empty {
        return vec!["a node would have to join the cluster".to_owned()];
    }
    let fewest = refused.iter().map(|(_, refusals)| refusals.len()).min().unwrap_or(0);
    let near = refused.iter().filter(|(_, refusals)| refusals.len() == fewest);
    if fewest > 1 {
        return near.take(SHOWN).map(|(room, refusals)| together(demand, room, refusals)).collect();
    }
    let mut fixes: BTreeMap<Fix, Vec<String>> = BTreeMap::new();
    for (room, refusals) in near {
        for refusal in refusals {
            fixes.entry(fix(demand, room, refusal)).or_default().push(room.name());
        }
    }
    let mut amounts = BTreeSet::new();
    // In the order of the amounts: the first of each kind is the smallest.
    fixes.retain(|fix, _| match fix {
        Fix::Free { kind, .. } => amounts.insert(kind.clone()),
        Fix::Active | Fix::Back | Fix::Label { .. } | Fix::Port(..) | Fix::Limit(_) | Fix::Larger { .. } | Fix::Other(_) => true,
    });
    fixes.iter().map(|(fix, nodes)| fix.words(&one_of(nodes))).collect()
}

fn together(demand: &Demand, room: &Room, refusals: &[Refusal]) -> String {
    let name = room.name();
    let fixes: Vec<String> = refusals.iter().map(|refusal| fix(demand, room, refusal).words(&name)).collect();
    fixes.join(", and ")
}

fn one_of(nodes: &[String]) -> String {
    match nodes {
        [node] => node.clone(),
        nodes if nodes.len() <= NAMED => format!("one of: {}", nodes.join(", ")),
        nodes => format!("one of: {} and {} more", nodes[..NAMED].join(", "), nodes.len() - NAMED),
    }
}

fn fix(demand: &Demand, room: &Room, refusal: &Refusal) -> Fix {
    let has = room.node.description.capacity;
    match refusal {
        Refusal::NotReady(_) => Fix::Back,
        Refusal::Closed(_) => Fix::Active,
        Refusal::Cpus { needs, free } => amount(Kind::Cpus, *needs, *free, has.nano_cpus),
        Refusal::Memory { needs, free } => amount(Kind::Memory, *needs, *free, has.memory),
        Refusal::Generic { kind, needs, free } => {
            let has = Room::empty(room.node.clone()).free_generic(kind);
            amount(Kind::Generic(kind.clone()), *needs, *free, has)
        }
        Refusal::Constraint(Constraint { key: ConstraintKey::Label(label), equal, value }) => {
            Fix::Label { equal: *equal, label: label.clone(), value: value.clone() }
        }
        Refusal::Constraint(constraint) => Fix::Other(format!("a node with {constraint}")),
        Refusal::Platform(_) => Fix::Other(format!("a node of platform {}", platforms(&demand.placement.platforms))),
        Refusal::Port(port, protocol) => Fix::Port(*port, *protocol),
        Refusal::Full(most) => Fix::Limit(*most),
        Refusal::Address(reason) => Fix::Other(format!("a free address: {reason}")),
    }
}

/// What a node does not have at all cannot become free there.
fn amount(kind: Kind, needs: u64, free: u64, has: u64) -> Fix {
    if needs > has { Fix::Larger { kind, needs } } else { Fix::Free { kind, missing: needs - free, needs } }
}

fn platforms(platforms: &[Platform]) -> String {
    let names: Vec<String> = platforms.iter().map(|platform| format!("{}/{}", platform.os, platform.arch)).collect();
    names.join(" or ")
}

impl Fix {
    fn words(&self, on: &str) -> String {
        match self {
            Self::Active => format!("availability active on {on}"),
            Self::Back => format!("{on} would have to come back"),
            Self::Label { equal: true, label, value } => format!("label {label}={value} on {on}"),
            Self::Label { equal: false, label, value } => format!("another label than {label}={value} on {on}"),
            Self::Free { kind, missing, needs } => {
                format!("needs {}: {} more would have to be free on {on}", kind.amount(*needs), kind.number(*missing))
            }
            Self::Port(port, protocol) => format!("port {port}/{} would have to be free on {on}", word(*protocol)),
            Self::Limit(most) => {
                format!("more than {most} tasks of the service on a node would have to be allowed, or a node would have to join")
            }
            Self::Larger { kind, needs } => format!("a node with {}", kind.amount(*needs)),
            Self::Other(text) => text.clone(),
        }
    }
}

impl Kind {
    fn number(&self, amount: u64) -> String {
        match self {
            Self::Cpus => Cpus(amount).to_string(),
            Self::Memory => Bytes(amount).to_string(),
            Self::Generic(_) => amount.to_string(),
        }
    }

    fn amount(&self, amount: u64) -> String {
        let noun = match self {
            Self::Cpus => "CPUs",
            Self::Memory => "of memory",
            Self::Generic(kind) => kind,
        };
        format!("{} {noun}", self.number(amount))
    }
}
