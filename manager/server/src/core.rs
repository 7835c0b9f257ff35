//! What all parts of a manager share: Raft, the clock, the credentials, the open sessions; and the few things that all of them do with it:
//! read, propose, say who leads.

mod leading;
mod proposing;
mod vain;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cluster_api::{ApiError, Credentials, tls};
use cluster_raft::Raft;
use cluster_state::View;
use cluster_types::NodeId;
use tonic::transport::Channel;

pub use leading::LEADER;
pub(crate) use leading::{Leader, Term};

use crate::clock::Clock;
use crate::dispatcher::looks::Looks;
use crate::dispatcher::reports::Reports;
use crate::dispatcher::sessions::Sessions;
use crate::logs::Broker;

/// How long a majority may take to confirm that this manager still leads.
const BARRIER: Duration = Duration::from_millis(800);
/// Channels to other managers that are kept.
const CHANNELS: usize = 64;

/// See the module.
pub(crate) struct Core {
    pub(crate) node: NodeId,
    pub(crate) raft: Raft,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) credentials: Credentials,
    /// How long a new certificate holds.
    pub(crate) certificate_lifetime: Duration,
    pub(crate) sessions: Sessions,
    pub(crate) looks: Looks,
    pub(crate) reports: Reports,
    pub(crate) logs: Broker,
    leading: leading::Leading,
    vain: vain::Vain,
    channels: Mutex<BTreeMap<SocketAddr, Channel>>,
}

/// Whether an answer is sure to be current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// A majority confirmed it.
    Current,
    /// It is what this manager knows.
    Stale,
}

impl Core {
    pub(crate) fn new(raft: Raft, clock: Arc<dyn Clock>, credentials: Credentials, certificate_lifetime: Duration) -> Self {
        Self {
            node: credentials.identity().node,
            raft,
            clock,
            credentials,
            certificate_lifetime,
            sessions: Sessions::default(),
            looks: Looks::default(),
            reports: Reports::default(),
            logs: Broker::default(),
            leading: leading::Leading::default(),
            vain: vain::Vain::default(),
            channels: Mutex::default(),
        }
    }

    /// The state as a majority knows it; without one, as this manager knows it.
    pub(crate) async fn read(&self) -> (Arc<View>, Freshness) {
        let freshness = match self.term() {
            Some(_) => self.read_current().await.map_or(Freshness::Stale, |_| Freshness::Current),
            None => Freshness::Stale,
        };
        (self.raft.view(), freshness)
    }

    /// The state as a majority knows it, for requests that will change it.
    pub(crate) async fn read_current(&self) -> Result<Arc<View>, ApiError> {
        let refused = match tokio::time::timeout(self.patience(BARRIER), self.raft.barrier()).await {
            Ok(Ok(_)) => {
                self.not_in_vain();
                return Ok(self.raft.view());
            }
            Ok(Err(error)) => self.refused(error).await,
            Err(_) => self.no_leader().await,
        };
        self.waited_in_vain();
        Err(refused)
    }

    /// A channel to another manager; the same one for each address.
    pub(crate) fn channel(&self, address: SocketAddr) -> Result<Channel, ApiError> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(&address) {
            return Ok(channel.clone());
        }
        let channel = tls::connect(&address.to_string(), &self.credentials).map_err(|error| ApiError::internal(error.to_string()))?;
        if channels.len() >= CHANNELS {
            channels.clear();
        }
        channels.insert(address, channel.clone());
        Ok(channel)
    }

    /// Whether the cluster still knows a node. Only the leader refuses: the others may not have heard of a new node yet, and would keep a
    /// new manager, or a new leader, from reaching them (failures D2, D12).
    pub(crate) fn admits(&self, node: NodeId) -> bool {
        let view = self.raft.view();
        node == self.node || view.node(node).is_some() || view.cluster().is_none() || self.term().is_none()
    }
}
