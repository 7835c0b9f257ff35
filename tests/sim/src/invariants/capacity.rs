//! I10: what is reserved on a node is never more than it has. Counted from its tasks.

use std::collections::BTreeSet;

use cluster_state::{Applied, View};
use cluster_types::{NodeId, Object, TaskState};

use super::Found;

pub(super) fn follow(applied: &Applied, view: &View) -> Found {
    let placed = applied.events.iter().filter_map(|event| match &event.object {
        Object::Task(task) if task.status.state == TaskState::Assigned => task.node,
        Object::Task(_) | Object::Cluster(_) | Object::Node(_) | Object::Service(_) | Object::Network(_) => None,
    });
    for id in placed.collect::<BTreeSet<NodeId>>() {
        let Some(node) = view.node(id) else { continue };
        let holding = view.tasks_on_node(id).filter(|task| task.holds_resources());
        let reserved = holding.filter_map(|task| view.spec_of(task)).map(|spec| spec.task.reservation);
        let (cpus, memory) = reserved.fold((0_u64, 0_u64), |sum, next| (sum.0 + next.nano_cpus, sum.1 + next.memory));
        let has = node.description.capacity;
        if cpus > has.nano_cpus || memory > has.memory {
            return Err(format!("node {} has {has:?}, and {cpus} CPUs and {memory} of memory are reserved", node.description.hostname));
        }
    }
    Ok(())
}
