//! What a node says of its tasks and of its data path, on its way into the log.

use cluster_api::pb;
use cluster_types::limits::{ERROR_BYTES, OUTPUT_BYTES, PROBE_BYTES};
use cluster_types::{Change, NodeNetwork, NodeStep, TaskId, TaskStatus};

use super::Session;

/// Most ports that a node may say are not open.
const CONFLICTS: usize = 1_024;

impl Session {
    /// Statuses of the node's own tasks go to the log; others are dropped (failures H5), and acknowledged so that they do not come again.
    pub(super) fn report(&mut self, report: pb::Report) {
        self.received += report.tasks.len() as u64;
        let view = self.core.raft.view();
        let mut statuses = Vec::with_capacity(report.tasks.len());
        for report in report.tasks {
            match read(report) {
                Ok((id, status)) if view.task(id).is_some_and(|task| task.node == Some(self.handle.node)) => statuses.push((id, status)),
                Ok((id, _)) => tracing::debug!(node = %self.handle.node, task = %id, "reported a task that is not, or no longer, its own"),
                Err(error) => tracing::warn!(node = %self.handle.node, %error, "sent a report that cannot be read"),
            }
        }
        self.core.reports.tasks(&self.handle, statuses, self.received);
    }

    /// What a node says of its data path goes to the log when it is news.
    pub(super) fn describe_network(&mut self, network: pb::NodeNetwork) {
        let node = self.handle.node;
        let mut network = match NodeNetwork::try_from(network) {
            Ok(network) => network,
            Err(error) => return tracing::warn!(%node, %error, "described its data path in words that cannot be read"),
        };
        network.conflicts.truncate(CONFLICTS);
        for text in network.trouble.iter_mut().chain(&mut network.repaired) {
            cut(text, ERROR_BYTES);
        }
        // The last one may not be in the state yet.
        let view = self.core.raft.view();
        let known = self.described.as_ref().or_else(|| view.node(node).map(|node| &node.network));
        if known != Some(&network) {
            self.core.reports.node(Change::Node(node, NodeStep::Network(network.clone())));
        }
        self.described = Some(network);
    }
}

/// A status as a node sends it. Its words are cut to what the state keeps.
fn read(report: pb::TaskReport) -> Result<(TaskId, TaskStatus), cluster_api::FieldError> {
    let missing = |field: &str| cluster_api::FieldError::new(field, "is missing");
    let task =
        report.task.parse().map_err(|error: cluster_types::id::InvalidId| cluster_api::FieldError::new("task", error.to_string()))?;
    let mut status = TaskStatus::try_from(report.status.ok_or_else(|| missing("status"))?)?;
    cut(&mut status.message, ERROR_BYTES);
    let probe = status.health.as_mut().map(|health| (&mut health.output, PROBE_BYTES));
    let error = status.error.as_mut().map(|text| (text, ERROR_BYTES));
    let output = status.output.as_mut().map(|text| (text, OUTPUT_BYTES));
    for (text, most) in [probe, error, output].into_iter().flatten() {
        cut(text, most);
    }
    Ok((task, status))
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
    }
}
