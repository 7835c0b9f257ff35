//! One session: what its agent was told so far, and a look at the state that finds what is new for it.

use std::collections::{BTreeMap, BTreeSet};

use cluster_decide::admission::Arrival;
use cluster_decide::assignment::{self, Assignments};
use cluster_decide::drain;
use cluster_decide::network_view::{self, Fabric};
use cluster_decide::progress::Progress;
use cluster_state::View;
use cluster_types::{NodeId, SessionStamp, TaskId, TaskState, Timestamp, Version, ViewItems, ViewKey};

use crate::context::Context;
use crate::event::Stream;
use crate::link::DownItem;
use crate::manager::Manager;

/// See the module.
pub(super) struct Session {
    pub(super) node: NodeId,
    pub(super) arrival: Arrival,
    pub(super) stamp: SessionStamp,
    pub(super) heard: Timestamp,
    sent: Assignments,
    began: bool,
    pub(super) shown: Shown,
    pub(super) progress: Progress,
    pub(super) received: u64,
    pub(super) committed: u64,
    pub(super) is_woken: bool,
}

/// What the node was shown.
#[derive(Default)]
pub(super) struct Shown {
    items: ViewItems,
    looked: Option<Version>,
    /// When tasks are held back no longer, whatever the nodes say.
    pub(super) due: Option<Timestamp>,
}

impl Session {
    pub(super) fn new(node: NodeId, arrival: Arrival, stamp: SessionStamp, heard: Timestamp) -> Self {
        Self {
            node,
            arrival,
            stamp,
            heard,
            sent: Assignments::new(),
            began: false,
            shown: Shown::default(),
            progress: Progress::default(),
            received: 0,
            committed: 0,
            is_woken: false,
        }
    }

    /// Whether the networks of a new task are in what the node was shown.
    fn shows_networks(&self, assignment: &cluster_types::TaskAssignment) -> bool {
        let is_shown = |has: &cluster_types::TaskAddress| self.shown.items.contains_key(&ViewKey::Network(has.network));
        !self.shown.items.contains_key(&ViewKey::Own) || assignment.addresses.iter().all(is_shown)
    }
}

impl Manager {
    /// Looks at the node and its tasks, and sends what is new: first what the network is, then what is to run in it.
    pub(crate) fn look(&mut self, stream: Stream, context: &mut Context) {
        let (now, grace, view) = (self.now(context), self.grace(), self.state.view());
        let Some(leader) = &mut self.leader else { return };
        let Some(session) = leader.sessions.get_mut(&stream) else { return };
        session.is_woken = false;
        let node = session.node;
        if view.node(node).is_none() {
            context.say_down(stream, session.stamp, DownItem::Removed);
            return self.forget(node, context);
        }
        leader.follow(&view);
        self.show(stream, &view, context);
        let Some(leader) = &mut self.leader else { return };
        let held = leader.held(stream, node, &view, (now, grace));
        let Some(session) = leader.sessions.get_mut(&stream) else { return };
        let mut wanted = assignment::wanted(&view, node, &held);
        let (began, sent) = (session.began, std::mem::take(&mut session.sent));
        wanted.retain(|task, assignment| !began || sent.contains_key(task) || session.shows_networks(assignment));
        let diff = if began { assignment::diff(&sent, &wanted) } else { assignment::full(&wanted) };
        session.began = true;
        session.sent = wanted;
        if !diff.full && diff.put.is_empty() && diff.remove.is_empty() {
            return;
        }
        session.stamp.sequence += 1;
        let stamp = session.stamp;
        context.watch.assigned(node, &diff, &view, (now, grace));
        context.say_down(stream, stamp, DownItem::Assignments(diff));
    }

    /// Sends the network view, or what changed in it.
    fn show(&mut self, stream: Stream, view: &View, context: &mut Context) {
        let Some(leader) = &mut self.leader else { return };
        let Some((fabric, index)) = &leader.fabric else { return };
        let Some(session) = leader.sessions.get_mut(&stream) else { return };
        let index = *index;
        if session.shown.looked.is_some_and(|looked| index <= looked) {
            return;
        }
        let wanted = fabric.wanted(view, session.node);
        let diff = match session.shown.looked {
            Some(_) => network_view::diff(&session.shown.items, &wanted, index),
            None => network_view::full(&wanted, index),
        };
        session.shown.items = wanted;
        session.shown.looked = Some(index);
        let sends = diff.full || !diff.put.is_empty() || !diff.remove.is_empty();
        let before = session.progress.applied();
        session.progress.look(index, sends);
        let is_further = session.progress.applied() > before;
        if sends {
            context.say_down(stream, session.stamp, DownItem::Network(diff));
        }
        if is_further {
            self.wake_holding(context);
        }
    }
}

impl super::Leader {
    /// The fabric takes in what was noted.
    fn follow(&mut self, view: &View) {
        let noted = std::mem::take(&mut self.noted);
        match &mut self.fabric {
            None => self.fabric = Some((Fabric::of(view), view.index())),
            Some((fabric, index)) => {
                if !noted.is_empty() {
                    fabric.follow(view, &noted);
                }
                *index = (*index).max(self.noted_index);
            }
        }
    }

    /// The node's tasks that are not told yet to stop.
    fn held(&mut self, stream: Stream, node: NodeId, view: &View, (now, grace): (Timestamp, std::time::Duration)) -> BTreeSet<TaskId> {
        let drains = view.tasks_on_node(node).any(|task| task.status.state == TaskState::Running && !task.is_wanted());
        if !drains {
            self.holding.remove(&stream);
            if let Some(session) = self.sessions.get_mut(&stream) {
                session.shown.due = None;
            }
            return BTreeSet::new();
        }
        let applied: BTreeMap<NodeId, Version> = self.sessions.values().map(|session| (session.node, session.progress.applied())).collect();
        self.holding.insert(stream, applied.values().min().copied().unwrap_or_default());
        let (held, due) = drain::held(view, node, &applied, now, grace);
        if held.is_empty() {
            self.holding.remove(&stream);
        }
        if let Some(session) = self.sessions.get_mut(&stream) {
            session.shown.due = due.filter(|_| !held.is_empty());
        }
        held
    }
}
