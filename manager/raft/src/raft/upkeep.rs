//! What runs beside Raft: a snapshot when the log takes much room, and handing the lead on while this manager's disk is full.

use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::metrics::RaftDataMetrics;

use super::Raft;
use super::error::MembershipError;
use crate::log::store::LogStore;
use crate::machine::Machine;
use crate::types::Types;

/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(1);
/// Bytes of entries after which a snapshot is made, however few they are.
const LOG_BYTES: usize = 32 << 20;
/// Looks between two tries of the same: the next manager's disk may be full as well, and a purge waits for followers.
const PAUSE: u32 = 10;

impl Raft {
    /// Makes a snapshot now and lets go of the entries that it covers. Raft does so by itself; an operator may want it before a backup.
    ///
    /// # Errors
    /// `Stopped` only.
    pub async fn snapshot_and_purge(&self) -> Result<(), MembershipError> {
        let raft = &self.inner.raft;
        let stopped = |error: &dyn std::fmt::Display| MembershipError::Stopped(error.to_string());
        let applied = raft.data_metrics().borrow_watched().last_applied;
        raft.trigger().snapshot().await.map_err(|fatal| stopped(&fatal))?;
        let covered = |data: &RaftDataMetrics<Types>| data.snapshot >= applied;
        let mut data = raft.data_metrics();
        while !covered(&data.borrow_and_update()) {
            data.changed().await.map_err(|error| stopped(&error))?;
        }
        let upto = data.borrow_watched().snapshot.map_or(0, |id| id.index);
        raft.trigger().purge_log(upto).await.map_err(|fatal| stopped(&fatal))
    }
}

/// Looks once a second until Raft stops.
pub(super) async fn run(raft: openraft::Raft<Types, Machine>, log: LogStore, id: u64) {
    let full = log.full();
    let mut wait = 0_u32;
    loop {
        tokio::time::sleep(PERIOD).await;
        wait = wait.saturating_sub(1);
        if wait > 0 {
            continue;
        }
        let large = log.bytes() > LOG_BYTES;
        let successor = if *full.borrow() { successor(&raft, id) } else { None };
        if let Some(successor) = successor {
            tracing::warn!(successor, "the disk is full: another manager is asked to lead");
        }
        if large || successor.is_some() {
            wait = PAUSE;
        }
        if act(&raft, large, successor).await.is_err() {
            return;
        }
    }
}

async fn act(raft: &openraft::Raft<Types, Machine>, large: bool, successor: Option<u64>) -> Result<(), openraft::errors::Fatal<Types>> {
    if large {
        raft.trigger().snapshot().await?;
        let upto = raft.data_metrics().borrow_watched().snapshot.map(|id| id.index);
        if let Some(upto) = upto {
            raft.trigger().purge_log(upto).await?;
        }
    }
    if let Some(successor) = successor {
        raft.trigger().transfer_leader(successor).await?;
    }
    Ok(())
}

/// The other voter that has most of the log; none when this manager does not lead or is alone.
fn successor(raft: &openraft::Raft<Types, Machine>, id: u64) -> Option<u64> {
    let metrics = raft.metrics();
    let metrics = metrics.borrow_watched();
    if !metrics.state.is_leader() {
        return None;
    }
    let voters: Vec<u64> = metrics.membership_config.voter_ids().filter(|voter| *voter != id).collect();
    let matched = metrics.replication.iter().flatten().filter(|(member, _)| voters.contains(member));
    matched.max_by_key(|(_, matched)| matched.map(|log| log.index)).map(|(member, _)| *member)
}
