//! Gives identical tasks to nodes: the core of the scheduler.
//!
//! The best node is the one with no run of recent failures of the service, then with the fewest tasks of the service, then with the fewest
//! tasks in all, then with the smallest id. A heap holds the nodes that fit; each task costs one look at its top.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use cluster_types::NodeId;

use super::demand::{Demand, Refusal};
use super::fleet::Fleet;
use super::standing::Standing;

/// A node in the heap: its score, smallest best, then its place in the fleet.
type Candidate = Reverse<(u64, u32)>;

/// Bits of the score for the tasks of all services on a node.
const ALL_BITS: u32 = 24;
/// Bits of the score for the tasks of the service on a node.
const OWN_BITS: u32 = 24;
/// What one more task adds to the score.
const ONE_TASK: u64 = (1 << ALL_BITS) + 1;

/// The nodes of up to `count` tasks of one demand, in their order; fewer when there is no room for more. Takes the room.
pub fn place(fleet: &mut Fleet, demand: &Demand, standing: &mut Standing, count: usize) -> Vec<NodeId> {
    place_with(fleet, demand, standing, count, |_, _| true)
}

/// The same, where the node of each task must also be agreed to: `agrees` gets the number of the task, from 0, and the node. A node that is
/// declined once gets no further task of the group.
pub(super) fn place_with(
    fleet: &mut Fleet,
    demand: &Demand,
    standing: &mut Standing,
    count: usize,
    mut agrees: impl FnMut(usize, NodeId) -> bool,
) -> Vec<NodeId> {
    let mut heap: BinaryHeap<Candidate> = if count == 0 { BinaryHeap::new() } else { candidates(fleet, demand, standing) };
    let mut placed = Vec::with_capacity(count);
    while placed.len() < count {
        let Some(mut best) = heap.peek_mut() else { break };
        let index = best.0.1 as usize;
        let room = &mut fleet.rooms[index];
        if !agrees(placed.len(), room.node.id) {
            PeekMut::pop(best);
            continue;
        }
        room.take(demand);
        standing.tasks[index] += 1;
        placed.push(room.node.id);
        if demand.fits(room, standing.tasks[index]) {
            best.0.0 += ONE_TASK;
        } else {
            PeekMut::pop(best);
        }
    }
    placed
}

/// Lets a task that is bound to a node in, or says why not. `takes` has the last word.
pub(super) fn admit(
    fleet: &mut Fleet,
    demand: &Demand,
    standing: &mut Standing,
    node: Option<NodeId>,
    takes: impl FnOnce(NodeId) -> Option<Refusal>,
) -> Result<NodeId, String> {
    let index = node.and_then(|node| fleet.find(node)).ok_or("its node was removed")?;
    let room = &mut fleet.rooms[index];
    // The limit per node is met: a global service has one task on each.
    if let Some(refusal) = demand.refusal(room, 0).or_else(|| takes(room.node.id)) {
        return Err(format!("its node {} {refusal}", room.node.description.hostname));
    }
    room.take(demand);
    standing.tasks[index] += 1;
    Ok(room.node.id)
}

fn candidates(fleet: &Fleet, demand: &Demand, standing: &Standing) -> BinaryHeap<Candidate> {
    let fitting =
        fleet.rooms.iter().enumerate().filter(|(index, room)| demand.fits(room, standing.tasks[*index]) && demand.admits(&room.node));
    fitting.filter_map(|(index, room)| Some(Reverse((score(standing, index, room.tasks), u32::try_from(index).ok()?)))).collect()
}

/// Failures, own tasks and all tasks packed into one number, most significant first.
fn score(standing: &Standing, index: usize, all: u32) -> u64 {
    let own = u64::from(standing.tasks[index]).min((1 << OWN_BITS) - 1);
    let malus = u64::from(standing.malus(index)).min(0xFFFF);
    malus << (ALL_BITS + OWN_BITS) | own << ALL_BITS | u64::from(all).min((1 << ALL_BITS) - 1)
}
