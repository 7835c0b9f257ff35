//! The cluster as a whole, and its join tokens.

use std::sync::Arc;

use cluster_api::{ApiError, pb};
use cluster_state::View;
use cluster_types::{Change, Cluster, JoinSecrets, NodeState, Object, Role};

use crate::ca;
use crate::core::{Core, Freshness};
use crate::request::Key;

/// Numbers and names of the cluster.
pub(super) async fn get(core: &Core, _: pb::GetClusterRequest) -> Result<(pb::GetClusterResponse, Freshness), ApiError> {
    let (view, freshness) = core.read().await;
    let cluster = in_cluster(&view)?;
    let leadership = *core.raft.leadership().borrow();
    let digest = ca::digest(&cluster.ca.certificate).map_err(|error| ApiError::internal(error.to_string()))?;
    let response = pb::GetClusterResponse {
        id: cluster.id.to_string(),
        name: cluster.name.clone(),
        created_ms: cluster.meta.created.0,
        leader: core.leader_node(&view).map(|node| node.id.to_string()).unwrap_or_default(),
        incarnation: cluster.incarnation,
        term: leadership.term,
        log_index: view.index().0,
        nodes: count(view.node_count()),
        managers: count(view.nodes().filter(|node| node.manager.is_some()).count()),
        services: count(view.service_count()),
        tasks: count(view.task_count()),
        ca_digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        network: Some((&cluster.network).into()),
    };
    Ok((response, freshness))
}

/// The join token of a role; a new one first when it is to be rotated.
pub(super) async fn join_token(core: &Core, key: Key, request: pb::GetJoinTokenRequest) -> Result<pb::GetJoinTokenResponse, ApiError> {
    let role = Role::from(request.role());
    let mut view = core.read_current().await?;
    if request.rotate {
        let cluster = in_cluster(&view)?;
        let change = Change::Update { object: Object::Cluster(Arc::new(rotated(cluster, role))), expect: cluster.meta.version };
        view = core.propose(key, vec![change]).await?;
    }
    let token = ca::join_token(in_cluster(&view)?, role).map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(pb::GetJoinTokenResponse { token: token.to_string(), addresses: manager_addresses(&view) })
}

/// The cluster with another secret for one role. It has no end: the old one ends by being replaced.
fn rotated(cluster: &Cluster, role: Role) -> Cluster {
    let secret = ca::join_secret(rand::random(), None);
    let join = match role {
        Role::Worker => JoinSecrets { worker: secret, manager: cluster.join.manager.clone() },
        Role::Manager => JoinSecrets { manager: secret, worker: cluster.join.worker.clone() },
    };
    Cluster { join, ..cluster.clone() }
}

/// The cluster object, which every manager of a cluster has once it heard of the first entry.
pub(crate) fn in_cluster(view: &View) -> Result<&Arc<Cluster>, ApiError> {
    view.cluster().ok_or_else(|| ApiError::unavailable("this manager has not yet received the cluster's state; try again in a moment"))
}

/// Addresses of the managers, those that are there first.
pub(crate) fn manager_addresses(view: &View) -> Vec<String> {
    let mut seats: Vec<_> =
        view.nodes().filter_map(|node| Some((node.status.state != NodeState::Ready, node.manager.as_ref()?.address))).collect();
    seats.sort();
    seats.into_iter().map(|(_, address)| address.to_string()).collect()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
