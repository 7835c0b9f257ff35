//! I8: a place has at most one task that is wanted running, two only while a start-first update replaces it.

use std::collections::BTreeSet;

use cluster_state::{Applied, View};
use cluster_types::{DesiredState, Object, ServiceId, Task, UpdateOrder};

use super::Found;

pub(super) fn follow(applied: &Applied, view: &View) -> Found {
    let places: BTreeSet<(ServiceId, u64, Option<cluster_types::NodeId>)> = applied
        .events
        .iter()
        .filter_map(|event| match &event.object {
            Object::Task(task) => Some((task.service, task.slot, task.node.filter(|_| task.slot == 0))),
            Object::Cluster(_) | Object::Node(_) | Object::Service(_) | Object::Network(_) => None,
        })
        .collect();
    for (service, slot, node) in places {
        let runs =
            |task: &&&Task| task.desired == DesiredState::Running && !task.status.state.is_terminal() && (slot != 0 || task.node == node);
        let tasks: Vec<&Task> = view.tasks_of_slot(service, slot).map(|task| &**task).collect();
        let running: Vec<&&Task> = tasks.iter().filter(runs).collect();
        if running.len() > most(view, service) {
            let ids: Vec<String> = running.iter().map(|task| format!("{} ({})", task.id.short(), task.status.state)).collect();
            return Err(format!(
                "slot {slot} of service {} has {} tasks that are to run: {}",
                service.short(),
                running.len(),
                ids.join(", ")
            ));
        }
    }
    Ok(())
}

/// How many there may be: an update in either direction may start first.
fn most(view: &View, service: ServiceId) -> usize {
    let Some(service) = view.service(service) else { return 2 };
    let starts_first =
        |spec: &cluster_types::ServiceSpec| spec.update.order == UpdateOrder::StartFirst || spec.rollback.order == UpdateOrder::StartFirst;
    let any = service.history.iter().filter_map(|revision| view.spec(service.id, revision.spec_version)).any(|spec| starts_first(spec));
    if any { 2 } else { 1 }
}
