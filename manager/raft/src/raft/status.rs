//! Figures for status commands and metrics.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::async_runtime::{Instant as _, WatchReceiver};

use super::Raft;

/// How far this manager's Raft is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The term.
    pub term: u64,
    /// Index of the last entry in the log.
    pub last: Option<u64>,
    /// Index of the last entry that is known to be committed.
    pub committed: Option<u64>,
    /// Index of the last applied entry.
    pub applied: Option<u64>,
    /// Index that the newest snapshot covers.
    pub snapshot: Option<u64>,
    /// Index up to which the log was purged.
    pub purged: Option<u64>,
    /// On the leader: up to which index each member has the log; none while it has not answered.
    pub members: BTreeMap<u64, Option<u64>>,
    /// On the leader: how long ago each other member last answered; none when it has not.
    pub heard: BTreeMap<u64, Option<Duration>>,
    /// Syncs of the log since the start.
    pub syncs: u64,
    /// Bytes written to the log since the start.
    pub written_bytes: u64,
    /// About how many bytes the entries take that no snapshot has replaced.
    pub log_bytes: usize,
    /// How long the last write and sync of the log took.
    pub last_sync: Duration,
    /// Whether the disk is too full for proposals.
    pub disk_full: bool,
    /// Why Raft has stopped; none while it runs. Then only a restart of the manager helps.
    pub stopped: Option<String>,
}

impl Raft {
    /// How far this manager's Raft is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let metrics = self.inner.raft.metrics();
        let metrics = metrics.borrow_watched();
        let stats = self.inner.log.stats();
        let members = metrics.replication.iter().flatten().map(|(id, matched)| (*id, matched.map(|id| id.index))).collect();
        Progress {
            term: metrics.current_term,
            last: metrics.last_log_index,
            committed: metrics.local_committed.map(|id| id.index),
            applied: metrics.last_applied.map(|id| id.index),
            snapshot: metrics.snapshot.map(|id| id.index),
            purged: metrics.purged.map(|id| id.index),
            members,
            heard: metrics.heartbeat.iter().flatten().map(|(id, at)| (*id, at.map(|at| at.elapsed()))).collect(),
            syncs: stats.syncs.load(Ordering::Relaxed),
            written_bytes: stats.bytes.load(Ordering::Relaxed),
            log_bytes: self.inner.log.bytes(),
            last_sync: Duration::from_micros(stats.last_sync_micros.load(Ordering::Relaxed)),
            disk_full: *self.inner.log.full().borrow(),
            stopped: metrics.running_state.as_ref().err().map(ToString::to_string),
        }
    }

    /// Waits until Raft has stopped and says why: the disk failed, or it was shut down. A manager then restarts and reads what is there.
    pub async fn stopped(&self) -> String {
        let mut metrics = self.inner.raft.metrics();
        loop {
            if let Err(fatal) = &metrics.borrow_and_update().running_state {
                return fatal.to_string();
            }
            if metrics.changed().await.is_err() {
                return "raft has ended".to_owned();
            }
        }
    }
}
