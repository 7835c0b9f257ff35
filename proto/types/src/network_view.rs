//! The network view: all that one node must know to carry its part of the cluster's traffic and to answer names.
//!
//! A pure function of the replicated state (`decide::network_view`), sent to each node as a full set and then as differences, and applied
//! there as a whole. Its items are found by key, so that one change costs one item.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{EndpointAffinity, EndpointMode, NetworkId, NetworkPool, NodeId, PublishedPort, ServiceId, Subnet, Version};

/// Names one item of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ViewKey {
    /// What the node itself is.
    Own,
    /// Another node.
    Peer(NodeId),
    /// A network.
    Network(NetworkId),
    /// A service.
    Service(ServiceId),
}

/// One item of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ViewItem {
    /// What the node itself is.
    Own(OwnView),
    /// Another node that has blocks.
    Peer(PeerView),
    /// A network that has a task on this node.
    Network(NetworkView),
    /// A service that has a published port, or is in a network that has a task on this node.
    Service(ServiceView),
}

/// What a node is in the overlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnView {
    /// Its id.
    pub node: NodeId,
    /// Its number: from 1, unique among the nodes.
    pub number: u16,
    /// The cluster's addresses and the overlay's port.
    pub pool: NetworkPool,
}

/// Another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerView {
    /// Its id.
    pub node: NodeId,
    /// Its number.
    pub number: u16,
    /// Where its packets come from, and go to.
    pub underlay: Ipv4Addr,
    /// Its blocks, of all networks, in order.
    pub blocks: Vec<Subnet>,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkView {
    /// Its id.
    pub id: NetworkId,
    /// Its name, for `<service>.<network>`.
    pub name: String,
    /// Its addresses.
    pub subnet: Subnet,
    /// Whether it has no way out.
    pub internal: bool,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceView {
    /// Its id.
    pub id: ServiceId,
    /// Its name.
    pub name: String,
    /// What its name stands for.
    pub mode: EndpointMode,
    /// Which task a client's further connections go to.
    pub affinity: EndpointAffinity,
    /// Its networks that have a task on this node. The first network of a service that publishes ports is always here.
    pub networks: Vec<ServiceNetworkView>,
    /// Its ingress ports; they lead to the endpoints of the first network.
    pub ports: Vec<PublishedPort>,
}

/// A service in one of its networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceNetworkView {
    /// The network.
    pub network: NetworkId,
    /// The service's address there.
    pub vip: Option<Ipv4Addr>,
    /// Its further names there.
    pub aliases: Vec<String>,
    /// Its tasks that take traffic, by address.
    pub endpoints: Vec<EndpointView>,
}

/// A task that takes traffic: running, healthy and not draining.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EndpointView {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its host name, such as `web.3`.
    pub hostname: String,
}

/// A view, or what a node has gathered of one.
pub type ViewItems = BTreeMap<ViewKey, Arc<ViewItem>>;

/// Old view to new view. `full` replaces the whole view by `put`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ViewDiff {
    /// Whether `put` is the whole view.
    pub full: bool,
    /// Log index of the state that the new view is of: what the node acknowledges.
    pub version: Version,
    /// New or changed items.
    pub put: Vec<Arc<ViewItem>>,
    /// Items to forget.
    pub remove: Vec<ViewKey>,
}

impl ViewItem {
    /// Its key.
    #[must_use]
    pub fn key(&self) -> ViewKey {
        match self {
            Self::Own(_) => ViewKey::Own,
            Self::Peer(peer) => ViewKey::Peer(peer.node),
            Self::Network(network) => ViewKey::Network(network.id),
            Self::Service(service) => ViewKey::Service(service.id),
        }
    }
}

impl ServiceView {
    /// The same service in parts of at most `most` endpoints: a large one does not fit one message.
    #[must_use]
    pub fn parts(&self, most: usize) -> Vec<Self> {
        let without = |network: &ServiceNetworkView| ServiceNetworkView { endpoints: Vec::new(), ..network.clone() };
        let rest = Self { networks: self.networks.iter().map(without).collect(), ..self.clone() };
        let mut parts = vec![rest.clone()];
        let mut room = most;
        for (place, network) in self.networks.iter().enumerate() {
            for endpoint in &network.endpoints {
                if room == 0 {
                    parts.push(rest.clone());
                    room = most;
                }
                if let Some(part) = parts.last_mut() {
                    part.networks[place].endpoints.push(endpoint.clone());
                    room -= 1;
                }
            }
        }
        parts
    }

    /// Takes in the next part of the same service.
    fn join(&mut self, part: &Self) {
        for (network, more) in self.networks.iter_mut().zip(&part.networks) {
            network.endpoints.extend(more.endpoints.iter().cloned());
        }
    }
}

impl ViewDiff {
    /// Takes in a further piece of the same diff. An item with the key of the one before goes on with it.
    pub fn gather(&mut self, piece: Self) {
        self.full |= piece.full;
        self.version = piece.version;
        self.remove.extend(piece.remove);
        for item in piece.put {
            match (self.put.last_mut().map(Arc::make_mut), &*item) {
                (Some(ViewItem::Service(whole)), ViewItem::Service(part)) if whole.id == part.id => whole.join(part),
                (Some(_) | None, _) => self.put.push(item),
            }
        }
    }

    /// Does to a view what the diff says.
    pub fn apply(&self, items: &mut ViewItems) {
        if self.full {
            items.clear();
        }
        self.remove.iter().for_each(|key| drop(items.remove(key)));
        items.extend(self.put.iter().map(|item| (item.key(), Arc::clone(item))));
    }
}
