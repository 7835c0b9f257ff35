//! Blocks of nodes that are gone: free again once no address in them is in use. Their tasks may outlive them for a moment.

use std::collections::BTreeSet;

use cluster_types::{BlockOwner, Network, NetworkId};

use super::pools::Pools;
use crate::draft::Draft;

/// Releases them when a node went, or when the last address of such a block was given back.
pub(super) fn release(draft: &Draft<'_>, pools: &mut Pools) {
    for (network, number) in orphaned(draft) {
        let is_idle = |network: &Network| network.block(number).is_some_and(|block| draft.view.addresses_within(block).next().is_none());
        if draft.view.network(network).is_some_and(|network| is_idle(network)) {
            pools.release(draft.view, network, number);
        }
    }
}

/// The blocks of nodes that are gone, as far as something of them can have changed.
fn orphaned(draft: &Draft<'_>) -> BTreeSet<(NetworkId, u32)> {
    let is_gone = |owner: &BlockOwner| matches!(owner, BlockOwner::Node(node) if draft.node(*node).is_none());
    if draft.is_full() || draft.nodes_due().iter().any(|node| draft.node(*node).is_none()) {
        let blocks = draft.view.networks().flat_map(|network| network.blocks.iter().map(|(number, owner)| (network.id, *number, owner)));
        return blocks.filter(|(_, _, owner)| is_gone(owner)).map(|(network, number, _)| (network, number)).collect();
    }
    let freed = draft.freed().iter().filter_map(|freed| {
        let network = draft.view.network(freed.network)?;
        let number = network.block_of(freed.address)?;
        network.blocks.get(&number).filter(|owner| is_gone(owner)).map(|_| (network.id, number))
    });
    freed.collect()
}
