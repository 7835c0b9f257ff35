//! Moves running replicas to other nodes without loss: those of drained nodes, and those that a rebalance wants elsewhere.
//!
//! One rule: a replacement comes first, in the same slot, and the old task stops when the replacement takes traffic. The two are on
//! different nodes, so nothing that can be had once stands in their way, and a replacement without room leaves the old task running. Only
//! the deadline of a drain ends a task without a replacement. A bounded number of slots of a service move at the same time; those that an
//! update has in flight count. A move during an update takes the new spec, so that it is a step of that update and within its limits too;
//! while the update is held, the task keeps its own spec.
//!
//! Called by the pass for services that changed, after enforce has stopped what need not be moved: tasks of global services and of jobs.
//! It chooses no node: schedule does.

mod progress;

use std::sync::Arc;
use std::time::Duration;

use cluster_types::{Availability, Change, DesiredState, Node, ObjectKey, Service, ServiceMode, Task, TaskState, TaskStep, Timestamp};

use crate::draft::{Draft, NewTask};
use crate::enforce;
use crate::restart::policy;
use crate::rollout::Staleness;
use crate::slots::Slot;

pub use progress::{DrainProgress, drain_progress};

/// A rebalance is a wish: a replacement that found no room for this long is taken back.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks at each replicated service that changed, or whose tasks are on a node that did.
pub(crate) fn step(draft: &mut Draft<'_>) {
    for id in draft.services_due() {
        let replicated = |service: &Arc<Service>| matches!(service.spec.mode, ServiceMode::Replicated { .. });
        if let Some(service) = draft.service(id).filter(replicated) {
            advance(draft, &service);
        }
    }
}

/// Whether a task is to run on another node than its own. One on a lost node is not moved but replaced, if at all.
pub(crate) fn leaves(draft: &Draft<'_>, task: &Task) -> bool {
    // Hardly any node is drained: most tasks need no look at theirs.
    let is_asked = task.relocate || task.node.is_some_and(|node| draft.view.is_drained(node));
    is_asked && is_live(task) && task.holds_resources() && !enforce::is_lost(task.node.and_then(|node| draft.node(node)))
}

fn is_drained(node: &Node) -> bool {
    node.spec.availability == Availability::Drain
}

fn is_live(task: &Task) -> bool {
    task.is_wanted() && !task.status.state.is_terminal()
}

/// What a slot is to the moves of its service.
enum Turn<'a> {
    /// Nothing moves.
    Rests,
    /// It counts as in move: a replacement is on its way, for a move or for an update.
    Moves,
    /// Its task waits to be moved.
    Waits(Slot<'a>, &'a Arc<Task>),
}

fn advance(draft: &mut Draft<'_>, service: &Service) {
    let slots = draft.slots(service.id);
    let mut staleness = Staleness::new(service);
    let (mut in_move, mut waiting) = (0, Vec::new());
    for slot in slots.iter() {
        match look(draft, service, &mut staleness, slot) {
            Turn::Rests => {}
            Turn::Moves => in_move += 1,
            Turn::Waits(slot, task) => waiting.push((slot, task)),
        }
    }
    // What takes no traffic is moved first.
    waiting.sort_by_key(|(slot, task)| (task.status.is_serving(), slot.place()));
    for (slot, task) in waiting {
        if in_move < limit(draft, service, task) {
            begin(draft, service, slot, task);
            in_move += 1;
        }
    }
}

fn look<'a>(draft: &mut Draft<'_>, service: &Service, staleness: &mut Staleness, slot: Slot<'a>) -> Turn<'a> {
    let is_updated = || if is_in_update(service, slot) { Turn::Moves } else { Turn::Rests };
    if stays_alone(draft, slot) {
        return is_updated();
    }
    let live: Vec<&Arc<Task>> = slot.wanted().filter(|task| is_live(task)).collect();
    let (leaving, staying): (Vec<_>, Vec<_>) = live.into_iter().partition(|task| leaves(draft, task));
    if leaving.is_empty() {
        keep_one(draft, staleness, &staying);
        return is_updated();
    }
    let is_replaced = staying.iter().any(|task| task.status.is_serving());
    // Of several, the newest that takes traffic; else the oldest, which has had most time to.
    let runs = || leaving.iter().filter(|task| task.status.state == TaskState::Running);
    let kept = runs().rfind(|task| task.status.is_serving()).or_else(|| runs().next());
    let deadline = kept.and_then(|task| deadline(draft, task));
    let kept = kept.filter(|_| !is_replaced && deadline.is_none_or(|at| at > draft.now)).copied();
    for task in leaving.iter().filter(|task| kept.is_none_or(|kept| kept.id != task.id)) {
        stop(draft, task, if is_replaced { "its replacement has taken over" } else { "it leaves its node at once" });
    }
    let Some(kept) = kept else { return is_updated() };
    if let Some(at) = deadline {
        draft.wake(at, service.id);
    }
    match staying.last() {
        Some(replacement) if !give_up(draft, kept, replacement) => Turn::Moves,
        Some(_) => Turn::Rests,
        None => Turn::Waits(slot, kept),
    }
}

/// The common case, which must cost nothing.
fn stays_alone(draft: &Draft<'_>, slot: Slot<'_>) -> bool {
    let mut wanted = slot.wanted();
    let first = wanted.next();
    wanted.next().is_none() && first.is_none_or(|task| !leaves(draft, task))
}

/// Whether an update has the slot in flight: it has two tasks, also when the update was paused meanwhile, or its task of the new spec, in
/// place of another, takes no traffic yet.
fn is_in_update(service: &Service, slot: Slot<'_>) -> bool {
    if slot.wanted().filter(|task| is_live(task)).count() > 1 {
        return true;
    }
    let Some(update) = service.update.as_ref().filter(|update| update.state.is_running()) else { return false };
    let is_new = |task: &Task| task.spec_version == update.target;
    let is_coming = |task: &Arc<Task>| is_new(task) && task.meta.created >= update.started && !task.status.is_serving();
    slot.wanted().any(is_coming) && slot.0.iter().any(|task| !is_new(task))
}

/// A move whose cause is gone: the replacement stays if it takes traffic, otherwise it is taken back. Tasks of which an update would replace
/// one are two because of that update, which knows what to do with them.
fn keep_one(draft: &mut Draft<'_>, staleness: &mut Staleness, staying: &[&Arc<Task>]) {
    let Some((newest, older @ [_, ..])) = staying.split_last() else { return };
    let is_current = !staleness.is_stale(draft, newest);
    let mut is_same = |task: &Task| task.spec_version == newest.spec_version || (is_current && !staleness.is_stale(draft, task));
    let same: Vec<_> = older.iter().filter(|task| is_same(task)).collect();
    if same.is_empty() {
        return;
    }
    if newest.status.is_serving() {
        same.into_iter().for_each(|task| stop(draft, task, "its replacement has taken over"));
    } else {
        stop(draft, newest, "the task that it was to replace stays");
    }
}

fn stop(draft: &mut Draft<'_>, task: &Task, why: &str) {
    draft.note(ObjectKey::Task(task.id), why.to_owned());
    draft.stop(task);
}

/// From when on a task is stopped although nothing replaces it.
fn deadline(draft: &Draft<'_>, task: &Task) -> Option<Timestamp> {
    task.node.and_then(|node| draft.node(node)).filter(|node| is_drained(node)).and_then(|node| node.spec.drain.deadline)
}

/// Takes back a rebalance that finds no room. A drain waits for room until its deadline.
fn give_up(draft: &mut Draft<'_>, task: &Task, replacement: &Task) -> bool {
    let stays = task.node.and_then(|node| draft.node(node)).is_none_or(|node| !is_drained(node));
    let waits = replacement.status.state < TaskState::Assigned && replacement.status.error.is_some();
    let until = replacement.meta.created.plus(PATIENCE);
    if !stays || !waits {
        return false;
    }
    if until > draft.now {
        draft.wake(until, task.service);
        return false;
    }
    stop(draft, replacement, "the rebalance found no room for it");
    draft.push(Change::Task(task.id, TaskStep::Relocate(false)));
    true
}

/// How many slots of the service may be in move when this task joins them.
fn limit(draft: &Draft<'_>, service: &Service, task: &Task) -> u64 {
    let drained = task.node.and_then(|node| draft.node(node)).filter(|node| is_drained(node));
    match (drained, service.spec.update.parallelism) {
        (Some(node), _) => node.spec.drain.max_unavailable.max(1),
        (None, 0) => u64::MAX,
        (None, parallelism) => parallelism,
    }
}

/// Makes the replacement, or waits until it may. The first one starts without delay; one that failed is followed as after a failed restart.
fn begin(draft: &mut Draft<'_>, service: &Service, slot: Slot<'_>, old: &Task) {
    let spec_version = service.successor_version(old);
    let policy = &service.spec.task.restart;
    let newest = slot.newest();
    let ended = matches!(newest.status.state, TaskState::Complete | TaskState::Failed | TaskState::Rejected);
    let has_failed = newest.id != old.id && ended && newest.spec_version == spec_version;
    // It may have ended within its own delay: a missing image must not be asked for without a pause.
    let until = newest.meta.created.plus(policy::delay(policy, newest.failures));
    if let Some(until) = policy::ahead(policy, newest.failures, until, draft.now).filter(|_| has_failed) {
        return draft.wake(until, service.id);
    }
    let failures = if has_failed { policy::failures_after(policy, newest) } else { 0 };
    let chance = if has_failed { draft.chance() } else { 0 };
    let not_before = policy::delayed(policy, failures, draft.now, chance);
    let desired = if not_before.is_some() { DesiredState::Ready } else { DesiredState::Running };
    draft.create_of(
        service,
        spec_version,
        NewTask { slot: old.slot, desired, not_before, failures, iteration: old.iteration, ..NewTask::running() },
    );
    if let Some(at) = not_before {
        draft.wake(at, service.id);
    }
    draft.note(ObjectKey::Task(old.id), "it moves to another node: its replacement starts first".to_owned());
}

#[cfg(test)]
mod tests;
