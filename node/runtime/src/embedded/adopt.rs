//! What an agent does first: finds the containers that an earlier one left, and clears away what belongs to none.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cluster_network::namespace;
use cluster_types::TaskId;
use tokio::time::timeout;

use super::container::Container;
use super::{Shared, failed, release, remove, start, watch};
use crate::RuntimeError;
use crate::record::{self, Exit, Record, Started};
use crate::shim::{UNKNOWN_CODE, UNKNOWN_END};

/// How long a killed container may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Fills the table of containers from the disk.
pub(super) async fn adopt(shared: &Arc<Shared>) -> Result<(), RuntimeError> {
    for task in folders(&shared.containers_dir()).map_err(failed("read the containers' directory"))? {
        match find(shared, task).await {
            Some(container) => drop(shared.map().insert(task, container)),
            None => {
                abandon(shared, task).await;
                remove::discard(shared, task).await?;
            }
        }
    }
    clear_groups(shared).await;
    Ok(())
}

/// Ends what may run from a folder that is of no use: nothing runs that nobody can stop.
async fn abandon(shared: &Shared, task: TaskId) {
    let Ok(Some(started)) = record::load::<Started>(&shared.folder(task).state()) else { return };
    tracing::warn!(%task, "a container whose record cannot be read is removed");
    started.init.signal(libc::SIGKILL);
    if timeout(PATIENCE, watch::gone(started.keeper)).await.is_err() {
        tracing::warn!(%task, "it does not end");
    }
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
    if same_boot && !folder.state().exists() {
        start::settled(&folder).await;
    }
    let started = record::load::<Started>(&folder.state()).unwrap_or_default();
    let exit = record::load::<Exit>(&folder.exit()).unwrap_or_default();
    let hold = shared.config.images.hold(&record.image_id);
    let container = Arc::new(Container::prepared(folder, record, hold));
    match (started, exit) {
        (_, Some(exit)) => release::exited(shared, &container, &exit).await,
        (Some(_), None) if !same_boot => {
            let exit =
                Exit { code: UNKNOWN_CODE, oom: false, at: watch::now_ms(), error: Some(format!("the host was restarted: {UNKNOWN_END}")) };
            if let Err(error) = record::save(&container.folder.exit(), &exit, true) {
                tracing::warn!(%error, %task, "the container's end could not be recorded");
            }
            release::exited(shared, &container, &exit).await;
        }
        (Some(started), None) => {
            container.set_running(&started);
            watch::spawn(shared, &container);
        }
        // Prepared in this boot it is still good, unless its network namespace went with the host that it was on.
        (None, None) if same_boot && container.record.netns.as_deref().is_none_or(namespace::is_alive) => {}
        (None, None) => return None,
    }
    Some(container)
}

/// Kills and removes groups below this node's parent that belong to no container.
async fn clear_groups(shared: &Shared) {
    let parent = shared.cgroup_parent();
    let known: BTreeSet<String> = shared.map().values().map(|container| container.record.cgroup.clone()).collect();
    for group in groups(shared, &parent).difference(&known) {
        tracing::info!(group, "a control group of no container is removed");
        shared.layout.kill(group);
        if let Err(error) = remove::remove_group(shared, group).await {
            tracing::warn!(%error, group, "the control group could not be removed");
        }
    }
    if known.is_empty() {
        shared.layout.remove_if_empty(&parent);
    }
}

/// The groups below a parent, in whichever hierarchy.
fn groups(shared: &Shared, parent: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in shared.layout.folders(parent) {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let groups = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        names.extend(groups.map(|entry| format!("{parent}/{}", entry.file_name().to_string_lossy())));
    }
    names
}
