//! Watch: tells that something changed, and at which log index; the receiver lists again. Changes that come together are told once.

use std::sync::Arc;

use cluster_api::pb;
use cluster_raft::{Feed, Subscription};
use cluster_types::{Event, Object, ServiceId};
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use tonic::Status;

use super::reference;
use crate::core::{Core, Term};

/// A stream that begins with the present index and ends when this manager no longer leads.
pub(super) async fn open(
    core: &Arc<Core>,
    request: &pb::WatchRequest,
) -> Result<BoxStream<'static, Result<pb::WatchResponse, Status>>, Status> {
    let term = core.term().ok_or_else(|| core.not_leading())?;
    let fresh = core.read_current().await?;
    let service = match request.service.as_str() {
        "" => None,
        text => Some(reference::service(&fresh, text).map_err(Status::from)?.id),
    };
    let (view, feed) = core.raft.subscribe();
    let first = futures::stream::iter([Ok(pb::WatchResponse { index: view.index().0 })]);
    let watcher = Watcher { core: Arc::clone(core), term, feed, service };
    let changes = futures::stream::unfold(Some(watcher), async |watcher| watcher?.next().await);
    Ok(first.chain(changes).boxed())
}

struct Watcher {
    core: Arc<Core>,
    term: Term,
    feed: Subscription,
    /// None for everything.
    service: Option<ServiceId>,
}

type Step = Option<(Result<pb::WatchResponse, Status>, Option<Watcher>)>;

impl Watcher {
    /// The next change that matters, and the watcher again; the last message says that another manager leads.
    async fn next(mut self) -> Step {
        loop {
            let message = tokio::select! {
                () = self.term.ended.cancelled() => return Some((Err(self.core.not_leading()), None)),
                message = self.feed.next() => message?,
            };
            let mut matters = self.matters(&message);
            while let Some(message) = self.feed.next().now_or_never() {
                matters |= self.matters(&message?);
            }
            if matters {
                let index = self.core.raft.view().index().0;
                return Some((Ok(pb::WatchResponse { index }), Some(self)));
            }
        }
    }

    fn matters(&self, message: &Feed) -> bool {
        match message {
            Feed::Applied(applied) => self.service.is_none_or(|service| applied.events.iter().any(|event| concerns(event, service))),
            Feed::Resync => true,
        }
    }
}

fn concerns(event: &Event, id: ServiceId) -> bool {
    match &event.object {
        Object::Service(service) => service.id == id,
        Object::Task(task) => task.service == id,
        Object::Node(_) | Object::Cluster(_) | Object::Network(_) => false,
    }
}
