//! I11: an update takes on no more places at a time than it may, whoever leads: places whose healthy task it stopped, and that have no running
//! task of the new spec yet. So the service never has fewer running tasks than its replicas less those. A place whose failure was borne is none
//! of them, and past the progress deadline each that was waited for has failed: a leader tells by its own clock when that is. Jobs have no
//! rolling update: another spec ends the run of a job as a whole, and begins the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cluster_state::{Applied, View};
use cluster_types::{Availability, EventKind, NodeId, NodeState, Object, Service, ServiceId, Task, TaskState, Timestamp};

use super::Found;

/// A slot, or the node of a global service's task.
type Place = (u64, Option<NodeId>);

/// The places that updates have taken on.
#[derive(Default)]
pub(super) struct Updates {
    taken: BTreeMap<ServiceId, BTreeSet<Place>>,
    /// The most that the specs allowed since the places were taken.
    most: BTreeMap<ServiceId, u64>,
}

impl Updates {
    pub(super) fn follow(&mut self, applied: &Applied, view: &View) -> Found {
        let mut services = BTreeSet::new();
        for event in &applied.events {
            match &event.object {
                Object::Task(task) => {
                    services.insert(task.service);
                    self.look_at(task, event.before.as_ref(), event.kind, view);
                }
                Object::Service(service) => {
                    services.insert(service.id);
                    self.give_up(service, event.before.as_ref(), view);
                }
                Object::Cluster(_) | Object::Node(_) | Object::Network(_) => {}
            }
        }
        services.into_iter().try_for_each(|service| self.judge(service, view))
    }

    fn look_at(&mut self, task: &Task, before: Option<&Object>, kind: EventKind, view: &View) {
        let Some(service) = view.service(task.service).filter(|service| !service.spec.mode.is_job()) else { return };
        let place = (task.slot, task.node.filter(|_| task.slot == 0));
        let was_wanted = matches!(before, Some(Object::Task(before)) if before.is_wanted());
        let is_stopped = kind == EventKind::Updated && was_wanted && !task.is_wanted();
        let is_stale = view.spec_of(task).is_some_and(|spec| spec.task.container != service.spec.task.container);
        if is_stopped && is_stale && task.status.state == TaskState::Running && is_good(view, task) {
            self.taken.entry(task.service).or_default().insert(place);
        }
    }

    /// Only what was waited for at that moment is given up: places with a task of the update, or on a closed node, with one that it overtook.
    fn give_up(&mut self, service: &Service, before: Option<&Object>, view: &View) {
        let given_up = |service: &Service| service.update.as_ref().map(|update| update.given_up).unwrap_or_default();
        let was_given_up = matches!(before, Some(Object::Service(before)) if given_up(before) == given_up(service));
        if was_given_up || given_up(service) == Timestamp::default() {
            return;
        }
        let is_of_update = is_of_update(service, view);
        let is_closed = |node: NodeId| view.node(node).is_none_or(|node| !node.takes_tasks());
        let Some(taken) = self.taken.get_mut(&service.id) else { return };
        taken.retain(|(slot, node)| {
            let is_waited_for = |task: &Task| is_of_update(task) || node.is_some_and(is_closed);
            !wanted(view, service.id, (*slot, *node)).any(|task| is_waited_for(task))
        });
    }

    fn judge(&mut self, id: ServiceId, view: &View) -> Found {
        let Some(taken) = self.taken.get_mut(&id) else { return Ok(()) };
        let Some(service) = view.service(id) else {
            self.taken.remove(&id);
            self.most.remove(&id);
            return Ok(());
        };
        // A place is done when a task runs there that is to go on, or one of the update failed, which was borne, also before the service was
        // scaled or the like; it is none any more when nothing is wanted there.
        let is_of_update = is_of_update(service, view);
        taken.retain(|(slot, node)| {
            let mut wanted = wanted(view, id, (*slot, *node)).peekable();
            let tried = |task: &Arc<Task>| {
                let fails = matches!(task.status.state, TaskState::Failed | TaskState::Rejected | TaskState::Complete);
                fails && (*slot != 0 || task.node == *node) && is_of_update(task)
            };
            wanted.peek().is_some()
                && !wanted.any(|task| task.status.state >= TaskState::Running)
                && !view.tasks_of_slot(id, *slot).any(tried)
        });
        let parallelism = |spec: &cluster_types::ServiceSpec| {
            let of = |parallelism: u64| if parallelism == 0 { u64::MAX } else { parallelism };
            of(spec.update.parallelism).max(of(spec.rollback.parallelism))
        };
        let allowed =
            service.history.iter().filter_map(|revision| view.spec(id, revision.spec_version)).map(|spec| parallelism(spec)).max();
        let most = self.most.entry(id).or_default();
        *most = if taken.is_empty() { 0 } else { (*most).max(allowed.unwrap_or(u64::MAX)) };
        if taken.len() as u64 > *most {
            return Err(format!("an update of {} is at {} places at once: {most} are allowed", service.spec.name, taken.len()));
        }
        Ok(())
    }
}

/// The tasks of a place that are wanted.
fn wanted(view: &View, service: ServiceId, (slot, node): Place) -> impl Iterator<Item = &Arc<Task>> {
    view.tasks_of_slot(service, slot).filter(move |task| task.is_wanted() && (slot != 0 || task.node == node))
}

/// Whether a task is of the update that is under way, or was the last.
fn is_of_update(service: &Service, view: &View) -> impl Fn(&Task) -> bool {
    let base = service.update.as_ref().map_or(service.spec_version, |update| update.base);
    let is_alike = |task: &Task| view.spec_of(task).is_some_and(|spec| spec.task.container == service.spec.task.container);
    move |task| task.spec_version == service.spec_version || (task.spec_version > base && is_alike(task))
}

/// Whether nothing but an update stops what runs on the task's node.
fn is_good(view: &View, task: &Task) -> bool {
    let node = task.node.and_then(|node| view.node(node));
    let constraints = view.spec_of(task).map(|spec| &spec.task.placement.constraints);
    node.is_some_and(|node| {
        let fits = constraints.is_some_and(|constraints| cluster_decide::constraint::unmet(node, constraints).is_none());
        fits && node.status.state == NodeState::Ready && node.spec.availability == Availability::Active
    })
}
