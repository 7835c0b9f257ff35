//! The nodes with what is free on each: what placing reads and takes from. Built once for a pass, by node id.

use std::collections::BTreeSet;
use std::sync::Arc;

use cluster_types::{Node, NodeId, Reservation, bug};

use super::demand::{Demand, HostPort};
use crate::draft::Draft;

/// One node and what is free on it.
#[derive(Debug, Clone)]
pub struct Room {
    pub(super) node: Arc<Node>,
    pub(super) free: Reservation,
    pub(super) tasks: u32,
    pub(super) ports: BTreeSet<HostPort>,
}

/// All nodes, by id.
#[derive(Debug, Clone)]
pub struct Fleet {
    pub(super) rooms: Vec<Room>,
    knows_ports: bool,
}

impl Fleet {
    /// Nodes with nothing on them.
    #[must_use]
    pub fn empty(nodes: impl IntoIterator<Item = Arc<Node>>) -> Self {
        let mut rooms: Vec<Room> = nodes.into_iter().map(Room::empty).collect();
        rooms.sort_by_key(|room| room.node.id);
        Self { rooms, knows_ports: false }
    }

    /// The nodes of a draft with what runs there. Ports are learnt when a demand has some.
    pub(crate) fn of(draft: &Draft<'_>) -> Self {
        let mut fleet = Self::empty(draft.nodes().cloned());
        for room in &mut fleet.rooms {
            let load = draft.view.load(room.node.id);
            room.tasks = load.tasks;
            room.reserve(load.reserved);
        }
        fleet
    }

    /// Which host ports are taken, when somebody asks for one.
    pub(super) fn learn_ports(&mut self, draft: &Draft<'_>, demand: &Demand) {
        if demand.ports.is_empty() || self.knows_ports {
            return;
        }
        self.knows_ports = true;
        for room in &mut self.rooms {
            for task in draft.tasks_on(room.node.id).iter().filter(|task| task.holds_resources()) {
                room.ports.extend(draft.spec_of(task).map(|spec| Demand::of(spec).ports).unwrap_or_default());
            }
        }
    }

    /// The place of a node in the order of ids.
    pub(super) fn find(&self, node: NodeId) -> Option<usize> {
        self.rooms.binary_search_by_key(&node, |room| room.node.id).ok()
    }
}

impl Room {
    fn empty(node: Arc<Node>) -> Self {
        Self { free: node.description.capacity, node, tasks: 0, ports: BTreeSet::new() }
    }

    /// Nodes may hold more than they have: a machine can shrink.
    fn reserve(&mut self, reservation: Reservation) {
        if bug!(OverCommit) {
            return;
        }
        self.free.nano_cpus = self.free.nano_cpus.saturating_sub(reservation.nano_cpus);
        self.free.memory = self.free.memory.saturating_sub(reservation.memory);
    }

    /// A task of the demand comes.
    pub(super) fn take(&mut self, demand: &Demand) {
        self.tasks += 1;
        self.reserve(demand.reservation);
        if !demand.ports.is_empty() {
            self.ports.extend(&demand.ports);
        }
    }
}
