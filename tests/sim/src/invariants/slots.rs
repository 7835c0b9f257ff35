//! I8: a place has at most one task that is wanted running; two only while a start-first update replaces it, or while the second is to take
//! over from one that leaves its node: of a drained node, or moved by a rebalance.

use std::collections::{BTreeMap, BTreeSet};

use cluster_state::{Applied, View};
use cluster_types::{Availability, DesiredState, Node, NodeId, Object, ServiceId, Task, TaskId, UpdateOrder};

use super::Found;

/// Entries for which a plan may be under way that was made when a node was drained, though the node may be gone when it is applied.
const UNDER_WAY: u64 = 300;

/// A slot, or the node of a global service's task.
type Place = (ServiceId, u64, Option<NodeId>);

/// Who may have a second task beside it.
#[derive(Default)]
pub(super) struct Slots {
    /// When each node was drained last.
    drained: BTreeMap<NodeId, u64>,
    /// Tasks that were beside another one rightly: they may stay so until one ends, though the cause may be gone.
    pairs: BTreeMap<Place, BTreeSet<TaskId>>,
}

impl Slots {
    pub(super) fn follow(&mut self, applied: &Applied, view: &View) -> Found {
        let mut places = BTreeSet::new();
        for event in &applied.events {
            match &event.object {
                Object::Task(task) => drop(places.insert((task.service, task.slot, task.node.filter(|_| task.slot == 0)))),
                Object::Node(node) => self.note(node, event.before.as_ref(), applied.index.0),
                Object::Cluster(_) | Object::Service(_) | Object::Network(_) => {}
            }
        }
        places.into_iter().try_for_each(|place| self.judge(place, view))
    }

    fn note(&mut self, node: &Node, before: Option<&Object>, index: u64) {
        let is_drained = |node: &Node| node.spec.availability == Availability::Drain;
        if is_drained(node) || matches!(before, Some(Object::Node(before)) if is_drained(before)) {
            self.drained.insert(node.id, index);
        }
    }

    fn judge(&mut self, place: Place, view: &View) -> Found {
        let (service, slot, node) = place;
        let runs =
            |task: &&Task| task.desired == DesiredState::Running && !task.status.state.is_terminal() && (slot != 0 || task.node == node);
        let running: Vec<&Task> = view.tasks_of_slot(service, slot).map(|task| &**task).filter(runs).collect();
        let ids: BTreeSet<TaskId> = running.iter().map(|task| task.id).collect();
        if running.len() <= 1 {
            self.pairs.remove(&place);
            return Ok(());
        }
        let is_known = self.pairs.get(&place).is_some_and(|pair| ids.is_subset(pair));
        if running.len() == 2 && (is_known || starts_first(view, service) || running.iter().any(|task| self.leaves(view, task))) {
            self.pairs.insert(place, ids);
            return Ok(());
        }
        let words: Vec<String> = running.iter().map(|task| format!("{} ({})", task.id.short(), task.status.state)).collect();
        let (service, count) = (service.short(), running.len());
        Err(format!("slot {slot} of service {service} has {count} tasks that are to run: {}", words.join(", ")))
    }

    fn leaves(&self, view: &View, task: &Task) -> bool {
        let Some(node) = task.node else { return false };
        // It may have been removed since.
        let was_drained = self.drained.get(&node).is_some_and(|at| at + UNDER_WAY > view.index().0);
        let is_drained = view.node(node).is_some_and(|node| node.spec.availability == Availability::Drain);
        task.slot != 0 && (task.relocate || was_drained || is_drained)
    }
}

/// An update in either direction may start first.
fn starts_first(view: &View, service: ServiceId) -> bool {
    let Some(service) = view.service(service) else { return true };
    let starts_first =
        |spec: &cluster_types::ServiceSpec| spec.update.order == UpdateOrder::StartFirst || spec.rollback.order == UpdateOrder::StartFirst;
    service.history.iter().filter_map(|revision| view.spec(service.id, revision.spec_version)).any(|spec| starts_first(spec))
}
