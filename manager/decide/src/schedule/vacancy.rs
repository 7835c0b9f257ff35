//! What a rebalance asks of the fleet: which nodes may have a task of a demand, and whether there is room. It reserves what it plans, so
//! that the scheduler's filters have the last word there too.

use std::sync::Arc;

use cluster_types::{Node, NodeId};

use super::demand::Demand;
use super::fleet::Fleet;
use crate::constraint;
use crate::draft::Draft;

impl Fleet {
    /// The nodes by id, with their places.
    pub(crate) fn seats(&self) -> impl Iterator<Item = (usize, &Arc<Node>)> {
        self.rooms.iter().map(|room| &room.node).enumerate()
    }

    /// The node at a place.
    pub(crate) fn node_at(&self, place: usize) -> NodeId {
        self.rooms[place].node.id
    }

    /// The place of a node.
    pub(crate) fn place_of(&self, node: NodeId) -> Option<usize> {
        self.find(node)
    }

    /// Learns all that the filters need to judge a demand.
    pub(crate) fn prepare(&mut self, draft: &Draft<'_>, demand: &Demand) {
        self.learn(draft, demand);
    }

    /// Whether a node is one on which the demand's tasks may be, full or not.
    pub(crate) fn admits(&self, place: usize, demand: &Demand) -> bool {
        demand.admits(&self.rooms[place].node)
    }

    /// The node's value at each level of the spread preferences.
    pub(crate) fn branch_of(&self, place: usize, demand: &Demand) -> Vec<String> {
        demand.levels.iter().map(|level| constraint::value(&self.rooms[place].node, level).into_owned()).collect()
    }

    /// Whether one more task fits on a node that has `count` of the service.
    pub(crate) fn has_room(&self, place: usize, demand: &Demand, count: u32) -> bool {
        demand.fits(&self.rooms[place], count)
    }

    /// Takes the room of one task.
    pub(crate) fn reserve(&mut self, place: usize, demand: &Demand) {
        self.rooms[place].take(demand);
    }
}
