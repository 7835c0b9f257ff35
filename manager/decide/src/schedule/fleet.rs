//! The nodes with what is free on each: what placing reads and takes from. Built once for a pass, by node id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cluster_types::constraint::ConstraintKey;
use cluster_types::{GenericGrant, Node, NodeId, Reservation, Task, bug};

use super::column::Column;
use super::demand::{Demand, HostPort};
use super::generic::Taken;
use crate::ascending::Ascending;
use crate::draft::Draft;

/// One node and what is free on it.
#[derive(Debug, Clone)]
pub struct Room {
    pub(super) node: Arc<Node>,
    pub(super) free: Reservation,
    pub(super) tasks: u32,
    pub(super) ports: BTreeSet<HostPort>,
    pub(super) generic: Taken,
}

/// All nodes, by id.
#[derive(Debug, Clone)]
pub struct Fleet {
    pub(super) rooms: Vec<Room>,
    columns: BTreeMap<ConstraintKey, Arc<Column>>,
    knows_ports: bool,
    knows_generic: bool,
}

impl Fleet {
    /// Nodes with nothing on them.
    #[must_use]
    pub fn empty(nodes: impl IntoIterator<Item = Arc<Node>>) -> Self {
        let mut rooms: Vec<Room> = nodes.into_iter().map(Room::empty).collect();
        rooms.sort_by_key(|room| room.node.id);
        Self { rooms, columns: BTreeMap::new(), knows_ports: false, knows_generic: false }
    }

    /// The nodes of a draft with what runs there. Ports and generic resources are learnt when a demand has some.
    pub(crate) fn of(draft: &Draft<'_>) -> Self {
        let mut fleet = Self::empty(draft.nodes().cloned());
        let mut loads = Ascending::new(draft.view.loads());
        for room in &mut fleet.rooms {
            let Some(load) = loads.get(&room.node.id) else { continue };
            room.tasks = load.tasks;
            room.reserve(load.reserved);
        }
        fleet
    }

    /// What more is to be known of the nodes to judge a demand.
    pub(super) fn learn(&mut self, draft: &Draft<'_>, demand: &Demand) {
        self.learn_ports(draft, demand);
        self.learn_generic(draft, demand);
    }

    /// Which instances of generic resources are taken, when somebody asks for one.
    fn learn_generic(&mut self, draft: &Draft<'_>, demand: &Demand) {
        if demand.generic.is_empty() || self.knows_generic {
            return;
        }
        self.knows_generic = true;
        let mut taken = Ascending::new(draft.view.generic_in_use());
        for room in &mut self.rooms {
            if let Some(instances) = taken.get(&room.node.id) {
                room.generic = Taken::Known(Arc::clone(instances));
            }
        }
    }

    /// Which host ports are taken, when somebody asks for one.
    fn learn_ports(&mut self, draft: &Draft<'_>, demand: &Demand) {
        if demand.ports.is_empty() || self.knows_ports {
            return;
        }
        self.knows_ports = true;
        let mut taken = Ascending::new(draft.view.host_ports_in_use());
        for room in &mut self.rooms {
            while let Some(port) = taken.get(&room.node.id) {
                room.ports.insert(port);
            }
        }
    }

    /// What the nodes have under a key.
    pub(super) fn column(&mut self, key: &ConstraintKey) -> Arc<Column> {
        if let Some(column) = self.columns.get(key) {
            return Arc::clone(column);
        }
        let column = Arc::new(Column::of(&self.rooms, key));
        self.columns.insert(key.clone(), Arc::clone(&column));
        column
    }

    /// The place of a node in the order of ids.
    pub(super) fn find(&self, node: NodeId) -> Option<usize> {
        self.rooms.binary_search_by_key(&node, |room| room.node.id).ok()
    }
}

impl Room {
    pub(super) fn empty(node: Arc<Node>) -> Self {
        Self { free: node.description.capacity, node, tasks: 0, ports: BTreeSet::new(), generic: Taken::default() }
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        let hostname = &self.node.description.hostname;
        if hostname.is_empty() { self.node.id.short() } else { hostname.clone() }
    }

    /// Nodes may hold more than they have: a machine can shrink.
    fn reserve(&mut self, reservation: Reservation) {
        if bug!(OverCommit) {
            return;
        }
        self.free.nano_cpus = self.free.nano_cpus.saturating_sub(reservation.nano_cpus);
        self.free.memory = self.free.memory.saturating_sub(reservation.memory);
    }

    /// A task of the demand comes. Gives it what generic resources it asks for.
    pub(super) fn take(&mut self, demand: &Demand) -> GenericGrant {
        self.tasks += 1;
        self.reserve(demand.reservation);
        if !demand.ports.is_empty() {
            self.ports.extend(&demand.ports);
        }
        if demand.generic.is_empty() { GenericGrant::new() } else { self.generic.take(&self.node.description.generic, &demand.generic) }
    }

    /// How much of a kind of generic resource is free.
    pub(super) fn free_generic(&self, kind: &str) -> u64 {
        self.node.description.generic.get(kind).map_or(0, |pool| self.generic.free(kind, pool))
    }

    /// As if a task of the demand were not there.
    pub(super) fn give_back(&mut self, demand: &Demand, task: &Task) {
        let has = self.node.description.capacity;
        let back = |free: u64, reserved: u64, has: u64| free.saturating_add(reserved).min(has);
        self.tasks = self.tasks.saturating_sub(1);
        self.free.nano_cpus = back(self.free.nano_cpus, demand.reservation.nano_cpus, has.nano_cpus);
        self.free.memory = back(self.free.memory, demand.reservation.memory, has.memory);
        self.ports.retain(|port| !demand.ports.contains(port));
        self.generic.give_back(&task.generic);
    }
}
