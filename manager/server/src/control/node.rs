//! Nodes: list, update, remove.

use std::sync::Arc;

use cluster_api::convert::FieldError;
use cluster_api::status::code;
use cluster_api::{ApiError, Kind, pb};
use cluster_decide::{membership, validate};
use cluster_state::View;
use cluster_types::{Availability, Change, Node, NodeId, NodeSpec, NodeState, Object, ObjectKey, Role, Version};

use super::{page, reference};
use crate::core::{Core, Freshness};
use crate::request::Key;
use crate::seat;

/// All nodes by id, or one.
pub(super) async fn list(core: &Core, request: pb::ListNodesRequest) -> Result<(pb::ListNodesResponse, Freshness), ApiError> {
    let after = page::after::<NodeId>(&request.page_token)?;
    let (view, freshness) = core.read().await;
    let leader = core.leader_node(&view).map(|node| node.id);
    let message = |node: &Arc<Node>| (node.id, message(node, leader));
    let page = if request.reference.is_empty() {
        page::cut(view.nodes().skip_while(|node| after.is_some_and(|after| node.id <= after)).map(message))
    } else {
        page::cut(std::iter::once(message(reference::node(&view, &request.reference)?)))
    };
    Ok((pb::ListNodesResponse { nodes: page.items, next_page_token: page.next }, freshness))
}

/// Times that a change is tried when the request names no version: a node's own reports change it as well.
const TRIES: u32 = 8;

/// Another role, availability or labels.
pub(super) async fn update(core: &Core, key: Key, request: pb::UpdateNodeRequest) -> Result<pb::UpdateNodeResponse, ApiError> {
    for tries in 0..TRIES - 1 {
        // What became of a key is remembered, so each try has its own; the same ones when the whole request is repeated.
        match update_once(core, key.again(tries), &request).await {
            Err(error) if error.code == code::CHANGED && request.expect == 0 => {}
            answer => return answer,
        }
    }
    update_once(core, key.again(TRIES - 1), &request).await
}

async fn update_once(core: &Core, key: Key, request: &pb::UpdateNodeRequest) -> Result<pb::UpdateNodeResponse, ApiError> {
    let view = core.read_current().await?;
    let node = reference::node(&view, &request.reference)?;
    let spec = changed(&node.spec, request)?;
    if node.spec.role == Role::Manager && spec.role == Role::Worker {
        demotable(core, &view, node)?;
    }
    let expect = if request.expect == 0 { node.meta.version } else { Version(request.expect) };
    let (id, object) = (node.id, Object::Node(Arc::new(Node { spec, ..Node::clone(node) })));
    let view = core.propose(key, vec![Change::Update { object, expect }]).await?;
    let node = view.node(id).ok_or_else(|| ApiError::not_found("node", &id.to_string()))?;
    Ok(pb::UpdateNodeResponse { node: Some(message(node, core.leader_node(&view).map(|node| node.id))) })
}

/// Removes a node for good: its certificate is worth nothing from then on.
pub(super) async fn remove(core: &Core, key: Key, request: pb::RemoveNodeRequest) -> Result<pb::RemoveNodeResponse, ApiError> {
    let view = core.read_current().await?;
    let node = match reference::node(&view, &request.reference) {
        Ok(node) => node,
        Err(error) if error.kind == Kind::NotFound && view.request(key.request()).is_some() => {
            return Ok(pb::RemoveNodeResponse { id: request.reference });
        }
        Err(error) => return Err(error),
    };
    if !request.force && matches!(node.status.state, NodeState::Ready | NodeState::Disconnected) {
        return Err(ApiError::precondition(format!("{} is up", node.description.hostname))
            .hint("stop it, or have it leave with `cluster leave` there; or use --force"));
    }
    let id = node.id;
    discard(core, key, &view, node, request.force).await?;
    Ok(pb::RemoveNodeResponse { id: id.to_string() })
}

/// Takes a node out of the Raft group, when it is a manager, and then out of the state. Also what a leaving node asks for.
pub(crate) async fn discard(core: &Core, key: Key, view: &View, node: &Arc<Node>, force: bool) -> Result<(), ApiError> {
    let name = &node.description.hostname;
    if node.id == core.node {
        return Err(ApiError::precondition(format!("{name} leads the cluster now, so it cannot be removed"))
            .hint("demote it first: `cluster node demote`; another manager leads then"));
    }
    if !force && (node.is_manager() || node.manager.is_some()) {
        return Err(ApiError::precondition(format!("{name} is a manager")).hint("demote it first: `cluster node demote`; or use --force"));
    }
    if node.manager.is_some() {
        demotable(core, view, node)?;
        seat::vacate(core, node).await?;
    }
    core.propose(key, vec![Change::Remove { key: ObjectKey::Node(node.id), expect: None }]).await?;
    Ok(())
}

/// Whether the managers keep their quorum without a node (failures D6).
fn demotable(core: &Core, view: &View, node: &Node) -> Result<(), ApiError> {
    let refused = |refusal: membership::Refusal| ApiError::new(Kind::Precondition, code::QUORUM, refusal.to_string());
    membership::can_remove_manager(view, node.id, &seat::reachable(core)).map_err(refused)
}

/// The spec that a request asks for.
fn changed(spec: &NodeSpec, request: &pb::UpdateNodeRequest) -> Result<NodeSpec, ApiError> {
    let mut spec = spec.clone();
    if let Some(role) = request.role {
        let role = pb::Role::try_from(role).map_err(|_| FieldError::new("role", format!("{role} is not a known value")))?;
        spec.role = Role::from(role);
    }
    if let Some(availability) = request.availability {
        let known = pb::Availability::try_from(availability);
        spec.availability =
            Availability::from(known.map_err(|_| FieldError::new("availability", format!("{availability} is not a known value")))?);
    }
    for key in &request.labels_removed {
        spec.labels.remove(key);
    }
    for (key, value) in &request.labels_set {
        spec.labels.insert(key.clone(), value.clone());
    }
    if let Some(drain) = request.drain {
        spec.drain = drain.into();
    }
    let problems = validate::node(&spec);
    if !problems.is_empty() {
        return Err(ApiError::invalid(problems.into_iter().map(|problem| FieldError::new(problem.field, problem.reason)).collect()));
    }
    Ok(spec)
}

/// A node with what only the leader knows.
fn message(node: &Node, leader: Option<NodeId>) -> pb::Node {
    let leads = leader == Some(node.id);
    let reachable = node.manager.is_some() && (leads || node.status.state == NodeState::Ready);
    pb::Node { leader: leads, reachable, ..node.into() }
}
