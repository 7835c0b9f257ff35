//! Starts a prepared container through the shim.

use std::sync::Arc;
use std::time::Duration;

use cluster_types::{ContainerPhase, TaskId};
use rustix::fs::{FlockOperation, flock};
use tokio::time::timeout;

use super::container::Container;
use super::{Shared, failed, release, watch};
use crate::RuntimeError;
use crate::record::{self, Exit, Folder, Started};
use crate::shim::message::{Reply, Request, Verb};

/// Starts a container; one that runs or ended stays as it is.
pub(super) async fn start(shared: &Arc<Shared>, task: TaskId) -> Result<(), RuntimeError> {
    let container = shared.find(task)?;
    match container.phase() {
        ContainerPhase::Prepared => {}
        ContainerPhase::Absent | ContainerPhase::Running | ContainerPhase::Exited => return Ok(()),
    }
    let request = Request { verb: Verb::Start, dir: container.folder.0.clone() };
    let reply = shared.spawner.ask(&request).await.map_err(failed("reach the shim"))?;
    match reply {
        Some(Reply::Started(started)) => {
            container.set_running(&started);
            watch::spawn(shared, &container);
            shared.tell(task);
            Ok(())
        }
        Some(Reply::Rejected(reason)) => {
            not_started(shared, &container, &reason).await;
            Err(RuntimeError::Rejected(reason))
        }
        Some(Reply::Failed(reason)) => {
            not_started(shared, &container, &reason).await;
            Err(RuntimeError::Failed(reason))
        }
        Some(Reply::Probed(_)) | None => {
            let reason = "the shim ended before the container was started".to_owned();
            not_started(shared, &container, &reason).await;
            Err(RuntimeError::Failed(reason))
        }
    }
}

/// How long a start that nobody waits for any more may go on.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until no launcher works in a folder: it holds a lock there.
pub(super) async fn settled(folder: &Folder) {
    let Ok(file) = std::fs::File::open(folder.lock()) else { return };
    let locked = tokio::task::spawn_blocking(move || flock(&file, FlockOperation::LockShared));
    if timeout(PATIENCE, locked).await.is_err() {
        tracing::warn!(folder = %folder.0.display(), "a start is still under way");
    }
}

/// A container that did not start has ended. Where it got as far as a PID 1, that ends by itself or by the launcher, and its keeper still
/// writes the code.
async fn not_started(shared: &Arc<Shared>, container: &Arc<Container>, reason: &str) {
    container.set_start_error(reason);
    match record::load::<Started>(&container.folder.state()) {
        Ok(Some(started)) => {
            container.set_running(&started);
            watch::spawn(shared, container);
        }
        Ok(None) | Err(_) => {
            let exit = Exit { code: crate::shim::NOT_STARTED, oom: false, at: watch::now_ms(), error: Some(reason.to_owned()) };
            if let Err(error) = record::save(&container.folder.exit(), &exit, true) {
                tracing::warn!(%error, task = %container.record.config.task, "the failed start could not be recorded");
            }
            release::exited(shared, container, &exit).await;
        }
    }
    shared.tell(container.record.config.task);
}
