//! Of our own: the record of a task goes only when nothing of it can run on a node that is there, and a restart is not before its time.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster_state::{Applied, View};
use cluster_types::{DesiredState, Entry, Event, EventKind, NodeId, NodeState, Object, TaskState};

use super::Found;

/// Entries for which a plan may be under way that was made when a node was down.
const UNDER_WAY: u64 = 300;

/// A restart that is further away than this and any delay is by the stamp of a leader whose clock was wrong: it is promised to come sooner.
const CLOCKS_APART: Duration = Duration::from_secs(60);

/// When each node was down last.
#[derive(Default)]
pub(super) struct Removals(BTreeMap<NodeId, u64>);

impl Removals {
    pub(super) fn follow(&mut self, applied: &Applied, entry: &Entry, view: &View) -> Found {
        for event in &applied.events {
            if let Some(Object::Node(before)) = &event.before
                && before.status.state == NodeState::Down
            {
                self.0.insert(before.id, applied.index.0);
            }
            self.judge(event, entry, view)?;
        }
        Ok(())
    }

    fn judge(&self, event: &Event, entry: &Entry, view: &View) -> Found {
        match (&event.object, &event.before, event.kind) {
            (Object::Task(task), _, EventKind::Removed) => {
                let placed = task.status.state >= TaskState::Assigned && !task.status.state.is_terminal();
                let node = task.node.and_then(|node| view.node(node));
                let is_there = node.is_some_and(|node| node.status.state != NodeState::Down);
                let was_down = task.node.and_then(|node| self.0.get(&node)).is_some_and(|at| at + UNDER_WAY > event.index.0);
                if placed && is_there && !was_down {
                    return Err(format!("the record of task {} goes, which is {}", task.id.short(), task.status.state));
                }
            }
            (Object::Task(task), Some(Object::Task(before)), EventKind::Updated) => {
                let early = before.not_before.is_some_and(|at| at > entry.at && at.since(entry.at) <= CLOCKS_APART);
                if early && task.desired == DesiredState::Running {
                    return Err(format!("task {} is to run before its restart delay is over", task.id.short()));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
