//! The log broker: joins readers of logs with the nodes that have the containers. Logs pass through the leader's memory and nowhere else.
//!
//! Every queue is bounded: a slow reader slows the nodes' streams down, never a container. A node without a session, or that does not
//! answer in time, is named in a notice; the others' lines come (failures E16, E17).

mod publish;
mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster_api::pb;
use cluster_types::{NodeId, TaskId};
use tokio::sync::{Notify, mpsc};
use tonic::Status;

pub(crate) use reader::{Wanted, read};

/// Lines that wait for one reader.
const LINES: usize = 256;
/// Readers at the same time.
const READERS: usize = 1_000;
/// From the request to a node's first answer.
const ANSWER: Duration = Duration::from_secs(2);

/// All readers of logs on this manager.
#[derive(Default)]
pub(crate) struct Broker {
    subscriptions: Mutex<BTreeMap<String, Arc<Subscription>>>,
}

/// One reader.
pub(crate) struct Subscription {
    id: String,
    lines: mpsc::Sender<Result<pb::LogsResponse, Status>>,
    nodes: Mutex<BTreeMap<NodeId, Asked>>,
    changed: Notify,
}

/// What a node was asked for, and how far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    tasks: BTreeSet<TaskId>,
    /// Requests that were sent to it, and whether each was answered in full.
    requests: BTreeMap<String, bool>,
    /// Whether it has answered at all.
    answered: bool,
    /// It does not answer, or its stream broke: nothing more is expected.
    given_up: bool,
}

impl Asked {
    /// Whether all its lines have come, as far as is known.
    fn is_done(&self) -> bool {
        self.given_up || self.requests.values().all(|done| *done)
    }
}

impl Broker {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Subscription>>> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, subscription: &Arc<Subscription>) -> Result<(), Status> {
        let mut subscriptions = self.lock();
        if subscriptions.len() >= READERS {
            return Err(Status::resource_exhausted(format!("{READERS} readers of logs are open already; close some and try again")));
        }
        subscriptions.insert(subscription.id.clone(), Arc::clone(subscription));
        Ok(())
    }

    fn remove(&self, id: &str) {
        self.lock().remove(id);
    }

    /// The subscription that a request to a node is of.
    fn of_request(&self, request: &str) -> Option<Arc<Subscription>> {
        let (id, _) = request.split_once('.')?;
        self.lock().get(id).cloned()
    }
}

impl Subscription {
    fn nodes(&self) -> MutexGuard<'_, BTreeMap<NodeId, Asked>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a node is asked for tasks. Gives those that it was not asked for before, and the id of the request: an agent answers
    /// each id once.
    fn ask(&self, node: NodeId, tasks: impl IntoIterator<Item = TaskId>) -> Option<(String, Vec<TaskId>)> {
        let mut nodes = self.nodes();
        let asked = nodes.entry(node).or_default();
        let new: Vec<TaskId> = tasks.into_iter().filter(|task| asked.tasks.insert(*task)).collect();
        if new.is_empty() {
            return None;
        }
        let request = format!("{}.{}", self.id, asked.requests.len());
        asked.requests.insert(request.clone(), false);
        Some((request, new))
    }

    /// Nothing more is expected of a node.
    fn give_up(&self, node: NodeId) {
        self.nodes().entry(node).or_default().given_up = true;
        self.changed.notify_one();
    }

    /// A node begins to answer a request. Whether it was asked.
    fn begins(&self, node: NodeId, request: &str) -> bool {
        let mut nodes = self.nodes();
        let Some(asked) = nodes.get_mut(&node) else { return false };
        asked.answered |= asked.requests.contains_key(request);
        asked.requests.contains_key(request)
    }

    /// A node's answer to a request has ended, in full or not.
    fn ends(&self, node: NodeId, request: &str) {
        if let Some(done) = self.nodes().get_mut(&node).and_then(|asked| asked.requests.get_mut(request)) {
            *done = true;
        }
        self.changed.notify_one();
    }

    fn was_asked(&self, node: NodeId, task: TaskId) -> bool {
        self.nodes().get(&node).is_some_and(|asked| asked.tasks.contains(&task))
    }

    fn is_done(&self) -> bool {
        self.nodes().values().all(Asked::is_done)
    }

    /// The nodes that were asked and have not answered at all.
    fn silent(&self) -> Vec<NodeId> {
        self.nodes().iter().filter(|(_, asked)| !asked.answered && !asked.is_done()).map(|(node, _)| *node).collect()
    }

    /// Passes something on to the reader, and waits while it is slow. Whether it is still there.
    async fn tell(&self, item: pb::logs_response::Item) -> bool {
        self.lines.send(Ok(pb::LogsResponse { item: Some(item) })).await.is_ok()
    }

    async fn notice(&self, node: String, text: impl Into<String>) -> bool {
        self.tell(pb::logs_response::Item::Notice(pb::LogNotice { node, text: text.into() })).await
    }
}
