//! How a service stands on each node: its tasks there, its recent failures, and what its affinities say. Derived from the tasks of the view, so that every leader
//! ranks alike.

use std::sync::Arc;
use std::time::Duration;

use cluster_types::{Task, TaskState, Timestamp, Version};

use super::affinity::Affinities;
use super::fleet::Fleet;

/// How long a failure counts against a node. Swarm's value.
const MEMORY: Duration = Duration::from_secs(300);
/// From so many recent failures on, a node is taken last. Swarm's value.
const MANY: u32 = 5;

/// What a service has on the nodes of a fleet, in the fleet's order.
#[derive(Debug, Clone)]
pub struct Standing {
    pub(super) tasks: Vec<u32>,
    pub(super) failures: Vec<u32>,
    pub(super) affinities: Affinities,
}

impl Standing {
    /// A service that has nothing anywhere.
    #[must_use]
    pub fn none(fleet: &Fleet) -> Self {
        let zeros = vec![0; fleet.rooms.len()];
        Self { tasks: zeros.clone(), failures: zeros, affinities: Affinities::default() }
    }

    /// From the tasks of the service; failures of other specs do not count.
    pub(crate) fn of(fleet: &Fleet, tasks: &[Arc<Task>], version: Version, now: Timestamp) -> Self {
        let mut standing = Self::none(fleet);
        for task in tasks {
            let Some(node) = task.node.and_then(|node| fleet.find(node)) else { continue };
            if task.is_wanted() && task.holds_resources() {
                standing.tasks[node] += 1;
            } else if is_recent_failure(task, version, now) {
                standing.failures[node] += 1;
            }
        }
        standing
    }

    /// The sum of the affinities that a node meets.
    pub(super) fn affinity(&self, node: usize) -> i32 {
        self.affinities.at(node, self.tasks[node])
    }

    /// What ranks first: zero until the failures are many.
    pub(super) fn malus(&self, node: usize) -> u32 {
        if self.failures[node] < MANY { 0 } else { self.failures[node] }
    }
}

/// By the leader's clock, not the node's.
fn is_recent_failure(task: &Task, version: Version, now: Timestamp) -> bool {
    matches!(task.status.state, TaskState::Failed | TaskState::Rejected)
        && task.spec_version == version
        && now.since(task.meta.updated) < MEMORY
}
