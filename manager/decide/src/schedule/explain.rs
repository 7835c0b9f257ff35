//! Why no node takes a task, in one line for people: the first nodes by name, each with its reason and amounts, and the others counted.

use std::collections::BTreeMap;
use std::fmt::Write;

use cluster_types::limits;

use super::address::Lacks;
use super::demand::{Demand, Refusal};
use super::fleet::{Fleet, Room};
use super::standing::Standing;

/// Nodes that are named.
const NAMED: usize = 10;

/// The line for a demand that no node takes any more.
pub(super) fn refusals(fleet: &Fleet, demand: &Demand, standing: &Standing, lacks: &Lacks) -> String {
    if fleet.rooms.is_empty() {
        return "no suitable node: the cluster has no nodes".to_owned();
    }
    let lacks = |room: &Room| lacks.get(&room.node.id).map(|lack| Refusal::Address(lack.to_string()));
    let refusal = |room: &Room, count: u32| demand.refusal(room, count).or_else(|| lacks(room));
    let refused = fleet.rooms.iter().zip(&standing.tasks).filter_map(|(room, count)| Some((room, refusal(room, *count)?)));
    let mut text = String::from("no suitable node: ");
    list(&mut text, refused);
    text
}

/// Writes the first nodes with their reasons, and counts the others. What is too long is cut.
pub(super) fn list<'a>(text: &mut String, refused: impl Iterator<Item = (&'a Room, Refusal)>) {
    let mut rest = BTreeMap::new();
    for (number, (room, refusal)) in refused.enumerate() {
        if number < NAMED {
            let comma = if number == 0 { "" } else { "; " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{comma}{} {refusal}", room.name());
        } else {
            *rest.entry(refusal.kind()).or_insert(0_usize) += 1;
        }
    }
    count_rest(text, &rest);
    text.truncate(text.floor_char_boundary(limits::ERROR_BYTES));
}

fn count_rest(text: &mut String, rest: &BTreeMap<&'static str, usize>) {
    let total: usize = rest.values().sum();
    if total > 0 {
        let kinds: Vec<String> = rest.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
        let _ = write!(text, "; and {total} more ({})", kinds.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed;
    use cluster_types::{NodeState, Reservation};
    use std::sync::Arc;

    fn fleet(count: u128) -> Fleet {
        Fleet::empty((1..=count).map(|number| Arc::new(testbed::node(number))))
    }

    #[test]
    fn each_node_is_named_with_its_reason() {
        let mut fleet = fleet(3);
        Arc::make_mut(&mut fleet.rooms[1].node).status.state = NodeState::Down;
        let demand = Demand { reservation: Reservation { nano_cpus: 9_000_000_000, memory: 0 }, ..Demand::default() };
        let text = refusals(&fleet, &demand, &Standing::none(&fleet), &Lacks::new());
        assert_eq!(text, "no suitable node: node-1 needs 9 CPUs, 4 free; node-2 is down; node-3 needs 9 CPUs, 4 free");
    }

    #[test]
    fn many_nodes_are_counted() {
        let demand = Demand { reservation: Reservation { nano_cpus: 0, memory: 1 << 60 }, ..Demand::default() };
        let fleet = fleet(1_000);
        let text = refusals(&fleet, &demand, &Standing::none(&fleet), &Lacks::new());
        assert!(text.ends_with("; and 990 more (too little memory free: 990)"), "{text}");
        assert!(text.len() < limits::ERROR_BYTES, "{text}");
    }

    #[test]
    fn a_long_reason_is_cut() {
        let mut fleet = fleet(10);
        let mut placement = cluster_types::Placement::default();
        placement.constraints.push(format!("node.labels.zone=={}", "z".repeat(500)).parse().unwrap());
        Arc::make_mut(&mut fleet.rooms[0].node).description.hostname = "ü".repeat(64);
        let text = refusals(&fleet, &Demand { placement, ..Demand::default() }, &Standing::none(&fleet), &Lacks::new());
        assert!(text.len() > limits::ERROR_BYTES - 4 && text.len() <= limits::ERROR_BYTES, "{}", text.len());
    }

    #[test]
    fn an_empty_cluster_says_so() {
        let fleet = fleet(0);
        assert_eq!(
            refusals(&fleet, &Demand::default(), &Standing::none(&fleet), &Lacks::new()),
            "no suitable node: the cluster has no nodes"
        );
    }
}
