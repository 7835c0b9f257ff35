//! As many tasks as a service asks for: fills places that are free, and takes tasks away from places that are too many.
//!
//! It does not say on which node a replica runs (schedule does), nor replaces tasks of an older spec (rollout does) or tasks that ended
//! (restart does). Tasks of a service that is gone are removed here.

mod global;
mod replicated;

use std::sync::Arc;

use cluster_types::{DesiredState, Service, ServiceMode, Task};

use crate::draft::Draft;

/// Replicated services that changed: slots by number.
pub(crate) fn replicated(draft: &mut Draft<'_>) {
    for id in draft.services_due() {
        match draft.service(id) {
            None => {
                let slots = draft.slots(id);
                remove_all(draft, slots.tasks());
            }
            Some(service) => match service.spec.mode {
                ServiceMode::Replicated { replicas } => replicated::fit(draft, &service, replicas),
                ServiceMode::Global | ServiceMode::ReplicatedJob { .. } | ServiceMode::GlobalJob => {}
            },
        }
    }
}

/// Global services that changed, on all nodes; all others on the nodes that changed.
pub(crate) fn global(draft: &mut Draft<'_>) {
    let due = draft.services_due();
    let nodes = draft.nodes_due();
    let is_global = |service: &Arc<Service>| service.spec.mode == ServiceMode::Global;
    let services: Vec<Arc<Service>> = if nodes.is_empty() {
        due.iter().filter_map(|id| draft.service(*id)).filter(is_global).collect()
    } else {
        draft.services().filter(|service| is_global(service)).cloned().collect()
    };
    for service in services {
        let everywhere = due.contains(&service.id);
        global::fit(draft, &service, if everywhere { None } else { Some(&nodes) });
    }
}

/// The record goes too, once the task has ended.
fn remove_all(draft: &mut Draft<'_>, tasks: &[Arc<Task>]) {
    for task in tasks {
        draft.desire(task, DesiredState::Remove);
    }
}
