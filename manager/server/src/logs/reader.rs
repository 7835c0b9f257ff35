//! The reader's side of the broker: asks the nodes, waits for them, ends when all is read or the reader goes away.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use cluster_api::pb;
use cluster_api::pb::manager_message::Item;
use cluster_raft::Feed;
use cluster_state::View;
use cluster_types::{NodeId, Object, ServiceId, Task, TaskId, TaskState};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{ANSWER, LINES, Subscription};
use crate::core::{Core, Term};

/// What a reader wants.
pub(crate) struct Wanted {
    /// Tasks that are there already.
    pub(crate) tasks: Vec<TaskId>,
    /// Their service, when its future tasks are wanted too.
    pub(crate) service: Option<ServiceId>,
    pub(crate) follow: bool,
    pub(crate) tail: Option<u64>,
    pub(crate) since_ms: Option<u64>,
}

/// Opens a reader. The lines of all tasks come as they come; those of one task in their order.
pub(crate) fn read(core: &Arc<Core>, term: Term, wanted: Wanted) -> Result<BoxStream<'static, Result<pb::LogsResponse, Status>>, Status> {
    let (lines, received) = mpsc::channel(LINES);
    let id = cluster_types::RequestId::from_bits(rand::random()).to_string();
    let subscription = Arc::new(Subscription { id, lines, nodes: Mutex::default(), changed: Notify::new() });
    core.logs.add(&subscription)?;
    tokio::spawn(Reader { core: Arc::clone(core), term, subscription, wanted }.run());
    Ok(ReceiverStream::new(received).boxed())
}

struct Reader {
    core: Arc<Core>,
    term: Term,
    subscription: Arc<Subscription>,
    wanted: Wanted,
}

impl Reader {
    async fn run(self) {
        tokio::select! {
            () = self.subscription.lines.closed() => {},
            () = self.term.ended.cancelled() => drop(self.subscription.lines.send(Err(self.core.not_leading())).await),
            () = self.collect() => {},
        }
        self.core.logs.remove(&self.subscription.id);
        let asked = std::mem::take(&mut *self.subscription.nodes());
        for (node, asked) in asked {
            let Some(session) = self.core.sessions.of(node) else { continue };
            for (request, _) in asked.requests.into_iter().filter(|(_, done)| !done) {
                session.send(Item::LogsDone(request));
            }
        }
    }

    /// Asks the nodes, and those of new tasks when following; returns when nothing more can come.
    async fn collect(&self) {
        let (view, mut feed) = self.core.raft.subscribe();
        let comes_later = |task: &Arc<Task>| self.wanted.follow && self.wanted.service.is_some() && !has_container(task);
        let tasks = self.wanted.tasks.iter().filter_map(|id| view.task(*id).cloned());
        let tasks: Vec<Arc<Task>> = tasks.filter(|task| !comes_later(task)).collect();
        self.ask(&view, &tasks).await;
        let patience = tokio::time::sleep(ANSWER);
        tokio::pin!(patience);
        let mut waiting = true;
        loop {
            if !self.wanted.follow && self.subscription.is_done() {
                return;
            }
            tokio::select! {
                () = self.subscription.changed.notified() => {},
                () = &mut patience, if waiting => {
                    waiting = false;
                    self.name_silent().await;
                }
                message = feed.next(), if self.wanted.follow => match message {
                    Some(message) => self.follow(message).await,
                    None => return,
                },
            }
        }
    }

    /// Asks the nodes of tasks for their logs.
    async fn ask(&self, view: &View, tasks: &[Arc<Task>]) {
        let mut nodes: BTreeMap<NodeId, Vec<TaskId>> = BTreeMap::new();
        for task in tasks {
            if let Some(node) = task.node {
                nodes.entry(node).or_default().push(task.id);
            }
        }
        for (node, tasks) in nodes {
            let Some((request, new)) = self.subscription.ask(node, tasks) else { continue };
            if !self.send(node, request, &new) {
                self.subscription.give_up(node);
                self.subscription.notice(name(view, node), "the node is not connected: its lines are missing").await;
            }
        }
    }

    fn send(&self, node: NodeId, subscription: String, tasks: &[TaskId]) -> bool {
        let wanted = pb::LogsWanted {
            subscription,
            tasks: tasks.iter().map(ToString::to_string).collect(),
            follow: self.wanted.follow,
            tail: self.wanted.tail,
            since_ms: self.wanted.since_ms,
        };
        self.core.sessions.of(node).is_some_and(|session| session.send(Item::LogsWanted(wanted)))
    }

    async fn name_silent(&self) {
        let view = self.core.raft.view();
        for node in self.subscription.silent() {
            self.subscription.give_up(node);
            let text = format!("the node did not answer within {} s: its lines are missing", ANSWER.as_secs());
            self.subscription.notice(name(&view, node), text).await;
        }
    }

    /// New tasks of the followed service, once they have a container.
    async fn follow(&self, message: Feed) {
        let view = self.core.raft.view();
        let tasks: Vec<Arc<Task>> = match message {
            Feed::Applied(applied) => applied.events.iter().filter_map(|event| self.followed(&event.object)).collect(),
            Feed::Resync => self.wanted.service.into_iter().flat_map(|id| view.tasks_of_service(id)).cloned().collect(),
        };
        self.ask(&view, &tasks).await;
    }

    fn followed(&self, object: &Object) -> Option<Arc<Task>> {
        match object {
            Object::Task(task) if Some(task.service) == self.wanted.service && has_container(task) => Some(Arc::clone(task)),
            Object::Task(_) | Object::Service(_) | Object::Node(_) | Object::Cluster(_) | Object::Network(_) => None,
        }
    }
}

/// Whether a task has, or had, a container that may have written something. A node that is asked sooner has nothing to answer.
fn has_container(task: &Task) -> bool {
    let state = task.status.state;
    state == TaskState::Running || (state.is_terminal() && task.status.container.is_some())
}

/// A node as its users call it.
fn name(view: &View, node: NodeId) -> String {
    view.node(node).map_or_else(|| node.short(), |node| node.description.hostname.clone())
}
