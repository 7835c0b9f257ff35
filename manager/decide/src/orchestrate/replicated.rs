//! The slots of a replicated service.
//!
//! New tasks take the slots that lost theirs, then the lowest free numbers. Scaling down removes first, as swarm does: slots without a node
//! or with several tasks or whose task is to leave its node, then the last ones of the node that has most of the service, then those that do not run, then the highest number.

use std::collections::{BTreeMap, BTreeSet};

use cluster_types::{DesiredState, NodeId, Service, TaskState, bug};

use super::remove_all;
use crate::draft::{Draft, NewTask};
use crate::moving;
use crate::slots::Slot;

/// Makes the number of filled slots `replicas`.
pub(super) fn fit(draft: &mut Draft<'_>, service: &Service, replicas: u64) {
    let slots = draft.slots(service.id);
    let (filled, vacant): (Vec<Slot<'_>>, Vec<Slot<'_>>) = slots.iter().partition(|slot| slot.is_filled());
    let replicas = usize::try_from(replicas).unwrap_or(usize::MAX);
    let missing = replicas.saturating_sub(filled.len());
    let vacated: Vec<Slot<'_>> = vacant.into_iter().filter(|slot| has_history(*slot)).collect();
    let (again, forgotten) = vacated.split_at(missing.min(vacated.len()));
    refill(draft, service, again);
    add(draft, service, filled.iter().chain(again).map(|slot| slot.place().slot).collect(), missing - again.len());
    for slot in forgotten.iter().chain(&superfluous(draft, filled, replicas)) {
        remove_all(draft, slot.0);
    }
}

/// Whether a slot without a wanted task lost it by mishap; one that was scaled away keeps nothing.
fn has_history(slot: Slot<'_>) -> bool {
    slot.0.iter().any(|task| task.desired < DesiredState::Remove)
}

/// A crash loop goes on counting its failures when its task moves to another node.
fn refill(draft: &mut Draft<'_>, service: &Service, slots: &[Slot<'_>]) {
    for slot in slots {
        let again = NewTask { slot: slot.place().slot, failures: slot.newest().failures, ..NewTask::running() };
        draft.create(service, again);
        if bug!(DoubleSlot) {
            draft.create(service, again);
        }
    }
}

/// New slots, with the lowest numbers that are not taken.
fn add(draft: &mut Draft<'_>, service: &Service, mut taken: BTreeSet<u64>, count: usize) {
    let mut number = 1;
    for _ in 0..count {
        while !taken.insert(number) {
            number += 1;
        }
        draft.create(service, NewTask { slot: number, ..NewTask::running() });
    }
}

/// The slots beyond the `keep` that are most worth keeping.
fn superfluous<'a>(draft: &Draft<'_>, mut filled: Vec<Slot<'a>>, keep: usize) -> Vec<Slot<'a>> {
    if filled.len() <= keep {
        return Vec::new();
    }
    filled.sort_by_key(|slot| (!runs(*slot), slot.place().slot));
    let mut seen = BTreeMap::new();
    let mut ranked: Vec<(u64, Slot<'a>)> = filled.into_iter().map(|slot| (rank(draft, slot, &mut seen), slot)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().skip(keep).map(|(_, slot)| slot).collect()
}

/// How many better slots share its node; a slot without a node, with several tasks or with one that leaves ranks last.
fn rank(draft: &Draft<'_>, slot: Slot<'_>, seen: &mut BTreeMap<NodeId, u64>) -> u64 {
    let mut wanted = slot.wanted();
    let (Some(task), None) = (wanted.next(), wanted.next()) else { return u64::MAX };
    let Some(node) = task.node.filter(|_| !moving::leaves(draft, task)) else { return u64::MAX };
    let better = seen.entry(node).or_insert(0);
    *better += 1;
    *better
}

fn runs(slot: Slot<'_>) -> bool {
    slot.wanted().any(|task| task.status.state == TaskState::Running)
}
