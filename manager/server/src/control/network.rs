//! Networks: create, remove, list.

use std::sync::Arc;

use cluster_api::convert::FieldError;
use cluster_api::pb;
use cluster_api::status::{ApiError, Kind, code};
use cluster_decide::network;
use cluster_decide::validate::{self, Problem};
use cluster_state::View;
use cluster_types::{BlockOwner, Change, DEFAULT_NETWORK, Meta, Network, NetworkId, NetworkSpec, Object, ObjectKey, Subnet};

use super::{needed, page, reference};
use crate::core::{Core, Freshness};
use crate::request::Key;

/// Times that a subnet is chosen when another request takes it first.
const TRIES: u32 = 8;
/// Services that a refusal names at most.
const USERS_NAMED: usize = 10;
/// Services that a list names at most: one network must fit into a message whatever it has.
const USERS_LISTED: usize = 1_000;

/// A new network. Its name must be free; its subnet is the one that was asked for, or a free one of the pool.
pub(super) async fn create(core: &Core, key: Key, request: pb::CreateNetworkRequest) -> Result<pb::CreateNetworkResponse, ApiError> {
    let spec = NetworkSpec::try_from(needed("spec", request.spec)?).map_err(|error| error.within("spec"))?;
    sound(validate::network(&spec))?;
    let id = key.made();
    for tries in 0..TRIES - 1 {
        match create_once(core, key.again(tries), id, &spec).await {
            // Another network was made meanwhile, with the subnet that was chosen.
            Err(error) if error.code == code::PRECONDITION && spec.subnet.is_none() => {}
            answer => return answer,
        }
    }
    create_once(core, key.again(TRIES - 1), id, &spec).await
}

async fn create_once(core: &Core, key: Key, id: NetworkId, spec: &NetworkSpec) -> Result<pb::CreateNetworkResponse, ApiError> {
    let view = core.read_current().await?;
    if let Some(done) = view.network(id) {
        return Ok(pb::CreateNetworkResponse { network: Some(message(&view, done)) });
    }
    free(&view, &spec.name)?;
    let subnet = network::subnet(&view, spec).map_err(|problem| ApiError::invalid(vec![field(problem)]))?;
    let network = Network { meta: Meta::default(), id, spec: spec.clone(), subnet, blocks: std::collections::BTreeMap::new() };
    let view = core.propose(key, vec![Change::Create(Object::Network(Arc::new(network)))]).await?;
    let made = view.network(id).ok_or_else(|| ApiError::not_found("network", &id.to_string()))?;
    Ok(pb::CreateNetworkResponse { network: Some(message(&view, made)) })
}

/// Removes a network that nothing uses.
pub(super) async fn remove(core: &Core, key: Key, request: pb::RemoveNetworkRequest) -> Result<pb::RemoveNetworkResponse, ApiError> {
    let view = core.read_current().await?;
    let network = match reference::network(&view, &request.reference) {
        Ok(network) => network,
        Err(error) if error.kind == Kind::NotFound && view.request(key.request()).is_some() => {
            return Ok(pb::RemoveNetworkResponse { id: request.reference });
        }
        Err(error) => return Err(error),
    };
    removable(&view, network)?;
    let id = network.id;
    // Tasks that have not ended yet may still have addresses of it: apply says so.
    let removed = core.propose(key, vec![Change::Remove { key: ObjectKey::Network(id), expect: None }]).await;
    removed.map_err(|error| match error.code.as_str() {
        code::PRECONDITION => error.hint("try again when the tasks that use it have ended; see `cluster service ps`"),
        _ => error,
    })?;
    Ok(pb::RemoveNetworkResponse { id: id.to_string() })
}

/// Says who uses a network, so that the user need not look for them.
fn removable(view: &View, network: &Network) -> Result<(), ApiError> {
    let name = &network.spec.name;
    if network.id == DEFAULT_NETWORK {
        return Err(ApiError::precondition(format!("{name} is the network of services that name none: it cannot be removed")));
    }
    let users: Vec<&str> = view.services_in_network(network.id).map(|service| service.spec.name.as_str()).collect();
    let Some(named) = some_of(&users, USERS_NAMED) else { return Ok(()) };
    let hint = "remove these services first, or take them out of it with `cluster service update`";
    Err(ApiError::precondition(format!("network {name} is used by {named}")).hint(hint))
}

/// `a, b and 3 more`; none of no words.
pub(super) fn some_of(words: &[&str], most: usize) -> Option<String> {
    let (shown, rest) = words.split_at(words.len().min(most));
    let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    (!shown.is_empty()).then(|| format!("{}{more}", shown.join(", ")))
}

/// All networks by id, or one.
pub(super) async fn list(core: &Core, request: pb::ListNetworksRequest) -> Result<(pb::ListNetworksResponse, Freshness), ApiError> {
    let after = page::after::<NetworkId>(&request.page_token)?;
    let (view, freshness) = core.read().await;
    let message = |network: &Arc<Network>| (network.id, message(&view, network));
    let page = if request.reference.is_empty() {
        page::cut(view.networks().skip_while(|network| after.is_some_and(|after| network.id <= after)).map(message))
    } else {
        page::cut(std::iter::once(message(reference::network(&view, &request.reference)?)))
    };
    Ok((pb::ListNetworksResponse { networks: page.items, next_page_token: page.next }, freshness))
}

/// A network with what only the leader counts, and with names.
fn message(view: &View, network: &Network) -> pb::Network {
    let usage = network::usage(view, network);
    let mut message = pb::Network::from(network);
    for (block, (number, owner)) in message.blocks.iter_mut().zip(&network.blocks) {
        block.used = network.block(*number).map_or(0, |block| used(view, block));
        block.node_hostname = hostname(view, *owner);
    }
    let services = view.services_in_network(network.id).take(USERS_LISTED).map(|service| service.spec.name.clone()).collect();
    pb::Network { used: usage.tasks + usage.services, free: usage.free, services, ..message }
}

fn used(view: &View, block: Subnet) -> u64 {
    view.addresses_within(block).count() as u64
}

fn hostname(view: &View, owner: BlockOwner) -> String {
    match owner {
        BlockOwner::Node(node) => view.node(node).map(|node| node.description.hostname.clone()).unwrap_or_default(),
        BlockOwner::Services => String::new(),
    }
}

/// Every problem at once, with the field that it is in.
fn sound(problems: Vec<Problem>) -> Result<(), ApiError> {
    if problems.is_empty() { Ok(()) } else { Err(ApiError::invalid(problems.into_iter().map(field).collect())) }
}

fn field(problem: Problem) -> FieldError {
    FieldError::new(problem.field, problem.reason).within("spec")
}

/// Said before it is proposed, though apply has the last word.
fn free(view: &View, name: &str) -> Result<(), ApiError> {
    match view.network_by_name(name) {
        Some(holder) => {
            let message = format!("the name `{name}` is taken by network {}", holder.id.short());
            Err(ApiError::new(Kind::Conflict, code::NAME_TAKEN, message).hint("choose another name"))
        }
        None => Ok(()),
    }
}
