//! The steps of single fields: what each may do, and that it only goes forward. Called by [`crate::apply`] on a copy of the object; an
//! error is the reason of the rejection.

use cluster_types::{
    DesiredState, GenericGrant, Network, NetworkSpec, NetworkStep, Node, NodeId, NodeStep, Task, TaskAddress, TaskState, TaskStatus,
    TaskStep, Timestamp, bug,
};

use crate::table::Stamp;

/// One step of a task. `exists` knows the nodes.
pub(crate) fn step_task(task: &mut Task, step: &TaskStep, stamp: Stamp, exists: impl Fn(NodeId) -> bool) -> Result<(), String> {
    let at = stamp.at;
    match step {
        TaskStep::Assign(node, addresses, generic) => assign(task, *node, (addresses, generic), at, exists(*node)),
        TaskStep::Explain(error) => explain(task, error, at),
        TaskStep::Desire(desired) => desire(task, *desired),
        TaskStep::Due if task.is_wanted() => desire(task, DesiredState::Running),
        TaskStep::Due => Err(format!("it is no longer wanted: its desired state is {}", task.desired)),
        TaskStep::Report(node, status) => report(task, *node, status, stamp),
        TaskStep::Orphan => orphan(task, at),
        TaskStep::Relocate(true) if !task.is_wanted() => Err(format!("it is no longer wanted: its desired state is {}", task.desired)),
        TaskStep::Relocate(relocate) => {
            task.relocate = *relocate;
            Ok(())
        }
    }
}

/// A task of a global service has its node from the start, and is assigned to that one.
fn assign(
    task: &mut Task,
    node: NodeId,
    (addresses, generic): (&[TaskAddress], &GenericGrant),
    at: Timestamp,
    exists: bool,
) -> Result<(), String> {
    if task.status.state >= TaskState::Assigned {
        return Err(format!("it has been placed already: its state is {}", task.status.state));
    }
    if let Some(own) = task.node.filter(|own| *own != node) {
        return Err(format!("it belongs on node {own}"));
    }
    if !task.is_wanted() {
        return Err(format!("it is no longer wanted: its desired state is {}", task.desired));
    }
    if !exists {
        return Err(format!("node {node} does not exist"));
    }
    task.node = Some(node);
    task.addresses = addresses.to_vec();
    task.generic.clone_from(generic);
    task.status = TaskStatus { state: TaskState::Assigned, at, message: "has a node".to_owned(), ..TaskStatus::default() };
    Ok(())
}

/// The time stays when the words do: the same explanation twice is no change.
fn explain(task: &mut Task, error: &str, at: Timestamp) -> Result<(), String> {
    if task.status.state >= TaskState::Assigned {
        return Err(format!("it has been placed already: its state is {}", task.status.state));
    }
    if task.status.state != TaskState::Pending || task.status.error.as_deref() != Some(error) {
        let message = "waits for a node".to_owned();
        task.status = TaskStatus { state: TaskState::Pending, at, message, error: Some(error.to_owned()), ..TaskStatus::default() };
    }
    Ok(())
}

fn desire(task: &mut Task, desired: DesiredState) -> Result<(), String> {
    if desired < task.desired {
        return Err(format!("its desired state is {} already and never goes back to {desired}", task.desired));
    }
    if desired > DesiredState::Ready {
        task.not_before = None;
    }
    task.desired = desired;
    Ok(())
}

/// Reports of the state that it has refine it (an address, a PID) while it lives. A task that ended stays as it ended.
fn report(task: &mut Task, node: NodeId, status: &TaskStatus, stamp: Stamp) -> Result<(), String> {
    if task.node != Some(node) {
        return Err(format!("node {node} reports a task that is not its own"));
    }
    let (found, state) = (task.status.state, status.state);
    if state < TaskState::Accepted || state == TaskState::Orphaned {
        return Err(format!("a node cannot report the state {state}"));
    }
    if found.is_terminal() && found == state {
        return Ok(());
    }
    if (found.is_terminal() || state < found) && !bug!(TaskGoesBack) {
        return Err(format!("its state is {found} and never goes back to {state}"));
    }
    task.status = status.clone();
    if state == TaskState::Running && task.life.ran.is_none() {
        task.life.ran = Some(stamp.at);
    }
    if state.is_terminal() && task.is_wanted() {
        (task.life.ended, task.life.ended_at) = (Some(stamp.at), stamp.index);
    }
    Ok(())
}

fn orphan(task: &mut Task, at: Timestamp) -> Result<(), String> {
    if task.node.is_none() {
        return Err("it has no node that could be lost".to_owned());
    }
    if task.status.state == TaskState::Orphaned {
        return Ok(());
    }
    if task.status.state.is_terminal() {
        return Err(format!("it has ended: its state is {}", task.status.state));
    }
    task.status.state = TaskState::Orphaned;
    task.status.at = at;
    task.status.message = "its node has been lost for too long".to_owned();
    Ok(())
}

/// One step of a node.
pub(crate) fn step_node(node: &mut Node, step: &NodeStep) -> Result<(), String> {
    match step {
        NodeStep::Describe(description) => node.description = description.clone(),
        NodeStep::Status(status) => node.status = status.clone(),
        NodeStep::Seat(seat) => node.manager = seat.clone(),
        NodeStep::Network(network) => node.network = network.clone(),
        NodeStep::Number(0) => return Err("nodes are numbered from 1".to_owned()),
        NodeStep::Number(number) => match node.number {
            Some(has) if has != *number => return Err(format!("it has the number {has} already")),
            Some(_) | None => node.number = Some(*number),
        },
    }
    Ok(())
}

/// One step of a network.
pub(crate) fn step_network(network: &mut Network, step: &NetworkStep) -> Result<(), String> {
    match step {
        NetworkStep::Claim(number, owner) => match network.blocks.get(number) {
            Some(has) if has != owner => return Err(format!("block {number} has an owner already")),
            Some(_) | None => {
                network.blocks.insert(*number, *owner);
            }
        },
        NetworkStep::Release(number) => {
            network.blocks.remove(number);
        }
    }
    Ok(())
}

/// Another spec of a network: only its labels may differ.
pub(crate) fn respec_network(network: &mut Network, spec: &NetworkSpec) -> Result<(), String> {
    if (NetworkSpec { labels: network.spec.labels.clone(), ..spec.clone() }) != network.spec {
        return Err("only the labels of a network can change".to_owned());
    }
    network.spec = spec.clone();
    Ok(())
}
