//! The addresses that the tasks of one group take with their nodes. Where a node has none for them, another one may.

use std::collections::BTreeMap;

use cluster_state::View;
use cluster_types::{BlockOwner, NetworkId, NodeId, TaskAddress, TaskId, TaskSpec};

use super::demand::Refusal;
use crate::allocate::pools::{Lack, Pools};

/// Why nodes have no address for a group.
pub(super) type Lacks = BTreeMap<NodeId, Lack>;

/// Where the tasks of a pass get their addresses from, and what they were given.
pub(super) struct Source<'a> {
    view: &'a View,
    pools: &'a mut Pools,
    given: BTreeMap<TaskId, Vec<TaskAddress>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(view: &'a View, pools: &'a mut Pools) -> Self {
        Self { view, pools, given: BTreeMap::new() }
    }

    /// The addresses that a task was given.
    pub(super) fn given(&mut self, task: TaskId) -> Vec<TaskAddress> {
        self.given.remove(&task).unwrap_or_default()
    }
}

/// Gives addresses to the tasks of one spec.
pub(super) struct Addresses<'a, 'b> {
    /// None where nobody asks for addresses.
    source: Option<&'a mut Source<'b>>,
    networks: Vec<NetworkId>,
    lacks: Lacks,
}

impl<'a, 'b> Addresses<'a, 'b> {
    /// For the tasks of a spec, unless a network of it is gone.
    pub(super) fn of(source: Option<&'a mut Source<'b>>, spec: &TaskSpec) -> Result<Self, Lack> {
        let Some(source) = source else { return Ok(Self { source: None, networks: Vec::new(), lacks: Lacks::new() }) };
        let networks: Vec<NetworkId> = spec.network_ids().collect();
        Pools::missing(source.view, &networks).map_or(Ok(()), Err)?;
        let source = (!networks.is_empty()).then_some(source);
        Ok(Self { source, networks, lacks: Lacks::new() })
    }

    /// Gives a task its addresses on a node, or says why not.
    pub(super) fn give(&mut self, task: TaskId, node: NodeId) -> Option<Refusal> {
        let source = self.source.as_mut()?;
        match source.pools.take(source.view, self.networks.iter().copied(), BlockOwner::Node(node), task.bits()) {
            Ok(addresses) => {
                source.given.insert(task, addresses);
                None
            }
            Err(lack) => {
                let refusal = Refusal::Address(lack.to_string());
                self.lacks.insert(node, lack);
                Some(refusal)
            }
        }
    }

    /// The nodes that had none.
    pub(super) fn lacks(&self) -> &Lacks {
        &self.lacks
    }
}
