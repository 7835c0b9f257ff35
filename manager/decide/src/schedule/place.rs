//! Gives identical tasks to nodes: the core of the scheduler.
//!
//! The best node that fits takes the next task; what is best is said in [`super::rank`]. Heaps hold the nodes that fit, so each task costs
//! a look at their tops.

use cluster_types::{GenericGrant, NodeId};

use super::demand::{Demand, Refusal};
use super::fleet::{Fleet, Room};
use super::rank::Rank;
use super::spread::{Branches, Group, Outcome};
use super::standing::Standing;

/// Where a task goes, and which generic resources it gets there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) node: NodeId,
    pub(super) generic: GenericGrant,
}

/// The nodes of up to `count` tasks of one demand, in their order; fewer when there is no room for more. Takes the room.
pub fn place(fleet: &mut Fleet, demand: &Demand, standing: &mut Standing, count: usize) -> Vec<NodeId> {
    place_with(fleet, demand, standing, count, |_, _| true).into_iter().map(|spot| spot.node).collect()
}

/// The same, where the node of each task must also be agreed to: `agrees` gets the number of the task, from 0, and the node. A node that is
/// declined once gets no further task of the group.
pub(super) fn place_with(
    fleet: &mut Fleet,
    demand: &Demand,
    standing: &mut Standing,
    count: usize,
    mut agrees: impl FnMut(usize, NodeId) -> bool,
) -> Vec<Spot> {
    let mut placed = Vec::with_capacity(count);
    if count == 0 {
        return placed;
    }
    let mut group = candidates(fleet, demand, standing);
    while placed.len() < count {
        let outcome = group.step(&mut |index| {
            let room = &mut fleet.rooms[index as usize];
            if !demand.fits_generic(room) || !agrees(placed.len(), room.node.id) {
                return Outcome::Declined;
            }
            placed.push(Spot { node: room.node.id, generic: room.take(demand) });
            let own = &mut standing.tasks[index as usize];
            *own += 1;
            Outcome::Took(demand.fits(room, *own).then(|| Rank::of(demand, room, standing, index)))
        });
        if outcome.is_none() {
            break;
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
) -> Result<Spot, String> {
    let index = node.and_then(|node| fleet.find(node)).ok_or("its node was removed")?;
    let room = &mut fleet.rooms[index];
    // The limit per node is met: a global service has one task on each.
    if let Some(refusal) = demand.refusal(room, 0).or_else(|| takes(room.node.id)) {
        return Err(format!("its node {} {refusal}", room.node.description.hostname));
    }
    standing.tasks[index] += 1;
    Ok(Spot { node: room.node.id, generic: room.take(demand) })
}

/// The nodes that may take a task, but for their generic resources.
fn candidates(fleet: &mut Fleet, demand: &Demand, standing: &Standing) -> Group {
    let branches = Branches::of(fleet, demand, standing);
    let fits = |room: &Room, count| demand.fits_but_generic(room, count);
    Group::of(ranks_of(fleet, demand, standing, fits), &branches)
}

/// The nodes that would take one more task, in the order of their ids.
pub(super) fn ranks(fleet: &Fleet, demand: &Demand, standing: &Standing) -> impl Iterator<Item = Rank> {
    ranks_of(fleet, demand, standing, |room, count| demand.fits(room, count))
}

fn ranks_of(fleet: &Fleet, demand: &Demand, standing: &Standing, fits: impl Fn(&Room, u32) -> bool) -> impl Iterator<Item = Rank> {
    let fitting =
        (0..).zip(&fleet.rooms).filter(move |(index, room)| fits(room, standing.tasks[*index as usize]) && demand.admits(&room.node));
    fitting.map(|(index, room)| Rank::of(demand, room, standing, index))
}
