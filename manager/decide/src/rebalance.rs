//! Evens out how replicas are spread over the nodes that may have them: the fewest moves after which no label value of a spread
//! preference, and no node, has two more than another that has room.
//!
//! It only says which tasks are to leave their nodes; [`crate::moving`] replaces them, and schedule finds the nodes, by the same count. The
//! control service proposes the moves of a plan when a user asks for it, as [`Move::change`]; the pass does for services that ask for it in
//! their placement, once the service and the nodes have been quiet for a while. Services that are placed by other wishes than an even
//! spread (binpack, affinities) are left alone, as are those that move or are updated already.

mod spread;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cluster_state::View;
use cluster_types::{Change, NodeId, ObjectKey, Service, ServiceId, TaskId, TaskStep, Timestamp};

use self::spread::Spread;
use crate::Dirty;
use crate::draft::Draft;
use crate::schedule::Fleet;

/// A service is rebalanced by itself when it has not changed for so long, onto nodes that have been there for so long.
const QUIET: Duration = Duration::from_secs(30);

/// One task that is to leave its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Its service.
    pub service: ServiceId,
    /// The task.
    pub task: TaskId,
    /// Where it runs.
    pub from: NodeId,
    /// Where there is room for its replacement. What becomes of it is up to the scheduler.
    pub to: NodeId,
}

impl Move {
    /// What makes the move happen.
    #[must_use]
    pub fn change(&self) -> Change {
        Change::Task(self.task, TaskStep::Relocate(true))
    }
}

/// The moves that even out all services, or one. Each service takes what the ones before it leave.
#[must_use]
pub fn plan(view: &View, now: Timestamp, only: Option<ServiceId>) -> Vec<Move> {
    let dirty = Dirty::default();
    let mut draft = Draft::new(view, now, 0, &dirty);
    let mut fleet = Fleet::of(&draft);
    let services: Vec<Arc<Service>> = view.services().filter(|service| only.is_none_or(|only| only == service.id)).cloned().collect();
    let mut moves = Vec::new();
    for service in services {
        if let Some(mut spread) = Spread::of(&mut draft, &mut fleet, &service, |_| true) {
            moves.append(&mut spread.even_out(&mut fleet));
        }
    }
    moves
}

/// The step of a pass: services that are to be rebalanced by themselves and changed, or that nodes changed for.
pub(crate) fn step(draft: &mut Draft<'_>) {
    let mut fleet = None;
    for service in candidates(draft) {
        if let Some(at) = unrest(draft, &service) {
            draft.wake(at, service.id);
            continue;
        }
        let fleet = fleet.get_or_insert_with(|| Fleet::of(draft));
        let (now, mut young) = (draft.now, Vec::new());
        let settled = |since: Timestamp| {
            let at = since.plus(QUIET);
            young.extend(Some(at).filter(|at| *at > now));
            at <= now
        };
        let Some(mut spread) = Spread::of(draft, fleet, &service, settled) else { continue };
        let moves = spread.even_out(fleet);
        if spread.wants_room() {
            draft.starve(service.id);
        }
        young.into_iter().for_each(|at| draft.wake(at, service.id));
        carry_out(draft, &service, &moves);
    }
}

fn carry_out(draft: &mut Draft<'_>, service: &Service, moves: &[Move]) {
    moves.iter().for_each(|step| draft.push(step.change()));
    if !moves.is_empty() {
        draft.note(ObjectKey::Service(service.id), format!("{} tasks move to even out the nodes", moves.len()));
    }
}

/// What is free on the nodes matters only to those on the list of the starved.
fn candidates(draft: &Draft<'_>) -> Vec<Arc<Service>> {
    let asks = |service: &Arc<Service>| service.spec.task.placement.auto_rebalance;
    if draft.nodes_due().is_empty() {
        let due: BTreeSet<ServiceId> = draft.services_due().union(draft.starved()).copied().collect();
        return due.into_iter().filter_map(|id| draft.service(id)).filter(asks).collect();
    }
    draft.services().filter(|service| asks(service)).cloned().collect()
}

/// Until when the service is not looked at, because one of its tasks changed lately.
fn unrest(draft: &mut Draft<'_>, service: &Service) -> Option<Timestamp> {
    let slots = draft.slots(service.id);
    let changed = slots.tasks().iter().filter(|task| task.is_wanted()).map(|task| task.meta.updated).max()?;
    Some(changed.plus(QUIET)).filter(|at| *at > draft.now)
}

#[cfg(test)]
mod tests;
