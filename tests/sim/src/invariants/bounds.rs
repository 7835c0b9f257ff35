//! I15: history and queues stay inside their bounds.

use std::collections::BTreeMap;

use cluster_state::View;
use cluster_types::{NodeId, ServiceId, limits};

use super::Found;

/// Ended tasks of a place beyond its bound that may wait for the next pass.
const SLACK: usize = 12;
/// What may wait in one process.
pub(crate) const QUEUE: usize = 20_000;

pub(super) fn check(view: &View, rests: bool) -> Found {
    let mut ended: BTreeMap<(ServiceId, u64, Option<NodeId>), usize> = BTreeMap::new();
    for task in view.tasks().filter(|task| !task.is_wanted() && task.status.state.is_terminal()) {
        *ended.entry((task.service, task.slot, task.node.filter(|_| task.slot == 0))).or_default() += 1;
    }
    for ((service, slot, _), count) in ended {
        let known = view.service(service);
        let attempts = known.map_or(0, |service| service.spec.task.restart.max_attempts);
        let attempts = usize::try_from(attempts).unwrap_or(usize::MAX).saturating_add(1);
        // One that is gone may have been a job; its records go with the next pass.
        let of_job = if known.is_none_or(|service| service.spec.mode.is_job()) { limits::JOB_RECORDS } else { 0 };
        let history = limits::TASK_HISTORY + of_job;
        let most = history.max(attempts) + if rests { 1 } else { SLACK };
        if count > most {
            return Err(format!("slot {slot} of service {} keeps {count} ended tasks: {most} are allowed", service.short()));
        }
    }
    Ok(())
}
