//! Gives back at a container's end what another may be given once that end is known: its addresses and host ports. Its log stays.
//!
//! Called by whoever notices an end, before it is told: the managers may give the address away as soon as they hear of it.

use std::sync::Arc;
use std::time::Duration;

use cluster_types::TaskId;
use tokio::time::timeout;

use super::Shared;
use super::container::Container;
use crate::record::Exit;

/// How long the network may take. An end that nobody hears of would be worse than an address that is still in use.
const PATIENCE: Duration = Duration::from_secs(5);

/// The container has ended: from here on everybody may know.
pub(super) async fn exited(shared: &Shared, container: &Arc<Container>, exit: &Exit) {
    if container.record.netns.is_some() {
        release(shared, container.record.config.task).await;
    }
    container.set_exited(exit);
}

async fn release(shared: &Shared, task: TaskId) {
    let Some(network) = shared.config.network.clone() else { return };
    // It goes on when it takes too long.
    let detached = tokio::spawn(async move { network.detach(task).await });
    match timeout(PATIENCE, detached).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(%error, %task, "the network of a container that has ended could not be taken back"),
        Ok(Err(error)) => tracing::error!(%error, %task, "taking a container's network back broke off"),
        Err(_) => tracing::warn!(%task, "the network of a container that has ended is not taken back yet"),
    }
}
