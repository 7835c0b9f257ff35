//! The CA's methods: the root for anyone, probes and a first certificate against a join token, a renewed one for a node that is known.

use std::sync::Arc;

use cluster_api::incoming::Peer;
use cluster_api::pb::ca_server::Ca;
use cluster_api::status::{ApiError, Kind, code};
use cluster_api::{Caller, pb};
use cluster_state::View;
use cluster_types::{Change, JoinToken, Meta, Node, NodeDescription, NodeId, NodeNetwork, NodeSpec, NodeStatus, Object, Role};
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status};

use super::{CaError, NodeCertificate, Probes, certificate, token};
use crate::control::cluster::{in_cluster, manager_addresses};
use crate::core::Core;
use crate::dispatcher::role;
use crate::request::Key;

/// Longest text that a joining node may say of itself, in bytes.
const TEXT_BYTES: usize = 255;

/// The CA service of one manager.
#[derive(Clone)]
pub(crate) struct CaService {
    pub(crate) core: Arc<Core>,
    pub(crate) probes: Probes,
}

#[tonic::async_trait]
impl Ca for CaService {
    async fn get_root(&self, _: Request<pb::GetRootRequest>) -> Result<Response<pb::GetRootResponse>, Status> {
        let view = self.core.raft.view();
        let certificate_pem = in_cluster(&view)?.ca.certificate.clone();
        Ok(Response::new(pb::GetRootResponse { certificate_pem, now_ms: self.core.clock.wall().0 }))
    }

    async fn issue(&self, request: Request<pb::IssueRequest>) -> Result<Response<pb::IssueResponse>, Status> {
        Ok(Response::new(issue(&self.core, request.into_inner()).await?))
    }

    async fn probe(&self, request: Request<pb::ProbeRequest>) -> Result<Response<pb::ProbeResponse>, Status> {
        let caller = match request.extensions().get::<Peer>() {
            Some(Peer::Network { address, .. }) => Some(address.ip()),
            Some(Peer::Socket) | None => None,
        };
        Ok(Response::new(self.probes.answer(&self.core, caller, request.into_inner()).await?))
    }

    async fn renew(&self, request: Request<pb::RenewRequest>) -> Result<Response<pb::IssueResponse>, Status> {
        let node = Caller::of(&request)?.node.ok_or_else(|| Status::unauthenticated("renewal needs the old certificate"))?;
        let view = self.core.read_current().await?;
        let node = view.node(node).ok_or_else(|| ApiError::denied("this node was removed from the cluster: leave and join again"))?;
        Ok(Response::new(sign(&self.core, &view, node, &request.get_ref().csr_pem)?))
    }
}

/// Lets a node in: makes its object, then its certificate.
async fn issue(core: &Core, request: pb::IssueRequest) -> Result<pb::IssueResponse, ApiError> {
    let view = core.read_current().await?;
    let role = admitted(core, &view, &request.token, &request.advertise_address)?;
    let id = node_id(&request.csr_pem)?;
    let node = new_node(id, role, &request)?;
    let view = match view.node(id) {
        Some(_) => view,
        None => core.propose(admission(id), vec![Change::Create(Object::Node(Arc::new(node)))]).await?,
    };
    let node =
        view.node(id).ok_or_else(|| ApiError::denied("this key belongs to a node that was removed: make a new key and join again"))?;
    tracing::info!(node = %id, ?role, hostname = node.description.hostname, "a node was let in");
    sign(core, &view, node, &request.csr_pem)
}

/// The role in which a token lets in the node with an address.
pub(super) fn admitted(core: &Core, view: &View, token: &str, address: &str) -> Result<Role, ApiError> {
    let invalid = |message: String| ApiError::new(Kind::Denied, code::TOKEN, message);
    let wanted: JoinToken = token.parse().map_err(|error: cluster_types::token::InvalidToken| invalid(error.to_string()))?;
    token::check(in_cluster(view)?, &wanted, core.clock.wall()).map_err(|refused| {
        tracing::warn!(%refused, address, "a node was not let in");
        invalid(refused.to_string())
    })
}

/// The key decides the id: a request that is tried again, because its answer was lost, does not make a second node.
fn node_id(request_pem: &str) -> Result<NodeId, ApiError> {
    let key = certificate::requested_key(request_pem).map_err(refused)?;
    let digest = Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(&key));
    let (first, _) = digest.split_at(16);
    Ok(NodeId::from_bits(first.iter().fold(0, |bits, byte| bits << 8 | u128::from(*byte))))
}

/// Creating a node is one request for ever: a removed node does not come back with its old key.
fn admission(id: NodeId) -> Key {
    Key::hashed(&["Issue", &id.to_string()])
}

fn new_node(id: NodeId, role: Role, request: &pb::IssueRequest) -> Result<Node, ApiError> {
    let missing = || cluster_api::FieldError::new("description", "is missing");
    let description = request.description.clone().ok_or_else(missing)?;
    let description = NodeDescription::try_from(description).map_err(|error| error.within("description"))?;
    let texts =
        [&description.hostname, &description.platform.os, &description.platform.arch, &description.version, &request.advertise_address];
    if texts.iter().any(|text| text.len() > TEXT_BYTES) {
        return Err(cluster_api::FieldError::new("description", format!("no text may be longer than {TEXT_BYTES} bytes")).into());
    }
    let status = NodeStatus {
        message: "it has joined but not come yet".to_owned(),
        address: request.advertise_address.clone(),
        ..NodeStatus::default()
    };
    let spec = NodeSpec { role, ..NodeSpec::default() };
    Ok(Node { meta: Meta::default(), id, spec, description, status, manager: None, number: None, network: NodeNetwork::default() })
}

/// A certificate for a node in the role that it has now.
fn sign(core: &Core, view: &View, node: &Node, request_pem: &str) -> Result<pb::IssueResponse, ApiError> {
    let cluster = in_cluster(view)?;
    let role = role(node);
    let certificate =
        NodeCertificate { cluster: cluster.id, node: node.id, role, now: core.clock.wall(), lifetime: core.certificate_lifetime };
    let leaf = certificate.issue(&cluster.ca, request_pem).map_err(refused)?;
    Ok(pb::IssueResponse {
        node_id: node.id.to_string(),
        cluster_id: cluster.id.to_string(),
        role: pb::Role::from(role).into(),
        certificate_pem: format!("{leaf}{}", cluster.ca.certificate),
        root_pem: cluster.ca.certificate.clone(),
        manager_addresses: manager_addresses(view),
    })
}

fn refused(error: CaError) -> ApiError {
    match error {
        CaError::Request(_) | CaError::KeyKind => cluster_api::FieldError::new("csr_pem", error.to_string()).into(),
        CaError::Root(_) => ApiError::internal(error.to_string()),
    }
}
