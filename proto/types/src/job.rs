//! Jobs: services whose tasks are to end, once or by the clock.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// When a job runs by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Five or six fields of cron; the sixth, in front, is seconds.
    pub cron: String,
    /// Time zone by its IANA name, such as `Europe/Zurich`.
    pub time_zone: String,
    /// What happens when it is due while its last run goes on.
    pub overlap: Overlap,
}

/// What happens when a scheduled job is due while its last run goes on. Kubernetes' concurrency policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// The new run is left out.
    #[default]
    Forbid,
    /// The last run is stopped.
    Replace,
}

/// How a job goes. Written by the orchestrator.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobStatus {
    /// Counts its runs: a task belongs to one of them. 0 before the first.
    pub iteration: u64,
    /// When the current run began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// The value of `force_update`, or the spec version, that began it: another one begins the next.
    pub cause: u64,
    /// When the schedule begins the next run.
    pub next: Option<Timestamp>,
    /// Runs before the current one, the newest last, at most `limits::JOB_RUNS`.
    pub runs: Vec<JobRun>,
}

/// One run of a job that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRun {
    /// Which.
    pub iteration: u64,
    /// When it began.
    pub started: Timestamp,
    /// When it ended or was given up.
    pub ended: Timestamp,
    /// Tasks that completed.
    pub completed: u64,
    /// Tasks that were to complete.
    pub wanted: u64,
    /// How it ended, in words: `completed`, `failed`, `replaced`, `left out`.
    pub outcome: String,
}
