//! Removes every trace of a container: processes, network, control group, files.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use cluster_types::{ContainerPhase, TaskId};
use tokio::time::timeout;

use super::container::Container;
use super::{Shared, failed, stop, watch};
use crate::RuntimeError;

/// How long a killed container may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Removes a container. Nothing happens when there is none.
pub(super) async fn remove(shared: &Arc<Shared>, task: TaskId) -> Result<(), RuntimeError> {
    let Ok(container) = shared.find(task) else { return discard(shared, task).await };
    end(shared, &container).await?;
    shared.layout.remove(&container.record.cgroup).map_err(failed("remove the control group"))?;
    discard(shared, task).await?;
    forget(shared, task);
    shared.tell(task);
    Ok(())
}

/// The last container takes the parent of the control groups with it. The table stays locked meanwhile, so that no start is in between.
fn forget(shared: &Shared, task: TaskId) {
    let mut containers = shared.map();
    containers.remove(&task);
    if containers.is_empty() {
        shared.layout.remove_if_empty(&shared.cgroup_parent());
    }
}

/// Kills what runs, and waits until the keeper has written its last.
async fn end(shared: &Shared, container: &Container) -> Result<(), RuntimeError> {
    let Some(started) = container.started() else { return Ok(()) };
    if container.phase() == ContainerPhase::Running {
        stop::kill(container, &started);
        if timeout(PATIENCE, container.ended()).await.is_err() {
            shared.layout.kill(&container.record.cgroup);
            return Err(RuntimeError::Failed("the container does not end after SIGKILL; its files are kept until it does".to_owned()));
        }
    }
    timeout(PATIENCE, watch::gone(started.keeper))
        .await
        .map_err(failed("wait for the container's keeper"))?
        .map_err(failed("watch the keeper"))
}

/// Takes back the network and the folder of a task, known or not.
pub(super) async fn discard(shared: &Shared, task: TaskId) -> Result<(), RuntimeError> {
    if let Some(network) = &shared.config.network {
        network.detach(task).await.map_err(failed("detach the container from the network"))?;
    }
    match tokio::fs::remove_dir_all(shared.folder(task).0).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove the container's files")(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
