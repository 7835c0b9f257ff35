//! The nodes' side of the broker: the streams in which they publish lines.
//!
//! A node may publish only what it was asked for, and only of tasks that are its own (failures H6).

use std::sync::Arc;

use cluster_api::pb;
use cluster_api::pb::logs_response::Item;
use cluster_types::{NodeId, TaskId};
use tonic::{Status, Streaming};

use super::{Broker, Subscription};
use crate::core::Core;

impl Broker {
    /// Takes a node's lines until it has no more or the reader is gone.
    pub(crate) async fn publish(&self, core: &Core, node: NodeId, mut lines: Streaming<pb::PublishLogsRequest>) -> Result<(), Status> {
        let Some(first) = lines.message().await? else { return Ok(()) };
        let request = first.subscription.clone();
        let Some(subscription) = self.of_request(&request).filter(|subscription| subscription.begins(node, &request)) else {
            return Err(Status::not_found("nobody reads these logs, or not from this node"));
        };
        let open = Open { subscription, node, request };
        let subscription = &open.subscription;
        let mut next = Some(first);
        while let Some(message) = next {
            if message.subscription != open.request {
                return Err(Status::invalid_argument("one stream answers one request"));
            }
            if !pass_on(core, subscription, node, message).await? {
                return Ok(());
            }
            next = tokio::select! {
                () = subscription.lines.closed() => return Ok(()),
                message = lines.message() => message?,
            };
        }
        Ok(())
    }
}

/// Passes a message on. Whether the reader is still there.
async fn pass_on(core: &Core, subscription: &Subscription, node: NodeId, message: pb::PublishLogsRequest) -> Result<bool, Status> {
    let view = core.raft.view();
    let own = |task: &str| -> Result<TaskId, Status> {
        let id: Option<TaskId> = task.parse().ok();
        let own = id.filter(|id| subscription.was_asked(node, *id) && view.task(*id).is_none_or(|task| task.node == Some(node)));
        own.ok_or_else(|| Status::permission_denied("a node publishes the logs of its own tasks, and only those it was asked for"))
    };
    let hostname = view.node(node).map(|node| node.description.hostname.clone()).unwrap_or_default();
    let name = |id: TaskId| view.task(id).and_then(|task| Some(task.name(&view.spec_of(task)?.name))).unwrap_or_default();
    for line in message.lines {
        let id = own(&line.task)?;
        let pb::PublishedLine { task, at_ns, stderr, text, partial } = line;
        let (node, node_hostname, task_name) = (node.to_string(), hostname.clone(), name(id));
        if !subscription.tell(Item::Line(pb::LogLine { task, task_name, node, node_hostname, at_ns, stderr, text, partial })).await {
            return Ok(false);
        }
    }
    for notice in message.notices {
        let name = name(own(&notice.task)?);
        if !subscription.notice(hostname.clone(), format!("{name}: {}", notice.text)).await {
            return Ok(false);
        }
    }
    Ok(true)
}

/// An answer while its stream is open.
struct Open {
    subscription: Arc<Subscription>,
    node: NodeId,
    request: String,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.subscription.ends(self.node, &self.request);
    }
}
