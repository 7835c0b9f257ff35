//! From the roles that nodes should have to the Raft group that there is, one safe step at a time.
//!
//! The leader calls it whenever a role, a seat or the group changes, and carries out the one step that it names. No step of its own costs
//! the quorum: the group after it always has a majority of members that the leader hears. [`can_remove_manager`] judges a user's wish
//! before it is written.

use std::collections::{BTreeMap, BTreeSet};

use cluster_state::View;
use cluster_types::{NodeId, Role};

/// The Raft group as the leader sees it, by Raft ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// The leader itself.
    pub own: u64,
    /// Members that vote.
    pub voters: BTreeSet<u64>,
    /// Members that only receive the log.
    pub learners: BTreeSet<u64>,
    /// Members that answer now. The leader counts as one of them whether it is in the set or not.
    pub reachable: BTreeSet<u64>,
    /// Learners that have all but the newest entries.
    pub caught_up: BTreeSet<u64>,
}

/// One change of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A node with a seat starts to receive the log.
    AddLearner {
        /// Whose seat it is.
        node: NodeId,
        /// Its Raft id.
        raft_id: u64,
    },
    /// A learner that has the log becomes a voter.
    Promote {
        /// Its Raft id.
        raft_id: u64,
    },
    /// A member leaves the group, voter or learner.
    Remove {
        /// Its Raft id.
        raft_id: u64,
    },
    /// The leader is to leave: another one must lead first, which then takes it out.
    TransferLeadership {
        /// A voter that stays and answers.
        to: u64,
    },
}

/// The next step towards the roles that are wished; none when all is done, or when nothing is safe now.
///
/// The view must show all that was committed before this leader led: a seat that it does not know yet would be taken for one to remove.
/// Members that do not answer go first (that only makes the majority smaller), then new ones come, then members that answer go, and at
/// last a leader that is not wanted hands over.
#[must_use]
pub fn next(view: &View, group: &Group) -> Option<Step> {
    let wanted = seats(view);
    let remove = |raft_id: &u64| Step::Remove { raft_id: *raft_id };
    let unwanted = |raft_id: &&u64| !wanted.contains_key(raft_id) && **raft_id != group.own;
    let silent = group.voters.iter().filter(unwanted).filter(|raft_id| !group.hears(**raft_id));
    let ready = group.learners.iter().filter(|raft_id| group.caught_up.contains(raft_id) && group.hears(**raft_id));
    let is_new = |raft_id: u64| !group.voters.contains(&raft_id) && !group.learners.contains(&raft_id);
    let new = wanted.iter().filter(|(raft_id, _)| is_new(**raft_id));
    group
        .learners
        .iter()
        .filter(unwanted)
        .chain(silent)
        .map(remove)
        .chain(ready.map(|raft_id| Step::Promote { raft_id: *raft_id }))
        .chain(new.map(|(raft_id, node)| Step::AddLearner { node: *node, raft_id: *raft_id }))
        .chain(group.voters.iter().filter(unwanted).map(remove))
        .chain(transfer(&wanted, group))
        .find(|step| group.survives(*step))
}

fn transfer(wanted: &BTreeMap<u64, NodeId>, group: &Group) -> Option<Step> {
    let stays = |raft_id: &&u64| **raft_id != group.own && wanted.contains_key(raft_id) && group.hears(**raft_id);
    let heir = group.voters.iter().find(stays)?;
    (!wanted.contains_key(&group.own)).then_some(Step::TransferLeadership { to: *heir })
}

/// The Raft ids that are to vote: those of nodes that are managers and have a seat.
fn seats(view: &View) -> BTreeMap<u64, NodeId> {
    let managers = view.nodes().filter(|node| node.spec.role == Role::Manager);
    managers.filter_map(|node| Some((node.manager.as_ref()?.raft_id, node.id))).collect()
}

impl Group {
    fn hears(&self, raft_id: u64) -> bool {
        raft_id == self.own || self.reachable.contains(&raft_id)
    }

    /// Whether a majority of the voters after the step answers.
    fn survives(&self, step: Step) -> bool {
        let mut voters = self.voters.clone();
        match step {
            Step::AddLearner { .. } | Step::TransferLeadership { .. } => return true,
            Step::Promote { raft_id } => voters.insert(raft_id),
            Step::Remove { raft_id } => voters.remove(&raft_id),
        };
        voters == self.voters || voters.iter().filter(|raft_id| self.hears(**raft_id)).count() >= majority(voters.len())
    }
}

/// The smallest number that is more than half.
fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

/// Why a manager cannot be demoted, removed or let go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody would hold the state.
    #[error("it is the last manager: promote another node first")]
    LastManager,
    /// The others could not decide anything any more.
    #[error(
        "of the {managers} managers left only {reachable} would answer, and {needed} are needed: bring one back or promote another node first"
    )]
    Quorum {
        /// Managers that would be left.
        managers: usize,
        /// Of them, those that answer.
        reachable: usize,
        /// How many must answer.
        needed: usize,
    },
}

/// Whether a node may stop to be a manager (`node demote`, `node rm`, `leave`). `reachable` has the Raft ids of the members that answer,
/// the leader among them. A node without a seat may always.
pub fn can_remove_manager(view: &View, node: NodeId, reachable: &BTreeSet<u64>) -> Result<(), Refusal> {
    let seats = seats(view);
    if !seats.values().any(|holder| *holder == node) {
        return Ok(());
    }
    let left = || seats.iter().filter(|(_, holder)| **holder != node).map(|(raft_id, _)| raft_id);
    let (managers, answering) = (left().count(), left().filter(|raft_id| reachable.contains(raft_id)).count());
    let needed = majority(managers);
    match managers {
        0 => Err(Refusal::LastManager),
        _ if answering < needed => Err(Refusal::Quorum { managers, reachable: answering, needed }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
