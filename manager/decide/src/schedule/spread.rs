//! Spreads tasks over the values of labels, level by level, and gives them to the best node of the branch that is due.
//!
//! At each level the branch with the fewest tasks of the service is next, counting those on its nodes that take no more. Nodes without the
//! label are one branch among the others. Each level and each branch is a heap, so a task costs one look at each level's top. Without
//! preferences there is one heap of nodes.

use std::cmp::{Ordering, Reverse};
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeMap, BinaryHeap};

use super::demand::Demand;
use super::fleet::Fleet;
use super::rank::Rank;
use super::standing::Standing;
use crate::constraint;

/// The branches of one node at each level, from the first, by their numbers.
type Path = Vec<usize>;

/// Where the nodes of a fleet are in the tree of preferences, and how many tasks of the service each branch has.
#[derive(Default)]
pub(super) struct Branches {
    paths: Vec<Path>,
    /// The value and the tasks of each branch, by its number.
    known: Vec<(String, u32)>,
}

impl Branches {
    pub(super) fn of(fleet: &Fleet, demand: &Demand, standing: &Standing) -> Self {
        let mut branches = Self::default();
        if demand.levels.is_empty() {
            return branches;
        }
        // The number of a branch by that of the one above and its value.
        let mut numbers: BTreeMap<(Option<usize>, String), usize> = BTreeMap::new();
        for (room, own) in fleet.rooms.iter().zip(&standing.tasks) {
            let mut path = Path::with_capacity(demand.levels.len());
            for level in &demand.levels {
                let key = (path.last().copied(), constraint::value(&room.node, level));
                let number = numbers.get(&key).copied().unwrap_or_else(|| {
                    branches.known.push((key.1.clone(), 0));
                    numbers.insert(key, branches.known.len() - 1);
                    branches.known.len() - 1
                });
                branches.known[number].1 += own;
                path.push(number);
            }
            branches.paths.push(path);
        }
        branches
    }

    /// The value of a node at each level, with the tasks of its branch there.
    pub(super) fn levels(&self, index: usize) -> Vec<(String, u32)> {
        self.paths.get(index).into_iter().flatten().map(|branch| self.known[*branch].clone()).collect()
    }
}

/// What ranks a node with its branches. The smallest is the best.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    malus: u32,
    /// Tasks of its branch at each level that is still to be decided.
    counts: Vec<u32>,
    rank: Rank,
}

impl Key {
    /// Of a node, with all levels.
    pub(super) fn of(rank: Rank, branches: &Branches) -> Self {
        let counts = branches.levels(rank.index as usize).into_iter().map(|(_, tasks)| tasks).collect();
        Self { malus: rank.malus, counts, rank }
    }

    /// The node's place in the fleet.
    pub(super) fn index(&self) -> usize {
        self.rank.index as usize
    }
}

/// What became of the node that was best.
pub(super) enum Outcome {
    /// It took a task; its new rank, if it could take another.
    Took(Option<Rank>),
    /// It takes none after all.
    Declined,
}

/// The nodes that fit, within one branch.
pub(super) enum Group {
    Nodes(BinaryHeap<Reverse<Rank>>),
    Branches(BinaryHeap<Reverse<Branch>>),
}

/// One value at one level.
pub(super) struct Branch {
    /// Of its best node.
    key: Key,
    tasks: u32,
    group: Group,
}

impl Group {
    /// From the nodes that fit.
    pub(super) fn of(ranks: impl Iterator<Item = Rank>, branches: &Branches) -> Self {
        if branches.paths.is_empty() { Self::Nodes(ranks.map(Reverse).collect()) } else { Self::split(ranks.collect(), branches, 0) }
    }

    fn split(ranks: Vec<Rank>, branches: &Branches, depth: usize) -> Self {
        let path = |rank: &Rank| &branches.paths[rank.index as usize];
        if ranks.first().is_none_or(|first| path(first).len() == depth) {
            return Self::Nodes(ranks.into_iter().map(Reverse).collect());
        }
        let mut parts: BTreeMap<usize, Vec<Rank>> = BTreeMap::new();
        for rank in ranks {
            parts.entry(path(&rank)[depth]).or_default().push(rank);
        }
        let branch = |(number, ranks): (usize, Vec<Rank>)| {
            Branch::of(Self::split(ranks, branches, depth + 1), branches.known[number].1).map(Reverse)
        };
        Self::Branches(parts.into_iter().filter_map(branch).collect())
    }

    /// Lets the best node be judged. Whether it took a task; none when no node is left.
    pub(super) fn step(&mut self, judge: &mut dyn FnMut(u32) -> Outcome) -> Option<bool> {
        match self {
            Self::Nodes(heap) => {
                let mut best = heap.peek_mut()?;
                match judge(best.0.index) {
                    Outcome::Took(Some(rank)) => best.0 = rank,
                    Outcome::Took(None) => drop(PeekMut::pop(best)),
                    Outcome::Declined => {
                        PeekMut::pop(best);
                        return Some(false);
                    }
                }
                Some(true)
            }
            Self::Branches(heap) => {
                let mut best = heap.peek_mut()?;
                let took = best.0.group.step(judge)?;
                best.0.tasks += u32::from(took);
                match best.0.best() {
                    Some(key) => best.0.key = key,
                    None => drop(PeekMut::pop(best)),
                }
                Some(took)
            }
        }
    }

    fn best(&self) -> Option<Key> {
        match self {
            Self::Nodes(heap) => heap.peek().map(|Reverse(rank)| Key { malus: rank.malus, counts: Vec::new(), rank: *rank }),
            Self::Branches(heap) => heap.peek().map(|Reverse(branch)| branch.key.clone()),
        }
    }
}

impl Branch {
    fn of(group: Group, tasks: u32) -> Option<Self> {
        let key = key(&group, tasks)?;
        Some(Self { key, tasks, group })
    }

    fn best(&self) -> Option<Key> {
        key(&self.group, self.tasks)
    }
}

/// The tasks of a branch decide before what is within it, and failures before both.
fn key(group: &Group, tasks: u32) -> Option<Key> {
    let mut key = group.best()?;
    key.counts.insert(0, tasks);
    Some(key)
}

impl PartialEq for Branch {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Branch {}

impl PartialOrd for Branch {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Branch {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}
