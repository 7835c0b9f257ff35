//! Wakes the sessions that an event concerns. As `dispatcher/routes.rs` of the manager.

use std::collections::BTreeSet;

use cluster_decide::network_view::{self, Concerned};
use cluster_state::Applied;
use cluster_types::{Change, Event, EventKind, NodeId, NodeState, NodeStatus, NodeStep, Object, Task, TaskState};

use crate::context::Context;
use crate::event::Stream;
use crate::manager::Manager;

impl Manager {
    /// Follows the events of an entry.
    pub(super) fn route(&mut self, applied: &Applied, context: &mut Context) {
        if applied.events.is_empty() {
            return;
        }
        let mut wake = BTreeSet::new();
        for event in &applied.events {
            match (&event.object, event.kind) {
                (Object::Task(task), kind) => wake.extend(concerned(task, event.before.as_ref(), kind)),
                (Object::Node(node), EventKind::Removed) => self.forget(node.id, context),
                (Object::Node(node), EventKind::Created | EventKind::Updated) => {
                    wake.insert(node.id);
                    self.correct(node.id, &node.status, context);
                }
                (Object::Cluster(_) | Object::Service(_) | Object::Network(_), _) => {}
            }
        }
        let all = self.shows(&applied.events, &mut wake);
        let Some(leader) = &self.leader else { return };
        let is_concerned = |node: &NodeId| all || wake.contains(node);
        let streams: Vec<Stream> =
            leader.sessions.iter().filter(|(_, session)| is_concerned(&session.node)).map(|(stream, _)| *stream).collect();
        streams.into_iter().for_each(|stream| self.wake_session(stream, context));
    }

    /// Adds the nodes whose network views may change. Whether it may be those of all nodes, or a task drains.
    fn shows(&self, events: &[Event], nodes: &mut BTreeSet<NodeId>) -> bool {
        let view = self.state.view();
        for event in events {
            match network_view::concerns(event, &view) {
                Concerned::All => return true,
                Concerned::Nodes(concerned) => nodes.extend(concerned),
            }
        }
        events.iter().any(is_draining)
    }

    /// A node that was called lost just as it came back: its open session says better.
    fn correct(&mut self, node: NodeId, status: &NodeStatus, context: &mut Context) {
        let has_session = self.leader.as_ref().is_some_and(|leader| leader.nodes.get(&node).is_some_and(|node| node.open.is_some()));
        if status.state == NodeState::Ready || !has_session {
            return;
        }
        let since = self.now(context);
        let status = NodeStatus { state: NodeState::Ready, message: "its session is open".to_owned(), since, ..status.clone() };
        self.report_node(Change::Node(node, NodeStep::Status(status)), context);
    }
}

fn is_draining(event: &Event) -> bool {
    match &event.object {
        Object::Task(task) => event.kind != EventKind::Removed && task.status.state == TaskState::Running && !task.is_wanted(),
        Object::Cluster(_) | Object::Node(_) | Object::Service(_) | Object::Network(_) => false,
    }
}

/// The node whose assignments a change of a task changes. A mere report changes none.
fn concerned(task: &Task, before: Option<&Object>, kind: EventKind) -> Option<NodeId> {
    let before = match before {
        Some(Object::Task(before)) if kind == EventKind::Updated => before,
        Some(_) | None => return task.node,
    };
    let assigned = |task: &Task| task.status.state >= TaskState::Assigned;
    let same = before.node == task.node && before.desired == task.desired && assigned(before) == assigned(task);
    if same { None } else { task.node }
}
