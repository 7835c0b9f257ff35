//! Jobs: their schedule and their runs. The books of settled slots stay with the managers.

use cluster_types::{JobRun, JobStatus, Overlap, Schedule, SlotRanges, Timestamp};

use super::{FieldError, list, same_values, stamp, variant};
use crate::pb;

same_values!(Overlap, pb::Overlap: Forbid = Forbid, Replace = Replace);

impl From<&Schedule> for pb::Schedule {
    fn from(schedule: &Schedule) -> Self {
        let overlap = pb::Overlap::from(schedule.overlap).into();
        Self { cron: schedule.cron.clone(), time_zone: schedule.time_zone.clone(), overlap }
    }
}

impl TryFrom<pb::Schedule> for Schedule {
    type Error = FieldError;

    fn try_from(schedule: pb::Schedule) -> Result<Self, FieldError> {
        let overlap = variant::<pb::Overlap, _>("overlap", schedule.overlap)?;
        Ok(Self { cron: schedule.cron, time_zone: schedule.time_zone, overlap })
    }
}

impl From<&JobRun> for pb::JobRun {
    fn from(run: &JobRun) -> Self {
        Self {
            iteration: run.iteration,
            started_ms: run.started.0,
            ended_ms: run.ended.0,
            completed: run.completed,
            wanted: run.wanted,
            outcome: run.outcome.clone(),
        }
    }
}

impl TryFrom<pb::JobRun> for JobRun {
    type Error = FieldError;

    fn try_from(run: pb::JobRun) -> Result<Self, FieldError> {
        let (started, ended) = (Timestamp(run.started_ms), Timestamp(run.ended_ms));
        Ok(Self { iteration: run.iteration, started, ended, completed: run.completed, wanted: run.wanted, outcome: run.outcome })
    }
}

impl From<&JobStatus> for pb::JobStatus {
    fn from(job: &JobStatus) -> Self {
        Self {
            iteration: job.iteration,
            started_ms: job.started.0,
            ended_ms: job.ended.map(|at| at.0),
            cause: job.cause,
            next_ms: job.next.map(|at| at.0),
            runs: job.runs.iter().map(Into::into).collect(),
            wanted: job.wanted,
            completed: job.completed,
        }
    }
}

impl TryFrom<pb::JobStatus> for JobStatus {
    type Error = FieldError;

    fn try_from(job: pb::JobStatus) -> Result<Self, FieldError> {
        Ok(Self {
            iteration: job.iteration,
            started: Timestamp(job.started_ms),
            ended: stamp(job.ended_ms),
            cause: job.cause,
            next: stamp(job.next_ms),
            runs: list("runs", job.runs)?,
            wanted: job.wanted,
            completed: job.completed,
            settled: SlotRanges::default(),
        })
    }
}
