//! The places of one run of a job, as they are now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cluster_types::{JobStatus, Node, Service, Task, TaskState};

use crate::constraint;
use crate::draft::Draft;
use crate::slots::{Place, Slot};
use crate::{restart, stopping};

/// What is known of the places that are not in the books.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Those whose task completed.
    pub(super) completed: BTreeSet<Place>,
    /// Those whose task failed for good.
    pub(super) failed: BTreeSet<Place>,
    /// Those with a task that is to complete.
    pub(super) busy: BTreeSet<Place>,
    /// Those with a task that was told to stop and may still run.
    lingering: BTreeSet<Place>,
    /// How often the last task of a place had failed.
    failures: BTreeMap<Place, u32>,
}

impl Survey {
    /// After restart has had its turn: what ended and has no successor has failed for good.
    pub(super) fn of(draft: &mut Draft<'_>, service: &Service, status: &JobStatus) -> Self {
        let mut survey = Self::default();
        let slots = draft.slots(service.id);
        for slot in slots.iter() {
            survey.add(draft, service, status, slot);
        }
        survey
    }

    /// How many places have something that runs or is going to.
    pub(super) fn at_work(&self) -> u64 {
        count(self.busy.union(&self.lingering))
    }

    /// Whether a place has had its last task.
    pub(super) fn has_ended(&self) -> bool {
        !self.completed.is_empty() || !self.failed.is_empty()
    }

    /// Whether a place needs no task: it has one, or had its last.
    pub(super) fn knows(&self, place: Place) -> bool {
        [&self.completed, &self.failed, &self.busy, &self.lingering].iter().any(|places| places.contains(&place))
    }

    /// How many failures in a row a new task of a place inherits.
    pub(super) fn failures(&self, place: Place) -> u32 {
        self.failures.get(&place).copied().unwrap_or(0)
    }

    fn add(&mut self, draft: &mut Draft<'_>, service: &Service, status: &JobStatus, slot: Slot<'_>) {
        let place = slot.place();
        let told = slot.0.iter().filter(|task| !task.is_wanted());
        if let Some(limit) = told.filter_map(|task| stopping::waited_for(draft, task)).min() {
            draft.wake(limit, service.id);
            self.lingering.insert(place);
        }
        let of_run = |task: &&Arc<Task>| task.iteration == status.iteration;
        if let Some(newest) = slot.0.iter().rfind(of_run) {
            self.failures.insert(place, newest.failures);
        }
        let Some(last) = slot.wanted().rfind(of_run).filter(|_| !status.settled.contains(place.slot)) else { return };
        if slot.wanted().filter(of_run).any(|task| task.status.state == TaskState::Complete) {
            self.completed.insert(place);
        } else if !last.status.state.is_terminal() || restart::waits_until(service, last, draft.now).is_some() {
            self.busy.insert(place);
        } else if is_open(draft, service, place) {
            self.failed.insert(place);
        }
    }
}

/// Whether a place could have another task. A node that is closed or away may be asked again when it is back.
fn is_open(draft: &Draft<'_>, service: &Service, place: Place) -> bool {
    let takes = |node: &Arc<Node>| node.takes_tasks() && constraint::belongs(node, &service.spec.task.placement);
    place.node.is_none_or(|node| draft.node(node).is_some_and(takes))
}

pub(super) fn count<T>(places: impl Iterator<Item = T>) -> u64 {
    u64::try_from(places.count()).unwrap_or(u64::MAX)
}
