//! Of our own: a task that takes traffic is told to stop only when no node that could send it any still has it in its view, or the time for
//! that is over.

use std::net::Ipv4Addr;
use std::time::Duration;

use cluster_state::View;
use cluster_types::{AssignmentDiff, DesiredState, NodeId, NodeState, TaskId, TaskState, Timestamp};

/// A task that was told to stop, and who must not send it traffic any more.
pub(crate) struct Told {
    pub(crate) task: TaskId,
    pub(crate) addresses: Vec<Ipv4Addr>,
    pub(crate) senders: Vec<NodeId>,
}

/// What leaders have told in this step.
#[derive(Default)]
pub(super) struct Drains(Vec<Told>);

impl Drains {
    pub(super) fn told(&mut self, node: NodeId, diff: &AssignmentDiff, view: &View, (now, grace): (Timestamp, Duration)) {
        if view.node(node).is_none_or(|node| node.status.state == NodeState::Down) {
            return;
        }
        for assignment in diff.put.iter().filter(|assignment| assignment.desired > DesiredState::Running) {
            let Some(task) = view.task(assignment.task) else { continue };
            let at = task.meta.updated;
            let is_recent = now < at.plus(grace) && at <= now.plus(grace);
            if task.status.state != TaskState::Running || task.desired <= DesiredState::Running || !is_recent {
                continue;
            }
            let sends = |state| matches!(state, NodeState::Ready | NodeState::Disconnected);
            self.0.push(Told {
                task: task.id,
                addresses: task.addresses.iter().map(|has| has.address).collect(),
                senders: view.nodes().filter(|node| sends(node.status.state)).map(|node| node.id).collect(),
            });
        }
    }

    pub(super) fn take(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.0)
    }
}
