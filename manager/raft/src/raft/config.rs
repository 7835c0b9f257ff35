//! What a manager's Raft is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cluster_types::ClusterId;
use openraft::{Config, SnapshotPolicy};

use super::error::StartError;
use crate::network::dial::Dial;

/// Entries after which a snapshot is made.
const SNAPSHOT_ENTRIES: u64 = 10_000;
/// Entries kept behind a snapshot, so that a follower that was away for a moment needs no snapshot.
const KEPT_ENTRIES: u64 = 1_000;
/// Most entries in one message; its bytes are bounded by the log.
const MESSAGE_ENTRIES: u64 = 1_024;

/// What a manager's Raft is started with.
#[derive(Clone)]
pub struct RaftConfig {
    /// Its directory, made with mode 0700; nobody else writes there.
    pub dir: PathBuf,
    /// Its id in the group; 1 for the first manager. Never given twice in a cluster's life.
    pub raft_id: u64,
    /// The cluster that it belongs to.
    pub cluster_id: ClusterId,
    /// Where other managers reach it.
    pub address: SocketAddr,
    /// Brings connections to other managers.
    pub dial: Arc<dyn Dial>,
    /// How patient it is.
    pub timing: Timing,
}

/// How patient the group is. All managers of a cluster use the same.
///
/// A follower holds a leader for alive for `election_max` after its last message (its lease), then waits for `election_min` to
/// `election_max` more before it stands itself. So a killed leader is replaced after `election_max + election_min` at the earliest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Time between two heartbeats. Also the limit for a heartbeat's answer, so it must be well above the network's round trip.
    pub heartbeat: Duration,
    /// Shortest wait before standing for election.
    pub election_min: Duration,
    /// Longest wait before standing for election, and the leader's lease.
    pub election_max: Duration,
    /// How long a proposal or barrier may take in all.
    pub propose: Duration,
}

impl Default for Timing {
    /// For managers some tens of milliseconds apart, on machines that are busy with containers. A leader whose process dies is replaced
    /// sooner, see [`super::vigil`]; these times are for machines that vanish and networks that are cut.
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(150),
            election_min: Duration::from_millis(400),
            election_max: Duration::from_millis(800),
            propose: Duration::from_secs(2),
        }
    }
}

impl Timing {
    /// How long an append may take: long enough for a slow disk, short enough to notice a peer that is gone.
    #[must_use]
    pub fn append_deadline(&self) -> Duration {
        self.election_max * 2
    }

    /// openraft's settings.
    ///
    /// # Errors
    /// `Timing` when they contradict each other.
    pub fn settings(&self, cluster: &ClusterId) -> Result<Config, StartError> {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let settings = Config {
            cluster_name: cluster.to_string(),
            heartbeat_interval: millis(self.heartbeat),
            election_timeout_min: millis(self.election_min),
            election_timeout_max: millis(self.election_max),
            enable_pre_vote: Some(true),
            // A leader that comes back asks for votes like anybody else: its state may be older than what it acknowledged.
            enable_leader_restore: Some(false),
            max_payload_entries: MESSAGE_ENTRIES,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_ENTRIES),
            max_in_snapshot_log_to_keep: KEPT_ENTRIES,
            purge_batch_size: KEPT_ENTRIES / 4,
            replication_lag_threshold: 2 * SNAPSHOT_ENTRIES,
            backoff: "50ms 100ms 200ms ...500ms".to_owned(),
            ..Config::default()
        };
        settings.validate().map_err(|error| StartError::Timing(error.to_string()))
    }
}
