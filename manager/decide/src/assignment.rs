//! What each node is told to run, and how one such set becomes another. Called by the dispatcher for each open session.
//!
//! A task is sent once it is placed and for as long as its record exists: a container lives as long as its task, so that the logs of one
//! that ended can still be read. A task that ended is never wanted running by the set, so a node that lost its memory does not run it
//! again. An orphaned task is not sent: if its node ever comes back, the container goes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cluster_state::View;
use cluster_types::{
    AssignmentDiff, DesiredState, NodeId, PublishMode, PublishedPort, ServiceId, ServiceSpec, Task, TaskAssignment, TaskId, TaskSpec,
    TaskState, Version, bug,
};

/// A set of assignments, as the dispatcher remembers it for each session.
pub type Assignments = BTreeMap<TaskId, Arc<TaskAssignment>>;

/// What a node is to be told now. Empty for a node that does not exist. The tasks in `held` are not told to stop yet: see [`crate::drain`].
#[must_use]
pub fn wanted(view: &View, node: NodeId, held: &BTreeSet<TaskId>) -> Assignments {
    // Tasks of the same revision share one template.
    let mut templates: BTreeMap<(ServiceId, Version), Arc<TaskSpec>> = BTreeMap::new();
    let of = if bug!(WrongNode) { view.nodes().next().map_or(node, |first| first.id) } else { node };
    let sent = view.tasks_on_node(of).filter(|task| task.status.state >= TaskState::Assigned && task.status.state != TaskState::Orphaned);
    let assign = |task: &Arc<Task>| {
        let spec = view.spec_of(task)?;
        let template = templates.entry((task.service, task.spec_version)).or_insert_with(|| Arc::new(spec.task.clone()));
        let desired = desired(task, held.contains(&task.id));
        Some((task.id, Arc::new(assignment(task, desired, spec, Arc::clone(template)))))
    };
    if view.node(node).is_none() { Assignments::new() } else { sent.filter_map(assign).collect() }
}

/// What takes the set `sent` to the set `wanted`.
#[must_use]
pub fn diff(sent: &Assignments, wanted: &Assignments) -> AssignmentDiff {
    let changed = |(task, assignment): &(&TaskId, &Arc<TaskAssignment>)| sent.get(task) != Some(assignment);
    AssignmentDiff {
        full: false,
        put: wanted.iter().filter(changed).map(|(_, assignment)| Arc::clone(assignment)).collect(),
        remove: sent.keys().filter(|task| !wanted.contains_key(task)).copied().collect(),
    }
}

/// The whole set, for the beginning of a session.
#[must_use]
pub fn full(wanted: &Assignments) -> AssignmentDiff {
    AssignmentDiff { full: true, put: wanted.values().cloned().collect(), remove: Vec::new() }
}

/// Does to a set what the agent does with a diff.
pub fn apply(sent: &mut Assignments, diff: &AssignmentDiff) {
    if diff.full {
        sent.clear();
    }
    diff.remove.iter().for_each(|task| drop(sent.remove(task)));
    sent.extend(diff.put.iter().map(|assignment| (assignment.task, Arc::clone(assignment))));
}

fn desired(task: &Task, is_held: bool) -> DesiredState {
    if task.status.state.is_terminal() {
        return task.desired.max(DesiredState::Shutdown);
    }
    if is_held { task.desired.min(DesiredState::Running) } else { task.desired }
}

fn assignment(task: &Task, desired: DesiredState, spec: &ServiceSpec, template: Arc<TaskSpec>) -> TaskAssignment {
    TaskAssignment {
        task: task.id,
        service: task.service,
        service_name: spec.name.clone(),
        slot: task.slot,
        desired,
        spec: template,
        ports: spec.ports.iter().copied().filter(is_on_host).collect(),
        addresses: task.addresses.clone(),
        generic: task.generic.clone(),
    }
}

fn is_on_host(port: &PublishedPort) -> bool {
    match port.mode {
        PublishMode::Host => true,
        PublishMode::Ingress => false,
    }
}

#[cfg(test)]
mod tests;
