//! Asks a container to stop, and makes it stop when it does not.

use std::sync::Arc;
use std::time::Duration;

use cluster_types::{ContainerPhase, TaskId};
use tokio::time::timeout;

use super::Shared;
use super::container::Container;
use crate::RuntimeError;
use crate::record::Started;
use crate::signal;

/// How long SIGKILL may take before the container is said to be stuck.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// Begins to stop a running container. Asked again, the first stop goes on.
pub(super) fn stop(shared: &Arc<Shared>, task: TaskId) -> Result<(), RuntimeError> {
    let container = shared.find(task)?;
    let Some(started) = container.started() else { return Ok(()) };
    if container.phase() != ContainerPhase::Running || !container.begin_stop() {
        return Ok(());
    }
    let signal = stop_signal(&container);
    tracing::debug!(%task, signal, "stopping");
    started.init.signal(signal);
    let shared = shared.clone();
    tokio::spawn(async move { finish(&shared, &container, &started).await });
    Ok(())
}

/// The spec's signal, or the image's, or SIGTERM.
fn stop_signal(container: &Container) -> i32 {
    let given = container.record.config.spec.container.stop_signal.as_deref().unwrap_or(&container.record.image.stop_signal);
    signal::number(given).unwrap_or(libc::SIGTERM)
}

async fn finish(shared: &Shared, container: &Container, started: &Started) {
    let spec = &container.record.config.spec.container;
    if timeout(spec.stop_grace, container.ended()).await.is_ok() {
        return;
    }
    kill(container, started);
    if timeout(KILL_PATIENCE, container.ended()).await.is_err() {
        shared.layout.kill(&container.record.cgroup);
        let state =
            if started.init.is_stuck() { "its first process waits in the kernel (state D)" } else { "a process in it does not end" };
        let error = format!("stuck: SIGKILL had no effect for {} s, {state}", KILL_PATIENCE.as_secs());
        tracing::warn!(task = %container.record.config.task, error);
        container.set_error(error);
        shared.tell(container.record.config.task);
    }
}

/// SIGKILL to PID 1: the kernel ends the whole PID namespace with it.
pub(super) fn kill(container: &Container, started: &Started) {
    tracing::debug!(task = %container.record.config.task, "killing");
    started.init.signal(libc::SIGKILL);
}
