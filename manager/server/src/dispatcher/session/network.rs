//! The network view of a session's node: always sent before the assignments of the same look, so that a container finds its network. And
//! the drain: a task is told to stop only when no node sends it new connections any more.

use std::collections::BTreeSet;

use cluster_api::pb::manager_message::Item;
use cluster_decide::{drain, network_view};
use cluster_state::View;
use cluster_types::{TaskAddress, TaskAssignment, TaskId, TaskState, Timestamp, Version, ViewItems, ViewKey};

use super::{Ended, Session};
use crate::dispatcher::looks::Look;
use crate::dispatcher::pieces;

/// What the node was shown.
#[derive(Default)]
pub(super) struct Shown {
    items: ViewItems,
    /// The entry up to which it was looked at; none at the beginning: the first view is a full one, even when it is empty.
    looked: Option<Version>,
    /// When tasks are held back no longer, whatever the nodes say.
    due: Option<Timestamp>,
}

impl Session {
    /// Sends the network view, or what changed in it.
    pub(super) async fn show(&mut self, look: &Look) -> Ended {
        let index = look.index;
        // Versions only grow. What the view has more than this version was not noted yet, and wakes the session when it is.
        if self.shown.looked.is_some_and(|looked| index <= looked) {
            return Ok(());
        }
        let wanted = look.fabric.wanted(&look.view, self.handle.node);
        let diff = match self.shown.looked {
            Some(_) => network_view::diff(&self.shown.items, &wanted, index),
            None => network_view::full(&wanted, index),
        };
        self.shown.items = wanted;
        self.shown.looked = Some(index);
        let pieces = pieces::network(&diff);
        // Before anything is sent: the acknowledgement may be fast.
        if self.handle.progress(|progress| progress.look(index, !pieces.is_empty())) {
            self.core.sessions.applied();
        }
        for piece in pieces {
            self.send(Item::Network(piece)).await?;
        }
        Ok(())
    }

    /// Whether the networks of a new task are in what the node was shown. The rare one that is newer comes with the next look. A node without
    /// a number is shown none.
    pub(super) fn shows_networks(&self, assignment: &TaskAssignment) -> bool {
        let is_shown = |has: &TaskAddress| self.shown.items.contains_key(&ViewKey::Network(has.network));
        !self.shown.items.contains_key(&ViewKey::Own) || assignment.addresses.iter().all(is_shown)
    }

    /// The node applied the view of a version.
    pub(super) fn applied(&self, version: Version) {
        if self.handle.progress(|progress| progress.acknowledge(version)) {
            self.core.sessions.applied();
        }
    }

    /// The node's tasks that are not told yet to stop. While there are any, the session looks again when all nodes have applied a newer view,
    /// and when their time is up.
    pub(super) fn held(&mut self, view: &View) -> BTreeSet<TaskId> {
        let mut tasks = view.tasks_on_node(self.handle.node);
        if !tasks.any(|task| task.status.state == TaskState::Running && !task.is_wanted()) {
            self.shown.due = None;
            self.core.sessions.let_go(&self.handle);
            return BTreeSet::new();
        }
        let applied = self.core.sessions.hold(&self.handle);
        let (held, due) = drain::held(view, self.handle.node, &applied, self.core.clock.now(), self.grace());
        if held.is_empty() {
            self.core.sessions.let_go(&self.handle);
        }
        self.shown.due = due.filter(|_| !held.is_empty());
        held
    }

    /// Waits until the time of the tasks that are held back is up.
    pub(super) async fn due(&self) {
        match self.shown.due {
            Some(at) => tokio::time::sleep(at.since(self.core.clock.now())).await,
            None => std::future::pending().await,
        }
    }
}
