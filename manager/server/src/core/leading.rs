//! Who leads, and the term in which this manager does.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use cluster_api::ApiError;
use cluster_api::pb::GetRootRequest;
use cluster_api::pb::ca_client::CaClient;
use cluster_state::View;
use cluster_types::{Node, Timestamp};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::metadata::MetadataValue;

use super::Core;

/// In the refusal of a manager that does not lead: the leader's address.
pub const LEADER: &str = "cluster-leader";
/// How long another manager may take to show that it is there.
const PROBE: Duration = Duration::from_millis(200);

/// A term in which this manager leads.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    /// Raft's number of it.
    pub(crate) number: u64,
    /// The cluster's count of recoveries.
    pub(crate) incarnation: u64,
    /// When it began here.
    pub(crate) since: Timestamp,
    /// Ends with the leadership.
    pub(crate) ended: CancellationToken,
}

/// The present term, while this manager leads.
#[derive(Default)]
pub(super) struct Leading(RwLock<Option<Term>>);

/// Where the leader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leader {
    /// This manager.
    Here,
    /// Another one.
    At(SocketAddr),
    /// Nobody is known to lead, or the new leader is not ready.
    Nobody,
}

impl Core {
    /// The term in which this manager leads; none when it does not.
    pub(crate) fn term(&self) -> Option<Term> {
        self.leading.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// This manager leads from now on. Its clock begins no earlier than the last entry's stamp: delays and deadlines count on that.
    pub(crate) fn begin_term(&self, number: u64) -> Term {
        let view = self.raft.view();
        self.clock.reach(view.time());
        let incarnation = view.cluster().map_or(0, |cluster| cluster.incarnation);
        let term = Term { number, incarnation, since: self.clock.now(), ended: CancellationToken::new() };
        *self.leading.0.write().unwrap_or_else(PoisonError::into_inner) = Some(term.clone());
        term
    }

    /// This manager no longer leads: sessions and readers end, reports that wait are forgotten.
    pub(crate) fn end_term(&self) {
        let term = self.leading.0.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(term) = term {
            term.ended.cancel();
        }
        self.sessions.end_all();
        self.looks.end();
        self.reports.clear();
    }

    /// Where the leader is.
    pub(crate) fn leader(&self) -> Leader {
        let leadership = *self.raft.leadership().borrow();
        match leadership.leader {
            _ if self.term().is_some_and(|term| term.number == leadership.term) => Leader::Here,
            Some((_, address)) if !self.is_own(leadership.leader) => Leader::At(address),
            Some(_) | None => Leader::Nobody,
        }
    }

    fn is_own(&self, leader: Option<(u64, SocketAddr)>) -> bool {
        let view = self.raft.view();
        let own = view.node(self.node).and_then(|node| node.manager.as_ref()).map(|seat| seat.raft_id);
        leader.is_some_and(|(id, _)| Some(id) == own)
    }

    /// The leader's node.
    pub(crate) fn leader_node<'v>(&self, view: &'v View) -> Option<&'v Arc<Node>> {
        let (leader, _) = self.raft.leadership().borrow().leader?;
        view.nodes().find(|node| node.manager.as_ref().is_some_and(|seat| seat.raft_id == leader))
    }

    /// What an agent or reader hears from a manager that does not lead, or no longer: where the leader is.
    pub(crate) fn not_leading(&self) -> Status {
        let mut status = Status::failed_precondition("this manager does not lead");
        if let Leader::At(address) = self.leader()
            && let Ok(address) = MetadataValue::try_from(address.to_string())
        {
            status.metadata_mut().insert(LEADER, address);
        }
        status
    }

    /// Why nobody leads: how many managers answer, and how many are needed.
    pub(crate) async fn no_leader(&self) -> ApiError {
        let view = self.raft.view();
        let seats: Vec<_> = view.nodes().filter_map(|node| Some((node.id, node.manager.as_ref()?.address))).collect();
        let probes = seats.iter().map(async |(node, address)| *node == self.node || self.answers(*address).await);
        let reachable = futures::future::join_all(probes).await.into_iter().filter(|answers| *answers).count();
        let (total, needed) = (seats.len(), seats.len() / 2 + 1);
        let message = format!("no leader: {reachable} of {total} managers reachable, {needed} needed");
        ApiError::no_leader(if reachable >= needed { format!("{message}; an election is under way") } else { message })
    }

    /// Whether another manager answers at all.
    async fn answers(&self, address: SocketAddr) -> bool {
        let Ok(channel) = self.channel(address) else { return false };
        tokio::time::timeout(PROBE, CaClient::new(channel).get_root(GetRootRequest {})).await.is_ok_and(|answer| answer.is_ok())
    }
}
