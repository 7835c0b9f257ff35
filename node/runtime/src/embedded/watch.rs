//! Notices the end of a container: waits for its keeper, then reads what the keeper wrote.

use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::container::Container;
use super::{Shared, release};
use crate::async_fd;
use crate::process_id::ProcessId;
use crate::record::{self, Exit, Started};
use crate::shim::message::{Reply, Request, Verb};
use crate::shim::{UNKNOWN_CODE, UNKNOWN_END};

/// Watches a running container until its end.
pub(super) fn spawn(shared: &Arc<Shared>, container: &Arc<Container>) {
    // The runtime may be dropped while containers run: they are none of the watcher's business then.
    let (shared, container) = (Arc::downgrade(shared), container.clone());
    tokio::spawn(async move {
        while let Some(started) = container.started() {
            if let Err(error) = gone(started.keeper).await {
                tracing::warn!(%error, task = %container.record.config.task, "the container's keeper cannot be watched");
            }
            let Some(shared) = shared.upgrade() else { return };
            let exit = match record::load::<Exit>(&container.folder.exit()) {
                Ok(Some(exit)) => exit,
                Ok(None) | Err(_) if started.init.is_alive() => match adopt(&shared, &container).await {
                    Some(again) => {
                        container.set_running(&again);
                        continue;
                    }
                    None => lost(&shared, &container, &started),
                },
                Ok(None) | Err(_) => lost(&shared, &container, &started),
            };
            release::exited(&shared, &container, &exit).await;
            shared.tell(container.record.config.task);
            return;
        }
    });
}

/// Waits until a process has ended.
pub(super) async fn gone(process: ProcessId) -> io::Result<()> {
    let Some(fd) = process.open() else { return Ok(()) };
    let _ended = async_fd::readable(fd)?.readable().await?;
    Ok(())
}

/// Gives a container whose keeper was killed another one.
async fn adopt(shared: &Shared, container: &Container) -> Option<Started> {
    let request = Request { verb: Verb::Adopt, dir: container.folder.0.clone() };
    tracing::warn!(task = %container.record.config.task, "the container's keeper is gone; another takes over");
    match shared.spawner.ask(&request).await {
        Ok(Some(Reply::Started(started))) => Some(started),
        Ok(Some(Reply::Rejected(_) | Reply::Failed(_) | Reply::Probed(_)) | None) | Err(_) => None,
    }
}

/// The end of a container that nobody saw. What is left of it is killed: nothing runs unwatched.
fn lost(shared: &Shared, container: &Container, started: &Started) -> Exit {
    super::stop::kill(container, started);
    shared.layout.kill(&container.record.cgroup);
    let oom = shared.layout.oom_kills(&container.record.cgroup) > 0;
    let exit = Exit { code: UNKNOWN_CODE, oom, at: now_ms(), error: Some(UNKNOWN_END.to_owned()) };
    if let Err(error) = record::save(&container.folder.exit(), &exit, true) {
        tracing::warn!(%error, task = %container.record.config.task, "the container's end could not be recorded");
    }
    exit
}

/// Milliseconds since the epoch.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
