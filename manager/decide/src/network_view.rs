//! What each node must know to carry its part of the cluster's traffic, and how one such view becomes another. Called by the dispatcher.
//!
//! A view is made of a [`Fabric`], which holds what the views of all nodes share and follows the events, so that one node's view costs no
//! walk over services or tasks that it does not need. [`concerns`] says whose view an event can change at all.
//!
//! Traffic goes to tasks that run and are to go on running. One whose node is not ready gets none from other nodes, as long as another task
//! of its service and network is on a node that is.

mod concerns;
mod fabric;
mod peers;
mod prepared;

use cluster_state::View;
use cluster_types::{DesiredState, NodeId, Task, Version, ViewDiff, ViewItems, bug};

pub use self::concerns::{Concerned, concerns};
pub use self::fabric::Fabric;

/// The view of one node, from nothing: for tests and single looks. Empty for a node that has no number yet.
#[must_use]
pub fn wanted(view: &View, node: NodeId) -> ViewItems {
    Fabric::for_node(view, node).wanted(view, node)
}

/// What takes the view `sent` to the view `wanted`, which is that of the state at `version`.
#[must_use]
pub fn diff(sent: &ViewItems, wanted: &ViewItems, version: Version) -> ViewDiff {
    ViewDiff {
        full: false,
        version,
        put: wanted.iter().filter(|(key, item)| sent.get(key) != Some(item)).map(|(_, item)| item.clone()).collect(),
        remove: sent.keys().filter(|key| !wanted.contains_key(key)).copied().collect(),
    }
}

/// The whole view, for the beginning of a session.
#[must_use]
pub fn full(wanted: &ViewItems, version: Version) -> ViewDiff {
    ViewDiff { full: true, version, put: wanted.values().cloned().collect(), remove: Vec::new() }
}

/// Whether a task takes traffic: it runs, no health or readiness check says otherwise, and nobody wants it to stop.
fn takes_traffic(task: &Task) -> bool {
    let goes_on = task.desired <= DesiredState::Running || bug!(EndpointStays);
    task.status.is_serving() && goes_on && !task.addresses.is_empty()
}

/// Whether its node must carry the networks of a task.
fn is_attached(task: &Task) -> bool {
    task.holds_resources() && !task.addresses.is_empty()
}

#[cfg(test)]
pub(crate) mod tests;
