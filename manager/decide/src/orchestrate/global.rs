//! The nodes of a global service: one task on each that takes tasks and meets the constraints.
//!
//! The task is bound to its node when it is made; schedule lets it in once there is room. A node that is paused or away keeps its task.

use std::collections::{BTreeMap, BTreeSet};

use cluster_types::{Node, NodeId, ObjectKey, Service};

use crate::constraint;
use crate::draft::{Draft, NewTask};
use crate::slots::Slot;

/// Looks at some nodes, or at all.
pub(super) fn fit(draft: &mut Draft<'_>, service: &Service, only: Option<&BTreeSet<NodeId>>) {
    let slots = draft.slots(service.id);
    let filled: BTreeMap<NodeId, Slot<'_>> =
        slots.iter().filter(|slot| slot.is_filled()).filter_map(|slot| Some((slot.place().node?, slot))).collect();
    let nodes: Vec<_> = draft.nodes().filter(|node| only.is_none_or(|only| only.contains(&node.id))).cloned().collect();
    for node in nodes {
        match filled.get(&node.id) {
            Some(slot) if !belongs(service, &node) => leave(draft, *slot, &node),
            None if belongs(service, &node) && node.takes_tasks() => {
                draft.create(service, NewTask { node: Some(node.id), ..NewTask::running() });
            }
            Some(_) | None => {}
        }
    }
}

/// By the service's current spec: that of a running task is enforced elsewhere.
fn belongs(service: &Service, node: &Node) -> bool {
    constraint::belongs(node, &service.spec.task.placement)
}

fn leave(draft: &mut Draft<'_>, slot: Slot<'_>, node: &Node) {
    slot.wanted().for_each(|task| draft.stop(task));
    draft.note(ObjectKey::Node(node.id), format!("the service of task {} no longer belongs on the node", slot.newest().id));
}
