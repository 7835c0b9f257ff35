//! How one service stands on the nodes that may have it, and the next task to move.
//!
//! Nodes are grouped as the spread preferences say, level by level; the last level are the nodes themselves. A move goes from the fullest
//! branch to the emptiest one that takes it, on the first level where that makes them more alike.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_types::{Ranking, Service, ServiceId, ServiceMode, Task, TaskId, Timestamp};

use super::Move;
use crate::draft::Draft;
use crate::moving;
use crate::schedule::{Demand, Fleet};

/// A replicated service on the nodes that may have it.
pub(super) struct Spread {
    service: ServiceId,
    demand: Demand,
    levels: usize,
    /// By place in the fleet.
    seats: BTreeMap<usize, Seat>,
}

/// One node.
struct Seat {
    /// Its value of each label that the service is spread over.
    labels: Vec<String>,
    /// Tasks of the service.
    count: u32,
    /// Those that may be moved, the youngest last.
    movable: Vec<TaskId>,
}

impl Spread {
    /// None for a service that is not to be rebalanced, or not now. `settled` judges nodes by the time since when they are there.
    pub(super) fn of(draft: &mut Draft<'_>, fleet: &mut Fleet, service: &Service, settled: impl FnMut(Timestamp) -> bool) -> Option<Self> {
        let slots = draft.slots(service.id);
        if !is_even_wanted(service) || slots.tasks().iter().any(|task| moving::leaves(draft, task)) {
            return None;
        }
        let demand = Demand::of(&service.spec);
        fleet.prepare(draft, &demand);
        let mut seats = seats(fleet, &demand, settled);
        let mut tasks: Vec<&Arc<Task>> = slots.tasks().iter().filter(|task| task.is_wanted() && task.holds_resources()).collect();
        tasks.sort_by_key(|task| (task.meta.created, task.id));
        for task in tasks {
            let Some(seat) = task.node.and_then(|node| fleet.place_of(node)).and_then(|index| seats.get_mut(&index)) else { continue };
            seat.count += 1;
            seat.movable.extend(task.status.is_serving().then_some(task.id));
        }
        let levels = service.spec.task.placement.preferences.len();
        Some(Self { service: service.id, demand, levels, seats })
    }

    /// The moves, in order. Takes their room.
    pub(super) fn even_out(&mut self, fleet: &mut Fleet) -> Vec<Move> {
        std::iter::from_fn(|| self.next(fleet)).collect()
    }

    /// Whether more room would make another move possible.
    pub(super) fn wants_room(&self) -> bool {
        let all: Vec<usize> = self.seats.keys().copied().collect();
        self.find(&all, 0, &|_| true).is_some()
    }

    fn next(&mut self, fleet: &mut Fleet) -> Option<Move> {
        let all: Vec<usize> = self.seats.keys().copied().collect();
        let takes = |index: usize| fleet.has_room(index, &self.demand, self.seats[&index].count);
        let (from, to) = self.find(&all, 0, &takes)?;
        let giver = self.seats.get_mut(&from)?;
        giver.count -= 1;
        let task = giver.movable.pop()?;
        self.seats.get_mut(&to)?.count += 1;
        fleet.reserve(to, &self.demand);
        Some(Move { service: self.service, task, from: fleet.node_at(from), to: fleet.node_at(to) })
    }

    /// From where to where, among some nodes that are one group on all levels before this one.
    fn find(&self, nodes: &[usize], level: usize, takes: &dyn Fn(usize) -> bool) -> Option<(usize, usize)> {
        let branches = self.branches(nodes, level);
        let fullest = branches.iter().filter_map(|branch| Some((self.count(branch), Reverse(self.giver(branch, level + 1)?)))).max();
        let emptiest = branches.iter().filter_map(|branch| Some((self.count(branch), self.taker(branch, level + 1, takes)?))).min();
        let ((most, Reverse(from)), (least, to)) = (fullest?, emptiest?);
        if most >= least + 2 {
            return Some((from, to));
        }
        if level >= self.levels {
            return None;
        }
        branches.iter().find_map(|branch| self.find(branch, level + 1, takes))
    }

    /// The nodes of a group by the label of a level; behind the last label each for itself.
    fn branches(&self, nodes: &[usize], level: usize) -> Vec<Vec<usize>> {
        if level >= self.levels {
            return nodes.iter().map(|node| vec![*node]).collect();
        }
        let mut branches: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for node in nodes {
            branches.entry(&self.seats[node].labels[level]).or_default().push(*node);
        }
        branches.into_values().collect()
    }

    fn count(&self, nodes: &[usize]) -> u32 {
        nodes.iter().map(|node| self.seats[node].count).sum()
    }

    /// The node that gives a task away when its group does.
    fn giver(&self, nodes: &[usize], level: usize) -> Option<usize> {
        if let [node] = nodes {
            return (!self.seats[node].movable.is_empty()).then_some(*node);
        }
        let branches = self.branches(nodes, level);
        let givers = branches.iter().filter_map(|branch| Some((self.count(branch), Reverse(self.giver(branch, level + 1)?))));
        givers.max().map(|(_, Reverse(node))| node)
    }

    /// The node that takes a task when its group does.
    fn taker(&self, nodes: &[usize], level: usize, takes: &dyn Fn(usize) -> bool) -> Option<usize> {
        if let [node] = nodes {
            return takes(*node).then_some(*node);
        }
        let branches = self.branches(nodes, level);
        let takers = branches.iter().filter_map(|branch| Some((self.count(branch), self.taker(branch, level + 1, takes)?)));
        takers.min().map(|(_, node)| node)
    }
}

/// Whether the number of its tasks on each node is what places them, and no update moves them.
fn is_even_wanted(service: &Service) -> bool {
    let placement = &service.spec.task.placement;
    matches!(service.spec.mode, ServiceMode::Replicated { .. })
        && placement.ranking == Ranking::Spread
        && placement.affinities.is_empty()
        && service.update.as_ref().is_none_or(|update| !update.state.is_running())
}

fn seats(fleet: &Fleet, demand: &Demand, mut settled: impl FnMut(Timestamp) -> bool) -> BTreeMap<usize, Seat> {
    let eligible = fleet.seats().filter(|(index, node)| fleet.admits(*index, demand) && settled(node.status.since));
    eligible.map(|(index, _)| (index, Seat { labels: fleet.branch_of(index, demand), count: 0, movable: Vec::new() })).collect()
}
