//! Who belongs to the group. Changes are made by the leader, one at a time; whether one is wise (quorum!) is decided before, elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use openraft::raft::ClientWriteResponse;
use openraft::{BasicNode, ChangeMembers};

use super::Raft;
use super::error::MembershipError;
use crate::types::Types;

/// How long a change may take: two commits, and the new member may have to receive a snapshot first.
const CHANGE: Duration = Duration::from_secs(30);

/// A member of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its Raft id.
    pub id: u64,
    /// Where it is reached; none when the address cannot be read.
    pub address: Option<SocketAddr>,
}

/// The members of the group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Membership {
    /// Those that vote, by id.
    pub voters: Vec<Member>,
    /// Those that only follow, by id.
    pub learners: Vec<Member>,
}

impl Raft {
    /// The members, as far as this manager knows.
    #[must_use]
    pub fn membership(&self) -> Membership {
        let metrics = self.inner.raft.server_metrics();
        let metrics = metrics.borrow_watched();
        let membership = metrics.membership_config.membership();
        let member = |(id, node): (&u64, &BasicNode)| Member { id: *id, address: node.addr.parse().ok() };
        let voters: BTreeSet<u64> = membership.voter_ids().collect();
        let (voting, learning): (Vec<_>, Vec<_>) = membership.nodes().map(member).partition(|member| voters.contains(&member.id));
        Membership { voters: voting, learners: learning }
    }

    /// Adds a member that follows without voting, and waits until it has caught up.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn add_learner(&self, id: u64, address: SocketAddr) -> Result<(), MembershipError> {
        self.change(self.inner.raft.add_learner(id, BasicNode::new(address.to_string()), true)).await
    }

    /// Gives a learner a vote.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn promote(&self, id: u64) -> Result<(), MembershipError> {
        let change = ChangeMembers::AddVoterIds(BTreeSet::from([id]));
        self.change(self.inner.raft.change_membership(change, true)).await
    }

    /// Removes a member, voter or not. One that is not a member is removed already.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn remove(&self, id: u64) -> Result<(), MembershipError> {
        let membership = self.membership();
        let change = if membership.voters.iter().any(|member| member.id == id) {
            ChangeMembers::RemoveVoters(BTreeSet::from([id]))
        } else if membership.learners.iter().any(|member| member.id == id) {
            ChangeMembers::RemoveNodes(BTreeSet::from([id]))
        } else {
            return Ok(());
        };
        self.change(self.inner.raft.change_membership(change, false)).await
    }

    /// Tells the group that a member is reached at another address. It must be the same manager with the same directory.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn move_to(&self, id: u64, address: SocketAddr) -> Result<(), MembershipError> {
        let change = ChangeMembers::SetNodes(BTreeMap::from([(id, BasicNode::new(address.to_string()))]));
        self.change(self.inner.raft.change_membership(change, true)).await
    }

    /// Asks another voter to lead instead of this manager. Returns when it was asked; [`Raft::leadership`] tells when it does.
    ///
    /// # Errors
    /// `Stopped` only; a manager that does not lead does nothing.
    pub async fn transfer_leader(&self, to: u64) -> Result<(), MembershipError> {
        self.inner.raft.trigger().transfer_leader(to).await.map_err(|fatal| MembershipError::Stopped(fatal.to_string()))
    }

    async fn change<F>(&self, change: F) -> Result<(), MembershipError>
    where
        F: Future<Output = Result<ClientWriteResponse<Types>, RaftError<Types, ClientWriteError<Types>>>>,
    {
        match tokio::time::timeout(CHANGE, change).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(refusal(error)),
            Err(_) => Err(MembershipError::Timeout),
        }
    }
}

fn refusal(error: RaftError<Types, ClientWriteError<Types>>) -> MembershipError {
    match error {
        RaftError::Fatal(fatal) => MembershipError::Stopped(fatal.to_string()),
        RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => {
            MembershipError::NotLeader { leader: forward.leader_node.and_then(|node| node.addr.parse().ok()) }
        }
        RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)) => MembershipError::Timeout,
        RaftError::APIError(ClientWriteError::ChangeMembershipError(
            ChangeMembershipError::InProgress(_) | ChangeMembershipError::UncommittedLeaderLog(_),
        )) => MembershipError::Busy,
        RaftError::APIError(error @ (ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_))) => {
            MembershipError::Refused(error.to_string())
        }
    }
}
