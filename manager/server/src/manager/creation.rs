//! How a cluster begins: a CA, the first node's certificate, and the first entry of the log, with the cluster, that node and the network
//! of services that name none.
//!
//! In two steps, because Raft's network needs the certificate: [`NewCluster::make`] before Raft starts, [`NewCluster::found`] after.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cluster_api::{ApiError, Credentials, FieldError};
use cluster_raft::Raft;
use cluster_types::{
    CaRoot, Change, Cluster, ClusterId, DEFAULT_NETWORK, DEFAULT_NETWORK_NAME, Entry, EntryMode, JoinSecrets, ManagerSeat, Meta, Network,
    NetworkPool, NetworkSpec, Node, NodeDescription, NodeId, NodeNetwork, NodeSpec, NodeStatus, Object, RequestId, Role,
};

use crate::ca::{self, CaError, NodeCertificate};
use crate::clock::Clock;

/// Raft's id of a cluster's first manager.
pub const FIRST_RAFT_ID: u64 = 1;

/// What is known of the cluster's first node.
#[derive(Debug, Clone)]
pub struct Birth {
    /// The cluster's name, for people.
    pub name: String,
    /// The node's machine.
    pub description: NodeDescription,
    /// Where other nodes reach it.
    pub address: SocketAddr,
    /// How long its first certificate holds.
    pub certificate_lifetime: Duration,
    /// The addresses that the cluster may give: [`NetworkPool::standard`] where nobody chose.
    pub network: NetworkPool,
}

/// A cluster that is about to begin. Secrets are in it: it is kept nowhere.
pub struct NewCluster {
    /// Its id.
    pub cluster: ClusterId,
    /// The first node's id.
    pub node: NodeId,
    /// The first node's certificate, PEM.
    pub certificate_pem: String,
    /// Its private key, PKCS #8 PEM; for the node's state directory alone.
    pub key_pem: String,
    root: CaRoot,
    birth: Birth,
}

impl NewCluster {
    /// Makes the CA and the first node's certificate.
    ///
    /// # Errors
    /// When the machine's random source or clock cannot be used.
    pub fn make(birth: Birth, clock: &dyn Clock) -> Result<Self, CaError> {
        let (cluster, node) = (ClusterId::from_bits(rand::random()), NodeId::from_bits(rand::random()));
        let now = clock.wall();
        let root = ca::make_root(cluster, now)?;
        let (key_pem, request) = ca::key_and_request()?;
        let certificate = NodeCertificate { cluster, node, role: Role::Manager, now, lifetime: birth.certificate_lifetime };
        let certificate_pem = certificate.issue(&root, &request)?;
        Ok(Self { cluster, node, certificate_pem, key_pem, root, birth })
    }

    /// The root certificate, PEM.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.root.certificate
    }

    /// The first node's credentials.
    ///
    /// # Errors
    /// None but a defect.
    pub fn credentials(&self) -> Result<Credentials, cluster_api::identity::InvalidCredentials> {
        Credentials::from_pem(&self.certificate_pem, &self.key_pem, self.root_pem())
    }

    /// Writes the first entry through a Raft that was bootstrapped with [`FIRST_RAFT_ID`]. The cluster exists from then on.
    ///
    /// # Errors
    /// When the entry is not committed in time, the log has one already, or the pool has no room for a network.
    pub async fn found(&self, raft: &Raft, clock: &dyn Clock) -> Result<(), ApiError> {
        let objects =
            [Object::Cluster(Arc::new(self.cluster())), Object::Node(Arc::new(self.node())), Object::Network(Arc::new(self.network()?))];
        let changes = objects.map(Change::Create).into();
        // The same request for the same cluster: after a crash it may be repeated.
        let request = RequestId::from_bits(self.cluster.bits());
        let entry = Entry { request, at: clock.now(), mode: EntryMode::Atomic, changes };
        let committed = raft.propose(&entry).await.map_err(|error| ApiError::unavailable(error.to_string()))?;
        committed.outcomes.into_iter().collect::<Result<(), _>>().map_err(ApiError::from)
    }

    fn cluster(&self) -> Cluster {
        let join = JoinSecrets { worker: ca::join_secret(rand::random(), None), manager: ca::join_secret(rand::random(), None) };
        let (name, ca) = (self.birth.name.clone(), self.root.clone());
        Cluster { meta: Meta::default(), id: self.cluster, name, incarnation: 1, ca, join, network: self.birth.network }
    }

    /// The network of services that name none. It keeps clear of the nodes' own addresses, which the smallest pools have no room for.
    fn network(&self) -> Result<Network, ApiError> {
        let pool = self.birth.network;
        let subnet = pool.default_network().filter(|subnet| !subnet.overlaps(pool.nodes()));
        let subnet = subnet.ok_or_else(|| FieldError::new("network.pool", format!("{} is too small for a cluster", pool.pool)))?;
        let spec = NetworkSpec { name: DEFAULT_NETWORK_NAME.to_owned(), ..NetworkSpec::default() };
        Ok(Network { meta: Meta::default(), id: DEFAULT_NETWORK, spec, subnet, blocks: BTreeMap::new() })
    }

    fn node(&self) -> Node {
        Node {
            meta: Meta::default(),
            id: self.node,
            spec: NodeSpec { role: Role::Manager, ..NodeSpec::default() },
            description: self.birth.description.clone(),
            status: NodeStatus { address: self.birth.address.ip().to_string(), ..NodeStatus::default() },
            manager: Some(ManagerSeat { raft_id: FIRST_RAFT_ID, address: self.birth.address }),
            number: None,
            network: NodeNetwork::default(),
        }
    }
}
