//! Finds a node for each task that waits for one, and says why when there is none.
//!
//! A task is placed once and never moved. Tasks of the same service and spec are placed as one group: what they ask of a node is judged once
//! for each node, then a heap gives them out. It makes and ends no tasks.

mod demand;
mod explain;
mod fleet;
mod place;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cluster_state::View;
use cluster_types::{Change, NodeId, ServiceId, Task, TaskId, TaskState, TaskStep, Timestamp, Version};

use crate::Dirty;
use crate::draft::Draft;

pub use demand::{Demand, Refusal};
pub use fleet::{Fleet, Room};
pub use place::place;
pub use standing::Standing;

/// A task that waits is told a changed reason at most this often: amounts change with every task that comes or goes.
const EXPLAIN_AGAIN: Duration = Duration::from_secs(5);

/// What became of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The task.
    pub task: TaskId,
    /// Its node, or why there is none.
    pub outcome: Result<NodeId, Arc<str>>,
}

/// Places what waits among the services that changed and, if what is free changed or is about to, among those that found no room before.
pub(crate) fn step(draft: &mut Draft<'_>) {
    let mut services = draft.services_due();
    let about_to = services.iter().any(|service| draft.slots(*service).tasks().iter().any(|task| waits(task)));
    services.append(&mut draft.starved_due(about_to));
    for (task, decision) in decide(draft, &services) {
        match decision.outcome {
            Ok(node) => draft.push(Change::Task(task.id, TaskStep::Assign(node))),
            Err(reason) => refuse(draft, &task, &reason),
        }
    }
}

/// Places all tasks of a view that wait: the step without the rest of a pass, for benchmarks and for "what would happen".
#[must_use]
pub fn place_waiting(view: &View, now: Timestamp) -> Vec<Decision> {
    let dirty = Dirty::all();
    let mut draft = Draft::new(view, now, 0, &dirty);
    let services = draft.services_due();
    decide(&mut draft, &services).into_iter().map(|(_, decision)| decision).collect()
}

fn decide(draft: &mut Draft<'_>, services: &BTreeSet<ServiceId>) -> Vec<(Arc<Task>, Decision)> {
    let mut decisions = Vec::new();
    let mut fleet = None;
    for &service in services {
        let slots = draft.slots(service);
        for (_, group) in waiting(slots.tasks()) {
            let fleet = fleet.get_or_insert_with(|| Fleet::of(draft));
            decide_group(draft, fleet, slots.tasks(), group, &mut decisions);
        }
    }
    decisions
}

/// The tasks that wait for a node, by spec version: bound ones first, then by slot.
fn waiting(tasks: &[Arc<Task>]) -> BTreeMap<Version, Vec<Arc<Task>>> {
    let mut groups: BTreeMap<Version, Vec<Arc<Task>>> = BTreeMap::new();
    for task in tasks.iter().filter(|task| waits(task)) {
        groups.entry(task.spec_version).or_default().push(Arc::clone(task));
    }
    groups.values_mut().for_each(|group| group.sort_by_key(|task| (task.node.is_none(), task.slot, task.id)));
    groups
}

fn waits(task: &Task) -> bool {
    task.is_wanted() && task.status.state < TaskState::Assigned
}

fn decide_group(
    draft: &Draft<'_>,
    fleet: &mut Fleet,
    tasks: &[Arc<Task>],
    group: Vec<Arc<Task>>,
    decisions: &mut Vec<(Arc<Task>, Decision)>,
) {
    let Some(spec) = draft.spec_of(&group[0]).cloned() else { return };
    let demand = Demand::of(&spec);
    fleet.learn_ports(draft, &demand);
    let mut standing = Standing::of(fleet, tasks, group[0].spec_version, draft.now);
    let (bound, free): (Vec<_>, Vec<_>) = group.into_iter().partition(|task| task.node.is_some());
    for task in bound {
        let outcome = place::admit(fleet, &demand, &mut standing, task.node);
        decisions.push((Arc::clone(&task), Decision { task: task.id, outcome: outcome.map_err(Arc::from) }));
    }
    let mut places = place(fleet, &demand, &mut standing, free.len()).into_iter();
    let mut reason: Option<Arc<str>> = None;
    for task in free {
        let outcome =
            places.next().ok_or_else(|| Arc::clone(reason.get_or_insert_with(|| Arc::from(explain::refusals(fleet, &demand, &standing)))));
        decisions.push((Arc::clone(&task), Decision { task: task.id, outcome }));
    }
}

/// Tells the task why, unless it knows or was told another reason a moment ago.
fn refuse(draft: &mut Draft<'_>, task: &Task, reason: &str) {
    draft.starve(task.service);
    let told = task.status.error.as_deref();
    if told == Some(reason) {
        return;
    }
    let again = task.status.at.plus(EXPLAIN_AGAIN);
    if told.is_some() && draft.now < again {
        draft.wake(again, task.service);
    } else {
        draft.push(Change::Task(task.id, TaskStep::Explain(reason.to_owned())));
    }
}

#[cfg(test)]
mod tests;
