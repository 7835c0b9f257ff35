//! The other nodes, as each node must know them: where they are and which blocks are theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cluster_state::View;
use cluster_types::{BlockOwner, Node, NodeId, PeerView, Subnet, ViewItem, ViewItems, ViewKey};

/// All nodes that take part in the overlay. Any of them can be where traffic enters, so that one without blocks counts too.
#[derive(Debug, Clone, Default)]
pub(super) struct Peers {
    nodes: BTreeMap<NodeId, Arc<ViewItem>>,
    blocks: BTreeMap<NodeId, BTreeSet<Subnet>>,
}

impl Peers {
    pub(super) fn of(view: &View) -> Self {
        let mut peers = Self { nodes: BTreeMap::new(), blocks: blocks(view) };
        view.nodes().for_each(|node| peers.follow_node(view, node.id));
        peers
    }

    /// All nodes but one.
    pub(super) fn items(&self, but: NodeId) -> ViewItems {
        self.nodes.iter().filter(|(id, _)| **id != but).map(|(id, item)| (ViewKey::Peer(*id), Arc::clone(item))).collect()
    }

    /// A node came, went or changed.
    pub(super) fn follow_node(&mut self, view: &View, id: NodeId) {
        match view.node(id).and_then(|node| self.peer(node)) {
            None => drop(self.nodes.remove(&id)),
            Some(peer) => {
                let item = ViewItem::Peer(peer);
                if self.nodes.get(&id).is_none_or(|has| **has != item) {
                    self.nodes.insert(id, Arc::new(item));
                }
            }
        }
    }

    /// Blocks were claimed or released, or networks removed.
    pub(super) fn follow_blocks(&mut self, view: &View) {
        let before = std::mem::replace(&mut self.blocks, blocks(view));
        let owners: BTreeSet<NodeId> = before.keys().chain(self.blocks.keys()).copied().collect();
        for owner in owners.into_iter().filter(|owner| before.get(owner) != self.blocks.get(owner)).collect::<Vec<_>>() {
            self.follow_node(view, owner);
        }
    }

    fn peer(&self, node: &Node) -> Option<PeerView> {
        let blocks = self.blocks.get(&node.id).into_iter().flatten().copied().collect();
        Some(PeerView { node: node.id, number: node.number?, underlay: node.description.data_address?, blocks })
    }
}

fn blocks(view: &View) -> BTreeMap<NodeId, BTreeSet<Subnet>> {
    let mut blocks: BTreeMap<NodeId, BTreeSet<Subnet>> = BTreeMap::new();
    for network in view.networks() {
        for (number, owner) in &network.blocks {
            if let (BlockOwner::Node(node), Some(block)) = (owner, network.block(*number)) {
                blocks.entry(*node).or_default().insert(block);
            }
        }
    }
    blocks
}
