//! Judges how far a drain is: pure, from one look after the other. A task has moved when the node has nothing left of it.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster_types::{NodeId, TaskState};

use super::progress::{Step, Verdict};
use crate::failure::{Exit, Failure};
use crate::model::TaskView;
use crate::render::age::took;
use crate::render::row::task_error;

/// A node that is drained, as it was seen so far.
#[derive(Debug, Clone)]
pub(crate) struct Drain {
    node: NodeId,
    hostname: String,
    /// What was said of each place that had a task there; none once it has moved.
    places: BTreeMap<String, Option<String>>,
}

impl Drain {
    pub(crate) fn new(node: NodeId, hostname: &str) -> Self {
        Self { node, hostname: hostname.to_owned(), places: BTreeMap::new() }
    }

    /// A look at the tasks of the services that have, or had, tasks there; `stuck` says why some cannot move, by name.
    pub(crate) fn look(&mut self, tasks: &[TaskView], stuck: &BTreeMap<String, String>, elapsed: Duration) -> Step {
        let here = |view: &&TaskView| view.task.node == Some(self.node) && view.task.holds_resources();
        let left: BTreeMap<String, String> = tasks.iter().filter(here).map(|view| (view.name(), self.how(view, tasks, stuck))).collect();
        let mut lines = Vec::new();
        for (place, how) in &left {
            let before = self.places.insert(place.clone(), Some(how.clone()));
            if before.as_ref() != Some(&Some(how.clone())) {
                lines.push(format!("{place}: {how}"));
            }
        }
        for (place, how) in self.places.iter_mut().filter(|(place, _)| !left.contains_key(*place)) {
            if how.take().is_some() {
                lines.push(format!("{place}: {}", gone(place, tasks)));
            }
        }
        let (goal, left) = (self.places.len() as u64, left.len() as u64);
        let now = self.left().into_iter().next().unwrap_or_default();
        let verdict = if left == 0 { Verdict::Ended(self.end(goal, elapsed), Some(self.undo())) } else { Verdict::Going };
        Step { running: goal - left, goal, unit: "moved", lines, now, verdict, ..Step::default() }
    }

    /// What is still there, when the caller waits no longer.
    pub(crate) fn late(&self, elapsed: Duration) -> Failure {
        let left = self.left();
        let tasks = if left.len() == 1 { "1 task".to_owned() } else { format!("{} tasks", left.len()) };
        let failure = Failure::new("E0307", format!("{} still has {tasks} after {}", self.hostname, took(elapsed))).exit(Exit::Timeout);
        left.into_iter()
            .fold(failure, Failure::cause)
            .fix(format!("look again: cluster node drain {0}     or end it: cluster node update --availability active {0}", self.hostname))
            .note("The drain goes on: new tasks are not placed there.")
    }

    fn left(&self) -> Vec<String> {
        self.places.iter().filter_map(|(place, how)| Some(format!("{place}: {}", how.as_ref()?))).collect()
    }

    fn end(&self, moved: u64, elapsed: Duration) -> String {
        let tasks = if moved == 1 { "1 task has".to_owned() } else { format!("{moved} tasks have") };
        format!("{} is drained after {}: {tasks} left it", self.hostname, took(elapsed))
    }

    fn undo(&self) -> String {
        format!("let it take tasks again: cluster node update --availability active {}", self.hostname)
    }

    /// How a task of the node goes away.
    fn how(&self, view: &TaskView, tasks: &[TaskView], stuck: &BTreeMap<String, String>) -> String {
        let other = |other: &&TaskView| other.task.is_wanted() && other.task.node != Some(self.node) && is_of(other, view);
        let successor = tasks.iter().filter(other).max_by_key(|other| other.task.id);
        if let Some(reason) = stuck.get(&view.name()) {
            return format!("cannot move: {}", reason.lines().collect::<Vec<_>>().join("; "));
        }
        match successor {
            _ if view.task.slot == 0 => "stops: it runs once on each node".to_owned(),
            None if view.task.is_wanted() => "waits for its turn".to_owned(),
            None => "stops".to_owned(),
            Some(next) if next.task.status.state <= TaskState::Pending => match task_error(next) {
                error if error.is_empty() => "its replacement waits for a node".to_owned(),
                error => format!("cannot move: {}", error.lines().collect::<Vec<_>>().join("; ")),
            },
            Some(next) if next.task.status.is_serving() => format!("-> {}: stops here", next.node_hostname),
            Some(next) => format!("-> {}: {}", next.node_hostname, next.task.status.state),
        }
    }
}

/// Whether two tasks are of the same place of a service.
fn is_of(one: &TaskView, other: &TaskView) -> bool {
    (one.task.service, one.task.slot) == (other.task.service, other.task.slot)
}

/// Where a place is now.
fn gone(place: &str, tasks: &[TaskView]) -> String {
    let there = tasks.iter().filter(|view| view.name() == place && view.task.holds_resources()).max_by_key(|view| view.task.id);
    there.map_or_else(|| "stopped".to_owned(), |view| format!("moved to {}", view.node_hostname))
}
