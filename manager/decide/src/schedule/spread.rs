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

/// Where the nodes of a fleet are in the tree of preferences, and how many tasks of the service each branch has.
pub(super) struct Branches {
    /// The branch of each node at the last level, in the fleet's order.
    leaves: Vec<usize>,
    /// By number. The first is the whole fleet; what is within another comes after it.
    known: Vec<Known>,
}

/// One branch.
#[derive(Default)]
struct Known {
    tasks: u32,
    /// The nodes that are in it and in none below.
    nodes: usize,
    /// The branch that it is within.
    above: usize,
    /// The branches within it, by the number of the value.
    below: BTreeMap<u32, usize>,
}

impl Branches {
    pub(super) fn of(fleet: &mut Fleet, demand: &Demand, standing: &Standing) -> Self {
        let mut branches = Self { leaves: Vec::with_capacity(fleet.rooms.len()), known: vec![Known::default()] };
        let columns: Vec<_> = demand.levels.iter().map(|level| fleet.column(level)).collect();
        for (place, own) in standing.tasks.iter().enumerate() {
            let mut branch = 0;
            for column in &columns {
                branch = branches.within(branch, column.numbers[place]);
                branches.known[branch].tasks += own;
            }
            branches.known[branch].nodes += 1;
            branches.leaves.push(branch);
        }
        branches
    }

    /// The branch with that value within another.
    fn within(&mut self, above: usize, value: u32) -> usize {
        let next = self.known.len();
        let number = *self.known[above].below.entry(value).or_insert(next);
        if number == next {
            self.known.push(Known { above, ..Known::default() });
        }
        number
    }

    /// The tasks of a node's branch at each level.
    pub(super) fn counts(&self, index: usize) -> Vec<u32> {
        let above = |branch: &usize| Some(self.known[*branch].above);
        let path = std::iter::successors(self.leaves.get(index).copied(), above).take_while(|branch| *branch > 0);
        let mut counts: Vec<u32> = path.map(|branch| self.known[branch].tasks).collect();
        counts.reverse();
        counts
    }
}

/// What ranks a node with its branches. The smallest is the best.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    malus: u32,
    /// Tasks of its branch at each level.
    counts: Vec<u32>,
    rank: Rank,
}

impl Key {
    /// Of a node, with all levels.
    pub(super) fn of(rank: Rank, branches: &Branches) -> Self {
        Self { malus: rank.malus, counts: branches.counts(rank.index as usize), rank }
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
    tasks: u32,
    group: Group,
}

/// What is found of a branch while its group is built.
#[derive(Default)]
struct Part {
    nodes: Vec<Reverse<Rank>>,
    below: Vec<Reverse<Branch>>,
}

impl Part {
    /// With room for all that may be found.
    fn within(known: &Known) -> Self {
        Self { nodes: Vec::with_capacity(known.nodes), below: Vec::with_capacity(known.below.len()) }
    }

    fn group(self) -> Group {
        if self.below.is_empty() { Group::Nodes(self.nodes.into()) } else { Group::Branches(self.below.into()) }
    }
}

impl Group {
    /// From the nodes that fit. A branch without any is left out.
    pub(super) fn of(ranks: impl Iterator<Item = Rank>, branches: &Branches) -> Self {
        let mut parts: Vec<Part> = branches.known.iter().map(Part::within).collect();
        ranks.for_each(|rank| parts[branches.leaves[rank.index as usize]].nodes.push(Reverse(rank)));
        for (number, known) in branches.known.iter().enumerate().skip(1).rev() {
            let group = std::mem::take(&mut parts[number]).group();
            if !group.is_empty() {
                parts[known.above].below.push(Reverse(Branch { tasks: known.tasks, group }));
            }
        }
        std::mem::take(&mut parts[0]).group()
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
                if best.0.group.is_empty() {
                    PeekMut::pop(best);
                }
                Some(took)
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Nodes(heap) => heap.is_empty(),
            Self::Branches(heap) => heap.is_empty(),
        }
    }

    /// Of its best node. Failures decide at every level, so it is the smallest.
    fn malus(&self) -> u32 {
        match self {
            Self::Nodes(heap) => heap.peek().map_or(0, |Reverse(rank)| rank.malus),
            Self::Branches(heap) => heap.peek().map_or(0, |Reverse(branch)| branch.group.malus()),
        }
    }

    /// By the best of each. Groups that are compared are of the same level.
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Nodes(one), Self::Nodes(other)) => other.peek().cmp(&one.peek()),
            (Self::Branches(one), Self::Branches(other)) => other.peek().cmp(&one.peek()),
            (Self::Nodes(_), Self::Branches(_)) => Ordering::Less,
            (Self::Branches(_), Self::Nodes(_)) => Ordering::Greater,
        }
    }
}

impl PartialEq for Branch {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Branch {}

impl PartialOrd for Branch {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The tasks of a branch decide before what is within it, and failures before both.
impl Ord for Branch {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |branch: &Self| (branch.group.malus(), branch.tasks);
        key(self).cmp(&key(other)).then_with(|| self.group.compare(&other.group))
    }
}
