//! Finds a node for each task that waits for one, and says why when there is none.
//!
//! With its node a task takes an address in each of its networks, and its generic resources. A task is placed once and never moved. Tasks
//! of the same service and spec are placed as one group: what they ask of a node is judged once for each node, then heaps give them out,
//! the best node first ([`rank`] says which that is). It makes and ends no tasks.

mod address;
mod affinity;
mod column;
mod demand;
mod explain;
mod fits;
mod fleet;
mod generic;
mod place;
mod rank;
mod remedy;
mod spread;
mod standing;
mod vacancy;
mod why;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cluster_state::View;
use cluster_types::{Change, GenericGrant, NodeId, Task, TaskId, TaskState, TaskStep, Timestamp, Version};

use self::address::{Addresses, Source};
use self::affinity::Affinities;
use self::place::Spot;
use crate::Dirty;
use crate::draft::Draft;

pub use demand::{Demand, Refusal};
pub use fits::fits_never;
pub use fleet::{Fleet, Room};
pub(crate) use generic::Kept;
pub use place::place;
pub use standing::Standing;
pub use why::{Level, Row, Score, Subject, Table, Verdict, why};

/// A task that waits is told a changed reason at most this often: amounts change with every task that comes or goes.
const EXPLAIN_AGAIN: Duration = Duration::from_secs(5);

/// What became of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The task.
    pub task: TaskId,
    /// Its node, or why there is none.
    pub outcome: Result<NodeId, Arc<str>>,
    /// The generic resources that it gets there.
    pub generic: GenericGrant,
}

/// Places what waits among the services that changed and, if what is free changed or is about to, among those that found no room before.
pub(crate) fn step(draft: &mut Draft<'_>) {
    let mut services = draft.services_due();
    let about_to = services.iter().any(|service| draft.slots(*service).tasks().iter().any(|task| waits(task)));
    services.append(&mut draft.starved_due(about_to));
    draft.with_pools(|draft, pools| {
        let (mut fleet, mut source) = (None, Source::new(draft.view, pools));
        for service in services {
            let slots = draft.slots(service);
            for Decision { task, outcome, generic } in decide(draft, &mut fleet, Some(&mut source), slots.tasks()) {
                match outcome {
                    Ok(node) => draft.push(Change::Task(task, TaskStep::Assign(node, source.given(task), generic))),
                    Err(reason) => refuse(draft, task, &reason),
                }
            }
        }
    });
}

/// Nodes for all tasks of a view that wait, without addresses: the heart of the step, for benchmarks.
#[must_use]
pub fn place_waiting(view: &View, now: Timestamp) -> Vec<Decision> {
    let dirty = Dirty::all();
    let mut draft = Draft::new(view, now, 0, &dirty);
    let mut fleet = None;
    let mut decisions = Vec::new();
    for service in draft.services_due() {
        let slots = draft.slots(service);
        decisions.append(&mut decide(&draft, &mut fleet, None, slots.tasks()));
    }
    decisions
}

/// Decides for the tasks of one service, given by slot. The fleet is built when the first task waits.
fn decide(draft: &Draft<'_>, fleet: &mut Option<Fleet>, mut source: Option<&mut Source<'_>>, tasks: &[Arc<Task>]) -> Vec<Decision> {
    let mut decisions = Vec::new();
    for group in waiting(tasks).values() {
        let fleet = fleet.get_or_insert_with(|| Fleet::of(draft));
        decide_group(draft, fleet, source.as_deref_mut(), (tasks, group), &mut decisions);
    }
    decisions
}

fn waits(task: &Task) -> bool {
    task.is_wanted() && task.status.state < TaskState::Assigned
}

/// The tasks that wait for a node, by spec version.
fn waiting(tasks: &[Arc<Task>]) -> BTreeMap<Version, Vec<&Task>> {
    let mut groups: BTreeMap<Version, Vec<&Task>> = BTreeMap::new();
    for task in tasks.iter().filter(|task| waits(task)) {
        groups.entry(task.spec_version).or_default().push(task);
    }
    groups
}

fn decide_group(
    draft: &Draft<'_>,
    fleet: &mut Fleet,
    source: Option<&mut Source<'_>>,
    (tasks, group): (&[Arc<Task>], &[&Task]),
    decisions: &mut Vec<Decision>,
) {
    let Some(spec) = draft.spec_of(group[0]) else { return };
    let mut addresses = match Addresses::of(source, &spec.task) {
        Ok(addresses) => addresses,
        Err(lack) => return refuse_all(group, &Arc::from(lack.to_string()), decisions),
    };
    let demand = Demand::of(spec);
    fleet.learn(draft, &demand);
    let mut standing = standing(draft, fleet, &demand, tasks, group[0]);
    let (bound, free): (Vec<&Task>, Vec<&Task>) = group.iter().partition(|task| task.node.is_some());
    for task in bound {
        let outcome = place::admit(fleet, &demand, &mut standing, task.node, |node| addresses.give(task.id, node));
        decisions.push(Decision::of(task, outcome.map_err(Arc::from)));
    }
    let places = place::place_with(fleet, &demand, &mut standing, free.len(), |turn, node| addresses.give(free[turn].id, node).is_none());
    let (placed, refused) = free.split_at(places.len());
    decisions.extend(placed.iter().zip(places).map(|(task, spot)| Decision::of(task, Ok(spot))));
    if !refused.is_empty() {
        refuse_all(refused, &Arc::from(explain::refusals(fleet, &demand, &standing, addresses.lacks())), decisions);
    }
}

/// How the service of a waiting task stands on the nodes, for tasks of that spec.
fn standing(draft: &Draft<'_>, fleet: &mut Fleet, demand: &Demand, tasks: &[Arc<Task>], one: &Task) -> Standing {
    let mut standing = Standing::of(fleet, tasks, one.spec_version, draft.now);
    let company = |fleet: &Fleet, name: &str| affinity::company(draft, fleet, one.service, name);
    standing.affinities = Affinities::of(fleet, &demand.placement.affinities, company);
    standing
}

impl Decision {
    fn of(task: &Task, outcome: Result<Spot, Arc<str>>) -> Self {
        match outcome {
            Ok(Spot { node, generic }) => Self { task: task.id, outcome: Ok(node), generic },
            Err(reason) => Self { task: task.id, outcome: Err(reason), generic: GenericGrant::new() },
        }
    }
}

fn refuse_all(tasks: &[&Task], reason: &Arc<str>, decisions: &mut Vec<Decision>) {
    decisions.extend(tasks.iter().map(|task| Decision::of(task, Err(Arc::clone(reason)))));
}

/// Tells the task why, unless it knows or was told another reason a moment ago.
fn refuse(draft: &mut Draft<'_>, id: TaskId, reason: &str) {
    let Some(task) = draft.task(id) else { return };
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
