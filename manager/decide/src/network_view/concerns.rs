//! Whose view an event can change: most events change none. It may name more nodes than it must, never fewer.

use std::collections::BTreeSet;

use cluster_state::View;
use cluster_types::{BlockOwner, Event, EventKind, Network, NetworkId, Node, NodeId, Object, Service, Task, bug};

use super::fabric::node_is_ready;
use super::{is_attached, takes_traffic};

/// Nodes whose view may be another now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concerned {
    /// These, or none.
    Nodes(BTreeSet<NodeId>),
    /// Every one.
    All,
}

impl Concerned {
    /// Nobody.
    #[must_use]
    pub fn nobody() -> Self {
        Self::Nodes(BTreeSet::new())
    }

    /// Whether a node is among them.
    #[must_use]
    pub fn includes(&self, node: NodeId) -> bool {
        match self {
            Self::All => true,
            Self::Nodes(nodes) => nodes.contains(&node),
        }
    }

    /// Those of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nodes(mut nodes), Self::Nodes(others)) => {
                nodes.extend(others);
                Self::Nodes(nodes)
            }
            (Self::All, _) | (_, Self::All) => Self::All,
        }
    }
}

/// Whose view an event can change. `view` shows the event, and perhaps later ones.
#[must_use]
pub fn concerns(event: &Event, view: &View) -> Concerned {
    let after = Some(&event.object).filter(|_| event.kind != EventKind::Removed);
    let before = event.before.as_ref();
    match &event.object {
        Object::Cluster(_) => {
            if event.kind == EventKind::Created {
                Concerned::All
            } else {
                Concerned::nobody()
            }
        }
        Object::Node(_) => of_node(view, before.and_then(node), after.and_then(node)),
        Object::Network(_) => of_network(before.and_then(network), after.and_then(network)),
        Object::Service(_) => of_service(view, before.and_then(service), after.and_then(service)),
        Object::Task(_) if bug!(ViewForgotten) => Concerned::nobody(),
        Object::Task(_) => of_task(view, before.and_then(task), after.and_then(task)),
    }
}

/// Every node knows the others; whether one is ready matters where its tasks get traffic.
fn of_node(view: &View, before: Option<&Node>, after: Option<&Node>) -> Concerned {
    let peer = |node: &Node| (node.number, node.description.data_address);
    if before.map(peer) != after.map(peer) {
        return Concerned::All;
    }
    let Some(id) = after.map(|node| node.id).filter(|_| before.is_some_and(node_is_ready) != after.is_some_and(node_is_ready)) else {
        return Concerned::nobody();
    };
    let tasks = view.tasks_on_node(id).filter(|task| takes_traffic(task));
    tasks.fold(Concerned::nobody(), |concerned, task| concerned.and(senders(view, task)))
}

/// Every node knows which blocks the others have. The name and the subnet never change.
fn of_network(before: Option<&Network>, after: Option<&Network>) -> Concerned {
    let of_nodes = |network: &Network| {
        let blocks = network.blocks.iter().filter(|(_, owner)| matches!(owner, BlockOwner::Node(_)));
        blocks.map(|(number, owner)| (*number, *owner)).collect::<Vec<_>>()
    };
    if before.map(of_nodes).unwrap_or_default() == after.map(of_nodes).unwrap_or_default() { Concerned::nobody() } else { Concerned::All }
}

fn of_service(view: &View, before: Option<&Service>, after: Option<&Service>) -> Concerned {
    let is_same = before.zip(after).is_some_and(|(before, after)| looks_alike(before, after));
    if is_same {
        return Concerned::nobody();
    }
    let both = || before.into_iter().chain(after);
    if both().any(|service| !service.endpoint.ports.is_empty()) {
        return Concerned::All;
    }
    Concerned::Nodes(both().flat_map(|service| service.spec.task.network_ids()).flat_map(|network| members(view, network)).collect())
}

/// Whether views show two versions of a service alike.
fn looks_alike(before: &Service, after: &Service) -> bool {
    before.spec.endpoint == after.spec.endpoint
        && before.spec.task.network_ids().eq(after.spec.task.network_ids())
        && before.spec.task.networks == after.spec.task.networks
        && before.endpoint.vips == after.endpoint.vips
        && before.endpoint.ports == after.endpoint.ports
}

/// Its own node when it begins or ends to need its networks; whoever sends it traffic when it begins or ends to take some.
fn of_task(view: &View, before: Option<&Task>, after: Option<&Task>) -> Concerned {
    let mut concerned = Concerned::nobody();
    if before.is_some_and(is_attached) != after.is_some_and(is_attached) {
        concerned = Concerned::Nodes(before.into_iter().chain(after).filter_map(|task| task.node).collect());
    }
    if before.is_some_and(takes_traffic) != after.is_some_and(takes_traffic) {
        concerned = before.into_iter().chain(after).fold(concerned, |concerned, task| concerned.and(senders(view, task)));
    }
    concerned
}

/// The nodes that may send traffic to a task.
fn senders(view: &View, task: &Task) -> Concerned {
    match view.service(task.service) {
        None => Concerned::nobody(),
        Some(service) if !service.endpoint.ports.is_empty() => Concerned::All,
        Some(_) => Concerned::Nodes(task.addresses.iter().flat_map(|has| members(view, has.network)).collect()),
    }
}

/// The nodes that have tasks in a network: they have blocks of it.
fn members(view: &View, network: NetworkId) -> Vec<NodeId> {
    let owner = |owner: &BlockOwner| match owner {
        BlockOwner::Node(node) => Some(*node),
        BlockOwner::Services => None,
    };
    view.network(network).map(|network| network.blocks.values().filter_map(owner).collect()).unwrap_or_default()
}

fn node(object: &Object) -> Option<&Node> {
    if let Object::Node(node) = object { Some(node) } else { None }
}

fn network(object: &Object) -> Option<&Network> {
    if let Object::Network(network) = object { Some(network) } else { None }
}

fn service(object: &Object) -> Option<&Service> {
    if let Object::Service(service) = object { Some(service) } else { None }
}

fn task(object: &Object) -> Option<&Task> {
    if let Object::Task(task) = object { Some(task) } else { None }
}
