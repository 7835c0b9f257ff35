//! Runs a check inside a container, through the shim.

use cluster_types::{Check, ContainerPhase, TaskId};

use super::{Shared, failed};
use crate::shim::message::{Reply, Request, Verb};
use crate::{ProbeOutcome, RuntimeError};

/// Runs one of a container's checks. It holds up no other verb: a container is stopped or removed while it is probed.
pub(super) async fn probe(shared: &Shared, task: TaskId, check: Check) -> Result<ProbeOutcome, RuntimeError> {
    let container = shared.find(task)?;
    if container.record.checks.of(check).is_none() {
        return Err(RuntimeError::Rejected(format!("container {task} has no such check")));
    }
    let _one = container.probing.lock().await;
    if container.phase() != ContainerPhase::Running {
        return Ok(ProbeOutcome::NotRun("the container does not run".to_owned()));
    }
    let request = Request { verb: Verb::Probe(check), dir: container.folder.0.clone() };
    Ok(match shared.spawner.ask(&request).await.map_err(failed("reach the shim"))? {
        Some(Reply::Probed(outcome)) => outcome,
        Some(Reply::Failed(reason) | Reply::Rejected(reason)) => ProbeOutcome::NotRun(reason),
        Some(Reply::Started(_)) | None => ProbeOutcome::NotRun("the process that ran the probe was killed".to_owned()),
    })
}
