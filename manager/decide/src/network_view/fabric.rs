//! What the views of all nodes share, and the view of one node made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cluster_state::View;
use cluster_types::{Event, NetworkId, NetworkView, Node, NodeId, NodeState, Object, OwnView, ServiceId, ViewItem, ViewItems, ViewKey};

use super::peers::Peers;
use super::prepared::Prepared;
use super::{is_attached, takes_traffic};

/// What the views of all nodes share. Cheap to read from many sessions at once; one writer lets it follow the events.
#[derive(Debug, Clone, Default)]
pub struct Fabric {
    peers: Peers,
    networks: BTreeMap<NetworkId, Arc<ViewItem>>,
    services: BTreeMap<ServiceId, Arc<Prepared>>,
    /// Those with ingress ports, which every node knows.
    published: BTreeSet<ServiceId>,
}

impl Fabric {
    /// All of a state. Walks over all tasks.
    #[must_use]
    pub fn of(view: &View) -> Self {
        let mut fabric = Self { peers: Peers::of(view), ..Self::default() };
        view.networks().for_each(|network| fabric.look_at_network(view, network.id));
        view.services().for_each(|service| fabric.look_at_service(view, service.id));
        fabric
    }

    /// What one node needs of it.
    pub(super) fn for_node(view: &View, node: NodeId) -> Self {
        let mut fabric = Self { peers: Peers::of(view), ..Self::default() };
        view.services().filter(|service| !service.endpoint.ports.is_empty()).for_each(|it| fabric.look_at_service(view, it.id));
        for network in local_networks(view, node) {
            fabric.look_at_network(view, network);
            view.services_in_network(network).for_each(|service| fabric.look_at_service(view, service.id));
        }
        fabric
    }

    /// Takes in what happened since it was made, or since it last followed. `view` shows at least these events; if it shows more, their
    /// events must come next time. What did not change stays the same object.
    pub fn follow(&mut self, view: &View, events: &[Event]) {
        let mut services = BTreeSet::new();
        let mut blocks_moved = false;
        for event in events {
            match &event.object {
                Object::Cluster(_) => {}
                Object::Node(node) => {
                    services.extend(self.follow_node(view, node.id, event));
                }
                Object::Network(network) => {
                    self.look_at_network(view, network.id);
                    blocks_moved = true;
                }
                Object::Service(service) => {
                    services.insert(service.id);
                }
                Object::Task(task) => {
                    if traffic_moves(event) {
                        services.insert(task.service);
                    }
                }
            }
        }
        if blocks_moved {
            self.peers.follow_blocks(view);
        }
        services.into_iter().for_each(|service| self.look_at_service(view, service));
    }

    /// The view of a node. `view` is the one that the fabric last followed. Empty for a node that has no number yet.
    #[must_use]
    pub fn wanted(&self, view: &View, node: NodeId) -> ViewItems {
        let Some(own) = own(view, node) else { return ViewItems::new() };
        let local = local_networks(view, node);
        let mut items = self.peers.items(node);
        items.insert(ViewKey::Own, Arc::new(ViewItem::Own(own)));
        items.extend(local.iter().filter_map(|id| Some((ViewKey::Network(*id), Arc::clone(self.networks.get(id)?)))));
        let in_local = local.iter().flat_map(|network| view.services_in_network(*network)).map(|service| service.id);
        for id in in_local.chain(self.published.iter().copied()) {
            if let Some(item) = self.services.get(&id).and_then(|service| service.on(node, &local)) {
                items.insert(ViewKey::Service(id), item);
            }
        }
        items
    }

    fn look_at_network(&mut self, view: &View, id: NetworkId) {
        let Some(network) = view.network(id) else {
            self.networks.remove(&id);
            return;
        };
        let (name, internal) = (network.spec.name.clone(), network.spec.internal);
        let item = ViewItem::Network(NetworkView { id, name, subnet: network.subnet, internal });
        if self.networks.get(&id).is_none_or(|has| **has != item) {
            self.networks.insert(id, Arc::new(item));
        }
    }

    fn look_at_service(&mut self, view: &View, id: ServiceId) {
        let Some(service) = view.service(id) else {
            self.services.remove(&id);
            self.published.remove(&id);
            return;
        };
        if service.endpoint.ports.is_empty() {
            self.published.remove(&id);
        } else {
            self.published.insert(id);
        }
        let prepared = Prepared::of(view, service);
        if self.services.get(&id).is_none_or(|has| **has != prepared) {
            self.services.insert(id, Arc::new(prepared));
        }
    }

    /// The services whose traffic goes elsewhere because of a node.
    fn follow_node(&mut self, view: &View, node: NodeId, event: &Event) -> BTreeSet<ServiceId> {
        self.peers.follow_node(view, node);
        let before = event.before.as_ref().is_some_and(is_ready);
        if before == view.node(node).is_some_and(|node| node_is_ready(node)) && before == is_ready(&event.object) {
            return BTreeSet::new();
        }
        view.tasks_on_node(node).filter(|task| takes_traffic(task)).map(|task| task.service).collect()
    }
}

fn own(view: &View, node: NodeId) -> Option<OwnView> {
    let pool = view.cluster()?.network;
    Some(OwnView { node, number: view.node(node)?.number?, pool })
}

/// The networks of the tasks on a node.
fn local_networks(view: &View, node: NodeId) -> BTreeSet<NetworkId> {
    view.tasks_on_node(node).filter(|task| is_attached(task)).flat_map(|task| task.addresses.iter().map(|has| has.network)).collect()
}

pub(super) fn node_is_ready(node: &Node) -> bool {
    node.status.state == NodeState::Ready
}

fn is_ready(object: &Object) -> bool {
    matches!(object, Object::Node(node) if node_is_ready(node))
}

/// Whether an event of a task changes that it takes traffic. Everything else that a view says of it never changes.
fn traffic_moves(event: &Event) -> bool {
    let takes = |object: &Object| matches!(object, Object::Task(task) if takes_traffic(task));
    let after = event.kind != cluster_types::EventKind::Removed && takes(&event.object);
    event.before.as_ref().is_some_and(takes) != after
}
