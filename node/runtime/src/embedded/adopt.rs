//! What an agent does first: finds the containers that an earlier one left, and clears away what belongs to none.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cluster_types::TaskId;
use rustix::fs::{FlockOperation, flock};
use tokio::time::timeout;

use super::container::Container;
use super::{Shared, failed, remove, watch};
use crate::RuntimeError;
use crate::record::{self, Exit, Folder, Record, Started};
use crate::shim::{UNKNOWN_CODE, UNKNOWN_END};

/// How long a start that was under way when the last agent died may go on.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// Fills the table of containers from the disk.
pub(super) async fn adopt(shared: &Arc<Shared>) -> Result<(), RuntimeError> {
    for task in folders(&shared.containers_dir()).map_err(failed("read the containers' directory"))? {
        match find(shared, task).await {
            Some(container) => drop(shared.map().insert(task, container)),
            None => remove::discard(shared, task).await?,
        }
    }
    clear_groups(shared);
    Ok(())
}

fn folders(dir: &Path) -> io::Result<Vec<TaskId>> {
    let mut tasks = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        // Names that are no ids are none of ours.
        tasks.extend(entry?.file_name().to_str().and_then(|name| name.parse::<TaskId>().ok()));
    }
    Ok(tasks)
}

/// The container in a folder; none when the folder is of no use.
async fn find(shared: &Arc<Shared>, task: TaskId) -> Option<Arc<Container>> {
    let folder = shared.folder(task);
    let record = record::load::<Record>(&folder.container()).ok()??;
    let same_boot = record.boot == shared.boot;
    if same_boot {
        await_start(&folder).await;
    }
    let started = record::load::<Started>(&folder.state()).unwrap_or_default();
    let exit = record::load::<Exit>(&folder.exit()).unwrap_or_default();
    let container = Arc::new(Container::prepared(folder, record));
    match (started, exit) {
        (_, Some(exit)) => container.set_exited(&exit),
        (Some(_), None) if !same_boot => {
            let exit =
                Exit { code: UNKNOWN_CODE, oom: false, at: watch::now_ms(), error: Some(format!("the host was restarted: {UNKNOWN_END}")) };
            if let Err(error) = record::save(&container.folder.exit(), &exit, true) {
                tracing::warn!(%error, %task, "the container's end could not be recorded");
            }
            container.set_exited(&exit);
        }
        (Some(started), None) => {
            container.set_running(&started);
            watch::spawn(shared, &container);
        }
        // Prepared in this boot it is still good; its network namespace did not survive another one.
        (None, None) if same_boot => {}
        (None, None) => return None,
    }
    Some(container)
}

/// A launcher that still works holds a lock in the folder: its result is waited for.
async fn await_start(folder: &Folder) {
    if folder.state().exists() {
        return;
    }
    let Ok(file) = std::fs::File::open(folder.lock()) else { return };
    let locked = tokio::task::spawn_blocking(move || flock(&file, FlockOperation::LockShared));
    if timeout(START_PATIENCE, locked).await.is_err() {
        tracing::warn!(folder = %folder.0.display(), "a start of the last agent is still under way");
    }
}

/// Kills and removes groups below this node's parent that belong to no container.
fn clear_groups(shared: &Shared) {
    let parent = shared.cgroup_parent();
    let known: BTreeSet<String> = shared.map().values().map(|container| container.record.cgroup.clone()).collect();
    let mut names = BTreeSet::new();
    for folder in shared.layout.folders(&parent) {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let groups = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        names.extend(groups.map(|entry| format!("{parent}/{}", entry.file_name().to_string_lossy())));
    }
    for group in names.difference(&known) {
        tracing::info!(group, "a control group of no container is removed");
        shared.layout.kill(group);
        if let Err(error) = shared.layout.remove(group) {
            tracing::warn!(%error, group, "the control group could not be removed");
        }
    }
}
