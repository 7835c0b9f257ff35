//! Whether an entry would be there after a power cut.

use std::sync::Arc;

use cluster_raft::log::recovery::recover;
use cluster_raft::machine::snapshots::Snapshots;
use cluster_raft::types::LogId;

use crate::disk::SimDisk;

/// Whether what is durable on a disk has the entry, in the log or in the snapshot. The product's recovery reads it.
pub(crate) fn holds(disk: &SimDisk, id: LogId) -> bool {
    let durable = disk.durable();
    let in_log = recover(&durable).is_ok_and(|log| log.contents.range(&(id.index..=id.index)).any(|entry| entry.log_id == id));
    in_log || snapshot_covers(durable, id)
}

fn snapshot_covers(disk: SimDisk, id: LogId) -> bool {
    let snapshots = Snapshots::open(Arc::new(disk));
    snapshots.is_ok_and(|snapshots| snapshots.current().is_some_and(|(meta, _)| meta.last_log_id >= Some(id)))
}
