//! Removes every trace of a container: processes, network, control group, files.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use cluster_types::{ContainerPhase, TaskId};
use tokio::time::timeout;

use super::container::Container;
use super::{Shared, failed, start, stop, watch};
use crate::RuntimeError;

/// How long a killed container may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Removes a container. Nothing happens when there is none.
pub(super) async fn remove(shared: &Arc<Shared>, task: TaskId) -> Result<(), RuntimeError> {
    let Ok(container) = shared.find(task) else { return discard(shared, task).await };
    end(shared, &container).await?;
    remove_group(shared, &container.record.cgroup).await.map_err(failed("remove the control group"))?;
    discard(shared, task).await?;
    forget(shared, task);
    shared.tell(task);
    Ok(())
}

/// Removes a control group. The kernel gives no sign when the last killed process has left one, so a refusal is tried again for a while.
pub(super) async fn remove_group(shared: &Shared, group: &str) -> io::Result<()> {
    for _ in 0..200 {
        if shared.layout.remove(group).is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    shared.layout.remove(group)
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
    let Some(started) = container.started() else {
        start::settled(&container.folder).await;
        return Ok(());
    };
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
